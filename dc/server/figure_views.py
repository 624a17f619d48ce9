"""What is shown of a job in figures: what has finished of it, over time, and how long it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice

import trio
from msgspec.structs import replace

from dc import limits_shown
from dc.records import JobRow
from dc.server.app import ServerApp
from dc.server.estimate import Known, estimate, unknown
from dc.server.events import Answered
from dc.server.failure_groups import Group
from dc.server.figures import BOUNDS, MICRO, Figures, restored
from dc.server.jobs import Job
from dc.server.timelines import (
    Now,
    in_rows,
    span_of_end,
    span_of_running,
    spans_of,
    timeline,
)
from dc.view_jobs import (
    FailureGroup,
    FiguresView,
    Histogram,
    JobView,
    JobWorker,
    Left,
    Span,
    TimelineView,
)

WORKERS_SHOWN = 100
"""Of a job, workers whose figures are shown: those that did most."""

RATE_SECONDS = 10.0
"""For which it is told how many tasks finish in a second."""

FINISHED = ("done", "failed", "cancelled")

STEADY_SECONDS = 2.0
"""Tasks that take longer are known to run, most of the time: workers tell after a fifth of
a second."""

RIVALS = 200
"""Other jobs that are looked at, to see who wants the same workers."""

RECENT_SECONDS = 3.0, 10.0, 60.0
"""For which it is looked how many tasks have finished, to tell how long the others take."""


class FigureViews:
    """Looks up figures of jobs.

    Args:
        app: the server.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app
        self._counting: dict[int, trio.Lock] = {}

    # --- figures --------------------------------------------------------------------------------

    def live(self, job: int) -> Job | None:
        """Return a job that is in memory."""
        return self._app.reactor.board.jobs.get(job)

    def at_hand(self, job: int) -> Figures | None:
        """Return the figures of a job that are in memory, if they are whole."""
        live = self.live(job)
        return None if live is None else self._app.reactor.control.tallies.get(live)

    async def figures(self, row: JobRow) -> Figures:
        """Return the figures of a job: those in memory, or on disk; what they lack is counted."""
        known = self.at_hand(row.job)
        if known is not None:
            return known
        async with self._alone(row.job):
            figures = restored(await self._app.store.figures(row.job), row.retried)
            before = figures.count
            size = limits_shown.FIGURES_READ_BYTES
            while records := await self._app.store.bare_outcomes(row.job, figures.sequence, size):
                for record in records:
                    figures.add(record)
            if (
                row.finished_at is not None
                and figures.count - before >= limits_shown.FIGURES_KEPT_TASKS
            ):
                keep = self._app.reactor.control.tallies.keep
                self._app.feed(Answered(keep, figures.record(row.job)))
        return figures

    @asynccontextmanager
    async def _alone(self, job: int) -> AsyncIterator[None]:
        """Let one caller after the other count the same job: the first may write it down."""
        lock = self._counting.setdefault(job, trio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.statistics().tasks_waiting:
                self._counting.pop(job, None)

    async def of_job(self, row: JobRow) -> FiguresView:
        """Return what is shown of the figures of a job."""
        figures = await self.figures(row)
        workers = sorted(
            figures.workers.items(), key=lambda one: (-one[1].done - one[1].failed, one[0])
        )
        shown = [
            JobWorker(name, one.done, one.failed, one.micros * MICRO)
            for name, one in workers[:WORKERS_SHOWN]
        ]
        return FiguresView(
            row.job,
            figures.micros * MICRO,
            Histogram(BOUNDS, figures.times),
            groups_of(figures),
            figures.failures.others,
            shown,
            len(workers) - len(shown) + bool(figures.others.done or figures.others.failed),
        )

    # --- over time ------------------------------------------------------------------------------

    def running(self, job: int) -> list[Now]:
        """Return what runs of a job, as far as workers have said so."""
        side = self._app.reactor.workers
        return [
            Now(number, one.attempt, side.name_of(one.worker), one.at)
            for number, one in side.attempts.all_running(job)
        ]

    async def timeline(
        self, row: JobRow, since: float | None, until: float | None, steps: int
    ) -> TimelineView:
        """Return a job's tasks over workers and time.

        Args:
            row: the job.
            since: the first moment to show, in Unix time; None for its beginning.
            until: the last; None for its end, or now.
            steps: so many at most.
        """
        figures, now = await self.figures(row), self._app.wall()
        running = self.running(row.job)
        if since is None:
            starts = [one.began for one in running]
            starts += [] if figures.began is None else [figures.began]
            since = min(starts, default=row.created)
        if until is None:
            until = now if row.finished_at is None else max(figures.last_at, since)
        until = max(until, since)
        view = timeline(row.job, figures.bins, running, now, since, until, steps)
        spans = await self._spans(row.job, figures, running, view.since, view.until)
        return TimelineView(view.job, view.since, view.until, view.step, view.lanes, spans)

    async def _spans(
        self, job: int, figures: Figures, running: list[Now], since: float, until: float
    ) -> list[Span] | None:
        """Return single attempts of some time, if there are few."""
        marks = list(figures.bins.marked(since, until + figures.longest * MICRO))
        most = limits_shown.SPANS_SHOWN
        if sum(mark.count for mark in marks) + len(running) > most:
            return None
        found = [span_of_running(one) for one in running]
        after = min((mark.first for mark in marks), default=0) - 1
        last = max((mark.last for mark in marks), default=-1)
        while after < last and len(found) <= 2 * most:
            records = await self._app.store.bare_outcomes(
                job, after, limits_shown.FIGURES_READ_BYTES
            )
            if not records:
                break
            after = records[-1].sequence
            found += [span for record in records for span in spans_of(record)]
        ends = await self._app.store.attempt_ends(job, 0, most)
        found += [span for end in ends if (span := span_of_end(end)) is not None]
        here = [
            span
            for span in found
            if span.began <= until and (span.ended is None or span.ended >= since)
        ]
        return in_rows(here) if len(here) <= most else None

    # --- time left ------------------------------------------------------------------------------

    async def beside(self, view: JobView, row: JobRow) -> JobView:
        """Return what is shown of a job with what figures add: its beginning, rate, time left."""
        job = self.live(row.job)
        figures = self.at_hand(row.job)
        if (
            figures is None
            and row.counts.done + row.counts.failed <= limits_shown.FIGURES_KEPT_TASKS
        ):
            figures = await self.figures(row)
        elif figures is None:  # what is on disk will do for this
            figures = restored(await self._app.store.figures(row.job), row.retried)
        running = self._app.reactor.workers.attempts.began_of(row.job)
        began = min([one for one in (figures.began, *running) if one is not None], default=None)
        if job is None or row.finished_at is not None or view.state in FINISHED:
            return replace(view, started_at=began)
        left = self.left(job, figures, view.state, view.why or view.note)
        return replace(view, started_at=began, rate=self.rate(row.job), left=left)

    def rate(self, job: int) -> float | None:
        """Return how many tasks of a job finish in a second; None if that is not at hand."""
        figures = self.at_hand(job)
        if figures is None:
            return None
        count, seconds = figures.recent(self._app.wall(), RATE_SECONDS)
        return count / seconds if seconds else None

    def left(self, job: Job, figures: Figures, state: str, why: str) -> Left:
        """Return how long a job that is in memory takes from now on.

        Args:
            job: the job.
            figures: of what has finished of it.
            state: its state.
            why: why nothing of it runs, if so.
        """
        counts = self._app.reactor.board.counts(job)
        tasks = counts.queued + counts.assigned + counts.running
        if state in ("paused", "waiting") or not job.scheduled:
            return unknown(tasks, why or f"it is {state}")
        whys = self._app.reactor.whys
        able = whys.able(job)
        if not able.slots and not counts.running:
            return unknown(tasks, why or "no worker takes its tasks at present")
        now = self._app.wall()
        began = self._app.reactor.workers.attempts.began_of(job.number)
        running = [now - at for at in began[:tasks]]
        mean = figures.micros * MICRO / max(1, sum(figures.times))
        slots = max(1, able.slots, len(running))
        if running and len(running) < tasks and mean > STEADY_SECONDS:
            slots = len(running)  # it has as many as it gets: so much is used up by each
        rivals = self._rivals(job)
        fewest = max(1, slots // (1 + rivals)) if rivals else slots
        known = Known(
            queued=tasks - len(running),
            running=running,
            times=figures.times,
            slots=slots,
            fewest=fewest,
            shortest=figures.shortest * MICRO,
            longest=figures.longest * MICRO,
            mean=mean,
            recent=[figures.recent(now, seconds) for seconds in RECENT_SECONDS],
            whole=job.ended,
        )
        return estimate(known)

    def _rivals(self, job: Job) -> int:
        """Return how many other jobs, not below it, have tasks waiting for the same workers."""
        board, found = self._app.reactor.board, 0
        groups: dict[int, frozenset[int]] = {}  # by class

        def wanted(class_: int) -> frozenset[int]:
            if class_ not in groups:
                groups[class_] = frozenset(board.matching.groups(class_))
            return groups[class_]

        for other in islice(board.jobs.values(), RIVALS):
            if other is job or not other.scheduled or other.holds.any:
                continue
            waits = board.scheduler.job_counts(other.number)[0] or other.tail.count
            above = other.options.priority >= job.options.priority
            same = waits and above and not wanted(job.class_).isdisjoint(wanted(other.class_))
            found += bool(same)
        return found


def groups_of(figures: Figures) -> list[FailureGroup]:
    """Return what is shown of failures, those first that are the most."""
    groups = sorted(figures.failures.groups.values(), key=lambda one: (-one.count, one.error))
    return [group_view(group) for group in groups]


def group_view(group: Group) -> FailureGroup:
    """Return what is shown of failures that are alike."""
    return FailureGroup(
        group.kind,
        group.error,
        group.count,
        group.first,
        group.last,
        group.last_at,
        dict(sorted(group.workers.items(), key=lambda one: (-one[1], one[0]))),
    )
