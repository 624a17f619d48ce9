"""Figures of all jobs in memory together: how long they take, and how their tasks fail.

With ten thousand jobs a look at each of them takes a while: so it serves for some seconds, and only
the jobs with the most work are reckoned closely.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from dc import limits_shown
from dc.server.app import ServerApp
from dc.server.estimate import unknown
from dc.server.figure_views import FigureViews, groups_of
from dc.server.figures import Figures
from dc.server.jobs import Job
from dc.view_jobs import Left
from dc.view_server import RecentFailure

MICRO: Final = 1e-6

CLOSELY: Final = 5
"""Jobs whose own time is reckoned: those with the most work."""

DOUBT: Final = 0.3
"""By how much the work of all others may be another than the mean of what has finished says."""

FAILURES: Final = 10
"""Kinds of errors that are shown, those that came last."""


class Part(Struct, frozen=True):
    """What is left of a job, `work` in seconds of run time."""

    job: Job
    figures: Figures
    tasks: int
    work: float


class Whole:
    """Looks at all jobs in memory.

    Args:
        app: the server.
        figures: gives those of each job.
    """

    def __init__(self, app: ServerApp, figures: FigureViews) -> None:
        self._app = app
        self._figures = figures
        self._looked = float("-inf")
        self._left = unknown(0, "nothing is left to do")
        self._failures: list[RecentFailure] = []

    def look(self) -> tuple[Left, list[RecentFailure]]:
        """Return how long all takes that is left, and the kinds of errors that came last."""
        now = self._app.reactor.board.now
        if now - self._looked >= limits_shown.WHOLE_SECONDS:
            self._looked = now
            self._left, self._failures = self._find_left(), self._find_failures()
        return self._left, self._failures

    # --- failures -------------------------------------------------------------------------------

    def _find_failures(self) -> list[RecentFailure]:
        found = [
            RecentFailure(job.number, job.options.name, job.row.type, group)
            for job in self._app.reactor.board.jobs.values()
            if job.failed and (figures := self._figures.at_hand(job.number)) is not None
            for group in groups_of(figures)
        ]
        return sorted(found, key=lambda one: one.group.last_at, reverse=True)[:FAILURES]

    # --- time left ------------------------------------------------------------------------------

    def _find_left(self) -> Left:
        board = self._app.reactor.board
        goes_on = [
            job
            for job in board.jobs.values()
            if job.scheduled and not job.cancelled and not job.holds.any
        ]
        parts, strangers, tasks = [], 0, 0
        for job in goes_on:
            counts = board.counts(job)
            count = counts.queued + counts.assigned + counts.running
            tasks += count
            part = self._part(job, count)
            if part is not None:
                parts.append(part)
            strangers += count > 0 and part is None
        if not tasks:
            return Left(0, 0.0, 0.0, 0.0, 0.0, "nothing is left to do")
        slots = board.scheduler.statistics().slots
        if not slots:
            return unknown(tasks, "no worker takes tasks at present")
        if strangers:
            some = "one job" if strangers == 1 else f"{strangers:,} jobs"
            return unknown(tasks, f"of {some} no task has finished yet")
        return self._together(parts, tasks, slots)

    def _part(self, job: Job, tasks: int) -> Part | None:
        figures = self._figures.at_hand(job.number) if tasks else None
        if figures is None or not figures.count:
            return None
        return Part(job, figures, tasks, tasks * figures.micros * MICRO / figures.count)

    def _together(self, parts: list[Part], tasks: int, slots: int) -> Left:
        work = sum(part.work for part in parts)
        low, likely, high = (work / slots * by for by in (1 - DOUBT, 1.0, 1 + DOUBT))
        for own in self._closely(parts):
            low, likely, high = (max(low, own[0]), max(likely, own[1]), max(high, own[2]))
        jobs = f"{len(parts):,} job{'' if len(parts) == 1 else 's'}"
        basis = f"the run times of {jobs}, on {slots:,} slots; what is paused or waits is left out"
        return Left(tasks, work, low, likely, high, basis)

    def _closely(self, parts: list[Part]) -> Iterator[tuple[float, float, float]]:
        for part in sorted(parts, key=lambda part: -part.work)[:CLOSELY]:
            own = self._figures.left(part.job, part.figures, "running", "")
            if own.low is not None and own.likely is not None and own.high is not None:
                yield own.low, own.likely, own.high
