"""Workers as they are listed: filtered, sorted, page by page. All that are known are in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from dc.records import WorkerRow
from dc.server.app import ServerApp
from dc.server.orders import GONE
from dc.server.roster import KEY_SHOWN, Worker
from dc.server.worker_views import WorkerViews, gone_view
from dc.view_workers import WorkerView

WorkerSort: TypeAlias = Literal["name", "state", "slots", "done", "failed", "rate", "failing"]


class Place(Struct, frozen=True, array_like=True, order=True):
    """Where a page of workers ends: what the last one is sorted by, its name and its key."""

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
    """What a worker is found and sorted by; `of` is who is meant."""

    of: Worker | WorkerRow
    name: str
    key: str
    state: str
    slots: int
    labels: Mapping[str, str]
    done: int = 0
    failed: int = 0
    rate: float = 0.0
    failing: float = 0.0


BY: Final[Mapping[str, Callable[[Entry], str | float]]] = MappingProxyType(
    {
        "name": lambda entry: entry.name,
        "state": lambda entry: entry.state,
        "slots": lambda entry: entry.slots,
        "done": lambda entry: entry.done,
        "failed": lambda entry: entry.failed,
        "rate": lambda entry: entry.rate,
        "failing": lambda entry: entry.failing,
    }
)


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
        by = BY[wanted.sort]
        placed = [(Place(by(e), e.name, e.key), e.of) for e in self._entries() if _fits(e, wanted)]
        placed.sort(key=lambda pair: pair[0], reverse=wanted.down)
        if after is not None:
            placed = [one for one in placed if (one[0] < after if wanted.down else one[0] > after)]
        page = placed[:limit]
        following = page[-1][0] if len(placed) > limit else None
        return [self._view(one) for _, one in page], following

    def _entries(self) -> Iterator[Entry]:
        side, now = self._app.reactor.workers, self._app.reactor.board.now
        for one in side.roster.by_key.values():
            about, state = one.about, side.state_of(one)[0]
            did = one.done, one.failed, one.tally.rate(now), one.tally.failing
            yield Entry(one, one.name, one.key, state, about.slots, about.labels, *did)
        for row in side.register.gone():
            yield Entry(row, row.shown or row.key[:KEY_SHOWN], row.key, GONE, row.slots, row.labels)

    def _view(self, one: Worker | WorkerRow) -> WorkerView:
        return gone_view(one) if isinstance(one, WorkerRow) else self._views.view(one)


def _fits(entry: Entry, wanted: WorkerFilter) -> bool:
    if wanted.states and entry.state not in wanted.states:
        return False
    if wanted.label is not None and entry.labels.get(wanted.label[0]) != wanted.label[1]:
        return False
    return not wanted.search or wanted.search.casefold() in entry.name.casefold()
