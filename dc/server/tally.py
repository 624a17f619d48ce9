"""How a worker has done lately: how many tasks it finishes in a second, and which share fails.

Both are moving means that cost the same however much there was: older tasks count for less and
less.
"""

from __future__ import annotations

import math
from typing import Final

RATE_SECONDS: Final = 10.0
"""After which what has finished counts for a third in the rate: long enough to be read, short
enough to see a worker stop."""

LEAST_RATE: Final = 0.01
"""Tasks a second: what is less only fades, after one task or some, and says nothing of the next."""

TASKS: Final = 100
"""After so many further ones a task counts for a third in the share of failures."""

_KEPT: Final = 1 - 1 / TASKS


class Tally:
    """Of one worker. Times are in seconds of any clock that does not go back."""

    __slots__ = ("_at", "_ended", "_failed", "_lately")

    def __init__(self) -> None:
        self._at = 0.0
        self._lately = 0.0  # what has finished, as far as it counts at that time
        self._ended = 0.0  # tasks that have ended, as far as they count; TASKS at most
        self._failed = 0.0  # of these

    def done(self, count: int, now: float) -> None:
        """Note that tasks have been done."""
        self._lately = self._counts(now) + count
        self._at = now
        kept = _KEPT**count
        self._ended = self._ended * kept + (1 - kept) * TASKS
        self._failed *= kept

    def failed(self) -> None:
        """Note that an attempt has failed."""
        self._ended = self._ended * _KEPT + 1
        self._failed = self._failed * _KEPT + 1

    def rate(self, now: float) -> float:
        """Return how many tasks are done in a second; 0 if it is too few to tell."""
        rate = self._counts(now) / RATE_SECONDS
        return rate if rate >= LEAST_RATE else 0.0

    @property
    def failing(self) -> float:
        """Which share of what has ended has failed, of 1."""
        return self._failed / self._ended if self._ended else 0.0

    def _counts(self, now: float) -> float:
        return self._lately * math.exp((self._at - now) / RATE_SECONDS) if self._lately else 0.0
