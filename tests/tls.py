"""TLS for tests: contexts, made once, and pairs of ciphers and of streams."""

from __future__ import annotations

import ssl
import tempfile
from functools import cache
from pathlib import Path

import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dc import certificates
from dc.cipher import Cipher
from dc.sockets import Buffer
from dc.tls_stream import TlsStream

NOW = 1_772_000_000.0


@cache
def pems() -> tuple[bytes, bytes]:
    """Return a certificate and its key."""
    key = certificates.new_key()
    return certificates.make(key, ["localhost", "127.0.0.1"], NOW), key


def pin() -> bytes:
    return certificates.pin_of_pem(pems()[0])


def der() -> bytes:
    return x509.load_pem_x509_certificate(pems()[0]).public_bytes(Encoding.DER)


@cache
def server_context() -> ssl.SSLContext:
    with tempfile.TemporaryDirectory() as name:
        both = Path(name) / "both.pem"
        both.write_bytes(b"".join(pems()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def client_context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def ciphers(version: ssl.TLSVersion | None = None) -> tuple[Cipher, Cipher]:
    """Return a client's and a server's, behind the handshake."""
    client = Cipher(client_context(version), server=False)
    server = Cipher(server_context(), server=True)
    shake(client, server)
    return client, server


def shake(client: Cipher, server: Cipher, each: int = 1 << 20) -> None:
    """Have both shake hands, so many bytes at a time."""
    done = [False, False]
    while not all(done):
        for index, (one, other) in enumerate([(client, server), (server, client)]):
            done[index] = done[index] or one.shake()
            said = one.output()
            for start in range(0, len(said), each):
                other.take(said[start : start + each])
                done[1 - index] = done[1 - index] or other.shake()


async def streams(
    ours: trio.abc.Stream, theirs: trio.abc.Stream, version: ssl.TLSVersion | None = None
) -> tuple[TlsStream, TlsStream]:
    """Return TLS over two ends: the client's and the server's, behind the handshake."""
    client = TlsStream(ours, client_context(version), Buffer(), server=False, name="localhost")
    server = TlsStream(theirs, server_context(), Buffer(), server=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.shake_hands)
        nursery.start_soon(server.shake_hands)
    return client, server
