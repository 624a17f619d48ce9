"""How a worker has done lately: how many tasks it finishes in a second, and which share fails.

The rate is that of the last ten seconds or, where few tasks finish, of the last minute: so it is a
number of tasks that somebody can count, and nothing soon after the last of them. The share is a
moving mean, in which older tasks count for less and less. Both cost the same for however many.
"""

from __future__ import annotations

from typing import Final

STEP_SECONDS: Final = 5.0
"""Of the steps of time in which tasks are counted."""

SHORT: Final = 2
"""Whole steps for which the rate is told: long enough to be read, short enough to see one stop."""

LONG: Final = 12
"""The same where fewer than FEW tasks have finished in that time."""

FEW: Final = 10
"""Tasks from which on their rate is told for a short time: it is right to a third then."""

TASKS: Final = 100
"""After so many further ones a task counts for a third in the share of failures."""

_KEPT: Final = 1 - 1 / TASKS


class Tally:
    """Of one worker. Times are in seconds of any clock that does not go back."""

    __slots__ = ("_counts", "_ended", "_failed")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}  # what has finished, by step; the oldest first
        self._ended = 0.0  # tasks that have ended, as far as they count; TASKS at most
        self._failed = 0.0  # of these

    def done(self, count: int, now: float) -> None:
        """Note that tasks have been done."""
        step = int(now / STEP_SECONDS)
        self._counts[step] = self._counts.get(step, 0) + count
        if len(self._counts) > LONG + 1:
            del self._counts[next(iter(self._counts))]
        kept = _KEPT**count
        self._ended = self._ended * kept + (1 - kept) * TASKS
        self._failed *= kept

    def failed(self) -> None:
        """Note that an attempt has failed."""
        self._ended = self._ended * _KEPT + 1
        self._failed = self._failed * _KEPT + 1

    def rate(self, now: float) -> float:
        """Return how many tasks are done in a second."""
        count, seconds = self._last(SHORT, now)
        if count < FEW:
            count, seconds = self._last(LONG, now)
        return count / seconds

    @property
    def failing(self) -> float:
        """Which share of what has ended has failed, of 1."""
        return self._failed / self._ended if self._ended else 0.0

    def _last(self, steps: int, now: float) -> tuple[int, float]:
        """Return what has finished in some whole steps and in the present one; and the seconds."""
        first = int(now / STEP_SECONDS) - steps
        count = sum(count for step, count in self._counts.items() if step >= first)
        return count, now - first * STEP_SECONDS
