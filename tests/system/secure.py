"""Servers with TLS, for system tests, and clients that know them."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from msgspec.structs import replace

import dc
from dc import certificates
from dc.dial import dial, read_url
from dc.http_client import HttpClient
from dc.server.first_start import TOKEN_FILE
from tests.system.processes import START_SECONDS, Machine, Program, until


class SecureServer:
    """A server that accepts connections with TLS.

    Attributes:
        program: its process.
        address: as it prints it.
        port: that it listens on.
        pin: of its key, in hexadecimal digits.
        token: of its operator.
    """

    def __init__(self, program: Program, data: Path, address: str, port: int = 0) -> None:
        self.program, self.address = program, address
        self.port = port or int(address.rpartition(":")[2])
        pem = data / "tls" / "certificate.pem"
        self.pin = certificates.pin_of_pem(pem.read_bytes()).hex() if pem.exists() else ""
        self.token = (data / TOKEN_FILE).read_text().strip()

    @classmethod
    async def up(
        cls, machine: Machine, *arguments: object, data: Path | None = None, port: int = 0
    ) -> SecureServer:
        """Start one; return once it accepts. The `port` is said if the address is a proxy's."""
        data = data or machine.data
        options = [*arguments, "--data", data, *machine.with_plugins(None), "--verbose"]
        program = machine.start("dc.server", *options, name="server")
        await until(
            lambda: (
                (bool(program.out.read_text()) and (data / TOKEN_FILE).exists())
                or not program.alive
            ),
            *("the server", START_SECONDS, program.text),
        )
        assert program.alive, program.text()
        return cls(program, data, program.out.read_text().split()[0], port)

    def client(self, machine: Machine, address: str = "") -> dc.AsyncClient:
        """Return a client that is to be entered; the pin is in this process's environment."""
        where = address or self.address
        return dc.AsyncClient(where, plugins=[machine.plugins], token=self.token)

    async def invite(self, **wanted: object) -> str:
        """Return a join code."""
        server = replace(read_url(self.here), pin=bytes.fromhex(self.pin))
        http = HttpClient(
            partial(dial, server), server.authority, [("Authorization", f"Bearer {self.token}")]
        )
        made = await http.send_json("POST", "/api/invites", wanted)
        await http.aclose()
        return str(made["code"])

    @property
    def here(self) -> str:
        """Its address for this computer, whatever others are told."""
        if self.pin:
            return self.address
        return f"http://127.0.0.1:{self.port}"

    def worker(self, machine: Machine, name: str, where: str, **environment: str) -> Program:
        """Start a worker with a join code or an address."""
        return machine.start(
            *("dc.worker", where, "--name", name, "--slots", 1),
            *("--data", machine.folder / f"worker-{name}", "--spares", 0),
            name=name,
            environment=environment,
        )


@contextmanager
def asking(host: str, port: int, *, tls: bool) -> Iterator[http.client.HTTPConnection]:
    """Give a connection to whatever is at a port, as a browser would make it."""
    connection: http.client.HTTPConnection
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=60, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=60)
    try:
        yield connection
    finally:
        connection.close()
