"""Sends what a worker has to say: at once as far as the socket takes it, the rest in a task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio
from msgspec import Raw

from dc.errors import ConnectionLost
from dc.link import Link
from dc.messages import Codec
from dc.messages_parts import Message
from dc.worker.outbox import Outbox


class Sending:
    """Of one worker.

    Args:
        codec: encodes batches.
        flush: has what was gathered made into messages, which come by `add`.
        start: starts a task.

    Attributes:
        link: to the server; None while there is none. Then what is added is forgotten.
    """

    def __init__(
        self,
        codec: Codec,
        flush: Callable[[], None],
        start: Callable[[Callable[[], Awaitable[None]]], None],
    ) -> None:
        self._codec = codec
        self._flush = flush
        self._start = start
        self._outbox = Outbox()
        self._flush_asked = False
        self._drained = trio.Event()  # set while nothing is being sent
        self._drained.set()
        self.link: Link | None = None

    def add(self, message: Message | Raw, size: int) -> None:
        """Take a message, of about so many bytes."""
        self._outbox.add(message, size)

    def clear(self) -> None:
        """Forget what was to be sent: the connection is lost."""
        self._outbox.clear()

    def flush_soon(self) -> None:
        """Flush once a turn of the loop has passed, and send what comes of it."""
        self._flush_asked = True
        self._drain_soon()

    def send_now(self) -> None:
        """Send what there is in this step, as far as the socket takes it; the rest in a task."""
        link = self.link
        if not self._outbox:
            return
        if link is None:
            self._outbox.clear()
            return
        if not self._drained.is_set():
            return
        with suppress(ConnectionLost):  # the receiver learns of it, too, and ends the link
            while self._outbox and link.can_send_now:
                link.send_now(self._codec.encode(self._outbox.next_batch()))
        if self._outbox or link.has_rest:
            self._drain_soon()

    async def wait_until_sent(self) -> None:
        """Wait until nothing is being sent."""
        await self._drained.wait()

    def _drain_soon(self) -> None:
        if self._drained.is_set():
            self._drained = trio.Event()
            self._start(self._drain)

    async def _drain(self) -> None:
        """Send what is queued, a frame for each turn of the loop, until nothing is left."""
        try:
            while self._flush_asked or self._outbox or self._has_rest:
                await trio.lowlevel.checkpoint()
                if self._flush_asked:
                    self._flush_asked = False
                    self._flush()
                await self._send_batch()
        finally:
            self._drained.set()

    @property
    def _has_rest(self) -> bool:
        return self.link is not None and self.link.has_rest

    async def _send_batch(self) -> None:
        link = self.link
        if link is None:
            self._outbox.clear()
            return
        with suppress(ConnectionLost):  # the receiver learns of it, too, and ends the link
            await link.flush()
            if self._outbox:
                await link.send(self._codec.encode(self._outbox.next_batch()))
