"""Numbers counted by size, as a scrape of the metrics wants them."""

from __future__ import annotations

from collections.abc import Sequence

from dc._columns import by_size


class Histogram:
    """Counts numbers in classes; it only grows.

    Args:
        bounds: the highest number of each class but the last, ascending.

    Attributes:
        counts: of each class, one more than `bounds`.
        sum: of all numbers.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = list(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def add(self, numbers: list[float]) -> None:
        """Count numbers."""
        self.sum += by_size(numbers, self.bounds, self.counts)

    def buckets(self) -> list[tuple[str, float]]:
        """Return for each bound, and for infinity, how many numbers are not above it."""
        below, found = 0, []
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            below += count
            found.append((bound, float(below)))
        return found
