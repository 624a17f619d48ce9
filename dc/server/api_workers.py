"""`/api/workers/…`: the workers, and what operators change about them."""

from __future__ import annotations

from functools import partial
from typing import cast, get_args

from msgspec import UNSET, Struct, UnsetType

from dc.errors import DuplicateName, NotPossible, OptionsError, StoreError, UnknownWorker
from dc.messages import Text, WorkerSlots
from dc.server.app import ServerApp
from dc.server.commands import (
    Action,
    LabelChanges,
    Names,
    Note,
    OrderWorkers,
    SetWorkers,
    Some,
    Wanted,
    Which,
)
from dc.server.routes import Call, Route
from dc.server.views import Views
from dc.view_workers import WorkersChanged, WorkersDeleted, WorkersPage, WorkerView


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
    """Of restart: `now` has them give back what they run."""

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
        no, one = (UnknownWorker,), (UnknownWorker, NotPossible, StoreError)
        some = (*one, OptionsError)
        bodies: dict[str, type[Filter]] = {"drain": Drain, "restart": Restart}
        orders = [
            Route(
                "POST", f"{workers}/{action}", partial(self._order, action), WorkersChanged,
                f"{action.capitalize()} workers", tag, body=bodies.get(action, Filter),
                problems=some,
            )
            for action in get_args(Action)
            if action != "delete"
        ]  # fmt: skip
        return [
            Route("GET", workers, self._all, WorkersPage, "Workers", tag),
            Route("GET", worker, self._one, WorkerView, "One worker", tag, problems=no),
            Route(
                "PATCH", worker, self._set_one, WorkerView, "Change a worker", tag,
                body=Settings, problems=(*some, DuplicateName),
            ),
            Route(
                "DELETE", worker, self._delete_one, WorkersDeleted, "Delete a worker", tag,
                problems=one,
            ),
            *orders,
            Route(
                "POST", f"{workers}/delete", self._delete, WorkersDeleted, "Delete workers", tag,
                body=Filter, problems=some,
            ),
            Route(
                "POST", f"{workers}/set", self._set, WorkersChanged, "Change workers", tag,
                body=SetSome, problems=(*some, DuplicateName),
            ),
        ]  # fmt: skip

    async def _all(self, _: Call[None, None]) -> WorkersPage:
        return WorkersPage(self._views.workers.all())

    async def _one(self, call: Call[None, None]) -> WorkerView:
        return self._views.workers.one(call.name)

    async def _order(self, action: Action, call: Call[None, Filter]) -> WorkersChanged:
        body = call.body
        leave = isinstance(body, Drain) and body.leave
        now = isinstance(body, Restart) and body.now
        return await self._changed(OrderWorkers(body.which, action, leave=leave, now=now))

    async def _set(self, call: Call[None, SetSome]) -> WorkersChanged:
        return await self._changed(_set(call.body.which, call.body.set))

    async def _set_one(self, call: Call[None, Settings]) -> WorkerView:
        keys = await self._app.ask(_set(Which([call.name], exact=True), call.body))
        return self._views.workers.of_keys(cast("list[str]", keys))[0]  # it may have a new name

    async def _delete(self, call: Call[None, Filter]) -> WorkersDeleted:
        return await self._deleted(call.body.which)

    async def _delete_one(self, call: Call[None, None]) -> WorkersDeleted:
        return await self._deleted(Which([call.name], exact=True))

    async def _changed(self, command: OrderWorkers | SetWorkers) -> WorkersChanged:
        """Have workers changed; return how they are now."""
        keys = cast("list[str]", await self._app.ask(command))
        return WorkersChanged(self._views.workers.of_keys(keys))

    async def _deleted(self, which: Which) -> WorkersDeleted:
        keys = cast("list[str]", await self._app.ask(OrderWorkers(which, "delete")))
        return WorkersDeleted(self._views.workers.names_of(keys))


def _set(which: Which, settings: Settings) -> SetWorkers:
    return SetWorkers(which, settings.slots, settings.note, settings.labels, settings.name)
