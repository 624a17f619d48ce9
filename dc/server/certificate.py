"""The server's certificate on the disk: made at the first start or given, and read as it changes.

    DATA/tls/key.pem          the private key: for good, whatever becomes of the certificate
    DATA/tls/certificate.pem  may be deleted: another one is made, and the pin stays

Who has the key can say to be this server: nobody else may read it.
"""

from __future__ import annotations

import logging
import os
import signal
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import trio

from dc import certificates, limits_access
from dc.cipher import Cipher
from dc.errors import StartError
from dc.plugin_unpack import sync_folder

log: Final = logging.getLogger("dc.server")

FOLDER: Final = "tls"


class ServerCertificate:
    """The certificate that the server shows now.

    Args:
        certificate: a file with it and its chain.
        key: a file with its private key.
        names: that it is to have, if it is one that is made here; None for one that was given.

    Attributes:
        context: for handshakes.
        pin: the SHA-256 of its public key.
    """

    def __init__(self, certificate: Path, key: Path, names: Sequence[str] | None) -> None:
        self._certificate, self._key, self._names = certificate, key, names
        self._seen: tuple[float, ...] = ()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.pin = b""

    @classmethod
    def made(cls, data: Path, names: Sequence[str], now: float) -> ServerCertificate:
        """Return the one that is in the data folder; make what is not there.

        Args:
            data: the data folder.
            names: that it is to have.
            now: the Unix time.

        Raises:
            StartError: it cannot be read or written.
        """
        folder = data / FOLDER
        made = cls(folder / "certificate.pem", folder / "key.pem", names)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not made._key.exists():
                _write(made._key, certificates.new_key())
                sync_folder(data)
            made._renew(now)
        except OSError as error:
            raise StartError(f"{folder}: {error.strerror or error}") from None
        except StartError as error:
            raise StartError(f"{made._key}: {error}") from None
        made._load()
        return made

    @classmethod
    def given(cls, certificate: Path, key: Path | None) -> ServerCertificate:
        """Return the one that is in files; StartError if it cannot be used."""
        given = cls(certificate, key or certificate, None)
        given._load()
        return given

    def is_public(self, name: str) -> bool:
        """Whether those who ask for the server by this name can verify the certificate.

        It is what the authorities say that this computer knows.
        """
        client = Cipher(ssl.create_default_context(), server=False, name=name)
        server = Cipher(self.context, server=True)
        try:
            while not client.shake():
                server.take(client.output())
                server.shake()
                client.take(server.output())
        except (trio.BrokenResourceError, ssl.SSLError):
            return False
        return True

    def look(self, now: float, *, anew: bool = False) -> None:
        """Renew it, or read it again, if that is due; what is wrong is logged.

        Args:
            now: the Unix time.
            anew: read it in any case.
        """
        before = self.pin
        try:
            if self._names is not None:
                self._renew(now)
            if not anew and self._state() == self._seen:
                return
            self._load()
        except (OSError, StartError) as error:
            log.error("the certificate stays as it was: %s", error)
            self._seen = self._state()  # said once
            return
        log.info("the certificate was read again")
        if self.pin != before:
            log.warning(
                "the certificate has another key: who knows this server by the pin of the former "
                "one, from a join code, is not served any more; start the server anew, so that it "
                "tells the new one"
            )

    async def watch(self) -> None:
        """Look at it from time to time, and at SIGHUP."""
        async with _hangups() as asked:
            while True:
                anew = False
                with trio.move_on_after(limits_access.CERTIFICATE_LOOK_SECONDS):
                    await asked.receive()
                    anew = True
                self.look(time.time(), anew=anew)

    def _renew(self, now: float) -> None:
        key = self._key.read_bytes()
        with suppress(FileNotFoundError):
            found = self._certificate.read_bytes()
            if certificates.is_good(found, key, self._names or (), now):
                return
        _write(self._certificate, certificates.make(key, self._names or (), now))

    def _load(self) -> None:
        """Read the files; StartError if they cannot be used, and then nothing has changed."""
        seen = self._state()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._certificate, self._key, password=lambda: b"")
            with self._certificate.open("rb") as file:
                pem = file.read(limits_access.CERTIFICATE_BYTES)
            pin = certificates.pin_of_pem(pem)
        except StartError as error:  # for OpenSSL it is one
            raise StartError(
                f"{self._certificate}: {error}: make a key of P-256 or RSA, and have a certificate "
                "made for it"
            ) from None
        except (OSError, ValueError) as error:  # of ssl as well
            said = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise StartError(
                f"{self._certificate} and {self._key} are no certificate and its key, in PEM and "
                f"without a password: {said}"
            ) from None
        self.context, self.pin, self._seen = context, pin, seen

    def _state(self) -> tuple[float, ...]:
        found: list[float] = []
        for path in (self._certificate, self._key):
            with suppress(OSError):
                about = path.stat()
                found += (about.st_mtime_ns, about.st_size, about.st_ino)
        return tuple(found)


@asynccontextmanager
async def _hangups() -> AsyncIterator[trio.MemoryReceiveChannel[None]]:
    """Give a channel that has something to receive at each SIGHUP, where there is one."""
    send, receive = trio.open_memory_channel[None](1)
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is None:
        yield receive
        return

    async def pass_on() -> None:
        with trio.open_signal_receiver(hangup) as signals:
            async for _ in signals:
                with suppress(trio.WouldBlock):
                    send.send_nowait(None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pass_on)
        yield receive
        nursery.cancel_scope.cancel()


def _write(path: Path, data: bytes) -> None:
    """Write a file that this user alone may read; it is complete or not there, and stays."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)
