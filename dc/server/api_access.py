"""`/api/me`, `/api/sign-in`, `/api/sign-out`: who one is, and a browser's session.

A browser shows a token, or what stands behind the `#` of a sign-in link, once. From then on it has
a session in a cookie, which no script can read and which goes to this server's host alone.
"""

from __future__ import annotations

import os
from typing import cast

import trio
from msgspec.structs import replace

from dc import tokens
from dc.errors import NotSignedIn, StoreError, TooManyTries
from dc.http import Response
from dc.roles import NOBODY, ROLES, Principal
from dc.server.app import ServerApp
from dc.server.commands_access import SignedIn, SignIn, SignOut
from dc.server.doorkeeper import Doorkeeper
from dc.server.gate import COOKIE
from dc.server.routes import EVERYBODY, Call, Route
from dc.view_access import MeView
from dc.view_access import SignIn as Secret

ATTRIBUTES = "HttpOnly; SameSite=Strict; Secure; Path=/"


class AccessApi:
    """Answers requests about who one is.

    Args:
        app: the server.
        doorkeeper: who is let in.
    """

    def __init__(self, app: ServerApp, doorkeeper: Doorkeeper) -> None:
        self._app = app
        self._doorkeeper = doorkeeper

    def routes(self) -> list[Route]:
        """Return what there is of it."""
        tag = "access"
        return [
            Route("GET", "/api/me", self._me, MeView, "Who one is", tag, roles=EVERYBODY),
            Route(
                "POST", "/api/sign-in", self._sign_in, MeView, "Sign in, for a browser", tag,
                body=Secret, problems=(NotSignedIn, TooManyTries, StoreError),
                roles=EVERYBODY,
            ),
            Route(
                "POST", "/api/sign-out", self._sign_out, MeView, "Sign out", tag,
                problems=(StoreError,), roles=EVERYBODY,
            ),
        ]  # fmt: skip

    async def _me(self, call: Call[None, None]) -> MeView:
        return self._view(call.request.principal)

    def _view(self, who: Principal) -> MeView:
        row = self._app.reactor.board.access.token(who.token) if who.token else None
        return MeView(
            needed=self._doorkeeper.gate.secure,
            signed_in=who is not NOBODY,
            name=who.name,
            roles=[role for role in ROLES if role in who.roles],
            token=who.token,
            expires=None if row is None else row.expires,
        )

    async def _sign_in(self, call: Call[None, Secret]) -> Response:
        tries, host = self._doorkeeper.tries, call.request.address
        tries.check_try(host, trio.current_time())
        random = os.urandom(tokens.RANDOM_BYTES)
        try:
            answer = await self._app.ask(SignIn(call.body.secret, random), *call.by)
        except NotSignedIn:
            tries.failed(host, trio.current_time())
            raise
        tries.passed(host)
        signed_in = cast("SignedIn", answer)
        me = replace(signed_in.me, needed=self._doorkeeper.gate.secure)
        return _with_cookie(me, signed_in.secret)

    async def _sign_out(self, call: Call[None, None]) -> Response:
        who = call.request.principal
        await self._app.ask(SignOut(who.token), *call.by)
        self._doorkeeper.answers.look()
        return _with_cookie(self._view(NOBODY if not who.is_local else who), "", "; Max-Age=0")


def _with_cookie(me: MeView, value: str, more: str = "") -> Response:
    answer = Response.json(me)
    answer.headers.append(("Set-Cookie", f"{COOKIE}={value}; {ATTRIBUTES}{more}"))
    return answer
