"""Figures of what has finished of one job: run times, failures, workers, and all that over time.

They are a function of the outcomes that stand, record after record in the order of their sequences:
so they can be written down at any of them, and gone on with from there, by this server or the next.
What runs again is taken out. Only where a bound was passed (too many workers, too many kinds of
errors) does it matter in which order things came.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct, field

from dc import limits_shown
from dc._columns import tally
from dc.messages_parts import Failure
from dc.records import JobFigures, Outcomes, TaskRow
from dc.server.bins import MICROSECONDS, MOST, Bins
from dc.server.failure_groups import FailureGroups

BOUNDS: list[float] = [
    float(f"{digits}e{power}") for power in range(-4, 6) for digits in (1, 1.5, 2, 3, 5, 7)
] + [1e6]
"""Seconds: up to each, run times are counted together. Six a decade, from 100 µs to twelve days."""

MICRO = 1 / MICROSECONDS
"""A microsecond, in seconds."""

MOST_SECONDS = 1e8
"""Of a run time: three years. Whatever a worker says beyond that counts as that."""

FORM = 1
"""Of the data on disk: of any other it is counted again."""


class Share(Struct, array_like=True):
    """What a worker has done; `micros` of run time in microseconds."""

    done: int = 0
    failed: int = 0
    micros: int = 0


class Figures(Struct):
    """See the module.

    Attributes:
        sequence: up to which record it counts.
        retried: how many outcomes were set aside, of those up to there.
        count: of outcomes.
        shortest, longest: of run times, in microseconds; of those that were taken out, too.
        micros: the sum of run times, in microseconds.
        times: counts of run times: see BOUNDS; the last is for longer ones.
        workers: by name, what each has done; `others` what the rest has.
        began: when the first attempt began, in Unix time, as far as that is known.
        last_at: when the last outcome came.
    """

    form: int = FORM
    sequence: int = 0
    retried: int = 0
    count: int = 0
    micros: int = 0
    shortest: int = 0
    longest: int = 0
    times: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    workers: dict[str, Share] = field(default_factory=dict)
    others: Share = field(default_factory=Share)
    failures: FailureGroups = field(default_factory=FailureGroups)
    bins: Bins = field(default_factory=Bins)
    began: float | None = None
    last_at: float = 0.0

    def add(self, record: Outcomes) -> None:
        """Count a record; it comes after all that were counted before."""
        self.sequence = record.sequence
        self.count += len(record.numbers)
        self.last_at = max(self.last_at, record.at)
        counts = self.times if record.worker else [0] * len(self.times)
        found = tally(record.times, record.outcomes, BOUNDS, counts)
        failed = _failed(record, found.others) if found.others else ()
        if failed:
            self.failures.add(record.worker, record.at, failed)
        if not record.worker:  # nobody ran them
            return
        times = record.times
        if found.longest > MOST_SECONDS * MICROSECONDS:
            times = [min(time, MOST_SECONDS) for time in times]
            found = tally(times, [], BOUNDS, [0] * len(counts))
        self.micros = min(self.micros + found.total, MOST)
        first = self.began is None
        self.shortest = found.shortest if first else min(self.shortest, found.shortest)
        self.longest = max(self.longest, found.longest)
        share = self.workers.get(record.worker) or self._share(record.worker)
        share.done += len(record.numbers) - len(failed)
        share.failed += len(failed)
        share.micros = min(share.micros + found.total, MOST)
        self.bins.add(record.worker, record.at, times, found.total, found.longest, len(failed))
        self.bins.mark(record.at, record.sequence, len(record.numbers))
        began = record.at - found.longest / MICROSECONDS
        self.began = began if self.began is None else min(began, self.began)

    def _share(self, worker: str) -> Share:
        """Return the place of a worker that has none yet."""
        if len(self.workers) >= limits_shown.FIGURES_WORKERS:
            return self.others
        return self.workers.setdefault(worker, Share())

    def take_out(self, tasks: Iterable[TaskRow]) -> None:
        """Take failed tasks out, which are to run again and were counted."""
        times: dict[str, list[float]] = {}
        for task in tasks:
            self.count -= 1
            self.retried += 1
            if isinstance(task.outcome, Failure):
                self.failures.take_out(task.worker, task.outcome)
            if task.worker:
                time = min(task.time, MOST_SECONDS)
                times.setdefault(task.worker, []).append(time)
                self.bins.take_out(task.worker, task.at, time)
        counts = [0] * len(self.times)
        for worker, mine in times.items():
            micros = tally(mine, [], BOUNDS, counts).total
            self.micros = max(0, self.micros - micros)
            share = self.workers.get(worker, self.others)
            share.failed -= len(mine)
            share.micros = max(0, share.micros - micros)
        self.times = [had - one for had, one in zip(self.times, counts, strict=True)]

    def recent(self, now: float, seconds: float) -> tuple[int, float]:
        """Return how many tasks have finished in about the last so many seconds, and in how many.

        These are whole steps of time, all since the first attempt began at the most.
        """
        step = self.bins.step / MICROSECONDS
        last = int(now / step)
        first = last - max(2, round(seconds / step))
        found = sum(mark.count for at, mark in self.bins.marks.items() if first <= at)
        begin = max(first * step, self.began or 0.0)
        return found, max(now - begin, 0.0)

    def record(self, job: int) -> JobFigures:
        """Return these figures as they are written down."""
        return JobFigures(job, self.sequence, msgspec.msgpack.encode(self))


def _failed(record: Outcomes, places: Iterable[int]) -> list[tuple[int, Failure]]:
    """Return the failures at some places of a record, with the numbers of their tasks."""
    pairs = ((record.numbers[at], record.outcomes[at]) for at in places)
    return [(number, one) for number, one in pairs if isinstance(one, Failure)]


def restored(row: JobFigures | None, retried: int) -> Figures:
    """Return the figures of a job as they were written down, or fresh ones.

    Args:
        row: what was written down, if anything.
        retried: how many outcomes of the job were set aside: figures that know of fewer, or that
            are of another dc, are of no use.
    """
    if row is None:
        return Figures(retried=retried)
    try:
        figures = msgspec.msgpack.decode(row.data, type=Figures)
    except msgspec.MsgspecError:
        return Figures(retried=retried)
    whole = figures.form == FORM and figures.retried == retried
    whole = whole and len(figures.times) == len(BOUNDS) + 1
    return figures if whole else Figures(retried=retried)
