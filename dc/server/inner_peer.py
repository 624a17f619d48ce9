"""A client inside the server: what comes over HTTP goes the way of what comes over a socket.

To the reactor it is a peer as any other: it says Hello, what it says is taken in its order, and
what it is told is heard here. So nothing about jobs is decided twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio

from dc import limits
from dc.blobs import BlobFolder
from dc.errors import ServerStopped
from dc.messages import PROTOCOL, Heartbeat, Hello, Trouble, Welcome
from dc.messages_parts import Blob, Message
from dc.roles import LOCAL, Principal
from dc.server.claims import claim

ASIDE = (Heartbeat, Trouble, Welcome)
"""What is said to every peer, and of no use here."""


class Owner(Protocol):
    """What such a peer needs of the app."""

    blobs: BlobFolder

    def enter(self, peer: InnerPeer, principal: Principal = LOCAL) -> int:
        """Take in a peer that is inside the server, on behalf of somebody; return its number."""

    def leave(self, number: int) -> None:
        """Forget such a peer."""

    def received(
        self, peer: int, batch: list[Message], size: int, missing: frozenset[Blob]
    ) -> None:
        """Take a batch of a peer."""

    async def wait_space(self, peer: int) -> None:
        """Wait until more may be received from this peer."""

    def start_beside(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run something for as long as the server runs."""


class InnerPeer:
    """A client that is no connection. `leave` is to be called in the end.

    Args:
        app: whose client it is.
        principal: on whose behalf it speaks.

    Raises:
        ServerStopped: the server is stopping.
    """

    def __init__(self, app: Owner, principal: Principal = LOCAL) -> None:
        self._app = app
        self._heard: deque[Message] = deque()
        self._news = trio.Event()
        self._farewell: str | None = None
        self._beats = trio.CancelScope()
        self._number = app.enter(self, principal)
        self._tell([Hello(PROTOCOL, "client", "dc over HTTP", [])], 0, frozenset())
        app.start_beside(self._beat)

    # --- what the app does ----------------------------------------------------------------------

    def push(self, message: Message, size: int) -> None:  # noqa: ARG002
        """Take a message from the server; so few of them come unasked that sizes do not matter."""
        if not isinstance(message, ASIDE):
            self._heard.append(message)

    def flush(self) -> None:
        """Note that all messages of an event have come."""
        self._news.set()

    def close(self, code: int, reason: str) -> None:
        """Take note that the server will hear and say nothing more, and why."""
        self._farewell = f"{reason} ({code})"
        self._news.set()

    # --- what its owner does --------------------------------------------------------------------

    async def say(self, messages: Sequence[Message], size: int = 0) -> None:
        """Say something to the server, and wait until it takes more.

        Args:
            messages: what is said.
            size: about how many bytes that is.

        Raises:
            ServerStopped: the server is stopping.
            PayloadError: a blob among payloads is not there.
        """
        batch = list(messages)
        self._check()
        self._tell(batch, size, await claim(self._app.blobs, batch))
        await self._app.wait_space(self._number)
        self._check()

    def take(self) -> Message | None:
        """Return the next message that has come; None if there is none yet."""
        return self._heard.popleft() if self._heard else None

    async def hear(self) -> Message:
        """Return the next message, once it has come.

        Raises:
            ServerStopped: there will be none.
        """
        while not self._heard:
            self._check()
            self._news = trio.Event()
            await self._news.wait()
        return self._heard.popleft()

    def leave(self) -> None:
        """End it: what it has submitted and not ended stays open, what it followed goes on."""
        self._beats.cancel()
        self._app.leave(self._number)

    def _tell(self, batch: list[Message], size: int, missing: frozenset[Blob]) -> None:
        self._app.received(self._number, batch, size, missing)

    def _check(self) -> None:
        if self._farewell is not None:
            raise ServerStopped(self._farewell)

    async def _beat(self) -> None:
        """Say now and then that it is there: a body may come slowly."""
        with self._beats:
            while True:
                await trio.sleep(limits.HEARTBEAT_SECONDS)
                self._tell([Heartbeat()], 0, frozenset())
