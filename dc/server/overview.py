"""What the first page shows at a glance."""

from __future__ import annotations

from dc.server.app import ServerApp
from dc.server.server_views import ServerViews
from dc.view_jobs import CountsView, Left
from dc.view_server import OverviewView, RecentFailure


class Overview:
    """Puts it together.

    Args:
        app: the server.
        server: gives the server in numbers.
    """

    def __init__(self, app: ServerApp, server: ServerViews) -> None:
        self._app = app
        self._server = server

    async def look(self) -> OverviewView:
        """Return it as it is now."""
        status = await self._server.status()
        reactor = self._app.reactor
        return OverviewView(
            now=reactor.board.wall,
            status=status,
            left=self.left(status.tasks),
            attention=reactor.attention.look(),
            failures=self.failures(),
        )

    def left(self, tasks: CountsView) -> Left:
        """Return how long it takes until all tasks have finished that are left."""
        count = tasks.queued + tasks.assigned + tasks.running
        basis = "run times are not measured" if count else "nothing is left to do"
        return Left(count, None, None, None, None, basis)

    def failures(self) -> list[RecentFailure]:
        """Return the commonest errors of the jobs that are in memory."""
        return []
