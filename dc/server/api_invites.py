"""`/api/invites`: codes by which computers join, and links by which browsers sign in."""

from __future__ import annotations

import os
from typing import cast
from urllib.parse import urlsplit

from dc import invites, limits
from dc.errors import NotPossible, OptionsError, StoreError, UnknownGroup, UnknownInvite
from dc.server import access_views, made_invites
from dc.server.app import ServerApp
from dc.server.commands_access import MakeInvite, RevokeInvite
from dc.server.doorkeeper import Doorkeeper
from dc.server.made_invites import Place, read_addresses
from dc.server.own_addresses import OwnAddresses, own_addresses, reached_at
from dc.server.routes import ADMIN, Call, Route
from dc.view_access import InvitesView, InviteView, MadeInvite, NewInvite


class InvitesApi:
    """Answers requests about invites.

    Args:
        app: the server.
        doorkeeper: who is let in.
        own: gives the addresses of this computer.
    """

    def __init__(
        self, app: ServerApp, doorkeeper: Doorkeeper, own: OwnAddresses = own_addresses
    ) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._own = own

    def routes(self) -> list[Route]:
        """Return what there is of invites."""
        path, tag = "/api/invites", "access"
        return [
            Route("GET", path, self._all, InvitesView, "Invites", tag, roles=ADMIN),
            Route(
                "POST", path, self._make, MadeInvite, "Make an invite", tag, body=NewInvite,
                problems=(OptionsError, UnknownGroup, NotPossible, StoreError), status=201,
            ),
            Route(
                "DELETE", f"{path}/{{id}}", self._revoke, InvitesView, "Revoke an invite", tag,
                problems=(UnknownInvite, StoreError),
            ),
        ]  # fmt: skip

    async def _all(self, _: Call[None, None]) -> InvitesView:
        return InvitesView(access_views.invites(self._app.reactor.board.access, self._app.wall()))

    async def _make(self, call: Call[None, NewInvite]) -> MadeInvite:
        new, secret = call.body, os.urandom(invites.SECRET_BYTES)
        place = await self._place(new)
        made_invites.code_of(secret, place)  # before there is an invite that nobody can use
        answer = await self._app.ask(MakeInvite(new, secret), *call.by)
        return made_invites.made(cast("InviteView", answer), secret, place)

    async def _place(self, new: NewInvite) -> Place:
        settings = self._app.settings
        here = urlsplit(settings.address)
        port = here.port or limits.DEFAULT_PORT
        texts = list(new.addresses) or await reached_at(here.hostname or "", self._own)
        pin = b"" if new.public else settings.pin
        return Place(read_addresses(texts, port), pin, here.scheme)

    async def _revoke(self, call: Call[None, None]) -> InvitesView:
        await self._app.ask(RevokeInvite(str(call.path["id"])), *call.by)
        self._doorkeeper.answers.look()
        return await self._all(call)
