"""`/api/workers/…`: the workers, and what operators change about them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, TypeAlias, cast

from msgspec import UNSET, Meta, Struct, UnsetType

from dc import limits, limits_http
from dc.errors import DuplicateName, NotPossible, OptionsError, StoreError, UnknownWorker
from dc.messages_parts import Text, WorkerSlots
from dc.server.api_rows import Cursor, Rows
from dc.server.app import ServerApp
from dc.server.command_events import KINDS_OF_ACTIONS
from dc.server.commands import (
    Action,
    LabelChanges,
    Names,
    Note,
    OrderWorkers,
    SetWorkers,
    Some,
    WakeWorkers,
    Wanted,
    Which,
)
from dc.server.cursors import cursor_of, damaged, place_of
from dc.server.orders import POWER
from dc.server.routes import VIEWERS, Call, Route
from dc.server.views import Views
from dc.server.worker_lists import TEXTS, WorkerFilter, WorkerSort
from dc.server.worker_lists import Place as WorkerPlace
from dc.view_workers import WorkersChanged, WorkersDeleted, WorkersPage, WorkersWoken, WorkerView

WorkerStates: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^((connected|away|sick|trial|paused|draining|resting|gone)(,|$))*$",
        max_length=100,
        examples=["sick,away"],
    ),
]


class WorkersQuery(Struct, forbid_unknown_fields=True):
    """Which workers are listed, in which order.

    Attributes:
        cursor: where the page before ended, as its `next` says.
        limit: workers of one page, at most.
        state: one state, or several with commas between them.
        label: NAME=VALUE: those that have this label.
        search: whose names have this part, in whatever case.
        sort: by name, state, slots, tasks held, what they have done or failed since they came,
            tasks a second, the share that failed lately, or how busy processors or memory are.
        order: `desc` has the last ones first; the default of what is a number.
    """

    cursor: Cursor = ""
    limit: Rows = limits_http.PAGE_ROWS
    state: WorkerStates = ""
    label: Annotated[str, Meta(max_length=2 * limits.TEXT_CHARS + 1)] = ""
    search: Text = ""
    sort: WorkerSort = "name"
    order: Literal["asc", "desc"] | None = None


class Filter(Struct, forbid_unknown_fields=True):
    """Which workers are meant, as in Which."""

    names: Names = []
    labels: Wanted = {}
    states: Some = []
    all: bool = False
    exact: bool = False

    @property
    def which(self) -> Which:
        """The same as the reactor takes it."""
        return Which(self.names, self.labels, self.states, self.all, self.exact)


class Drain(Filter):
    """Of drain: `leave` has them leave then."""

    leave: bool = False


class Restart(Filter):
    """Of what ends them: `now` has them give back what they run, instead of finishing it."""

    now: bool = False


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be changed of one worker; null takes back what was decided."""

    slots: WorkerSlots | UnsetType | None = UNSET
    note: Note | UnsetType = UNSET
    labels: LabelChanges | UnsetType = UNSET
    name: Text | UnsetType | None = UNSET


class SetSome(Filter):
    """The same of several: `labels` says which are meant, so what is to be set has its own name."""

    set: Settings = Settings()


class WorkersApi:
    """Answers requests about workers.

    Args:
        views: where it looks them up.
        app: what it acts on.
    """

    def __init__(self, views: Views, app: ServerApp) -> None:
        self._views = views
        self._app = app

    def routes(self) -> list[Route]:
        """Return what there is of workers."""
        workers, worker, tag = "/api/workers", "/api/workers/{name}", "workers"
        no, one = (UnknownWorker,), (UnknownWorker, StoreError)
        some = (*one, OptionsError)
        return [
            Route(
                "GET", workers, self._all, WorkersPage, "Workers", tag, query=WorkersQuery,
                roles=VIEWERS,
            ),
            Route(
                "GET", worker, self._one, WorkerView, "One worker", tag, problems=no,
                roles=VIEWERS,
            ),
            Route(
                "PATCH", worker, self._set_one, WorkerView, "Change a worker", tag,
                body=Settings, problems=(*some, DuplicateName),
            ),
            Route(
                "DELETE", worker, self._delete_one, WorkersDeleted, "Delete a worker", tag,
                problems=one,
            ),
            *self._orders(),
            Route(
                "POST", f"{workers}/delete", self._delete, WorkersDeleted, "Delete workers", tag,
                body=Filter, problems=some,
            ),
            Route(
                "POST", f"{workers}/set", self._set, WorkersChanged, "Change workers", tag,
                body=SetSome, problems=(*some, DuplicateName),
            ),
        ]  # fmt: skip

    def _orders(self) -> list[Route]:
        """Return what workers and their computers are told to do."""
        bodies: dict[str, type[Filter]] = {"drain": Drain, "restart": Restart}
        bodies |= dict.fromkeys(POWER, Restart)
        problems = (UnknownWorker, StoreError, OptionsError, NotPossible)
        orders = [
            Route(
                "POST", f"/api/workers/{action}", partial(self._order, action), WorkersChanged,
                f"{action.capitalize()} workers", "workers", body=bodies.get(action, Filter),
                problems=problems,
            )
            for action in KINDS_OF_ACTIONS
            if action != "delete"
        ]  # fmt: skip
        wake = Route(
            "POST", "/api/workers/wake", self._wake, WorkersWoken, "Wake computers of workers",
            "workers", body=Filter, problems=problems,
        )  # fmt: skip
        return [*orders, wake]

    async def _all(self, call: Call[WorkersQuery, None]) -> WorkersPage:
        query = call.query
        down = query.order == "desc" if query.order else query.sort not in TEXTS
        list_ = f"workers by {query.sort}, {'down' if down else 'up'}"
        name, _, value = query.label.partition("=")
        wanted = WorkerFilter(
            states=frozenset(filter(None, query.state.split(","))),
            label=(name, value) if query.label else None,
            search=query.search,
            sort=query.sort,
            down=down,
        )
        after = place_of(list_, query.cursor, WorkerPlace) if query.cursor else None
        if after is not None and isinstance(after.by, str) != (query.sort in TEXTS):
            raise damaged()
        workers, following = await self._views.worker_lists.page(wanted, after, query.limit)
        return WorkersPage(workers, cursor_of(list_, following) if following else None)

    async def _one(self, call: Call[None, None]) -> WorkerView:
        return self._views.workers.one(call.name)

    async def _order(self, action: Action, call: Call[None, Filter]) -> WorkersChanged:
        body = call.body
        leave = isinstance(body, Drain) and body.leave
        now = isinstance(body, Restart) and body.now
        return await self._changed(call, OrderWorkers(body.which, action, leave=leave, now=now))

    async def _wake(self, call: Call[None, Filter]) -> WorkersWoken:
        keys = cast("list[str]", await self._app.ask(WakeWorkers(call.body.which), *call.by))
        views = self._views.workers
        networks = await self._app.settings.waker.wake(views.macs_of(keys))
        return WorkersWoken(views.names_of(keys), networks)

    async def _set(self, call: Call[None, SetSome]) -> WorkersChanged:
        return await self._changed(call, _set(call.body.which, call.body.set))

    async def _set_one(self, call: Call[None, Settings]) -> WorkerView:
        keys = await self._app.ask(_set(Which([call.name], exact=True), call.body), *call.by)
        return self._views.workers.of_keys(cast("list[str]", keys))[0]  # it may have a new name

    async def _delete(self, call: Call[None, Filter]) -> WorkersDeleted:
        return await self._deleted(call, call.body.which)

    async def _delete_one(self, call: Call[None, None]) -> WorkersDeleted:
        return await self._deleted(call, Which([call.name], exact=True))

    async def _changed(
        self, call: Call[Any, Any], command: OrderWorkers | SetWorkers
    ) -> WorkersChanged:
        """Have workers changed; return how they are now."""
        keys = cast("list[str]", await self._app.ask(command, *call.by))
        return WorkersChanged(self._views.workers.of_keys(keys))

    async def _deleted(self, call: Call[Any, Any], which: Which) -> WorkersDeleted:
        keys = cast("list[str]", await self._app.ask(OrderWorkers(which, "delete"), *call.by))
        return WorkersDeleted(self._views.workers.names_of(keys))


def _set(which: Which, settings: Settings) -> SetWorkers:
    return SetWorkers(which, settings.slots, settings.note, settings.labels, settings.name)
