"""The server's ends of all that speaks with the reactor, by number of peer."""

from __future__ import annotations

from typing import TypeAlias

import trio

from dc.server.connection import Connection
from dc.server.inner_peer import InnerPeer
from dc.server.parking import Parked

End: TypeAlias = Connection | Parked | InnerPeer


class Connections:
    """All of them. Numbers of peers are never used again."""

    def __init__(self) -> None:
        self._ends: dict[int, End] = {}
        self._next = 1
        self._gone = trio.Event()

    def __len__(self) -> int:
        return len(self._ends)

    def take_number(self) -> int:
        """Return the number of a new peer."""
        self._next += 1
        return self._next - 1

    def put(self, number: int, end: End) -> None:
        """Note the end of a peer, in place of the one that it had, if any."""
        self._ends[number] = end

    def get(self, number: int) -> End | None:
        """Return the end of a peer, None if it has gone."""
        return self._ends.get(number)

    def all(self) -> list[End]:
        """Return all of them."""
        return list(self._ends.values())

    def remove(self, number: int) -> None:
        """Forget a peer that has gone."""
        del self._ends[number]
        self._gone.set()
        self._gone = trio.Event()

    def close_all(self, code: int, reason: str) -> None:
        """Say farewell to all."""
        for end in self.all():
            end.close(code, reason)

    async def wait_none(self) -> None:
        """Wait until all have gone."""
        while self._ends:
            await self._gone.wait()
