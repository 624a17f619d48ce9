"""The first start of a server that others may reach: its operator's token, and the first way in.

The operator's token is in the data folder, in a file of its own: whoever can write there is the
operator. It is written before the server knows it, under another name until all else is done: so a
server that is killed in between goes on there at its next start. Where the file is missing, or its
token is not valid any more, the next start makes another: so nobody is locked out for good.
"""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from dc import invites, tokens
from dc.errors import StartError
from dc.known_servers import Known, KnownServers, is_loopback, may_carry, pin_text, write_secret
from dc.server.access import Access
from dc.server.commands_access import AccessCommand, MakeInvite, MakeToken
from dc.tokens import Token
from dc.view_access import NewInvite

log: Final = logging.getLogger("dc.server")

Ask: TypeAlias = Callable[[AccessCommand], Awaitable[object]]

TOKEN_FILE: Final = "admin-token"  # the name of a file # noqa: S105
OPERATOR: Final = "operator"
"""Whose the token is, in lists and in the audit log."""

LINK_SECONDS: Final = 3600.0
"""For which the link of the first start signs a browser in: until somebody has opened it."""


class Reached(Struct, frozen=True):
    """How the server is reached.

    Attributes:
        page: the URL of the page, for others.
        host: the one that it listens on.
        port: likewise.
        pin: the SHA-256 of its public key; empty if it does not speak TLS itself.
        is_public: whether authorities vouch for its certificate at `page`.
    """

    page: str
    host: str
    port: int
    pin: bytes
    is_public: bool = False

    @property
    def here(self) -> list[str]:
        """Its URLs for programs on this computer, the one to be used first."""
        names = [self.host]
        if self.host in ("0.0.0.0", "::"):  # noqa: S104  # nosec B104  # no address to go to
            names = ["127.0.0.1", "localhost", *(["::1"] if self.host == "::" else [])]
        elif self.host == "127.0.0.1":
            names.append("localhost")
        scheme = "https" if self.pin else "http"
        return [f"{scheme}://{f'[{one}]' if ':' in one else one}:{self.port}" for one in names]

    @property
    def page_pin(self) -> bytes:
        """The pin by which others know it, empty where they need none."""
        return b"" if self.is_public else self.pin


async def first_start(
    ask: Ask,
    access: Access,
    data: Path,
    reached: Reached,
    now: float,
    known: Callable[[], KnownServers] = KnownServers,
    *,
    terminal: bool,
) -> list[str]:
    """See to it that there is an operator's token; return lines to be printed, if it was made.

    Args:
        ask: has the server do a command.
        access: knows who is let in.
        data: the data folder.
        reached: how the server is reached.
        now: the Unix time.
        known: the file of servers of the user who starts it.
        terminal: whether the lines go to somebody who reads them, and no further.

    Raises:
        StartError: the file of the token cannot be read or written.
    """
    path, begun = data / TOKEN_FILE, data / f"{TOKEN_FILE}.new"
    token = _read(path)
    if token is not None and _administers(access, token, now):
        _remember_elsewhere(known, reached, token)
        return []
    token = _read(begun)
    if token is None or (access.token(token.id) and not _administers(access, token, now)):
        token = tokens.make(secrets.token_bytes(tokens.RANDOM_BYTES))
        _write(begun, token)
    if not _administers(access, token, now):
        random = base64.b32decode(token.id.upper()) + token.secret
        await ask(MakeToken(["admin"], OPERATOR, None, random))
    kept = _remember(known, reached, token, path)
    lines = await _lines(ask, reached, terminal=terminal)
    _end(begun, path)
    return [*lines, *kept]


def _administers(access: Access, token: Token, now: float) -> bool:
    who = access.who_has(token.text, now)
    return who is not None and who.may("admin")


def _read(path: Path) -> Token | None:
    """Return the token that is in the file; None if there is none."""
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return tokens.read(file.read(tokens.MOST_CHARS))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror or error}") from None


def _write(path: Path, token: Token) -> None:
    try:
        write_secret(path, f"{token.text}\n".encode())
    except OSError as error:
        raise _unwritten(path, error) from None


def _end(begun: Path, path: Path) -> None:
    try:
        begun.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from None


def _unwritten(path: Path, error: OSError) -> StartError:
    return StartError(f"{path} cannot be written: {error.strerror or error}")


def _remember_elsewhere(known: Callable[[], KnownServers], reached: Reached, token: Token) -> None:
    """Have commands find the server at an address that is new to them, as after a change of it."""
    with suppress(StartError):
        file = known()
        if file.of(reached.here[0]) is None:
            _keep(file, reached, token)


def _remember(
    known: Callable[[], KnownServers], reached: Reached, token: Token, path: Path
) -> list[str]:
    """Have the commands of this user find pin and token; return what is to be said of it."""
    try:
        _keep(known(), reached, token)
    except StartError as error:  # such as a service's user, who has no home
        log.warning("%s; the operator's token is in %s", error, path)
        pin = f" --pin {reached.pin.hex()}" if reached.pin else ""
        return [f"use it here: python -m dc sign-in {path} --server {reached.here[0]}{pin}"]
    return []


def _keep(file: KnownServers, reached: Reached, token: Token) -> None:
    is_default = is_loopback(urlsplit(file.default).hostname or "localhost")
    if may_carry(reached.page):
        is_tls = reached.page.startswith("https")
        file.keep(reached.page, Known(reached.page_pin.hex(), token.text, is_tls))
    for url in reached.here:
        own = Known(reached.pin.hex(), token.text, bool(reached.pin))
        file.keep(url, own, default=is_default and url == reached.here[0])


async def _lines(ask: Ask, reached: Reached, *, terminal: bool) -> list[str]:
    lines = ["add a computer: python -m dc invite"]
    if terminal:
        secret = secrets.token_bytes(invites.SECRET_BYTES)
        wanted = NewInvite(
            name="first start", lifetime=LINK_SECONDS, purpose="sign_in", roles=["admin"]
        )
        await ask(MakeInvite(wanted, secret))
        link = f"{reached.page}/sign-in#{invites.secret_text(secret)}"
        lines.insert(0, f"sign in, once, within an hour: {link}")
    else:  # what is printed may go to a log
        lines.insert(0, "sign in: python -m dc sign-in-link")
    if reached.page_pin:
        lines.append(f"its key, to compare: {pin_text(reached.page_pin)}")
    return lines
