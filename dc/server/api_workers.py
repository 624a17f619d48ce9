"""`/api/workers/…`: the workers, and what operators change about them."""

from __future__ import annotations

from typing import cast, get_args

from msgspec import UNSET, Struct, UnsetType

from dc.http import Request
from dc.messages import Text, WorkerSlots
from dc.server.api_body import Answer, read_body
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
from dc.server.views import Views


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

    def methods(self, request: Request, parts: list[str]) -> dict[str, Answer]:
        """Return what answers each method of a path below `/api/workers`."""
        if not parts:
            return {"GET": self._all}
        name = "/".join(parts)
        methods: dict[str, Answer] = {
            "GET": lambda: self._one(name),
            "PATCH": lambda: self._set_one(request, name),
            "DELETE": lambda: self._delete_one(name),
        }
        if name in (*get_args(Action), "set"):
            methods["POST"] = lambda: self._several(request, name)
        return methods

    async def _all(self) -> object:
        return {"workers": self._views.workers()}

    async def _one(self, name: str) -> object:
        return self._views.worker(name)

    async def _several(self, request: Request, action: str) -> object:
        if action == "set":
            body = await read_body(request, SetSome)
            return await self._do(_set(body.which, body.set))
        if action == "drain":
            drain = await read_body(request, Drain)
            return await self._do(OrderWorkers(drain.which, "drain", leave=drain.leave))
        if action == "restart":
            restart = await read_body(request, Restart)
            return await self._do(OrderWorkers(restart.which, "restart", now=restart.now))
        which = (await read_body(request, Filter)).which
        return await self._do(OrderWorkers(which, cast("Action", action)))

    async def _set_one(self, request: Request, name: str) -> object:
        settings = await read_body(request, Settings)
        keys = await self._app.ask(_set(Which([name], exact=True), settings))
        return self._views.workers_of(cast("list[str]", keys))[0]

    async def _delete_one(self, name: str) -> object:
        return await self._do(OrderWorkers(Which([name], exact=True), "delete"))

    async def _do(self, command: OrderWorkers | SetWorkers) -> object:
        """Have several workers changed; return how they are now, or who was deleted."""
        keys = cast("list[str]", await self._app.ask(command))
        if isinstance(command, OrderWorkers) and command.action == "delete":
            return {"deleted": self._views.names_of(keys)}
        return {"workers": self._views.workers_of(keys)}


def _set(which: Which, settings: Settings) -> SetWorkers:
    return SetWorkers(which, settings.slots, settings.note, settings.labels, settings.name)
