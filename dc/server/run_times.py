"""How long the tasks of a job take, as a distribution, as far as it is known.

Theory of operation
-------------------
What has finished is counted in a histogram; of what still runs it is known that it takes longer
than it has taken. To leave that out would be wrong at the beginning of a job, when the quick tasks
are those that have finished. So the survival function (the share of tasks that take longer than a
time) is estimated from both, as Kaplan and Meier did, bound by bound. Beyond the longest that has
finished there is what has not been seen: its share is small if much has, and it falls the more
quickly the less the others differ. What runs for longer than that may go on for as long again.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

from dc.server.figures import BOUNDS

LEAST = BOUNDS[0] / 10
"""Seconds below which nothing is told apart."""


MUCH_UNSEEN = 0.15
"""The share of tasks longer than any that has finished, from which on little is known of them."""


class RunTimes:
    """See the module.

    Args:
        counts: of finished tasks, as Figures.times has them.
        running: how long those have run that still do, in seconds.
        shortest: of those that have finished, in seconds.
        longest: likewise.
        caution: what is thought of those that have not been seen, where these are many: below 1
            that they are short, above 1 that they are long.
    """

    def __init__(
        self,
        counts: Sequence[int],
        running: Sequence[float] = (),
        shortest: float = 0.0,
        longest: float = 0.0,
        caution: float = 1.0,
    ) -> None:
        self.count = sum(counts)
        edges = [LEAST, *BOUNDS]
        known = [at for at, count in enumerate(counts) if count]
        first, last = (known[0], known[-1]) if known else (0, 0)
        self.longest = longest or edges[min(last + 1, len(edges) - 1)]
        self.longest = max(self.longest, LEAST)
        inner = edges[first + 1 : last + 1]
        begin = shortest or edges[first]
        inside = [edge for edge in inner if begin < edge < self.longest]
        self._points = [min(begin, self.longest), *inside, self.longest]
        self._survival = _survival(counts, running, self._points)
        self._oldest = max(running, default=0.0)
        self._caution = min(0.5, caution)
        self._tail = self._scale(caution)

    def survival(self, seconds: float) -> float:
        """Return the share of tasks that take longer."""
        return self._between(self._survival, 1.0, seconds)

    def rest(self, seconds: float) -> float:
        """Return the share of the tasks that run at any moment which go on for longer."""
        first = self._points[0]
        if seconds < first:
            return (self._rests[0] + first - seconds) / self.mean
        return self._between(self._rests, self._rests[0], seconds) / self.mean

    def goes_on(self, elapsed: float, seconds: float) -> float:
        """Return the chance that what has run for `elapsed` seconds runs for so many more."""
        if elapsed >= self.longest:
            scale = elapsed * self._caution
            return scale / (scale + seconds)
        return self.survival(elapsed + seconds) / self.survival(elapsed)

    def left(self, elapsed: float) -> float:
        """Return for how many seconds what has run for some is expected to go on."""
        if elapsed >= self.longest:
            return elapsed
        return self.rest(elapsed) * self.mean / self.survival(elapsed)

    def _between(self, values: Sequence[float], before: float, seconds: float) -> float:
        """Return a value between two points, before the first, or beyond the last."""
        if seconds < self._points[0]:
            return before
        if seconds >= self.longest:
            return values[-1] * math.exp(max(-600.0, (self.longest - seconds) / self._tail))
        at = bisect_right(self._points, seconds)
        low, high = self._points[at - 1], self._points[at]
        return values[at - 1] + (seconds - low) / (high - low) * (values[at] - values[at - 1])

    def _scale(self, caution: float) -> float:
        """Return over how many seconds the share of what has not been seen falls, to a third."""
        mean, spread = self._moments()
        if self._survival[-1] > MUCH_UNSEEN:
            return max(LEAST, max(self.longest, self._oldest) * caution)
        return max(LEAST, 1.2 * spread + mean * (0.02 + 0.5 / math.sqrt(self.count + 1)))

    def _moments(self) -> tuple[float, float]:
        """Return the mean and the standard deviation of what has been seen."""
        pairs = list(pairwise(self._points))
        shares = [a - b for a, b in pairwise(self._survival)]
        whole = sum(shares)
        if whole <= 0:
            return self.longest, 0.0
        middles = [(low + high) / 2 for low, high in pairs]
        mean = sum(share * one for share, one in zip(shares, middles, strict=True)) / whole
        square = sum(s * (one - mean) ** 2 for s, one in zip(shares, middles, strict=True))
        return mean, math.sqrt(square / whole)

    @cached_property
    def _rests(self) -> list[float]:
        """The integral of the survival function from each point on."""
        points, survival = self._points, self._survival
        found = [0.0] * len(points)
        found[-1] = survival[-1] * self._tail
        for at in range(len(points) - 2, -1, -1):
            width = points[at + 1] - points[at]
            found[at] = found[at + 1] + width * (survival[at] + survival[at + 1]) / 2
        return found

    @cached_property
    def mean(self) -> float:
        """The mean, in seconds."""
        return self._points[0] + self._rests[0]

    @cached_property
    def spread(self) -> float:
        """The standard deviation, in seconds, of what has been seen."""
        return self._moments()[1]


def _survival(
    counts: Sequence[int], running: Sequence[float], points: Sequence[float]
) -> list[float]:
    """Return the share that takes longer than each of some points."""
    ended, still = [0] * len(points), [0] * (len(points) + 1)
    for at, count in enumerate(counts):
        if count:
            edge = BOUNDS[at] if at < len(BOUNDS) else math.inf
            ended[min(bisect_left(points, edge), len(points) - 1)] += count
    for seconds in running:
        still[bisect_left(points, seconds)] += 1
    at_risk, found, share = float(sum(counts) + len(running)), [], 1.0
    for gone, censored in zip(ended, still, strict=False):
        exposed = at_risk - censored / 2
        # One more than there are: that the longest of few has been seen is not likely.
        share *= 1 - (gone / (exposed + 1) if exposed > 0 else 0.0)
        found.append(share)
        at_risk -= gone + censored
    found[0] = 1.0
    return found
