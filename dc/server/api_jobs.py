"""`/api/jobs/…`: the jobs, and what operators do with them."""

from __future__ import annotations

from typing import TypeAlias, cast

from msgspec import UNSET, Struct, UnsetType, structs

from dc.errors import NotPossible, OptionsError, StoreError, UnknownJob
from dc.messages import JobId, Priority, Text, UnixTime, Weight
from dc.server.api_rows import Rows
from dc.server.app import ServerApp
from dc.server.commands import CancelJob, CancelJobs, ChangeJob, PauseJob, ResumeJob
from dc.server.routes import Call, Route
from dc.server.views import Views
from dc.view_jobs import JobsChanged, JobsPage, JobView


class JobsQuery(Struct, forbid_unknown_fields=True):
    """Which jobs: those numbered below `before`, of a submitter."""

    before: JobId | None = None
    limit: Rows = 100
    submitter: Text = ""


class Pause(Struct, forbid_unknown_fields=True):
    """Of pause: `now` has what runs given back."""

    now: bool = False


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


Asked: TypeAlias = CancelJob | PauseJob | ResumeJob | ChangeJob


class JobsApi:
    """Answers requests about jobs.

    Args:
        views: where it looks them up.
        app: what it acts on.
    """

    def __init__(self, views: Views, app: ServerApp) -> None:
        self._views = views
        self._app = app

    def routes(self) -> list[Route]:
        """Return what there is of jobs."""
        jobs, job, tag = "/api/jobs", "/api/jobs/{job}", "jobs"
        no, changed = (UnknownJob,), (UnknownJob, NotPossible, StoreError)
        cancels = (StoreError,)
        return [
            Route("GET", jobs, self._jobs, JobsPage, "Jobs", tag, query=JobsQuery),
            Route("GET", job, self._job, JobView, "One job", tag, problems=no),
            Route(
                "PATCH", job, self._change, JobView, "Change a job", tag,
                body=Changes, problems=(*changed, OptionsError),
            ),
            Route(
                "POST", f"{job}/cancel", self._cancel, JobView, "Cancel a job", tag,
                problems=changed,
            ),
            Route(
                "POST", f"{job}/pause", self._pause, JobView, "Pause a job", tag,
                body=Pause, problems=changed,
            ),
            Route(
                "POST", f"{job}/resume", self._resume, JobView, "Resume a job", tag,
                problems=changed,
            ),
            Route(
                "POST", "/api/types/{name}/cancel", self._cancel_type, JobsChanged,
                "Cancel the unfinished jobs of a task type", tag, body=OfType, problems=cancels,
            ),
            Route(
                "POST", "/api/submitters/{name}/cancel", self._cancel_submitter, JobsChanged,
                "Cancel the unfinished jobs of a submitter", tag, problems=cancels,
            ),
        ]  # fmt: skip

    # --- looking --------------------------------------------------------------------------------

    async def _jobs(self, call: Call[JobsQuery, None]) -> JobsPage:
        query = call.query
        return JobsPage(
            await self._views.jobs.newest(query.before or None, query.limit, query.submitter)
        )

    async def _job(self, call: Call[None, None]) -> JobView:
        return await self._views.jobs.one(call.job)

    # --- changes --------------------------------------------------------------------------------

    async def _ask(self, command: Asked) -> JobView:
        await self._app.ask(command)
        return await self._views.jobs.one(command.job)

    async def _cancel(self, call: Call[None, None]) -> JobView:
        return await self._ask(CancelJob(call.job))

    async def _resume(self, call: Call[None, None]) -> JobView:
        return await self._ask(ResumeJob(call.job))

    async def _pause(self, call: Call[None, Pause]) -> JobView:
        return await self._ask(PauseJob(call.job, call.body.now))

    async def _change(self, call: Call[None, Changes]) -> JobView:
        said = structs.asdict(call.body)
        changes = {name: value for name, value in said.items() if value is not UNSET}
        return await self._ask(ChangeJob(call.job, changes))

    async def _cancel_type(self, call: Call[None, OfType]) -> JobsChanged:
        return await self._cancel_jobs(CancelJobs(call.name, call.body.version))

    async def _cancel_submitter(self, call: Call[None, None]) -> JobsChanged:
        return await self._cancel_jobs(CancelJobs(submitter=call.name))

    async def _cancel_jobs(self, command: CancelJobs) -> JobsChanged:
        return JobsChanged(cast("list[int]", await self._app.ask(command)))
