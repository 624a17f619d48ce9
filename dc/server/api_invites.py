"""`/api/invites`: codes by which computers join, and links by which browsers sign in."""

from __future__ import annotations

import os
from typing import cast

from msgspec.structs import replace

from dc import invites
from dc.errors import NotPossible, OptionsError, StoreError, UnknownGroup, UnknownInvite
from dc.server import access_views, made_invites
from dc.server.app import ServerApp
from dc.server.boot_files import ISO, KERNEL, BootFiles
from dc.server.commands_access import MakeInvite, RevokeInvite
from dc.server.doorkeeper import Doorkeeper
from dc.server.made_invites import Place, boot_places
from dc.server.own_addresses import OwnAddresses, own_addresses
from dc.server.reaching import place_of
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
        place = await place_of(self._app.settings, new.addresses, self._own, public=new.public)
        made_invites.code_of(secret, place)  # before there is an invite that nobody can use
        answer = await self._app.ask(MakeInvite(new, secret), *call.by)
        made = made_invites.made(cast("InviteView", answer), secret, place)
        return made if made.link else replace(made, **self._boot(new, secret, place))

    def _boot(self, new: NewInvite, secret: bytes, place: Place) -> dict[str, str]:
        """Return from where a computer boots by an invite; nothing if there is no image."""
        clear = not self._app.settings.behind_proxy
        places = boot_places(secret, place, new, clear=clear)
        files = BootFiles(self._app.settings.os_image)
        there = {
            "boot": files.has(KERNEL), "iso": files.has(ISO), "iso_arm64": files.has(ISO, "arm64"),
        }  # fmt: skip
        return {name: places[name] for name, is_there in there.items() if is_there}

    async def _revoke(self, call: Call[None, None]) -> InvitesView:
        await self._app.ask(RevokeInvite(str(call.path["id"])), *call.by)
        self._doorkeeper.answers.look()
        return await self._all(call)
