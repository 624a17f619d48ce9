"""Workers as they are listed: filtered, sorted, page by page. All that are known are in memory."""

from __future__ import annotations

from operator import itemgetter
from typing import Final, Literal, TypeAlias

import trio
from msgspec import Struct

from dc import limits_shown
from dc.records import WorkerRow
from dc.server.app import ServerApp
from dc.server.orders import GONE
from dc.server.roster import KEY_SHOWN, Worker
from dc.server.worker_views import WorkerViews
from dc.view_workers import WorkerView

WorkerSort: TypeAlias = Literal[
    "name", "state", "slots", "held", "done", "failed", "rate", "failing", "processors", "memory"
]


class Place(Struct, frozen=True, array_like=True, order=True):
    """Where a page of workers ends: what the last is sorted by, its name, its key's beginning."""

    by: str | float
    name: str
    key: str


class WorkerFilter(Struct, frozen=True):
    """Which workers are listed, and in which order.

    Attributes:
        states: those in one of these; all if it is empty.
        label: its name and its value; None for any.
        search: a part of their names, in whatever case.
        sort: by what they are sorted; what is equal goes by name.
        down: the last ones first.
    """

    states: frozenset[str] = frozenset()
    label: tuple[str, str] | None = None
    search: str = ""
    sort: WorkerSort = "name"
    down: bool = False


Known: TypeAlias = Worker | WorkerRow
"""Who is here or away, or has gone and is remembered."""

Found: TypeAlias = tuple[str | float, str, str, Known]
"""A worker behind what its Place is made of."""

TEXTS: Final = frozenset({"name", "state"})
"""What is text of that."""


class WorkerLists:
    """Lists workers for those who ask over HTTP.

    Args:
        app: the server.
        views: what is shown of each of them.
    """

    def __init__(self, app: ServerApp, views: WorkerViews) -> None:
        self._app = app
        self._views = views

    async def page(
        self, wanted: WorkerFilter, after: Place | None, limit: int
    ) -> tuple[list[WorkerView], Place | None]:
        """Return workers that are here, away or gone, and where to go on, None at the end.

        Who is sorted by something that changes meanwhile may be on two pages, or on none.

        Args:
            wanted: which ones, and in which order.
            after: where the page before ended.
            limit: so many at most.
        """
        assert after is None or isinstance(after.by, str) == (wanted.sort in TEXTS)
        found = await self._found(wanted)
        found.sort(key=itemgetter(0, 1, 2), reverse=wanted.down)
        if after is not None:
            end = after.by, after.name, after.key
            found = [one for one in found if (one[:3] < end if wanted.down else one[:3] > end)]
        page = found[:limit]
        following = Place(*page[-1][:3]) if len(found) > limit else None
        return await self._views.some(one for *_, one in page), following

    async def _found(self, wanted: WorkerFilter) -> list[Found]:
        """Return who fits; of thousands, only what is asked for is looked at."""
        found: list[Found] = []
        side, part = self._app.reactor.workers, wanted.search.casefold()
        known: list[Known] = [*side.roster.by_key.values(), *side.register.gone()]
        for at, one in enumerate(known, start=1):
            if at % limits_shown.TURN_ITEMS == 0:
                await trio.lowlevel.checkpoint()
            if isinstance(one, Worker) and not side.roster.has(one):
                continue  # it has gone meanwhile
            key = one.key[:KEY_SHOWN]
            name = one.name if isinstance(one, Worker) else one.shown or key
            if part in name.casefold() and self._fits(one, wanted):
                by = name if wanted.sort == "name" else self._by(one, wanted.sort)
                found.append((by, name, key, one))
        return found

    def _fits(self, one: Known, wanted: WorkerFilter) -> bool:
        if wanted.states and self._state(one) not in wanted.states:
            return False
        if wanted.label is None:
            return True
        labels = one.about.labels if isinstance(one, Worker) else one.labels
        return labels.get(wanted.label[0]) == wanted.label[1]

    def _state(self, one: Known) -> str:
        return self._app.reactor.workers.state_of(one)[0] if isinstance(one, Worker) else GONE

    def _by(self, one: Known, sort: WorkerSort) -> str | float:
        """Return what a worker is sorted by; who is not here has done nothing."""
        if sort == "state":
            return self._state(one)
        if isinstance(one, WorkerRow):
            return one.slots if sort == "slots" else -1.0
        board = self._app.reactor.board
        match sort:
            case "slots":
                return one.about.slots
            case "done":
                return one.done
            case "failed":
                return one.failed
            case "held":
                return board.scheduler.worker_load(one.id)[0]
            case "rate":
                return one.tally.rate(board.now)
            case "failing":
                return one.tally.failing
        return _vital(one, sort)


def _vital(worker: Worker, sort: WorkerSort) -> float:
    """Return how busy the processors or the memory of a worker are, of 1; -1 if it is not known."""
    vitals = worker.vitals
    if vitals is None:
        return -1.0
    if sort == "processors":
        return vitals.processors
    return vitals.memory_used / vitals.memory_total if vitals.memory_total > 0 else -1.0
