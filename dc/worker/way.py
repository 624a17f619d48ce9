"""The way to a server: which of its addresses answers.

A server has as many addresses as it has networks, and a worker knows several: those of the join
code, and those it was found at since. They are tried one after another, each a moment after the one
before it, and the first that answers with the server's key is taken; it is the first to be tried
from then on. Where none answers, a server with a known key may be looked for in the network.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio
from msgspec.structs import replace
from trio.abc import Stream

from dc import limits_join
from dc.dial import Server
from dc.errors import ConnectionLost, DcError, WrongServer

FAILED: Final = OSError, DcError, trio.BrokenResourceError

Dial = Callable[[Server], Awaitable[Stream]]
"""Opens a connection; raises what is in FAILED, WrongServer for one that has another key."""

Find = Callable[[bytes], Awaitable[Sequence[Server]]]
"""Looks for servers with a key of which that pin is known."""


class Way:
    """The way to one server.

    Args:
        servers: its addresses, the likeliest first; at least one.
        dial: opens a connection to one of them.
        find: looks for it where none of them answers.
    """

    def __init__(self, servers: Sequence[Server], dial: Dial, find: Find | None = None) -> None:
        assert servers
        self._servers = list(servers)
        self._dial = dial
        self._find = find

    @property
    def server(self) -> Server:
        """Where it was reached last, or will be tried first."""
        return self._servers[0]

    @property
    def addresses(self) -> list[str]:
        """All its addresses as HOST:PORT, the last one first."""
        return [one.authority for one in self._servers]

    async def open(self) -> Stream:
        """Open a connection.

        Raises:
            WrongServer: another key was shown at an address, and none shows the right one.
            OSError, DcError, trio.BrokenResourceError: no address answers.
        """
        try:
            return await self._race(self._servers)
        except FAILED:
            found = await self._found()
            if not found:
                raise
        return await self._race(found)

    async def _found(self) -> list[Server]:
        """Return new addresses of the server. Only its key tells it from others."""
        if self._find is None or not self.server.pin:
            return []
        found = await self._find(self.server.pin)
        known = set(self.addresses)
        return [replace(one, pin=self.server.pin) for one in found if one.authority not in known]

    async def _race(self, servers: Sequence[Server]) -> Stream:
        server, stream = await race(servers, self._dial)
        others = [one for one in self._servers if one.authority != server.authority]
        self._servers = [server, *others][: limits_join.ADDRESSES]
        return stream


async def race(servers: Sequence[Server], dial: Dial) -> tuple[Server, Stream]:
    """Return the first connection that can be opened, each tried a moment after the one before it.

    Raises:
        WrongServer: another key was shown at an address, and none shows the right one.
        OSError, DcError, trio.BrokenResourceError: no address answers.
    """
    won: list[tuple[Server, Stream]] = []
    errors: list[Exception] = []

    async def attempt(at: int) -> None:
        failed = trio.Event()
        if at + 1 < len(servers):
            nursery.start_soon(follow, at + 1, failed)
        try:
            stream = await dial(servers[at])
        except FAILED as error:
            errors.append(error)
            failed.set()
            return
        if won:  # in the same turn of the loop
            await trio.aclose_forcefully(stream)
        won.append((servers[at], stream))
        nursery.cancel_scope.cancel()

    async def follow(at: int, failed: trio.Event) -> None:
        with trio.move_on_after(limits_join.STAGGER_SECONDS):
            await failed.wait()
        await attempt(at)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(attempt, 0)
    if won:
        return won[0]
    raise _worst(errors)


def _worst(errors: Sequence[Exception]) -> Exception:
    """Return the error to be told: that somebody is not the server, or what came first."""
    wrong = [error for error in errors if isinstance(error, WrongServer)]
    return [*wrong, *errors, ConnectionLost("it has no address")][0]
