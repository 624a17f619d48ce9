"""What the first page shows at a glance."""

from __future__ import annotations

from dc.server.all_figures import AllFigures
from dc.server.app import ServerApp
from dc.server.figure_views import FigureViews
from dc.server.server_views import ServerViews
from dc.view_server import OverviewView


class Overview:
    """Puts it together.

    Args:
        app: the server.
        server: gives the server in numbers.
        figures: of jobs.
    """

    def __init__(self, app: ServerApp, server: ServerViews, figures: FigureViews) -> None:
        self._app = app
        self._server = server
        self._all = AllFigures(app, figures)

    async def look(self) -> OverviewView:
        """Return it as it is now."""
        status = await self._server.status()
        reactor = self._app.reactor
        return OverviewView(
            now=reactor.board.wall,
            status=status,
            left=self._all.left(),
            attention=reactor.attention.look(),
            failures=self._all.failures(),
        )
