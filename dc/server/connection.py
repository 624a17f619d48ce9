"""One peer's socket: batches of messages in, batches out.

A connection has one task, which reads. What an event brought about goes out in the same step, as
one frame, straight into the socket (`flush`). Only if the socket has no room is a task started,
which sends the rest, goes on while more has come, and ends. So nothing waits for a timer or for a
turn of the loop, and an idle peer costs one task;
an idle worker not even that (`parking.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import trio

from dc import limits
from dc.blobs import BlobFolder
from dc.errors import ConnectionLost, DcError
from dc.link import Link
from dc.log_fields import about
from dc.messages import Codec, FromPeer, Heartbeat
from dc.messages_parts import Blob, Message
from dc.server.claims import claim

log = logging.getLogger("dc.server")

CLOSE_SECONDS = 3.0
"""For the last messages and the farewell, once a connection is to be closed."""

FRAME_BYTES = limits.MIB
"""Of messages joined into one frame; one message has at most BATCH_BYTES and some."""

OVERHEAD_BYTES = 128
"""Of a message beside its payloads or results, about."""


class Owner(Protocol):
    """What a connection needs of the app."""

    blobs: BlobFolder

    def received(
        self, peer: int, batch: list[Message], size: int, missing: frozenset[Blob]
    ) -> None:
        """Take a batch of a peer: its bytes on the wire, and its results that are not here."""

    def broken(self, peer: int, error: DcError) -> None:
        """Refuse a peer that sent what cannot be taken."""

    async def wait_space(self, peer: int) -> None:
        """Wait until more may be received from this peer."""

    def may_park(self, peer: int, stream: trio.abc.Stream) -> bool:
        """Whether a peer's connection may be parked: it has nothing to say but heartbeats."""

    def start_soon(self, connection: Connection) -> None:
        """Run `connection.drain` in a task of its own."""


class Connection:
    """The server's end of one socket.

    Args:
        owner: the app.
        number: the peer's number.
        link: the WebSocket.
        codec: the codec of what peers send.
    """

    def __init__(self, owner: Owner, number: int, link: Link, codec: Codec) -> None:
        self._owner = owner
        self._number = number
        self._link = link
        self._codec = codec
        self._outbox: list[tuple[Message, int]] = []
        self._waiting = 0
        self._draining = False
        self._drained = trio.Event()
        self._reading = trio.CancelScope()
        self._farewell = (1000, "")

    def push(self, message: Message, size: int) -> None:
        """Queue a message of about `size` bytes, until the next `flush`."""
        self._outbox.append((message, size))
        self._waiting += size + OVERHEAD_BYTES

    def flush(self) -> None:
        """Send what is queued: at once as far as the stream takes it, the rest in a task."""
        if self._draining:
            return
        try:
            while self._outbox and self._link.can_send_now:
                self._link.send_now(self._codec.encode(self._next_frame()))
        except (ConnectionLost, ValueError) as error:
            self._give_up(error)
            return
        if self._outbox or self._link.has_rest:
            self._draining = True
            self._owner.start_soon(self)

    def close(self, code: int, reason: str) -> None:
        """Stop reading; close once what was queued is sent."""
        self._farewell = (code, reason)
        self._reading.cancel()

    async def run(self, on_end: Callable[[], None]) -> bool:
        """Read until the peer closes, breaks the rules, or `close` is called; then say farewell.

        Args:
            on_end: called when reading has ended, before the farewell.

        Returns:
            Whether reading has only paused: the connection may be parked, and this object dropped.
        """
        self.flush()  # what woke it, if it was parked
        with self._reading:
            if await self._read() and not self._reading.cancel_called:
                return True
        on_end()
        with trio.move_on_after(CLOSE_SECONDS) as scope:
            scope.shield = True
            await self.drain()
            await self._link.aclose(*self._farewell)
        await trio.aclose_forcefully(self._link.stream)
        return False

    async def _read(self) -> bool:
        """Read to the end; return whether there is none yet, and the connection may be parked."""
        try:
            while (data := await self._link.receive()) is not None:
                batch = self._codec.decode(data)
                missing = await claim(self._owner.blobs, batch)
                self._owner.received(self._number, batch, len(data), missing)
                await self._owner.wait_space(self._number)
                while self._waiting > limits.OUTBOX_BYTES:
                    await self._drained.wait()
                if self._is_sign_of_life(batch) and self._may_park():
                    return True
        except ConnectionLost:
            pass
        except DcError as error:
            self._owner.broken(self._number, error)
        return False

    def _is_sign_of_life(self, batch: list[Message]) -> bool:
        return len(batch) == 1 and isinstance(batch[0], Heartbeat)

    def _may_park(self) -> bool:
        """Whether nothing is under way, either way, nor will be soon.

        Between this and what the caller does nothing else happens.
        """
        if self._draining or self._outbox or not self._link.at_rest:
            return False
        return self._owner.may_park(self._number, self._link.stream)

    async def drain(self) -> None:
        """Send what is queued, until nothing is."""
        try:
            await self._link.flush()
            while self._outbox:
                await self._link.send(self._codec.encode(self._next_frame()))
                self._drained.set()
                self._drained = trio.Event()
        except (ConnectionLost, ValueError) as error:
            self._give_up(error)
        finally:
            self._draining = False
            self._drained.set()
            self._drained = trio.Event()

    def _give_up(self, error: ConnectionLost | ValueError) -> None:
        if isinstance(error, ValueError):  # a frame above MESSAGE_BYTES: this peer's end alone
            log.error(
                "peer %d is given up: %s", self._number, error, extra=about(peer=self._number)
            )
        self._outbox.clear()
        self._reading.cancel()

    def _next_frame(self) -> list[Message]:
        frame: list[Message] = []
        bytes_ = 0
        for message, size in self._outbox:
            bytes_ += size + OVERHEAD_BYTES
            if frame and bytes_ > FRAME_BYTES:
                break
            frame.append(message)
            self._waiting -= size + OVERHEAD_BYTES
        del self._outbox[: len(frame)]
        return frame


def peer_codec() -> Codec:
    """Return the codec of what peers send."""
    return Codec(FromPeer)
