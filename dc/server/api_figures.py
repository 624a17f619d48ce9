"""`/api/jobs/J/figures`, `/timeline`, `/trace`: what is known of a job in figures and over time."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from dc.errors import UnknownJob
from dc.messages import UnixTime
from dc.server.routes import Call, Route
from dc.server.views import Views
from dc.view_jobs import FiguresView, TimelineView


class TimelineQuery(Struct, forbid_unknown_fields=True):
    """From when to when, in Unix time, and in how many steps at most."""

    since: UnixTime | None = None
    until: UnixTime | None = None
    steps: Annotated[int, Meta(ge=1, le=400)] = 200


class FiguresApi:
    """Answers requests about figures of jobs.

    Args:
        views: where it looks them up.
    """

    def __init__(self, views: Views) -> None:
        self._views = views

    def routes(self) -> list[Route]:
        """Return what there is of figures."""
        job, no = "/api/jobs/{job}", (UnknownJob,)
        return [
            Route(
                "GET", f"{job}/figures", self._figures, FiguresView,
                "Run times, failures and workers of a job", "jobs", problems=no,
            ),
            Route(
                "GET", f"{job}/timeline", self._timeline, TimelineView,
                "A job's tasks over workers and time", "jobs", query=TimelineQuery, problems=no,
            ),
        ]  # fmt: skip

    async def _figures(self, call: Call[None, None]) -> FiguresView:
        return await self._views.figures.of_job(await self._views.jobs.row(call.job))

    async def _timeline(self, call: Call[TimelineQuery, None]) -> TimelineView:
        query, row = call.query, await self._views.jobs.row(call.job)
        return await self._views.figures.timeline(row, query.since, query.until, query.steps)
