"""`/api/jobs/J/figures`, `/timeline`, `/trace`: what is known of a job in figures and over time."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from dc import limits_shown
from dc.errors import StoreError, UnknownJob
from dc.http import Response
from dc.messages_parts import UnixTime
from dc.server.app import ServerApp
from dc.server.routes import Call, Route
from dc.server.traces import Traces
from dc.server.views import Views
from dc.view_jobs import FiguresView, TimelineView

JSON = "application/json"


class TimelineQuery(Struct, forbid_unknown_fields=True):
    """From when to when, in Unix time, and in how many steps at most."""

    since: UnixTime | None = None
    until: UnixTime | None = None
    steps: Annotated[int, Meta(ge=1, le=400)] = 200


class TraceQuery(Struct, forbid_unknown_fields=True):
    """How many attempts, at most."""

    limit: Annotated[int, Meta(ge=1, le=limits_shown.TRACE_ATTEMPTS)] = limits_shown.TRACE_ATTEMPTS


class FiguresApi:
    """Answers requests about figures of jobs.

    Args:
        views: where it looks them up.
        app: the server.
    """

    def __init__(self, views: Views, app: ServerApp) -> None:
        self._views = views
        self._traces = Traces(app, views.figures)

    def routes(self) -> list[Route]:
        """Return what there is of figures."""
        job, no = "/api/jobs/{job}", (UnknownJob, StoreError)
        return [
            Route(
                "GET", f"{job}/figures", self._figures, FiguresView,
                "Run times, failures and workers of a job", "jobs", problems=no,
            ),
            Route(
                "GET", f"{job}/timeline", self._timeline, TimelineView,
                "A job's tasks over workers and time", "jobs", query=TimelineQuery, problems=no,
            ),
            Route(
                "GET", f"{job}/trace", self._trace, JSON,
                "A job as a trace, in the Trace Event Format", "jobs", query=TraceQuery,
                problems=no,
            ),
        ]  # fmt: skip

    async def _figures(self, call: Call[None, None]) -> FiguresView:
        return await self._views.figures.of_job(await self._views.jobs.row(call.job))

    async def _timeline(self, call: Call[TimelineQuery, None]) -> TimelineView:
        query, row = call.query, await self._views.jobs.row(call.job)
        return await self._views.figures.timeline(row, query.since, query.until, query.steps)

    async def _trace(self, call: Call[TraceQuery, None]) -> Response:
        job = await self._views.jobs.one(call.job)
        name = f'attachment; filename="dc-job-{job.job}-trace.json"'
        pieces = self._traces.pieces(job, call.query.limit)
        return Response(200, pieces, JSON, [("Content-Disposition", name)])
