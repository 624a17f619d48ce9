"""So many in a second, and some more after a rest: token buckets by key, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict


class Allowance:
    """What each of many may do in a time.

    A key that was not seen for long enough has all of its burst again, so it can be forgotten; of
    those that are remembered the one that was seen longest ago goes first.

    Args:
        rate: so many a second.
        burst: so many at once, after a rest.
        most: keys that are remembered.
    """

    def __init__(self, rate: float, burst: float, most: int) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def take(self, key: str, now: float) -> float:
        """Take one; return 0, or if there is none the seconds until there is.

        Args:
            key: whose.
            now: in seconds, of a clock that does not go back.
        """
        left = self.left(key, now)
        taken = left - 1 if left >= 1 else left
        self._left[key] = (taken, now)
        self._left.move_to_end(key)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self._rate

    def left(self, key: str, now: float) -> float:
        """Return how many there are."""
        left, since = self._left.get(key, (self._burst, now))
        return min(self._burst, left + max(0.0, now - since) * self._rate)
