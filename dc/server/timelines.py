"""A job's tasks over workers and time, of its figures, of single outcomes, and of what runs."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from dc import limits_shown
from dc.messages_parts import Failure
from dc.records import AttemptEnd, Outcomes
from dc.server.bins import MICROSECONDS, OTHERS, Bins, LaneBins
from dc.view_jobs import Lane, Span, TimelineView

CHAINED_SECONDS = 0.1
"""Workers report so often, if they have something to say."""

CHAIN_SECONDS = 1.0
"""Of attempts that are taken to have run one after the other, at most."""


class Now(Struct, frozen=True):
    """An attempt that runs: on which worker, and since when, in Unix time."""

    number: int
    attempt: int
    worker: str
    began: float


def timeline(
    job: int, bins: Bins, running: list[Now], now: float, since: float, until: float, steps: int
) -> TimelineView:
    """Return lanes of workers over some time; without single attempts.

    Args:
        job: its number.
        bins: what has finished of it.
        running: what runs of it.
        now: the Unix time.
        since: the first moment to show; the steps begin at a multiple of their length.
        until: the last.
        steps: so many at most.
    """
    each = bins.step
    begin, end = int(since * MICROSECONDS) // each, int(until * MICROSECONDS) // each + 1
    by = -(-(end - begin) // steps)
    while begin // by * by + steps * by < end:  # the beginning is moved to a multiple
        by += 1 + by // 50
    first = begin // by * by
    count = -(-(end - first) // by)
    frame = _Frame(first, count, by, each)
    lanes = {name: frame.lane(name, lane) for name, lane in bins.lanes.items()}
    for one in running:
        name = (
            one.worker if one.worker in lanes or len(lanes) < limits_shown.FIGURES_LANES else OTHERS
        )
        lane = lanes.setdefault(name, Lane(name, [0.0] * count, [0] * count))
        frame.add(lane.busy, one.began, now)
    start, step = frame.start / MICROSECONDS, frame.step / MICROSECONDS
    shown = [lane for lane in lanes.values() if any(lane.busy) or any(lane.failed)]
    shown.sort(key=lambda lane: lane.worker)
    return TimelineView(job, start, start + count * step, step, shown, None)


class _Frame(Struct, frozen=True):
    """Steps of a timeline: `count` of them, each of `by` bins of `each` microseconds."""

    first: int
    count: int
    by: int
    each: int

    @property
    def start(self) -> int:
        return self.first * self.each

    @property
    def step(self) -> int:
        return self.by * self.each

    def lane(self, name: str, lane: LaneBins) -> Lane:
        busy, failed = [0.0] * self.count, [0] * self.count
        for at, micros in lane.busy.items():
            place = (at - self.first) // self.by
            if 0 <= place < self.count:
                busy[place] += micros / self.step
        for at, tasks in lane.failed.items():
            place = (at - self.first) // self.by
            if 0 <= place < self.count:
                failed[place] += tasks
        return Lane(name, busy, failed)

    def add(self, busy: list[float], began: float, ended: float) -> None:
        begin = (began * MICROSECONDS - self.start) / self.step
        end = (ended * MICROSECONDS - self.start) / self.step
        for place in range(max(0, int(begin)), min(self.count, int(end) + 1)):
            busy[place] += max(0.0, min(place + 1, end) - max(place, begin))


# --- single attempts ------------------------------------------------------------------------------


def spans_of(record: Outcomes) -> Iterator[Span]:
    """Go through the attempts that outcomes are of, the last one first; they have no rows yet.

    Only the time is known at which all came. What is shorter than the time between two reports of a
    worker is taken to have run one after the other, up to that time.
    """
    if not record.worker:  # nobody ran them
        return
    columns = (record.numbers, record.attempts, record.times, record.outcomes)
    chain = 0.0
    for number, attempt, time, outcome in reversed(list(zip(*columns, strict=True))):
        end = outcome.kind if isinstance(outcome, Failure) else "done"
        ended = record.at
        if time < CHAINED_SECONDS:
            ended -= chain
            chain = chain + time if chain < CHAIN_SECONDS else 0.0
        yield Span(number, attempt, record.worker, -1, ended - time, ended, end)


def span_of_end(end: AttemptEnd) -> Span | None:
    """Return an attempt whose outcome does not stand, if it is known when it began."""
    if end.began is None:
        return None
    return Span(end.number, end.attempt, end.worker, -1, end.began, end.ended, end.end)


def span_of_running(one: Now) -> Span:
    """Return an attempt that runs."""
    return Span(one.number, one.attempt, one.worker, -1, one.began, None, "running")


def in_rows(spans: Iterable[Span]) -> list[Span]:
    """Return attempts, those first that began first, each with a row of its worker's lane.

    Attempts in one row do not overlap; there are as many rows as ever ran at a time.
    """
    rows: dict[str, Rows] = {}
    ordered = sorted(spans, key=lambda span: (span.began, span.number, span.attempt))
    return [
        replace(span, slot=rows.setdefault(span.worker, Rows()).place(span.began, span.ended))
        for span in ordered
    ]


class Rows:
    """The rows of one lane, given out to attempts in the order in which they begin."""

    def __init__(self) -> None:
        self._busy: list[tuple[float, int]] = []
        self._free: list[int] = []
        self._count = 0

    def place(self, began: float, ended: float | None) -> int:
        """Return the lowest row that is free from one moment to another."""
        while self._busy and self._busy[0][0] <= began:
            heapq.heappush(self._free, heapq.heappop(self._busy)[1])
        if self._free:
            row = heapq.heappop(self._free)
        else:
            row, self._count = self._count, self._count + 1
        heapq.heappush(self._busy, (float("inf") if ended is None else ended, row))
        return row
