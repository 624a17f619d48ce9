"""What the reactor cannot see of the world around it: the disk, plugins, its own last life."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Final

import trio

from dc import limits_shown
from dc.records_shown import EventFilter
from dc.server.board import Board
from dc.server.chronicle import Chronicle
from dc.server.retention import Retention
from dc.server.settings import Values
from dc.server.types import PluginTypes
from dc.store import Store

LIVES: Final = ("server.started", "server.stopped")
"""Events of which the last one says whether the server was stopped."""

STARTS: Final = 100
"""Events about the server among which one of those is looked for."""

MOST_EVENTS: Final = 2**63 - 1
"""No event has a higher number."""


class Surroundings:
    """Tells a chronicle what it cannot see.

    Args:
        store: has what the process before this one has written down.
        types: know which plugins are broken.
        folder: the data folder.
    """

    def __init__(self, store: Store, types: PluginTypes, folder: Path) -> None:
        self._store = store
        self._types = types
        self._folder = folder
        self._looked = -math.inf

    async def recover(self, chronicle: Chronicle) -> None:
        """Go on with what is in the store.

        Raises:
            StoreError: it cannot be read.
        """
        store = self._store
        starts = await store.events(EventFilter(kind="server"), 0, MOST_EVENTS, STARTS)
        last = next((one for one in starts if one.kind in LIVES), None)
        steps = await store.history(limits_shown.HISTORY_SECONDS, 0.0, math.inf)
        alive = steps[-1].at + limits_shown.HISTORY_SECONDS if steps else None
        chronicle.plugins = {row.name for row in await store.plugins()}
        chronicle.started(await store.next_event(), last, alive)

    async def settle(self, board: Board, given: Values, retention: Retention) -> None:
        """Have everybody go by what is set, now and whenever it changes.

        Args:
            board: has what is set.
            given: what the command line says.
            retention: is told what is kept.

        Raises:
            StoreError: what operators have set cannot be read.
        """

        def follow() -> None:
            now = board.settings.now
            board.usage.quotas, board.kept, retention.keep = now.quotas, now.keep.text, now.keep

        board.settings.on_change = follow
        board.settings.recovered(given, await self._store.settings())

    def look(self, chronicle: Chronicle) -> None:
        """Tell of the plugins that are broken and, now and then, how much of the disk is free."""
        chronicle.look_at_broken(self._types.broken)
        now = trio.current_time()
        if now - self._looked < limits_shown.DISK_LOOK_SECONDS:
            return
        self._looked = now
        try:
            disk = shutil.disk_usage(self._folder)
        except OSError:  # what is wrong is found out by writing
            return
        chronicle.look_at_disk(disk.free, disk.total)
