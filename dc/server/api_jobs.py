"""`/api/jobs/…`, `/api/submitters/…`: the jobs, and what operators do with them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from dc import limits
from dc.errors import OptionsError
from dc.http import Request
from dc.messages import Number, Priority, Text, UnixTime, Weight
from dc.server.api_body import Answer, parameter, read_body
from dc.server.app import ServerApp
from dc.server.commands import (
    CancelJob,
    CancelJobs,
    CancelTasks,
    ChangeJob,
    Command,
    PauseJob,
    ResumeJob,
    RetryTasks,
    SetWeight,
)
from dc.server.output_views import OutputViews
from dc.server.views import Views, number

MOST_ROWS = 1000
"""Rows of one answer, at most: more is asked for page by page."""

Ranges: TypeAlias = Annotated[
    list[tuple[Number, Number]], Meta(min_length=1, max_length=limits.CANCEL_RANGES)
]


class Pause(Struct, forbid_unknown_fields=True):
    """Of pause: `now` has what runs given back."""

    now: bool = False


class Tasks(Struct, forbid_unknown_fields=True):
    """Some tasks: pairs of the first and the last."""

    tasks: Ranges


class Failed(Struct, forbid_unknown_fields=True):
    """Failed tasks: those among `tasks`, or all that were not cancelled."""

    tasks: Ranges | None = None


class OfType(Struct, forbid_unknown_fields=True):
    """A version of a task type; all of them if it is empty."""

    version: Text = ""


class Changes(Struct, forbid_unknown_fields=True):
    """What is to be changed of a job."""

    name: Text | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    weight: Weight | UnsetType = UNSET
    not_before: UnixTime | UnsetType = UNSET
    deadline: UnixTime | UnsetType = UNSET


class Share(Struct, forbid_unknown_fields=True):
    """The weight of a submitter."""

    weight: Weight


class JobsApi:
    """Answers requests about jobs and who submits them.

    Args:
        views: where it looks them up.
        app: what it acts on.
    """

    def __init__(self, views: Views, app: ServerApp) -> None:
        self._views = views
        self._app = app
        self._outputs = OutputViews(app, views)

    # --- paths ----------------------------------------------------------------------------------

    def methods(self, request: Request, parts: list[str]) -> dict[str, Answer]:
        """Return what answers each method of a path below `/api/jobs`."""
        views = self._views
        match parts:
            case []:
                return {"GET": lambda: self._jobs(request)}
            case [job]:
                return {
                    "GET": lambda: views.job(number(job)),
                    "PATCH": lambda: self._change(request, number(job)),
                }
            case [job, "tasks"]:
                return {"GET": lambda: self._tasks(request, number(job))}
            case [job, "tasks", "cancel"]:
                return {"POST": lambda: self._cancel_some(request, number(job))}
            case [job, "tasks", task]:
                return {"GET": lambda: views.task(number(job), number(task))}
            case [job, "tasks", task, "output"]:
                return {"GET": lambda: self._output(request, number(job), number(task))}
            case [job, "tasks", task, "cancel" | "retry" as what]:
                return {"POST": lambda: self._one(what, number(job), number(task))}
            case [job, "cancel" | "resume" as what]:
                command = CancelJob(number(job)) if what == "cancel" else ResumeJob(number(job))
                return {"POST": lambda: self._ask(command)}
            case [job, "pause"]:
                return {"POST": lambda: self._pause(request, number(job))}
            case [job, "retry"]:
                return {"POST": lambda: self._retry(request, number(job))}
        return {}

    def of_types(self, request: Request, parts: list[str]) -> dict[str, Answer]:
        """Return what answers each method of a path below `/api/types`."""
        match parts:
            case [name, "cancel"]:
                return {"POST": lambda: self._cancel_type(request, name)}
        return {}

    def of_submitters(self, request: Request, parts: list[str]) -> dict[str, Answer]:
        """Return what answers each method of a path below `/api/submitters`."""
        match parts:
            case []:
                return {"GET": self._submitters}
            case [name]:
                return {"PATCH": lambda: self._set_weight(request, name)}
            case [name, "cancel"]:
                return {"POST": lambda: self._cancel_jobs(CancelJobs(submitter=name))}
        return {}

    # --- looking --------------------------------------------------------------------------------

    async def _jobs(self, request: Request) -> object:
        before = parameter(request, "before", 0) or None
        submitter = request.query.get("submitter", "")
        return {"jobs": await self._views.jobs(before, limit(request), submitter)}

    async def _tasks(self, request: Request, job: int) -> object:
        first = parameter(request, "first", 0)
        failed = request.query.get("failed", "0") not in ("0", "")
        return {"tasks": await self._views.tasks(job, first, limit(request), failed)}

    async def _output(self, request: Request, job: int, task: int) -> object:
        return await self._outputs.view(job, task, parameter(request, "from", 0))

    async def _submitters(self) -> object:
        return {"submitters": self._views.submitters()}

    # --- changes --------------------------------------------------------------------------------

    async def _ask(self, command: CancelJob | PauseJob | ResumeJob | ChangeJob) -> object:
        await self._app.ask(command)
        return await self._views.job(command.job)

    async def _pause(self, request: Request, job: int) -> object:
        return await self._ask(PauseJob(job, (await read_body(request, Pause)).now))

    async def _change(self, request: Request, job: int) -> object:
        said = structs.asdict(await read_body(request, Changes))
        changes = {name: value for name, value in said.items() if value is not UNSET}
        return await self._ask(ChangeJob(job, changes))

    async def _retry(self, request: Request, job: int) -> object:
        ranges = (await read_body(request, Failed)).tasks
        return await self._counted(RetryTasks(job, ranges), job)

    async def _cancel_some(self, request: Request, job: int) -> object:
        ranges = (await read_body(request, Tasks)).tasks
        return await self._counted(CancelTasks(job, ranges), job)

    async def _one(self, what: str, job: int, task: int) -> object:
        await self._views.task(job, task)  # it is an error if there is none
        ranges = [(task, task)]
        await self._app.ask(
            CancelTasks(job, ranges) if what == "cancel" else RetryTasks(job, ranges)
        )
        return await self._views.task(job, task)

    async def _counted(self, command: Command, job: int) -> object:
        count = await self._app.ask(command)
        return {"tasks": count, "job": await self._views.job(job)}

    async def _cancel_type(self, request: Request, name: str) -> object:
        version = (await read_body(request, OfType)).version
        return await self._cancel_jobs(CancelJobs(name, version))

    async def _cancel_jobs(self, command: CancelJobs) -> object:
        return {"jobs": await self._app.ask(command)}

    async def _set_weight(self, request: Request, name: str) -> object:
        weight = (await read_body(request, Share)).weight
        if not name or len(name) > limits.TEXT_CHARS:
            raise OptionsError(f"a submitter has a name of 1 to {limits.TEXT_CHARS} characters")
        await self._app.ask(SetWeight(name, weight))
        return {"name": name, "weight": weight}


def limit(request: Request) -> int:
    """Return how many rows a request asks for."""
    return min(MOST_ROWS, parameter(request, "limit", 100))
