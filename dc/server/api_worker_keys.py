"""`/api/worker-keys`, `/api/groups`: which computers may work here, and what each group may run."""

from __future__ import annotations

from dc.errors import (
    NotPossible,
    OptionsError,
    StoreError,
    UnknownGroup,
    UnknownKey,
)
from dc.server import access_views
from dc.server.app import ServerApp
from dc.server.commands_access import ApproveKey, ForgetGroup, ForgetKey, KeepGroup
from dc.server.routes import VIEWERS, Call, Route
from dc.view_access import Approve, GroupsView, GroupView, NewGroup, WorkerKeysView


class WorkerKeysApi:
    """Answers requests about keys of workers and about groups.

    Args:
        app: the server.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app

    def routes(self) -> list[Route]:
        """Return what there is of them."""
        keys, groups, tag = "/api/worker-keys", "/api/groups", "access"
        group = f"{groups}/{{name}}"
        return [
            Route("GET", keys, self._keys, WorkerKeysView, "Keys of workers", tag, roles=VIEWERS),
            Route(
                "POST", f"{keys}/{{key}}/approve", self._approve, WorkerKeysView,
                "Let a worker in that waits", tag, body=Approve,
                problems=(UnknownKey, UnknownGroup, NotPossible, StoreError),
            ),
            Route(
                "DELETE", f"{keys}/{{key}}", self._forget, WorkerKeysView,
                "Refuse a worker, or delete it", tag, problems=(UnknownKey, StoreError),
            ),
            Route("GET", groups, self._groups, GroupsView, "Groups of workers", tag, roles=VIEWERS),
            Route(
                "PUT", group, self._keep, GroupView, "Make a group, or change it", tag,
                body=NewGroup, problems=(OptionsError, NotPossible, StoreError),
            ),
            Route(
                "DELETE", group, self._remove, GroupsView, "Remove a group", tag,
                problems=(UnknownGroup, NotPossible, StoreError),
            ),
        ]  # fmt: skip

    async def _keys(self, _: Call[None, None]) -> WorkerKeysView:
        return WorkerKeysView(access_views.keys(self._app.reactor.board.access, self._app.wall()))

    async def _approve(self, call: Call[None, Approve]) -> WorkerKeysView:
        command = ApproveKey(str(call.path["key"]), call.body.group)
        await self._app.ask(command, *call.by)
        return await self._keys(Call(call.request, {}, None, None))

    async def _forget(self, call: Call[None, None]) -> WorkerKeysView:
        await self._app.ask(ForgetKey(str(call.path["key"])), *call.by)
        return await self._keys(call)

    async def _groups(self, _: Call[None, None]) -> GroupsView:
        return GroupsView(access_views.groups(self._app.reactor.board.access))

    async def _keep(self, call: Call[None, NewGroup]) -> object:
        return await self._app.ask(KeepGroup(call.name, call.body), *call.by)

    async def _remove(self, call: Call[None, None]) -> GroupsView:
        await self._app.ask(ForgetGroup(call.name), *call.by)
        return await self._groups(call)
