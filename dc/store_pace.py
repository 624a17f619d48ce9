"""Whether small commits are quick enough to be done in the event loop. It is told the time.

A disk that syncs in a tenth of a millisecond makes a small commit cheaper than the way to a thread
and back (0.2 ms against 0.15 to 0.3 more). One that takes ten must never hold up the loop. Which of
the two it is, is found out by trying: when the last commits took too long on average, the next ones
are kept off the loop for a pause, which doubles as long as the tries stay slow.
"""

from __future__ import annotations

from dc import limits_store as limits

WEIGHT = 1 / 16
"""Of the last commit in the average: a single slow one among quick ones does not count."""


class Pace:
    """Judges by how long the last commits in the loop took."""

    def __init__(self) -> None:
        self._average = 0.0
        self._not_before = 0.0
        self._pause = limits.COMMIT_NOW_PAUSE_SECONDS

    def allows(self, now: float) -> bool:
        """Whether a small commit may be done in the loop at this time, in seconds."""
        return now >= self._not_before

    def took(self, seconds: float, now: float) -> None:
        """Note how long one took that ended at this time."""
        self._average += WEIGHT * (seconds - self._average)
        if self._average > limits.COMMIT_NOW_SECONDS:
            self._average = limits.COMMIT_NOW_SECONDS
            self._not_before = now + self._pause
            self._pause = min(2 * self._pause, limits.COMMIT_NOW_PAUSE_SECONDS_MOST)
        elif seconds <= limits.COMMIT_NOW_SECONDS:
            self._pause = max(limits.COMMIT_NOW_PAUSE_SECONDS, self._pause / 2)
