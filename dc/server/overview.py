"""What the first page shows at a glance."""

from __future__ import annotations

from itertools import chain

import trio

from dc.server.app import ServerApp
from dc.server.server_views import ServerViews
from dc.server.whole import Whole
from dc.view_server import OverviewView


class Overview:
    """Puts it together.

    Args:
        app: the server.
        server: gives the server in numbers.
        whole: gives figures of all jobs together.
    """

    def __init__(self, app: ServerApp, server: ServerViews, whole: Whole) -> None:
        self._app = app
        self._server = server
        self._whole = whole

    async def look(self) -> OverviewView:
        """Return it as it is now."""
        reactor = self._app.reactor
        status = await self._server.status()
        for _ in chain(self._whole.steps(), reactor.attention.steps()):
            await trio.lowlevel.checkpoint()
        left, failures = self._whole.seen
        return OverviewView(
            now=reactor.board.wall,
            status=status,
            left=left,
            attention=reactor.attention.seen,
            failures=failures,
        )
