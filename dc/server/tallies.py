"""Keeps the figures of jobs that are in memory up to date, and has them written down now and then.

Theory of operation
-------------------
Figures count outcomes that are on disk, in the order of their sequences, and what was written down
says up to which. So whatever is lost with the server is counted again from the records: after a
restart, or of a finished job that gets outcomes again because tasks of it are retried, the last
figures are read from the store, then the records behind them, page by page, beside everything else.
What is recorded meanwhile is on the next page, or, when the end has been reached, at hand.

Outcomes that are set aside are taken out once that is on disk. The figures say how many they know
of; where the store knows of another number, they are from before, and all is counted anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from msgspec import Struct, field

from dc import limits_shown
from dc.records import JobFigures, Outcomes, TaskRow
from dc.server.board import Board
from dc.server.events import LoadBare, LoadFigures
from dc.server.figures import Figures, restored
from dc.server.jobs import Job

Written: TypeAlias = tuple[JobFigures | None, int]
"""Figures as they are on disk, and how many outcomes of the job were set aside."""

MOST_AT_HAND = 256
"""Records that are kept while a page is read; when there are more, another page is read."""


class Tally(Struct, eq=False):
    """Figures of a job in memory.

    Attributes:
        figures: what has been counted.
        whole: whether that is all that is on disk.
        anew: whether what is being read is of no use any more.
        at_hand: records that came to the disk since the page that is being read was asked for.
        aim: the last sequence of the job when it was asked for.
        kept: how many outcomes the figures on disk count.
        due: when they may be written again, on the reactor's clock.
    """

    figures: Figures = field(default_factory=Figures)
    whole: bool = True
    anew: bool = False
    at_hand: list[Outcomes] = field(default_factory=list)
    aim: int = 0
    kept: int = 0
    due: float = 0.0


class Tallies:
    """See the module.

    Args:
        board: where jobs are.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._tallies: dict[int, tuple[Job, Tally]] = {}
        self._tidy_at = 1000

    def get(self, job: Job) -> Figures | None:
        """Return the figures of a job in memory, if all that is on disk is counted in them."""
        tally = self._of(job)
        return tally.figures if tally is not None and tally.whole else None

    def _of(self, job: Job) -> Tally | None:
        known = self._tallies.get(job.number)
        return known[1] if known is not None and known[0] is job else None

    def _add(self, job: Job, tally: Tally) -> Tally:
        if len(self._tallies) >= self._tidy_at:
            here = self._board.jobs
            kept = {n: one for n, one in self._tallies.items() if here.get(n) is one[0]}
            self._tallies = kept
            self._tidy_at = max(1000, 2 * len(kept))
        self._tallies[job.number] = job, tally
        return tally

    # --- counting -------------------------------------------------------------------------------

    def recorded(self, job: Job, record: Outcomes) -> None:
        """Count outcomes that have come to the disk."""
        tally = self._of(job)
        if tally is None:
            if job.retried or job.recorded != len(record.numbers):
                self.recovered(job)
                return
            tally = self._add(job, Tally())
        if tally.whole:
            tally.figures.add(record)
            self._write(job, tally, limits_shown.FIGURES_KEPT_TASKS)
        elif len(tally.at_hand) < MOST_AT_HAND:
            tally.at_hand.append(record)

    def retried(self, job: Job, tasks: list[TaskRow]) -> None:
        """Take out failed tasks whose outcomes were set aside: that is on disk."""
        tally = self._of(job)
        if tally is not None and tally.whole:
            tally.figures.take_out(tasks)
            tally.kept = 0
        elif tally is not None:
            tally.anew = True

    def finished(self, job: Job) -> None:
        """Write down the figures of a job that has finished."""
        tally = self._of(job)
        if (
            tally is not None
            and tally.whole
            and tally.figures.count >= limits_shown.FIGURES_KEPT_TASKS
        ):
            tally.due = 0.0
            self._write(job, tally, 1)

    def keep(self, record: JobFigures) -> None:
        """Have figures written down of a job that is not in memory."""
        if record.job not in self._board.jobs:
            self._board.write(record, _nothing)

    def _write(self, job: Job, tally: Tally, least: int) -> None:
        figures, now = tally.figures, self._board.now
        if figures.count - tally.kept < least or now < tally.due:
            return
        record = figures.record(job.number)
        pause = max(
            limits_shown.FIGURES_SECONDS, len(record.data) / limits_shown.FIGURES_BYTES_PER_SECOND
        )
        tally.kept, tally.due = figures.count, now + pause
        self._board.write(record, _nothing)

    # --- catching up ----------------------------------------------------------------------------

    def recovered(self, job: Job) -> None:
        """Count what is on disk of a job that was taken into memory."""
        if job.recorded or job.retried:
            self._begin(job, self._add(job, Tally(whole=False)))

    def _begin(self, job: Job, tally: Tally) -> None:
        tally.anew = False
        then: Callable[[Written], None] = partial(self._found, job, tally)
        self._board.out.append(LoadFigures(job.number, then))

    def _found(self, job: Job, tally: Tally, written: Written) -> None:
        row, retried = written
        tally.figures = restored(row, retried)
        tally.kept = tally.figures.count
        self._read_on(job, tally)

    def _read_on(self, job: Job, tally: Tally) -> None:
        tally.at_hand, tally.aim = [], job.last_sequence
        after = tally.figures.sequence
        self._board.out.append(LoadBare(job.number, after, partial(self._page, job, tally)))

    def _page(self, job: Job, tally: Tally, records: list[Outcomes]) -> None:
        if self._of(job) is not tally or self._board.jobs.get(job.number) is not job:
            return
        if tally.anew:
            self._begin(job, tally)
            return
        for record in records:
            tally.figures.add(record)
        reached = not records or 0 < tally.aim <= tally.figures.sequence
        if not reached or len(tally.at_hand) == MOST_AT_HAND:
            self._read_on(job, tally)
            return
        for record in tally.at_hand:
            if record.sequence > tally.figures.sequence:
                tally.figures.add(record)
        tally.at_hand, tally.whole = [], True
        self._write(job, tally, limits_shown.FIGURES_KEPT_TASKS)


def _nothing() -> None:
    """Nobody waits for figures to be on disk."""
