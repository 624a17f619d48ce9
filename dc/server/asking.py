"""A question to the reactor, whose answer comes once all that it has changed is on disk."""

from __future__ import annotations

import trio

from dc import limits_http as limits
from dc.errors import DcError, StoreError


class Question:
    """Waits for an answer; the reactor calls `take` with it."""

    def __init__(self) -> None:
        self._answered = trio.Event()
        self._answers: list[object] = []

    def take(self, answer: object) -> None:
        """Take the answer."""
        self._answers.append(answer)
        self._answered.set()

    async def wait(self) -> None:
        """Wait for the answer, for limits.ASK_SECONDS at most."""
        with trio.move_on_after(limits.ASK_SECONDS):
            await self._answered.wait()

    def answer(self, trouble: str) -> object:
        """Return the answer.

        Args:
            trouble: why the store cannot be written, if it is so.

        Raises:
            DcError: the answer is that error.
            StoreError: there is none yet.
        """
        if not self._answers:
            why = trouble or "the disk is slow"
            raise StoreError(f"this is not on disk yet, and will be once that is mended: {why}")
        if isinstance(self._answers[0], DcError):
            raise self._answers[0]
        return self._answers[0]
