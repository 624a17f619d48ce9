"""Servers with TLS, for system tests, and clients that know them."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dc
from dc import certificates
from tests.system.processes import START_SECONDS, Machine, Program, until


class SecureServer:
    """A server that accepts connections with TLS.

    Attributes:
        program: its process.
        address: as it prints it.
        port: that it listens on.
        pin: of its key, in hexadecimal digits.
    """

    def __init__(self, program: Program, data: Path, address: str) -> None:
        self.program, self.address = program, address
        self.port = int(address.rpartition(":")[2])
        pem = data / "tls" / "certificate.pem"
        self.pin = certificates.pin_of_pem(pem.read_bytes()).hex() if pem.exists() else ""

    @classmethod
    async def up(
        cls, machine: Machine, *arguments: object, data: Path | None = None
    ) -> SecureServer:
        """Start one; return once it accepts."""
        data = data or machine.data
        options = [*arguments, "--data", data, *machine.with_plugins(None), "--verbose"]
        program = machine.start("dc.server", *options, name="server")
        await until(
            lambda: program.out.read_text().endswith("\n") or not program.alive,
            *("the server's address", START_SECONDS, program.text),
        )
        assert program.alive, program.text()
        return cls(program, data, program.out.read_text().split()[0])

    @property
    def environment(self) -> dict[str, str]:
        """What lets programs know it."""
        return {"DC_PIN": self.pin} if self.pin else {}

    def client(self, machine: Machine, address: str = "") -> dc.AsyncClient:
        """Return a client that is to be entered; the pin is in this process's environment."""
        return dc.AsyncClient(address or self.address, plugins=[machine.plugins])

    def worker(self, machine: Machine, name: str, address: str = "", **environment: str) -> Program:
        """Start a worker, which looks for the server until it is ended."""
        return machine.start(
            *("dc.worker", address or self.address, "--name", name, "--slots", 1),
            *("--data", machine.folder / f"worker-{name}", "--spares", 0),
            name=name,
            environment={**self.environment, **environment},
        )


@contextmanager
def asking(host: str, port: int, *, tls: bool) -> Iterator[http.client.HTTPConnection]:
    """Give a connection to whatever is at a port, as a browser would make it."""
    connection: http.client.HTTPConnection
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()
