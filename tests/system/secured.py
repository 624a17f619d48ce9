"""A server that has TLS and knows who asks, and one who administers it, for tests."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Self

import trio
from msgspec import convert, to_builtins

from dc.dial import Server, dial
from dc.errors import ConnectionLost
from dc.http_client import HttpClient
from dc.view_access import InvitesView, MadeInvite, NewInvite, NewToken
from tests.system.processes import START_SECONDS, Machine, Program, until

_PIN: Final = re.compile(r"the pin of its key is ([0-9a-f]{64})")


class SecureServer:
    """A server with TLS on this computer, and a token that may do everything.

    Args:
        program: it.
        server: where it is, and its pin.
        token: as text.
    """

    def __init__(self, program: Program, server: Server, token: str) -> None:
        self.program = program
        self.server = server
        self.token = token

    @classmethod
    async def start(cls, machine: Machine, *options: object) -> Self:
        """Start one on a machine's data; the token is made while nobody has to show any."""
        plain = await machine.server()
        http = HttpClient(partial(trio.open_tcp_stream, "127.0.0.1", plain.port), "127.0.0.1")
        made = await http.send_json("POST", "/api/tokens", NewToken(["admin"], "test"))
        await http.aclose()
        await plain.program.stop(signal.SIGTERM)
        return await cls.again(machine, plain.port, made["secret"], *options)

    @classmethod
    async def again(cls, machine: Machine, port: int, token: str, *options: object) -> Self:
        """Start one on data that has this token, on a free port if `port` is 0."""
        where = ["--listen", f"127.0.0.1:{port}", "--data", machine.data]
        plugins = machine.with_plugins(None)
        program = machine.start("dc.server", *where, "--secure", *options, *plugins, name="server")

        def is_up() -> bool:
            return program.out.read_text().endswith("\n") or not program.alive

        await until(is_up, "the server's address", START_SECONDS, program.text)
        pin = _PIN.search(program.err.read_text())
        assert pin is not None, program.text()
        port = int(program.out.read_text().split()[0].rpartition(":")[2])
        server = Server("127.0.0.1", port, True, bytes.fromhex(pin[1]))
        return cls(program, server, token)

    async def ask(self, method: str, path: str, value: object = None) -> Any:
        """Ask for something as the one who may do everything."""
        access = [("Authorization", f"Bearer {self.token}")]
        http = HttpClient(partial(dial, self.server), self.server.authority, access)
        try:
            return await http.send_json(method, path, None if value is None else to_builtins(value))
        finally:
            await http.aclose()

    async def invite(self, **wanted: Any) -> MadeInvite:
        """Make a join code for this address."""
        new = NewInvite(**{"addresses": [self.server.authority], **wanted})
        made = await self.ask("POST", "/api/invites", new)
        return convert(made, MadeInvite)

    async def uses_left(self, code: MadeInvite) -> int | None:
        """Return how many may still join by a code."""
        found = convert(await self.ask("GET", "/api/invites"), InvitesView)
        return next(one.uses for one in found.invites if one.id == code.invite.id)

    async def keys(self) -> list[dict[str, Any]]:
        """Return the keys of workers that have joined, or wait."""
        found: list[dict[str, Any]] = (await self.ask("GET", "/api/worker-keys"))["keys"]
        return found

    async def key_of(self, name: str) -> dict[str, Any]:
        """Return the key of the only worker of a name."""
        (found,) = [key for key in await self.keys() if key["name"] == name]
        return found

    async def until(
        self, path: str, condition: Callable[[Any], bool], what: str, *programs: Program
    ) -> Any:
        """Wait until what is at a path is so, and return it."""
        found: Any = None
        with trio.move_on_after(START_SECONDS):
            while True:
                try:
                    found = await self.ask("GET", path)
                except ConnectionLost:
                    assert self.program.alive, self.program.text()
                else:
                    if condition(found):
                        return found
                await trio.sleep(0.1)
        said = "\n".join(one.text() for one in programs)
        raise AssertionError(f"waited {START_SECONDS:g} s for {what}: {found}\n{said}")

    async def has_workers(self, *names: str, programs: tuple[Program, ...] = ()) -> None:
        """Wait until these workers are connected."""

        def are_here(found: Any) -> bool:
            rows = found["workers"]
            return {one["name"] for one in rows if one["state"] != "gone"} >= set(names)

        await self.until("/api/workers", are_here, f"workers {names}", *programs)
