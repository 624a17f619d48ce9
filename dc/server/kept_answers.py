"""Answers that are kept for requests which are made twice, by their Idempotency-Key.

A client whose connection broke does not know whether a change was made. It asks again under the
same key, and gets the answer that was given. They are in memory: after a restart of the server a
change is made again. Changes say how something is to be, so that this changes nothing more, but for
a retry of what has failed again meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import trio

from dc import limits_http as limits
from dc.http import Response
from dc.server.problems import BadRequest

REPLAYED = ("Idempotency-Replayed", "true")
"""Says that an answer was given before."""


@dataclass(slots=True)
class Kept:
    """The answer to what was asked for under a key; None while it is being made."""

    asked: bytes
    at: float
    answer: Response | None = None

    @property
    def size(self) -> int:
        """Of the answer's body, in bytes."""
        return len(self.answer.body) if self.answer and isinstance(self.answer.body, bytes) else 0


class KeptAnswers:
    """Makes each change once.

    Only answers that are no problems are kept: what could not be done may be tried again.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, Kept] = {}  # the oldest first
        self._bytes = 0

    async def answer(
        self, key: str, asked: bytes, make: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Return the answer to a request: the one that was given, or a new one.

        Args:
            key: as the client gave it.
            asked: all that was asked for, or what stands for it.
            make: makes the answer.

        Raises:
            BadRequest: the key was used for something else, or is in use just now.
            DcError: what `make` raises.
        """
        self._forget()
        kept = self._by_key.get(key)
        if kept is not None:
            return _again(kept, asked)
        kept = self._by_key[key] = Kept(asked, trio.current_time())
        try:
            answer = await make()
        except BaseException:
            del self._by_key[key]
            raise
        kept.answer = replace(answer, headers=list(answer.headers))
        self._bytes += kept.size
        return answer

    def _forget(self) -> None:
        """Let go of what is too old or too much; not of what is being made."""
        before = trio.current_time() - limits.KEPT_ANSWER_SECONDS
        for key, kept in list(self._by_key.items()):
            many = len(self._by_key) > limits.KEPT_ANSWERS or self._bytes > limits.KEPT_ANSWER_BYTES
            if not many and kept.at >= before:
                break
            if kept.answer is not None:
                self._bytes -= kept.size
                del self._by_key[key]


def _again(kept: Kept, asked: bytes) -> Response:
    if kept.asked != asked:
        text = "this Idempotency-Key was used for another request: choose a new one"
        raise BadRequest("key_reused", text)
    if kept.answer is None:
        text = "the first request of this Idempotency-Key is not answered yet: ask again later"
        raise BadRequest("in_progress", text)
    return replace(kept.answer, headers=[*kept.answer.headers, REPLAYED])
