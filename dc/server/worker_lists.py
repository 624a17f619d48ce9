"""Workers as they are listed: filtered, sorted, page by page. All that are known are in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from dc.records import WorkerRow
from dc.server.app import ServerApp
from dc.server.orders import GONE
from dc.server.roster import KEY_SHOWN, Worker
from dc.server.worker_views import WorkerViews, gone_view
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


class Entry(Struct, frozen=True):
    """What a worker is found by; `of` is who is meant, and `worker` the same while it is here."""

    of: Worker | WorkerRow
    name: str
    key: str
    state: str
    slots: int
    labels: Mapping[str, str]
    worker: Worker | None = None


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

    def page(
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
        fitting = [entry for entry in self._entries() if _fits(entry, wanted)]
        placed = [(Place(self._by(one, wanted.sort), one.name, one.key), one.of) for one in fitting]
        placed.sort(key=lambda pair: pair[0], reverse=wanted.down)
        if after is not None:
            placed = [one for one in placed if (one[0] < after if wanted.down else one[0] > after)]
        page = placed[:limit]
        following = page[-1][0] if len(placed) > limit else None
        return [self._view(one) for _, one in page], following

    def _entries(self) -> Iterator[Entry]:
        side = self._app.reactor.workers
        for one in side.roster.by_key.values():
            about, state = one.about, side.state_of(one)[0]
            yield Entry(one, one.name, one.key[:KEY_SHOWN], state, about.slots, about.labels, one)
        for row in side.register.gone():
            yield Entry(
                row,
                row.shown or row.key[:KEY_SHOWN],
                row.key[:KEY_SHOWN],
                GONE,
                row.slots,
                row.labels,
            )

    def _by(self, entry: Entry, sort: WorkerSort) -> str | float:
        """Return what a worker is sorted by; who is not here has done nothing."""
        worker, board = entry.worker, self._app.reactor.board
        if sort in ("name", "state", "slots"):
            found: str | float = getattr(entry, sort)
            return found
        if worker is None:
            return -1.0
        if sort in ("done", "failed"):
            return worker.done if sort == "done" else worker.failed
        if sort == "held":
            return board.scheduler.worker_load(worker.id)[0]
        if sort in ("rate", "failing"):
            return worker.tally.rate(board.now) if sort == "rate" else worker.tally.failing
        return _vital(worker, sort)

    def _view(self, one: Worker | WorkerRow) -> WorkerView:
        return gone_view(one) if isinstance(one, WorkerRow) else self._views.view(one)


def _vital(worker: Worker, sort: WorkerSort) -> float:
    """Return how busy the processors or the memory of a worker are, of 1; -1 if it is not known."""
    vitals = worker.vitals
    if vitals is None:
        return -1.0
    if sort == "processors":
        return vitals.processors
    return vitals.memory_used / vitals.memory_total if vitals.memory_total > 0 else -1.0


def _fits(entry: Entry, wanted: WorkerFilter) -> bool:
    if wanted.states and entry.state not in wanted.states:
        return False
    if wanted.label is not None and entry.labels.get(wanted.label[0]) != wanted.label[1]:
        return False
    return not wanted.search or wanted.search.casefold() in entry.name.casefold()
