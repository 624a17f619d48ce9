"""What is shown of tasks, and their bytes."""

from __future__ import annotations

from dc import limits_shown
from dc._core import ASSIGNED, RUNNING
from dc.errors import UnknownTask
from dc.messages_parts import Blob, Failure, Payload
from dc.records import JobRow, TaskEnd, TaskRow
from dc.server.app import ServerApp
from dc.server.attempt_views import with_attempts
from dc.server.job_views import JobViews
from dc.server.reason import Reason, view_of
from dc.view_jobs import FailureView, TaskView


class TaskViews:
    """Looks tasks up for those who ask over HTTP.

    Args:
        app: the server.
        jobs: where it looks up their jobs.
    """

    def __init__(self, app: ServerApp, jobs: JobViews) -> None:
        self._app = app
        self._jobs = jobs

    async def some(self, job: int, first: int, limit: int, failed: bool) -> list[TaskView]:
        """Return tasks of a job by number, all or only the failed ones."""
        row = await self._jobs.row(job)
        rows = await self._app.store.tasks(job, first, limit, failed)
        return [self.view(task, row) for task in rows]

    async def page(
        self, job: int, state: TaskEnd | None, first: int, limit: int
    ) -> tuple[list[TaskView], int | None]:
        """Return tasks of a job by number, and the number to go on with, None at the end.

        Args:
            job: whose tasks.
            state: of those in this state alone; there may be fewer than `limit` though more follow.
            first: from this number on.
            limit: so many at most.
        """
        row = await self._jobs.row(job)
        if state is not None:
            rows, following = await self._app.store.tasks_in(job, state, first, limit)
        else:
            rows = await self._app.store.tasks(job, first, limit)
            end = first + limit
            following = end if len(rows) == limit and end < row.counts.total else None
        return [self.view(task, row) for task in rows], following

    async def one(self, job: int, task: int) -> TaskView:
        """Return one task; UnknownJob or UnknownTask if there is none."""
        row = await self._jobs.row(job)
        found = await self._app.store.task(job, task)
        if found is None:
            raise UnknownTask(f"job {job} has no task {task}")
        live = self._app.reactor.workers.outputs.get(job, task)
        stored = await self._app.store.output(job, task) if live is None else None
        size = live.captured.total if live is not None else stored.total if stored else 0
        ends = await self._app.store.attempt_ends(job, task, limits_shown.ATTEMPT_ENDS)
        mine = [end for end in ends if end.number == task]
        began = self._app.reactor.workers.began(job, task)
        return with_attempts(self.view(found, row, size), mine, began)

    def view(self, row: TaskRow, job: JobRow, output_size: int | None = None) -> TaskView:
        """Return what is shown of a task.

        Args:
            row: the task.
            job: its job.
            output_size: how much it has written, in bytes, if that is known.
        """
        state, attempt, crashes, worker = self._state(row, job)
        reason = self._reason(row)
        return TaskView(
            job=row.job,
            number=row.number,
            state=state,
            attempt=attempt,
            crashes=crashes,
            worker=worker,
            began=self._app.reactor.workers.began(row.job, row.number),
            finished_at=row.at if row.finished else None,
            time=row.time if row.finished else None,
            payload_size=row.payload_size,
            result_size=row.outcome_size if row.finished and not row.failed else None,
            failure=_failure(row),
            why="" if reason is None else reason.text,
            reason=view_of(reason),
            progress=self._app.reactor.workers.telling.shown(row.job, row.number),
            output_size=output_size,
        )

    def _reason(self, row: TaskRow) -> Reason | None:
        live = self._jobs.live(row.job) if not row.finished else None
        return self._app.reactor.whys.of_task(live, row.number) if live is not None else None

    def _state(self, row: TaskRow, job: JobRow) -> tuple[str, int, int, str]:
        """Return the state of a task, its attempt, its crashes, and the name of its worker."""
        if row.finished:
            return "failed" if row.failed else "done", row.attempt, row.crashes, row.worker
        if job.cancelled_at is not None:
            return "cancelled", row.attempt, row.crashes, ""
        live = self._jobs.live(row.job)
        if live is not None and live.tail.has(row.number):
            waits = live.tail.closed or live.holds.state == "waiting"
            return "waiting" if waits else "queued", row.attempt, row.crashes, ""
        board = self._app.reactor.board
        found = board.scheduler.state(row.job, row.number) if live and live.scheduled else None
        if found is None:
            return "running", row.attempt, row.crashes, ""
        names = {ASSIGNED: "assigned", RUNNING: "running"}
        worker = self._app.reactor.workers.name_of(found[3])
        return names.get(found[0], "queued"), found[1], found[2], worker

    # --- bytes ----------------------------------------------------------------------------------

    async def payload(self, job: int, task: int) -> Payload:
        """Return a task's payload; UnknownTask if there is no such task."""
        live = self._jobs.live(job)
        at_hand = live.peek(task) if live is not None else None
        if at_hand is not None:
            return at_hand
        return (await self._app.store.payloads(job, [task]))[0]

    async def result(self, job: int, task: int) -> Payload:
        """Return a task's result; UnknownTask if it has none."""
        row = await self._app.store.task(job, task, outcome=True)
        if row is None:
            raise UnknownTask(f"job {job} has no task {task}")
        if not isinstance(row.outcome, (bytes, Blob)):
            raise UnknownTask(f"task {task} of job {job} has no result")
        return row.outcome


def _failure(row: TaskRow) -> FailureView | None:
    if not isinstance(row.outcome, Failure):
        return None
    return FailureView(row.outcome.kind, row.outcome.error, row.outcome.traceback)
