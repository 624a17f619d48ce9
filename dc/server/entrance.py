"""The entrance: connections that are let in, and ended when they lose their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from dc.server.guard import Guard
from dc.server.places import Visit


class Entrance:
    """Lets connections in.

    Args:
        guard: says which.
        others: gives how many connections there are that the guard does not count.
    """

    def __init__(self, guard: Guard, others: Callable[[], int]) -> None:
        self._guard = guard
        self._others = others
        self._scopes: dict[int, trio.CancelScope] = {}

    @contextmanager
    def visit(self, host: str) -> Iterator[Visit | None]:
        """Have a connection in for as long as the block runs, or until it loses its place.

        Args:
            host: its address, without the port.

        Yields:
            None if it may not come in.
        """
        visit, gone = self._guard.enter(host, self._others())
        if gone is not None:
            self._scopes[id(gone)].cancel()
        if visit is None:
            yield None
            return
        with trio.CancelScope() as scope:
            self._scopes[id(visit)] = scope
            try:
                yield visit
            finally:
                del self._scopes[id(visit)]
                self._guard.places.leave(visit)
