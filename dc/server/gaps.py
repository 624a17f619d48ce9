"""Numbers of tasks kept as runs: a million neighbours cost as much as one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class Gaps:
    """A set of numbers, as runs that are apart from each other.

    Attributes:
        count: how many numbers are in it.
    """

    def __init__(self) -> None:
        self.count = 0
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, first: int, end: int) -> None:
        """Put in the numbers from `first` up to, and without, `end`."""
        low = bisect_left(self._ends, first)
        high = bisect_right(self._starts, end)
        if low < high:
            first = min(first, self._starts[low])
            end = max(end, self._ends[high - 1])
        within = zip(self._starts[low:high], self._ends[low:high], strict=True)
        self.count += end - first - sum(stop - start for start, stop in within)
        self._starts[low:high] = [first]
        self._ends[low:high] = [end]

    def cut(self, below: int) -> None:
        """Leave out the numbers below this one."""
        gone = bisect_right(self._ends, below)
        runs = zip(self._starts[:gone], self._ends[:gone], strict=True)
        self.count -= sum(end - start for start, end in runs)
        del self._starts[:gone], self._ends[:gone]
        if self._starts and self._starts[0] < below:
            self.count -= below - self._starts[0]
            self._starts[0] = below

    def free_from(self, number: int) -> int:
        """Return the first number from this one on that is not in it."""
        at = bisect_right(self._starts, number) - 1
        return max(number, self._ends[at]) if at >= 0 else number

    def free_until(self, number: int, most: int) -> int:
        """Return the first number from this one on, below `most`, that is in it, or `most`."""
        at = bisect_left(self._starts, number)
        return min(self._starts[at], most) if at < len(self._starts) else most

    @property
    def first(self) -> int:
        """The least number in it; there must be one."""
        return self._starts[0]

    @property
    def runs(self) -> int:
        """How many runs it takes."""
        return len(self._starts)

    def __contains__(self, number: int) -> bool:
        return self.free_from(number) != number

    def __bool__(self) -> bool:
        return bool(self._starts)

    def validate(self) -> None:
        """Check what must always hold; AssertionError says what does not."""
        last = -1
        for start, end in zip(self._starts, self._ends, strict=True):
            assert last < start < end, "runs are empty, out of order, or touch"
            last = end
        pairs = zip(self._starts, self._ends, strict=True)
        assert self.count == sum(end - start for start, end in pairs), "runs are counted wrongly"
