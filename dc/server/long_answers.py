"""Answers that go on for long: event streams, results that are followed. They end with who asked.

Somebody who was let in by a token may not be any more, because it ended or was taken back. What is
under way to them then breaks off, whatever it waits for.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Protocol

import trio

from dc import limits_access
from dc.roles import Principal


class Owner(Protocol):
    """What they need of the app."""

    def start_beside(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run something for as long as the server runs."""


class LongAnswers:
    """All that are under way to those who had to show something.

    Args:
        app: what runs beside them.
        stands: whether somebody who was let in still may be.
    """

    def __init__(self, app: Owner, stands: Callable[[Principal], bool]) -> None:
        self._app = app
        self._stands = stands
        self._open: set[LongAnswer] = set()
        self._scope: trio.CancelScope | None = None

    def add(self, principal: Principal, pieces: AsyncIterable[bytes]) -> LongAnswer:
        """Return an answer's pieces as they are to go out to somebody."""
        answer = LongAnswer(principal, pieces, self._close)
        self._open.add(answer)
        if self._scope is None:
            self._scope = trio.CancelScope()
            self._app.start_beside(partial(self._run, self._scope))
        return answer

    def look(self) -> None:
        """End those of whoever may not have them any more."""
        for answer in list(self._open):
            if not self._stands(answer.principal):
                answer.end()

    def __len__(self) -> int:
        return len(self._open)

    async def _run(self, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                await trio.sleep(limits_access.WATCHED_SECONDS)
                self.look()

    def _close(self, answer: LongAnswer) -> None:
        self._open.discard(answer)
        if not self._open and self._scope is not None:
            self._scope.cancel()
            self._scope = None


class LongAnswer:
    """The pieces of an answer to somebody, until it may not have more."""

    def __init__(
        self,
        principal: Principal,
        pieces: AsyncIterable[bytes],
        on_close: Callable[[LongAnswer], None],
    ) -> None:
        self.principal = principal
        self._pieces: AsyncIterator[bytes] = aiter(pieces)
        self._on_close = on_close
        self._scope = trio.CancelScope()

    def end(self) -> None:
        """Break off, at once."""
        self._scope.cancel()

    def __aiter__(self) -> LongAnswer:
        return self

    async def __anext__(self) -> bytes:
        if not self._scope.cancel_called:
            self._scope = trio.CancelScope()
            with self._scope:
                return await anext(self._pieces)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Let go of it: nobody takes it any more."""
        self._on_close(self)
        if (close := getattr(self._pieces, "aclose", None)) is not None:
            await close()
