"""What workers did of a job over time, in bounded space.

Theory of operation
-------------------
Time is cut into steps of equal length, numbered from the beginning of Unix time. For each worker
and step there is a sum of run time, in microseconds: a task that took `t` seconds and whose outcome
came at `at` ran from `at - t` to `at`. When the steps from the first to the last would be more than
limits_shown.FIGURES_BINS, two become one, and their sums with them: that loses nothing but
sharpness. The sums are integers, so that what was added can be taken out again, in any order.

A mark of a step says which records of outcomes came in it: by their sequences, a short time of a
long job is found in the store without reading the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from dc import limits_shown
from dc._columns import spread

MICROSECONDS = 1_000_000
LEAST_STEP = int(limits_shown.FIGURES_STEP_SECONDS * MICROSECONDS)
MOST = 2**62
"""Of a sum, in microseconds: what a worker may say adds up to more than can be written down."""

OTHERS = ""
"""The lane of all workers that have none of their own."""


class LaneBins(Struct, array_like=True):
    """By step: the sum of run times in microseconds, and how many tasks failed."""

    busy: dict[int, int] = field(default_factory=dict)
    failed: dict[int, int] = field(default_factory=dict)


class Mark(Struct, array_like=True):
    """Of a step: the first and the last sequence of what came in it, and how many tasks."""

    first: int
    last: int
    count: int


class Bins(Struct):
    """See the module. A step is LEAST_STEP << `shift` microseconds long."""

    shift: int = 0
    lanes: dict[str, LaneBins] = field(default_factory=dict)
    marks: dict[int, Mark] = field(default_factory=dict)
    low: int = 0
    high: int = -1

    @property
    def step(self) -> int:
        """The length of a step, in microseconds."""
        return LEAST_STEP << self.shift

    def add(
        self, worker: str, at: float, times: list[float], total: int, longest: int, failed: int
    ) -> None:
        """Count tasks of a worker whose outcomes came at one time.

        Args:
            worker: its name.
            at: when, in Unix time.
            times: their run times, in seconds.
            total: the sum of these, in microseconds.
            longest: the longest of them, likewise.
            failed: how many of them failed.
        """
        end = int(at * MICROSECONDS)
        lane = self.lanes.get(worker) or self._lane(worker)
        last, offset = divmod(end, LEAST_STEP << self.shift)
        if longest <= offset and self.low <= last <= self.high:  # nearly always
            lane.busy[last] = min(lane.busy.get(last, 0) + total, MOST)
        else:
            last = self._spread(lane, end, times, longest)
        if failed:
            lane.failed[last] = lane.failed.get(last, 0) + failed

    def _spread(self, lane: LaneBins, end: int, times: list[float], longest: int) -> int:
        """Count run times in all the steps in which they were; return the last of these."""
        self._make_room(end - longest, end)
        last, offset = divmod(end, self.step)
        for back, part in enumerate(spread(times, offset, self.step)):
            lane.busy[last - back] = min(lane.busy.get(last - back, 0) + part, MOST)
        return last

    def take_out(self, worker: str, at: float, time: float) -> None:
        """Take a failed task out that was added."""
        end = int(at * MICROSECONDS)
        lane = self.lanes.get(worker) or self.lanes.get(OTHERS)
        if lane is None:
            return
        last, offset = divmod(end, self.step)
        for back, part in enumerate(spread([time], offset, self.step)):
            _take(lane.busy, last - back, part)
        _take(lane.failed, last, 1)

    def mark(self, at: float, sequence: int, count: int) -> None:
        """Note that a record of so many tasks came at a time; it has been added."""
        step = int(at * MICROSECONDS) // (LEAST_STEP << self.shift)
        known = self.marks.get(step)
        if known is None:
            self.marks[step] = Mark(sequence, sequence, count)
        else:
            known.first = min(known.first, sequence)
            known.last = max(known.last, sequence)
            known.count += count

    def _lane(self, worker: str) -> LaneBins:
        lane = self.lanes.get(worker)
        if lane is None:
            full = len(self.lanes) >= limits_shown.FIGURES_LANES
            lane = self.lanes.setdefault(OTHERS if full else worker, LaneBins())
        return lane

    def _make_room(self, begin: int, end: int) -> None:
        """Have the steps from one moment to another, in microseconds, be among those kept."""
        low, high = begin // self.step, end // self.step
        if self.high >= self.low:
            low, high = min(low, self.low), max(high, self.high)
        by = 0
        while (high >> by) - (low >> by) >= limits_shown.FIGURES_BINS:
            by += 1
        if by:
            self._coarsen(by)
        self.low, self.high = low >> by, high >> by

    def _coarsen(self, by: int) -> None:
        self.shift += by
        for lane in self.lanes.values():
            lane.busy, lane.failed = _coarser(lane.busy, by), _coarser(lane.failed, by)
        marks, self.marks = self.marks, {}
        for step, mark in marks.items():
            known = self.marks.setdefault(step >> by, mark)
            if known is not mark:
                _merge(known, mark)

    # --- looking --------------------------------------------------------------------------------

    def range(self) -> tuple[float, float] | None:
        """Return from when to when there is something, in Unix time; None if there is nothing."""
        if self.high < self.low:
            return None
        return self.low * self.step / MICROSECONDS, (self.high + 1) * self.step / MICROSECONDS

    def marked(self, since: float, until: float) -> Iterator[Mark]:
        """Go through the marks of the steps that a time touches."""
        first, last = int(since * MICROSECONDS), int(until * MICROSECONDS)
        for step, mark in self.marks.items():
            if step * self.step <= last and (step + 1) * self.step > first:
                yield mark

    def validate(self) -> None:
        """Check the bounds; AssertionError says what does not hold."""
        assert len(self.lanes) <= limits_shown.FIGURES_LANES + 1, "too many lanes"
        assert self.high - self.low < limits_shown.FIGURES_BINS, "too many steps"
        for lane in self.lanes.values():
            for step in (*lane.busy, *lane.failed):
                assert self.low <= step <= self.high, "a step is out of range"
        assert all(self.low <= step <= self.high for step in self.marks), "a mark is out of range"


def _merge(known: Mark, other: Mark) -> None:
    known.first = min(known.first, other.first)
    known.last = max(known.last, other.last)
    known.count += other.count


def _take(sums: dict[int, int], step: int, part: int) -> None:
    left = sums.get(step, 0) - part
    if left > 0:
        sums[step] = left
    else:
        sums.pop(step, None)


def _coarser(sums: dict[int, int], by: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for step, value in sums.items():
        found[step >> by] = min(found.get(step >> by, 0) + value, MOST)
    return found
