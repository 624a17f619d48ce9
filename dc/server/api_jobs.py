"""`/api/jobs/…`: the jobs, and what operators do with them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, cast

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from dc.errors import NotPossible, StoreError, UnknownJob
from dc.messages_parts import JobId, Priority, Text, UnixTime, Weight
from dc.records import JobFilter, Place
from dc.server.api_rows import Cursor, Rows
from dc.server.app import ServerApp
from dc.server.commands import CancelJob, CancelJobs, ChangeJob, PauseJob, ResumeJob
from dc.server.cursors import cursor_of, damaged, place_of
from dc.server.ownership import own_jobs
from dc.server.problems import BadRequest
from dc.server.routes import READERS, SUBMITTERS, Call, Route
from dc.server.views import Views
from dc.view_jobs import JobsChanged, JobsPage, JobView

States: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^((open|queued|waiting|paused|running|done|failed|cancelled)(,|$))*$",
        max_length=100,
        examples=["running", "failed,cancelled"],
    ),
]


class JobsQuery(Struct, forbid_unknown_fields=True):
    """Which jobs are listed, in which order.

    Attributes:
        cursor: where the page before ended, as its `next` says.
        limit: jobs of one page, at most.
        state: one state, or several with commas between them.
        type: of this task type.
        submitter: of this one.
        search: whose names have this part, in whatever case.
        sort: by number, by when they were made or finished, or by name.
        order: `desc` has the last ones first; the default, but for names.
        before: jobs with lower numbers alone.
    """

    cursor: Cursor = ""
    limit: Rows = 100
    state: States = ""
    type: Text = ""
    submitter: Text = ""
    search: Text = ""
    sort: Literal["job", "created", "finished", "name"] = "job"
    order: Literal["asc", "desc"] | None = None
    before: JobId | None = None


class Pause(Struct, forbid_unknown_fields=True):
    """Of pause: `now` has what runs given back."""

    now: bool = False


class OfType(Struct, forbid_unknown_fields=True):
    """A version of a task type; all of them if it is empty."""

    version: Text = ""


class JobChanges(Struct, forbid_unknown_fields=True):
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
        no, changed = (UnknownJob, StoreError), (UnknownJob, NotPossible, StoreError)
        cancelled = (UnknownJob, StoreError)
        return [
            Route(
                "GET", jobs, self._jobs, JobsPage, "Jobs", tag, query=JobsQuery,
                problems=(StoreError,),
            ),
            Route(
                "GET", job, self._job, JobView, "One job", tag, problems=no, roles=READERS,
            ),
            Route(
                "PATCH", job, self._change, JobView, "Change a job", tag,
                body=JobChanges, problems=changed, roles=SUBMITTERS,
            ),
            Route(
                "POST", f"{job}/cancel", self._cancel, JobView, "Cancel a job", tag,
                problems=cancelled, roles=SUBMITTERS,
            ),
            Route(
                "POST", f"{job}/pause", self._pause, JobView, "Pause a job", tag,
                body=Pause, problems=changed, roles=SUBMITTERS,
            ),
            Route(
                "POST", f"{job}/resume", self._resume, JobView, "Resume a job", tag,
                problems=changed, roles=SUBMITTERS,
            ),
            Route(
                "POST", "/api/types/{name}/cancel", self._cancel_type, JobsChanged,
                "Cancel the unfinished jobs of a task type", tag, body=OfType,
                problems=(StoreError,),
            ),
            Route(
                "POST", "/api/submitters/{name}/cancel", self._cancel_submitter, JobsChanged,
                "Cancel the unfinished jobs of a submitter", tag, problems=(StoreError,),
            ),
        ]  # fmt: skip

    # --- looking --------------------------------------------------------------------------------

    async def _jobs(self, call: Call[JobsQuery, None]) -> JobsPage:
        query = call.query
        down = query.order == "desc" if query.order else query.sort != "name"
        list_ = f"jobs by {query.sort}, {'down' if down else 'up'}"
        place = place_of(list_, query.cursor, Place) if query.cursor else None
        if place is not None and isinstance(place.key, str) != (query.sort == "name"):
            raise damaged()
        if query.before and (place is None or query.before < place.job):
            if query.sort != "job" or not down:
                raise BadRequest("query", "before goes with the newest jobs first: use cursor")
            place = Place(query.before, query.before)
        wanted = JobFilter(
            type=query.type,
            submitter=own_jobs(call.request.principal, query.submitter),
            search=query.search,
            sort=query.sort,
            down=down,
        )
        states = frozenset(filter(None, query.state.split(",")))
        jobs, following = await self._views.jobs.page(wanted, states, place, query.limit)
        return JobsPage(jobs, cursor_of(list_, following) if following else None)

    async def _job(self, call: Call[None, None]) -> JobView:
        return await self._views.jobs.one(call.job)

    # --- changes --------------------------------------------------------------------------------

    async def _ask(self, call: Call[Any, Any], command: Asked) -> JobView:
        await self._app.ask(command, *call.by)
        return await self._views.jobs.one(command.job)

    async def _cancel(self, call: Call[None, None]) -> JobView:
        return await self._ask(call, CancelJob(call.job))

    async def _resume(self, call: Call[None, None]) -> JobView:
        return await self._ask(call, ResumeJob(call.job))

    async def _pause(self, call: Call[None, Pause]) -> JobView:
        return await self._ask(call, PauseJob(call.job, call.body.now))

    async def _change(self, call: Call[None, JobChanges]) -> JobView:
        said = structs.asdict(call.body)
        changes = {name: value for name, value in said.items() if value is not UNSET}
        return await self._ask(call, ChangeJob(call.job, changes))

    async def _cancel_type(self, call: Call[None, OfType]) -> JobsChanged:
        return await self._cancel_jobs(call, CancelJobs(call.name, call.body.version))

    async def _cancel_submitter(self, call: Call[None, None]) -> JobsChanged:
        return await self._cancel_jobs(call, CancelJobs(submitter=call.name))

    async def _cancel_jobs(self, call: Call[Any, Any], command: CancelJobs) -> JobsChanged:
        return JobsChanged(cast("list[int]", await self._app.ask(command, *call.by)))
