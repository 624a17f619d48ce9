"""Connections of idle workers, parked: they have no task, no link and no buffers.

Theory of operation
-------------------
A worker that holds no task has nothing to say but heartbeats, and thousands of them say nothing
else for hours. When such a worker's heartbeat has been answered, its connection is parked: all that
is left of it is the stream. One task looks after all parked ones every PARK_SECONDS, and answers
the heartbeats that came meanwhile, a hundred at a time; that costs a fifth of a turn of the loop
for each (measured: see `benchmarks.fleet`).

Whatever else happens wakes the connection: a message for the worker, its goodbye, the end of the
stream, a rule of the wire that it breaks. It then has a task again, which finds all as it was: a
connection is only parked between two frames, and what was received is handed to its new link. So
nothing is decided here, and none of the link's rules is known here but the bytes of one heartbeat.

Only TCP is parked, with TLS or without, and only where the system has epoll. With TLS some bytes
may have been received of which nothing can be told yet: they stay in the stream until more come.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Collection
from typing import Final, Protocol, TypeAlias

import trio

from dc._frames import BINARY, encode_frame
from dc.messages import Codec, FromWorker, Heartbeat
from dc.messages_parts import Message
from dc.server.connection import Connection
from dc.sockets import TcpStream
from dc.tls_stream import CLOSED, TlsStream

Stream: TypeAlias = TcpStream | TlsStream

PARK_SECONDS: Final = 0.2
"""Between two looks at parked connections: what a worker without tasks says has so much time. Half
of it costs a third more for each heartbeat (measured with 10,000 workers)."""

EVENTS_AT_ONCE: Final = 512
"""Parked connections that are looked at before others have their turn: some milliseconds."""

PIECE_BYTES: Final = 64
"""Received of a parked connection: a heartbeat, or the beginning of what its link receives."""

_BODY: Final = Codec(FromWorker).encode([Heartbeat()])
_FRAME: Final = encode_frame(BINARY, _BODY)
_HEAD: Final = bytes([_FRAME[0], 0x80 | _FRAME[1]])
_SIZE: Final = len(_HEAD) + 4 + len(_BODY)
_WANTED: Final = int.from_bytes(_BODY.ljust(16, b"\0"))
_MASKS: Final = 1 + (1 << 32) + (1 << 64) + (1 << 96)
_SPARE: Final = 8 * (16 - len(_BODY))


def is_heartbeat(data: bytes) -> bool:
    """Whether these bytes are one frame of a worker, whole, with a heartbeat alone."""
    if len(data) != _SIZE or not data.startswith(_HEAD):
        return False
    masks = (int.from_bytes(data[2:6]) * _MASKS) >> _SPARE
    return (int.from_bytes(data[6:]) ^ masks) << _SPARE == _WANTED


class Owner(Protocol):
    """What parked connections need of the app."""

    def alive(self, peers: Collection[int], now: float) -> list[int]:
        """Note that heartbeats of peers came now; return which are to be answered."""

    def wake(self, peer: int, stream: Stream, initial: bytes) -> Connection:
        """Serve a connection again that was parked; `initial` has been read from it."""


class Parked:
    """A parked connection; it takes what a Connection takes."""

    __slots__ = ("_parking", "number", "stream")

    def __init__(self, parking: Parking, number: int, stream: Stream) -> None:
        self._parking = parking
        self.number = number
        self.stream = stream

    def push(self, message: Message, size: int) -> None:
        """Send a message; anything but a heartbeat wakes the connection."""
        if self._parking.is_closed:
            pass  # the server has ended
        elif isinstance(message, Heartbeat):
            self._parking.say(self)
        else:
            self._parking.wake(self).push(message, size)

    def flush(self) -> None:
        """Do nothing: what was pushed is sent, or left to the connection that was woken."""

    def close(self, code: int, reason: str) -> None:
        """Wake the connection and close it."""
        if not self._parking.is_closed:
            self._parking.wake(self).close(code, reason)


class Parking:
    """All parked connections.

    Args:
        owner: the app.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parked: dict[int, Parked] = {}
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._some = trio.Event()
        self.is_closed = False

    def __len__(self) -> int:
        return len(self._parked)

    def may_take(self, stream: trio.abc.Stream) -> bool:
        """Whether connections over such a stream can be parked."""
        if self._epoll is None:
            return False
        if isinstance(stream, TlsStream):
            return stream.below is not None and not stream.is_busy
        return isinstance(stream, TcpStream)

    def park(self, number: int, stream: trio.abc.Stream) -> Parked:
        """Look after the connection of a peer until it is woken; it may be taken."""
        if sys.platform != "linux":
            raise AssertionError("there is no epoll: see `may_take`")
        assert self._epoll is not None
        assert isinstance(stream, TcpStream | TlsStream)
        file = stream.fileno()
        parked = self._parked[file] = Parked(self, number, stream)
        self._epoll.register(file, select.EPOLLIN)
        self._some.set()
        return parked

    def wake(self, parked: Parked, initial: bytes = b"") -> Connection:
        """Give a connection a task again."""
        assert self._epoll is not None
        file = parked.stream.fileno()
        del self._parked[file]
        self._epoll.unregister(file)
        return self._owner.wake(parked.number, parked.stream, initial)

    async def run(self) -> None:
        """Look after parked connections until cancelled; then close those that are left."""
        try:
            while True:
                if not self._parked:
                    self._some = trio.Event()
                    await self._some.wait()
                await trio.sleep(PARK_SECONDS)
                while self._look():
                    await trio.lowlevel.checkpoint()
        finally:
            self.close()

    def _look(self) -> bool:
        """Look at some to which something has come; return whether there may be more."""
        assert self._epoll is not None
        ready = self._epoll.poll(0, EVENTS_AT_ONCE)
        alive: dict[int, Parked] = {}
        for file, _ in ready:
            parked = self._parked[file]
            try:
                data = parked.stream.receive_now(PIECE_BYTES)
            except CLOSED:
                data = b""  # whoever is woken meets the error again
            if data is None:
                continue
            if is_heartbeat(data):
                alive[parked.number] = parked
            else:
                self.wake(parked, data)
        for number in self._owner.alive(alive, trio.current_time()):
            self.say(alive[number])
        return len(ready) == EVENTS_AT_ONCE

    def say(self, parked: Parked) -> None:
        """Send a heartbeat; a worker that does not take it is woken, and found to be lost."""
        try:
            sent = parked.stream.send_now(_FRAME)
        except CLOSED:
            sent = 0
        if sent < len(_FRAME):
            parked.stream.shut()  # half a frame may be on its way: nothing can follow it
            self.wake(parked)

    def close(self) -> None:
        """Close what is parked still."""
        for parked in self._parked.values():
            parked.stream.close_now()
        self._parked.clear()
        self.is_closed = True
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None
