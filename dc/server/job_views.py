"""What is shown of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import trio

from dc import limits_shown
from dc.errors import UnknownJob
from dc.messages_client import Counts, Options
from dc.records import JobFilter, JobRow, Place
from dc.requirements import need_text, needs_of
from dc.server.app import ServerApp
from dc.server.figure_views import FigureViews
from dc.server.jobs import Job, job_state
from dc.server.reason import Reason, view_of
from dc.view_jobs import AlternativeView, BlobView, CountsView, JobView

ENDS: Final = frozenset({"done", "failed", "cancelled"})
"""States of jobs that have finished: what the store knows of their states."""


VIEWS_AT_ONCE: Final = 100
"""Views of jobs that are made before others have their turn: some milliseconds."""


class JobViews:
    """Looks jobs up for those who ask over HTTP.

    Args:
        app: the server.
        figures: where it looks up figures of jobs.
    """

    def __init__(self, app: ServerApp, figures: FigureViews) -> None:
        self._app = app
        self._figures = figures

    async def newest(self, before: int | None, limit: int, submitter: str = "") -> list[JobView]:
        """Return jobs, newest first; those of one submitter if one is named."""
        return await self._views(await self._app.store.jobs(before, limit, submitter))

    async def page(
        self, wanted: JobFilter, states: frozenset[str], after: Place | None, limit: int
    ) -> tuple[list[JobView], Place | None]:
        """Return jobs as they are listed, and where to go on.

        Args:
            wanted: which ones, but for their states, and in which order.
            states: these, as JobView has them; all if it is empty. Those of unfinished jobs are
                as they are now.
            after: where the page before ended.
            limit: so many at most.
        """
        if states:
            live = await self._in_states(states)
            wanted = msgspec.structs.replace(wanted, states=states & ENDS, live=live)
        rows, following = await self._app.store.listed(wanted, after, limit)
        return await self._views(rows), following

    async def _views(self, rows: Sequence[JobRow]) -> list[JobView]:
        """Return what is shown of jobs; others have their turn now and then."""
        views: list[JobView] = []
        for at in range(0, len(rows), VIEWS_AT_ONCE):
            if at:
                await trio.lowlevel.checkpoint()
            views += map(self.view, rows[at : at + VIEWS_AT_ONCE])
        return views

    async def _in_states(self, states: frozenset[str]) -> tuple[int, ...]:
        """Find the unfinished jobs that are in one of these states."""
        found: list[int] = []
        board = self._app.reactor.board
        jobs = [] if states <= ENDS else list(board.jobs.values())
        for at, job in enumerate(jobs, start=1):
            if at % limits_shown.TURN_ITEMS == 0:
                await trio.lowlevel.checkpoint()
            if not job.finished and board.state_of(job) in states:
                found.append(job.number)
        return tuple(found)

    async def one(self, job: int) -> JobView:
        """Return one job; UnknownJob if there is none."""
        row = await self.row(job)
        return await self._figures.beside(self.view(row), row)

    async def row(self, job: int) -> JobRow:
        """Return a job as the store has it or, while it is not on disk yet, as it will have it.

        Raises:
            UnknownJob: there is none.
        """
        live = self.live(job)
        row = await self._app.store.job(job)
        if row is not None:
            return row
        if live is not None:
            return live.row
        raise UnknownJob(f"there is no job {job}{self._app.reactor.board.kept}")

    def live(self, job: int) -> Job | None:
        """Return a job that is in memory: all unfinished ones are."""
        return self._app.reactor.board.jobs.get(job)

    def view(self, row: JobRow) -> JobView:
        """Return what is shown of a job."""
        job, options = self.live(row.job), row.options
        state, counts, note = self._state(row, job)
        reason = self._reason(job, counts)
        return JobView(
            job=row.job,
            name=options.name,
            type=row.type,
            version=row.version,
            payload=row.payload,
            result=row.result,
            state=state,
            note=note,
            why="" if reason is None else reason.text,
            reason=view_of(reason),
            counts=counts_view(counts),
            priority=options.priority,
            retries=options.retries,
            timeout=options.timeout,
            requires=options.requires,
            resources=options.resources,
            alternatives=[AlternativeView(o.requires, o.resources) for o in options.alternatives],
            needs=[text for need in needs_of(options) if (text := need_text(need))],
            limits={str(name): most for name, most in options.limits.items()},
            environment=options.environment,
            submitter=options.submitter,
            weight=options.weight,
            after=list(options.after),
            after_what=options.after_what,
            each=options.each,
            not_before=options.not_before or None,
            deadline=options.deadline or None,
            created=row.created,
            finished_at=row.finished_at if state in ENDS else None,
            bytes=job.bytes if job is not None else row.bytes,
            inputs=_inputs(options),
            keep_output=options.keep_output,
            plugin=row.plugin.hex(),
            rate=None if state in ENDS else self._figures.rate(row.job),
        )

    def _state(self, row: JobRow, job: Job | None) -> tuple[str, Counts, str]:
        """Return the state of a job, its counts, and what keeps it from going on."""
        if job is not None:
            return self._app.reactor.board.state(job)
        counts = settled(row)
        return job_state(row.ended, row.cancelled_at is not None, counts), counts, row.why

    def _reason(self, job: Job | None, counts: Counts) -> Reason | None:
        """Return why what is queued of a job does not run, if it is so."""
        if job is None or not job.scheduled or job.cancelled:
            return None
        whys = self._app.reactor.whys
        return whys.of_job(job, fresh=False) if counts.queued else whys.held(job)


def settled(row: JobRow) -> Counts:
    """Return the counts of a job that is not in memory: what has no outcome was cancelled."""
    counts = row.counts
    missing = counts.total - counts.done - counts.failed
    return msgspec.structs.replace(counts, queued=0, cancelled=missing)


def counts_view(counts: Counts) -> CountsView:
    """Return counts as they are shown."""
    return CountsView(**msgspec.structs.asdict(counts))


def _inputs(options: Options) -> dict[str, BlobView]:
    return {name: BlobView(blob.name, blob.size) for name, blob in options.inputs.items()}
