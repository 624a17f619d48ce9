"""`/api/history`, `/api/worker-history/NAME`: the server over time, and when workers were here."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from dc import limits_shown
from dc.errors import OptionsError, StoreError, UnknownWorker
from dc.server.app import ServerApp
from dc.server.routes import VIEWERS, Call, Route
from dc.server.views import Views
from dc.view_server import HistoryView
from dc.view_workers import WorkerHistory

USUAL_SECONDS = 3600.0
"""That are shown if nobody says since when."""

Moment: TypeAlias = Annotated[float, Meta(ge=0, le=1e11)]
Points: TypeAlias = Annotated[int, Meta(ge=1, le=limits_shown.HISTORY_POINTS)]


class HistoryQuery(Struct, forbid_unknown_fields=True):
    """From when until when, in Unix time (the last hour, if it is not said), in how many steps."""

    since: Moment | None = None
    until: Moment | None = None
    points: Points = 360


class HistoryApi:
    """Answers requests about what was.

    Args:
        app: the server.
        views: where it looks things up.
    """

    def __init__(self, app: ServerApp, views: Views) -> None:
        self._views = views
        self._app = app

    def routes(self) -> list[Route]:
        """Return what there is of the past."""
        return [
            Route(
                "GET", "/api/history", self._history, HistoryView, "The server over time",
                "server", query=HistoryQuery, problems=(OptionsError, StoreError), roles=VIEWERS,
            ),
            Route(
                "GET", "/api/worker-history/{name}", self._worker, WorkerHistory,
                "When a worker was here", "workers", problems=(UnknownWorker, StoreError),
                roles=VIEWERS,
            ),
        ]  # fmt: skip

    async def _history(self, call: Call[HistoryQuery, None]) -> HistoryView:
        query, now = call.query, self._app.reactor.board.wall
        until = now if query.until is None else query.until
        since = max(0.0, until - USUAL_SECONDS) if query.since is None else query.since
        return await self._views.history.between(since, until, query.points)

    async def _worker(self, call: Call[None, None]) -> WorkerHistory:
        return await self._views.history.of_worker(call.name)
