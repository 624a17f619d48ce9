"""`sign-in`, `sign-out`, `sign-in-link`: being let in by a server from now on."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from dc.cli.qr import qr_text
from dc.cli.screen import Screen, one_line
from dc.cli.secret_file import read_secret
from dc.cli.sign_in_port import Port
from dc.cli.which_server import server_of
from dc.client.plain_client import Client
from dc.errors import NotSignedIn, StartError, WrongServer
from dc.known_servers import (
    PIN_VARIABLE,
    TOKEN_VARIABLE,
    Known,
    KnownServers,
    may_carry,
    pin_text,
    read_pin,
)
from dc.view_access import MeView

COOKIE: Final = "dc-session"
PAGE: Final = "/sign-in"


class Way(NamedTuple):
    """How somebody wants to be let in: by a token, or by the code of a link."""

    url: str
    token: str = ""
    code: str = ""


def sign_in(
    args: Namespace,
    screen: Screen,
    port: Port | None = None,
    known: KnownServers | None = None,
    ask: Callable[[str], bool] | None = None,
) -> int:
    """Keep pin and token of a server.

    Args:
        args: of the command.
        screen: where the answer goes.
        port: speaks with the server.
        known: the file of servers, if not the user's own.
        ask: asks somebody a question, and returns whether it was answered by yes.

    Raises:
        DcError: it is not let in; the text says what to do.
    """
    port = Port() if port is None else port
    known = KnownServers() if known is None else known
    way = _way(args, known)
    if not may_carry(way.url):
        raise StartError(f"a token does not go over http to {way.url}: use https://")
    pin = _pin(args, way.url, port, known, ask or _ask)
    me, token = _enter(way, pin, port)
    known.keep(way.url, Known(pin.hex(), token, way.url.startswith("https")), default=True)
    if args.json:
        screen.json({"server": way.url, **msgspec.to_builtins(me)})
    else:
        roles = ", ".join(me.roles)
        screen.write(f"signed in at {way.url} as {one_line(me.name) or 'browser'} ({roles})\n")
    return 0


def sign_out(args: Namespace, screen: Screen, known: KnownServers | None = None) -> int:
    """Forget the token of a server."""
    known = KnownServers() if known is None else known
    url = server_of(args, known)
    entry = known.of(url)
    there = known.forget(url)
    if args.json:
        screen.json({"server": url, "forgotten": there})
    elif there and entry is not None:
        number = "".join(entry.token.split("_")[1:2])
        screen.write(f"the token for {url} is forgotten here\n")
        screen.write(f"it is still good; an admin ends it by: python -m dc token revoke {number}\n")
    else:
        screen.note(f"there is no token for {url} here")
    return 0


def link(args: Namespace, client: Client, screen: Screen) -> int:
    """Print a link that signs a browser in, once."""
    wanted = {
        "name": args.name, "purpose": "sign_in", "roles": args.role or ["admin"], "uses": 1,
        "lifetime": 60.0 * args.minutes,
    }  # fmt: skip
    made = client.request("POST", "/api/invites", wanted)
    if args.json:
        screen.json(made)
        return 0
    screen.write(f"{made['link']}\n")
    if args.qr:
        screen.write(qr_text(made["qr"], colours=screen.streams_to_terminal))
    screen.note(f"it works once, within {args.minutes} minutes")
    return 0


def _way(args: Namespace, known: KnownServers) -> Way:
    said = args.secret or ""
    if not said:
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            raise StartError("say by what: a sign-in link, or a file with a token")
        return Way(server_of(args, known), token)
    secret = said if "://" in said else read_secret(said)
    if "://" not in secret:
        return Way(server_of(args, known), secret)
    parts = urlsplit(secret)
    if not parts.netloc or parts.path != PAGE or not parts.fragment:
        raise StartError("this sign-in link is not whole: it ends with /sign-in# and some letters")
    return Way(f"{parts.scheme}://{parts.netloc}", code=parts.fragment)


def _pin(
    args: Namespace, url: str, port: Port, known: KnownServers, ask: Callable[[str], bool]
) -> bytes:
    """Return the pin of a server, after asking if it is new; empty if it needs none."""
    there = known.of(url)
    pin = read_pin(args.pin or os.environ.get(PIN_VARIABLE, "") or (there.pin if there else ""))
    if pin or not url.startswith("https"):
        return pin
    try:
        port.verify(url)
    except WrongServer:  # no authority knows it: it is to be known by its key
        shown = port.pin_shown(url)
        if not ask(f"The server at {url} shows the key\n  {pin_text(shown)}\n"):
            raise StartError(
                f"the server at {url} is not known: give --pin with the key that it has printed at "
                "its first start"
            ) from None
        return shown
    return b""


def _ask(text: str) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(f"{text}Is that the key which the server has printed? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _enter(way: Way, pin: bytes, port: Port) -> tuple[MeView, str]:
    """Return who one is from now on, and the token by which."""
    if way.code:
        body = {"secret": way.code}
        answer = port.exchange(way.url, pin, "POST", "/api/sign-in", body=body)
        token = _session(answer.cookie)
    else:
        answer = port.exchange(way.url, pin, "GET", "/api/me", token=way.token)
        token = way.token
    me = _me(answer.body)
    if me.needed and not (me.signed_in and token):
        raise NotSignedIn("this token lets nobody in: it is wrong, taken back, or has expired")
    return me, token


def _me(body: Any) -> MeView:
    try:
        return msgspec.json.decode(body, type=MeView)
    except msgspec.DecodeError:
        raise StartError("what answers there is no dc server of this version") from None


def _session(cookie: str) -> str:
    try:
        found = SimpleCookie(cookie).get(COOKIE)
    except CookieError:
        found = None
    return found.value if found is not None else ""
