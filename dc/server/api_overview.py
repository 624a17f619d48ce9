"""`/api/overview`: what the first page shows."""

from __future__ import annotations

from dc.errors import StoreError
from dc.server.routes import VIEWERS, Call, Route
from dc.server.views import Views
from dc.view_server import OverviewView


class OverviewApi:
    """Answers requests for the whole at a glance.

    Args:
        views: where it looks.
    """

    def __init__(self, views: Views) -> None:
        self._views = views

    def routes(self) -> list[Route]:
        """Return what there is of it."""
        return [
            Route(
                "GET", "/api/overview", self._overview, OverviewView, "All at a glance", "server",
                problems=(StoreError,), roles=VIEWERS,
            )
        ]  # fmt: skip

    async def _overview(self, _: Call[None, None]) -> OverviewView:
        return await self._views.overview.look()
