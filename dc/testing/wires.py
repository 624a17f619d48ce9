"""Connections in memory that behave as badly as a test or a simulation wants.

A wire carries bytes both ways, each way in the order in which they were sent, as TCP does. It may
be slow (each piece takes a time of its own, so that two wires overtake each other), narrow (a
sender waits for a reader), cut (both ends break; what was under way is lost, or a first part of
it), frozen (half-open: it takes what is sent and delivers nothing, and nobody learns of it), or
held (nothing passes until it is let go).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import trio


def at_once() -> float:
    """Return the delay of a wire that has none."""
    return 0.0


class Wire:
    """One connection with its two ends.

    Args:
        delay: gives the seconds that the next piece is on its way.
        room: bytes that may be on their way in one direction before a sender waits.
    """

    def __init__(self, delay: Callable[[], float] = at_once, room: float = math.inf) -> None:
        there, back = _Pipe(self), _Pipe(self)
        self.delay = delay
        self.room = room
        self.client, self.server = End(self, back, there), End(self, there, back)
        self.is_cut = False
        self.is_frozen = False
        self.is_held = False

    def cut(self, keep: Callable[[int], int] | None = None) -> None:
        """Break the connection.

        Args:
            keep: how many of so many pieces under way still arrive; none by default.
        """
        self.is_cut = True
        self.is_held = False
        for end in (self.client, self.server):
            end.source.cut(None if self.is_frozen else keep)

    def freeze(self) -> None:
        """Deliver nothing any more."""
        self.is_frozen = True
        self._wake()

    def hold(self) -> None:
        """Deliver nothing until `let_go`."""
        self.is_held = True

    def let_go(self) -> None:
        """Deliver what has been held."""
        self.is_held = False
        self._wake()

    def end_of(self, end: End) -> None:
        """Break the connection for one end alone, whose process is gone; the other is not told."""
        end.is_closed = True
        self.freeze()
        end.source.wake()
        end.sink.wake()

    def _wake(self) -> None:
        for end in (self.client, self.server):
            end.source.wake()
            end.sink.wake()


class _Pipe:
    """One direction of a wire: pieces with the times at which they arrive."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.pieces: deque[tuple[float, bytes]] = deque()
        self.size = 0
        self.last = -math.inf
        self.ended = False  # the sender has closed; an empty piece at the end says so
        self.lot = trio.lowlevel.ParkingLot()

    def wake(self) -> None:
        self.lot.unpark_all()

    def put(self, data: bytes) -> None:
        delay = self.wire.delay()
        self.last = max(self.last, trio.current_time() + delay) if delay else self.last
        self.pieces.append((self.last, data))
        self.size += len(data)
        self.wake()

    def take(self, most: int) -> bytes:
        at, data = self.pieces.popleft()
        if len(data) > most:
            self.pieces.appendleft((at, data[most:]))
            data = data[:most]
        self.size -= len(data)
        if self.size + len(data) > self.wire.room:
            self.wake()
        return data

    def cut(self, keep: Callable[[int], int] | None) -> None:
        kept = 0 if keep is None else keep(len(self.pieces))
        while len(self.pieces) > kept:
            self.size -= len(self.pieces.pop()[1])
        self.ended = False
        self.wake()

    def due(self) -> float:
        """Return when the next piece arrives; inf if none does."""
        if not self.pieces or self.wire.is_frozen or self.wire.is_held:
            return math.inf
        return self.pieces[0][0]

    async def wait(self, until: float = math.inf) -> None:
        """Wait for news, or for a time."""
        if until == math.inf:
            await self.lot.park()
        else:
            with trio.move_on_at(until):
                await self.lot.park()


class End(trio.abc.Stream):
    """One end of a wire."""

    def __init__(self, wire: Wire, source: _Pipe, sink: _Pipe) -> None:
        self.wire = wire
        self.source = source
        self.sink = sink
        self.is_closed = False

    @property
    def _other(self) -> End:
        return self.wire.server if self is self.wire.client else self.wire.client

    def _check(self) -> None:
        if self.is_closed:
            raise trio.ClosedResourceError("this end is closed")
        if self.wire.is_cut or (self._other.is_closed and not self.wire.is_frozen):
            raise trio.BrokenResourceError("the wire is cut")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; waits while there is no room on the wire."""
        await trio.lowlevel.checkpoint()
        self._check()
        sink = self.sink
        while sink.size > self.wire.room:
            await sink.wait()
            self._check()
        sink.put(bytes(data))

    def send_now(self, data: bytes) -> int:
        """Send as many bytes as there is room for; return how many those are."""
        self._check()
        sent = int(min(len(data), max(0.0, self.wire.room - self.sink.size)))
        if sent:
            self.sink.put(bytes(data[:sent]))
        return sent

    async def wait_send_all_might_not_block(self) -> None:
        """Do nothing: nobody here asks for it in earnest."""
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what has arrived; nothing at the end."""
        source = self.source
        await trio.lowlevel.checkpoint()
        while True:
            if self.is_closed:
                raise trio.ClosedResourceError("this end is closed")
            due = source.due()
            if due <= trio.current_time():
                return source.take(max_bytes or 1 << 30)
            if self.wire.is_cut and not source.pieces:
                raise trio.BrokenResourceError("the wire is cut")
            if source.ended and not source.pieces and not self.wire.is_frozen:
                return b""
            await source.wait(due)

    async def aclose(self) -> None:
        """Close this end; the other reads to the end, unless the wire is frozen."""
        if not self.is_closed:
            self.is_closed = self.sink.ended = True
            self.source.wake()
            self.sink.wake()
        await trio.lowlevel.checkpoint()
