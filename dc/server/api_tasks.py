"""`/api/jobs/J/tasks/…`: the tasks of a job, and what operators do with them."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias, cast

from msgspec import Meta, Struct, field

from dc import limits
from dc.errors import NotPossible, OptionsError, StoreError, UnknownJob, UnknownTask
from dc.messages_parts import Number, Size
from dc.records import TaskEnd
from dc.server.api_rows import Cursor, Rows
from dc.server.app import ServerApp
from dc.server.commands import CancelTasks, RetryTasks
from dc.server.cursors import cursor_of, place_of
from dc.server.routes import SUBMITTERS, Call, Route
from dc.server.views import Views
from dc.view_jobs import OutputView, TasksChanged, TasksPage, TaskView

Ranges: TypeAlias = Annotated[
    list[tuple[Number, Number]], Meta(min_length=1, max_length=limits.CANCEL_RANGES)
]


class TasksQuery(Struct, forbid_unknown_fields=True):
    """Which tasks are listed, by number.

    Attributes:
        cursor: where the page before ended, as its `next` says.
        limit: tasks of one page, at most; there may be fewer of them though others follow.
        state: `failed`, `done`, `finished` (either of these), or `unfinished`; else all.
        first: from this number on.
        failed: the same as the state `failed`.
    """

    cursor: Cursor = ""
    limit: Rows = 100
    state: TaskEnd | None = None
    first: Number = 0
    failed: bool = False


class OutputQuery(Struct, forbid_unknown_fields=True):
    """From which byte on."""

    first: Size = field(default=0, name="from")


class Tasks(Struct, forbid_unknown_fields=True):
    """Some tasks: pairs of the first and the last."""

    tasks: Ranges


class Failed(Struct, forbid_unknown_fields=True):
    """Failed tasks: those among `tasks`, or all that were not cancelled."""

    tasks: Ranges | None = None


class TasksApi:
    """Answers requests about tasks.

    Args:
        views: where it looks them up.
        app: what it acts on.
    """

    def __init__(self, views: Views, app: ServerApp) -> None:
        self._views = views
        self._app = app

    def routes(self) -> list[Route]:
        """Return what there is of tasks."""
        job, tag = "/api/jobs/{job}", "tasks"
        task = f"{job}/tasks/{{task}}"
        no, changed = (UnknownJob, UnknownTask, StoreError), (UnknownJob, NotPossible, StoreError)
        return [
            Route(
                "GET", f"{job}/tasks", self._tasks, TasksPage, "Tasks of a job", tag,
                query=TasksQuery, problems=(UnknownJob, StoreError),
            ),
            Route("GET", task, self._task, TaskView, "One task", tag, problems=no),
            Route(
                "GET", f"{task}/output", self._output, OutputView, "What a task has written", tag,
                query=OutputQuery, problems=no,
            ),
            Route(
                "POST", f"{job}/retry", self._retry_some, TasksChanged,
                "Queue failed tasks again", tag, body=Failed,
                problems=(*changed, OptionsError), roles=SUBMITTERS,
            ),
            Route(
                "POST", f"{job}/tasks/cancel", self._cancel_some, TasksChanged,
                "Cancel tasks of a job", tag, body=Tasks, problems=changed,
                roles=SUBMITTERS,
            ),
            Route(
                "POST", f"{task}/cancel", self._cancel, TaskView, "Cancel a task", tag,
                problems=(*changed, UnknownTask), roles=SUBMITTERS,
            ),
            Route(
                "POST", f"{task}/retry", self._retry, TaskView, "Queue a failed task again", tag,
                problems=(*changed, UnknownTask, OptionsError),
                roles=SUBMITTERS,
            ),
        ]  # fmt: skip

    async def _tasks(self, call: Call[TasksQuery, None]) -> TasksPage:
        query = call.query
        state: TaskEnd | None = "failed" if query.failed else query.state
        list_ = f"{state or 'all'} tasks of job {call.job}"
        first = place_of(list_, query.cursor, Number) if query.cursor else query.first
        tasks, following = await self._views.tasks.page(call.job, state, first, query.limit)
        return TasksPage(tasks, None if following is None else cursor_of(list_, following))

    async def _task(self, call: Call[None, None]) -> TaskView:
        return await self._views.tasks.one(call.job, call.task)

    async def _output(self, call: Call[OutputQuery, None]) -> OutputView:
        return await self._views.outputs.view(call.job, call.task, call.query.first)

    async def _retry_some(self, call: Call[None, Failed]) -> TasksChanged:
        return await self._counted(call, RetryTasks(call.job, call.body.tasks))

    async def _cancel_some(self, call: Call[None, Tasks]) -> TasksChanged:
        return await self._counted(call, CancelTasks(call.job, call.body.tasks))

    async def _counted(
        self, call: Call[Any, Any], command: CancelTasks | RetryTasks
    ) -> TasksChanged:
        count = cast("int", await self._app.ask(command, *call.by))
        return TasksChanged(count, await self._views.jobs.one(command.job))

    async def _cancel(self, call: Call[None, None]) -> TaskView:
        return await self._one(call, CancelTasks(call.job, [(call.task, call.task)]))

    async def _retry(self, call: Call[None, None]) -> TaskView:
        return await self._one(call, RetryTasks(call.job, [(call.task, call.task)]))

    async def _one(self, call: Call[None, None], command: CancelTasks | RetryTasks) -> TaskView:
        await self._views.tasks.one(call.job, call.task)  # it is an error if there is none
        await self._app.ask(command, *call.by)
        return await self._views.tasks.one(call.job, call.task)
