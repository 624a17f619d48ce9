"""What the figures of all jobs come to: how long everything takes, and what has failed lately."""

from __future__ import annotations

from dc.server.app import ServerApp
from dc.server.figure_views import FigureViews, groups_of
from dc.server.figures import MICRO
from dc.server.jobs import Job
from dc.view_jobs import Left
from dc.view_server import RecentFailure

JOBS_LOOKED_AT = 5
"""Jobs of which it is told how long each takes: those with the most work."""

FAILURES_SHOWN = 10
"""Of all jobs in memory, groups of failures: those that came last."""

DRIFT = 1.3
"""By how much later tasks may differ from earlier ones."""


class AllFigures:
    """Looks up figures of all jobs that are in memory.

    Args:
        app: the server.
        figures: of single jobs.
    """

    def __init__(self, app: ServerApp, figures: FigureViews) -> None:
        self._app = app
        self._figures = figures

    def left(self) -> Left:
        """Return how long it takes until all has finished that can be run.

        It is the longest of the jobs, and no less than all their work on all slots.
        """
        tasks, work, unsure = 0, 0.0, 0
        lefts: list[tuple[float, Job, int]] = []
        for job in self._app.reactor.board.jobs.values():
            count = 0 if job.finished else self._tasks(job)
            mean = self._mean(job)
            tasks += count
            if count and (mean is None or job.holds.any):
                unsure += 1
            elif count and mean is not None:
                work += count * mean
                lefts.append((count * mean, job, count))
        if not tasks:
            return Left(0, 0.0, 0.0, 0.0, 0.0, "nothing is left to do")
        lefts.sort(key=lambda one: -one[0])
        known = [self._of_job(job, count) for _, job, count in lefts[:JOBS_LOOKED_AT]]
        return self._joined(tasks, work, [one for one in known if one.high is not None], unsure)

    def _joined(self, tasks: int, work: float, lefts: list[Left], unsure: int) -> Left:
        slots = sum(w.about.slots for w in self._app.reactor.workers.by_peer.values())
        if not lefts or not slots:
            why = "no worker is here" if not slots else "nothing has finished of what can be run"
            return Left(tasks, work or None, None, None, None, why)
        together = work / slots
        low = max(together / DRIFT, *(one.low or 0.0 for one in lefts))
        likely = max(together, *(one.likely or 0.0 for one in lefts))
        high = max(together * DRIFT, *(one.high or 0.0 for one in lefts))
        jobs = f"{len(lefts)} job{'s' * (len(lefts) != 1)}"
        others = f"; {unsure} that wait or have not begun are left out" if unsure else ""
        basis = f"from {jobs} on {slots} slot{'s' * (slots != 1)}{others}"
        return Left(tasks, work, min(low, likely), likely, max(likely, high), basis)

    def _of_job(self, job: Job, count: int) -> Left:
        figures = self._figures.at_hand(job.number)
        if figures is None:
            return Left(count, None, None, None, None, "its figures are being counted")
        return self._figures.left(job, figures, self._app.reactor.board.state(job)[0], "")

    def _tasks(self, job: Job) -> int:
        counts = self._app.reactor.board.counts(job)
        return counts.queued + counts.assigned + counts.running

    def _mean(self, job: Job) -> float | None:
        """Return how long a task of a job takes in the mean, if that is known."""
        figures = self._figures.at_hand(job.number)
        count = sum(figures.times) if figures is not None else 0
        if figures is not None and count:
            return figures.micros * MICRO / count
        return job.cost if job.cost >= 0 else None

    def failures(self) -> list[RecentFailure]:
        """Return the groups of failures of jobs in memory, those first that came last."""
        found = []
        for job in self._app.reactor.board.jobs.values():
            if not job.failed:
                continue
            figures = self._figures.at_hand(job.number)
            for group in groups_of(figures) if figures is not None else ():
                row = job.row
                found.append(RecentFailure(row.job, job.options.name, row.type, group))
        found.sort(key=lambda one: -one.group.last_at)
        return found[:FAILURES_SHOWN]
