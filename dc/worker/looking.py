"""A look at what a server shows of itself, before anything is known of it. Nothing is believed."""

from __future__ import annotations

import ssl

import trio
from msgspec.structs import replace

from dc import certificates
from dc.dial import Server, dial
from dc.errors import DcError, ProtocolError, WrongServer
from dc.http_client import HttpClient
from dc.sockets import Buffer
from dc.tls_stream import TlsStream


async def shown_pin(server: Server) -> bytes:
    """Return the pin of the key that a server shows; whoever answers there may have any.

    Raises:
        OSError, DcError, trio.BrokenResourceError: it cannot be reached, or speaks no TLS.
    """
    stream = await dial(replace(server, tls=False))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is only looked at
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    tls = TlsStream(stream, context, Buffer(), server=False, name=server.host.partition("%")[0])
    try:
        await tls.shake_hands()
        return certificates.pin_of(tls.cipher.certificate)
    except ValueError as error:
        raise ProtocolError(f"{server.url} shows no certificate: {error}") from None
    finally:
        await trio.aclose_forcefully(tls)


async def is_vouched_for(server: Server) -> bool:
    """Whether authorities vouch for a server's certificate and its name.

    Raises:
        OSError, DcError, trio.BrokenResourceError: it cannot be reached, or speaks no TLS.
    """
    try:
        stream = await dial(replace(server, pin=b""))
    except WrongServer:
        return False
    await trio.aclose_forcefully(stream)
    return True


async def is_open(server: Server) -> bool:
    """Whether a server without TLS is at an address, and lets everybody in."""
    http = HttpClient(lambda: dial(server), server.authority)
    try:
        me = await http.get_json("/api/me")
    except (DcError, OSError, trio.BrokenResourceError):
        return False
    finally:
        await http.aclose()
    return isinstance(me, dict) and me.get("needed") is False
