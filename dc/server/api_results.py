"""`/api/jobs/J/results`: what came of a job's tasks, as lines of JSON."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from dc.errors import StoreError, UnknownJob
from dc.http import Response
from dc.messages_parts import Sequenced
from dc.server.app import ServerApp
from dc.server.result_lines import FailureLines, FollowedLines, ResultLines
from dc.server.routes import Call, Route
from dc.server.views import Views

LINES: Final = "application/x-ndjson"


class ResultsQuery(Struct, forbid_unknown_fields=True):
    """Which outcomes: those behind the cursor `after`.

    With `ordered` by number of task, with `follow` until the job has finished, with `failed` only
    failures, by number: those are not followed. A cursor is of one order.
    """

    after: Sequenced = 0
    failed: bool = False
    ordered: bool = False
    follow: bool = False


class ResultsApi:
    """Answers requests for results.

    Args:
        views: where jobs are looked up.
        app: where outcomes are.
    """

    def __init__(self, views: Views, app: ServerApp) -> None:
        self._views = views
        self._app = app

    def routes(self) -> list[Route]:
        """Return what there is of results."""
        return [
            Route(
                "GET", "/api/jobs/{job}/results", self._results, LINES, "Results of a job", "jobs",
                query=ResultsQuery, problems=(UnknownJob, StoreError),
            )
        ]  # fmt: skip

    async def _results(self, call: Call[ResultsQuery, None]) -> Response:
        query, row = call.query, await self._views.jobs.row(call.job)
        headers = [("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")]
        if query.failed:
            return Response(
                200, FailureLines(self._app.store, row.job, query.after).pieces(), LINES, headers
            )
        what = row.job, row.result, query.after
        if query.follow:
            follow = FollowedLines(self._app, *what, ordered=query.ordered)
            return Response(200, follow.pieces(), LINES, headers)
        there = ResultLines(self._app.store, *what, ordered=query.ordered)
        return Response(200, there.pieces(), LINES, headers)
