"""What is shown of the past: the server over time, and when workers were here."""

from __future__ import annotations

from dc import limits_shown
from dc.errors import OptionsError, UnknownWorker
from dc.server.app import ServerApp
from dc.server.history import chart, choose
from dc.view_server import HistoryView
from dc.view_workers import Presence, WorkerHistory


class HistoryViews:
    """Looks it up.

    Args:
        app: the server.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app

    async def between(self, since: float, until: float, points: int) -> HistoryView:
        """Return the history between two Unix times, in so many steps at most.

        Raises:
            OptionsError: the first time is not before the second.
            StoreError: it cannot be read.
        """
        if not since < until:
            raise OptionsError("since: it is to be before until")
        reactor = self._app.reactor
        base, step = choose(since, until, points, reactor.board.wall)
        first = since // step * step
        known = await self._app.store.history(base, first, until)
        waiting = [one for one in reactor.chronicle.history.waiting if first <= one.at < until]
        return chart([*known, *waiting], since, until, step, points)

    async def last(self) -> HistoryView:
        """Return the step that was over last; see StoreError in `between`."""
        wall = self._app.reactor.board.wall
        return await self.between(wall - 2 * limits_shown.HISTORY_SECONDS, wall, 1)

    async def of_worker(self, name: str) -> WorkerHistory:
        """Return when the worker of a name was here, the newest first.

        Raises:
            UnknownWorker: nobody of this name is known.
            StoreError: it cannot be read.
        """
        key = self._key(name)
        side, board = self._app.reactor.workers, self._app.reactor.board
        rows = await self._app.store.presence(key)
        here, since = side.roster.by_key.get(key), board.presence.since(key)
        presence = [
            Presence(row.since, row.until, row.done, row.failed)
            for row in rows
            if row.since != since
        ]
        if here is not None and since is not None:
            presence.insert(0, Presence(since, None, here.done, here.failed))
        return WorkerHistory(name, presence)

    def _key(self, name: str) -> str:
        side = self._app.reactor.workers
        found = side.roster.named(name)
        if found is not None:
            return found.key
        for row in side.register.gone():
            if row.shown == name:
                return row.key
        raise UnknownWorker(f"no worker is called {name}")
