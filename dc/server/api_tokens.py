"""`/api/tokens`: what people and programs show to be let in."""

from __future__ import annotations

import os

from dc import tokens
from dc.errors import NotPossible, OptionsError, StoreError, UnknownToken
from dc.server import access_views
from dc.server.app import ServerApp
from dc.server.commands_access import MakeToken, RevokeToken
from dc.server.doorkeeper import Doorkeeper
from dc.server.routes import ADMIN, Call, Route
from dc.view_access import MadeToken, NewToken, TokensView


class TokensApi:
    """Answers requests about tokens and sessions.

    Args:
        app: the server.
        doorkeeper: who is let in.
    """

    def __init__(self, app: ServerApp, doorkeeper: Doorkeeper) -> None:
        self._app = app
        self._doorkeeper = doorkeeper

    def routes(self) -> list[Route]:
        """Return what there is of tokens."""
        path, tag = "/api/tokens", "access"
        return [
            Route("GET", path, self._all, TokensView, "Tokens", tag, roles=ADMIN),
            Route(
                "POST", path, self._make, MadeToken, "Make a token", tag, body=NewToken,
                problems=(OptionsError, NotPossible, StoreError), status=201,
            ),
            Route(
                "DELETE", f"{path}/{{id}}", self._revoke, TokensView, "Revoke a token", tag,
                problems=(UnknownToken, StoreError),
            ),
        ]  # fmt: skip

    async def _all(self, _: Call[None, None]) -> TokensView:
        return TokensView(access_views.tokens(self._app.reactor.board.access, self._app.wall()))

    async def _make(self, call: Call[None, NewToken]) -> object:
        new, random = call.body, os.urandom(tokens.RANDOM_BYTES)
        command = MakeToken(list(new.roles), new.name, new.lifetime, random)
        return await self._app.ask(command, *call.by)

    async def _revoke(self, call: Call[None, None]) -> TokensView:
        await self._app.ask(RevokeToken(str(call.path["id"])), *call.by)
        self._doorkeeper.answers.look()
        return await self._all(call)
