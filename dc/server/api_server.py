"""`/api/status`, `/api/types`, `/api/plugins`, `/api/submitters`: the server as a whole."""

from __future__ import annotations

from msgspec import Struct

from dc import limits
from dc.errors import NotPossible, OptionsError, StoreError
from dc.messages_parts import Weight
from dc.server.app import ServerApp
from dc.server.commands import SetWeight
from dc.server.routes import VIEWERS, Call, Route
from dc.server.views import Views
from dc.view_plugins import PluginsView, TypesView
from dc.view_server import ShareView, StatusView, SubmittersView


class Share(Struct, forbid_unknown_fields=True):
    """The weight of a submitter."""

    weight: Weight


class ServerApi:
    """Answers requests about the server, its plugins, and who submits jobs.

    Args:
        views: where it looks things up.
        app: what it acts on.
    """

    def __init__(self, views: Views, app: ServerApp) -> None:
        self._views = views
        self._app = app

    def routes(self) -> list[Route]:
        """Return what there is of the server as a whole."""
        submitter = "/api/submitters/{name}"
        return [
            Route(
                "GET", "/api/status", self._status, StatusView, "The server", "server",
                problems=(StoreError,),
            ),
            Route("GET", "/api/types", self._types, TypesView, "Task types", "plugins"),
            Route("GET", "/api/plugins", self._all, PluginsView, "Plugins", "plugins"),
            Route(
                "GET", "/api/submitters", self._submitters, SubmittersView,
                "Who submits jobs", "submitters", roles=VIEWERS,
            ),
            Route(
                "PATCH", submitter, self._set_weight, ShareView, "Give a submitter a weight",
                "submitters", body=Share, problems=(OptionsError, NotPossible, StoreError),
            ),
        ]  # fmt: skip

    async def _status(self, _: Call[None, None]) -> StatusView:
        return await self._views.server.status()

    async def _types(self, _: Call[None, None]) -> TypesView:
        return self._views.plugins.types()

    async def _all(self, _: Call[None, None]) -> PluginsView:
        return self._views.plugins.plugins()

    async def _submitters(self, _: Call[None, None]) -> SubmittersView:
        return self._views.server.submitters()

    async def _set_weight(self, call: Call[None, Share]) -> ShareView:
        name, weight = call.name, call.body.weight
        if not name or len(name) > limits.TEXT_CHARS:
            raise OptionsError(f"a submitter has a name of 1 to {limits.TEXT_CHARS} characters")
        await self._app.ask(SetWeight(name, weight), *call.by)
        return ShareView(name, weight)
