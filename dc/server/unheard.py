"""For how long nobody could be heard: silence counts only while there is somebody to listen."""

from __future__ import annotations

import math

from dc import limits


class Unheard:
    """Looks from tick to tick how late each comes."""

    def __init__(self) -> None:
        self._ticked: float | None = None
        self._patient_until = 0.0

    def tick(self, now: float, *, stalled: bool) -> float:
        """Return for how many of the seconds since the last tick nobody could be heard.

        That is all of them while the disk is stalled, and otherwise those by which this tick comes
        late. All before the first tick was spent on starting.
        """
        last, self._ticked = self._ticked, now
        if last is None:
            return math.inf
        late = max(0.0, now - last - limits.TICK_SECONDS)
        if late > limits.TICK_SECONDS:
            self._patient_until = now + limits.DEADLINE_GRACE_SECONDS
        return now - last if stalled else late

    def is_patient(self, now: float) -> bool:
        """Whether what was said meanwhile may still wait to be read."""
        return now < self._patient_until
