"""The first start of a server that others may reach: its operator's token, and the first way in.

The operator's token is in the data folder, in a file of its own: whoever can write there is the
operator. It is written before the server knows it, so that a server that is killed in between makes
the same one again. Where the file is missing, or its token is not valid any more, the next start
makes another: so nobody is locked out for good.
"""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from dc import invites, tokens
from dc.errors import StartError
from dc.known_servers import Known, KnownServers, is_loopback, pin_text, write_secret
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
        address: the one it listens on, as a URL.
        pin: the SHA-256 of its public key; empty for a certificate that browsers accept.
        host_name: of this computer, for addresses that name none.
        told: the address that others are told, as a URL; empty for what can be made of the rest.
    """

    address: str
    pin: bytes
    host_name: str
    told: str = ""

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self.address).port or 443

    @property
    def page(self) -> str:
        """The address of the page, for a browser on any computer."""
        if self.told:
            return self.told
        scheme, host = urlsplit(self.address).scheme, urlsplit(self.address).hostname or ""
        if host in ("0.0.0.0", "::"):  # noqa: S104  # that is no address to go to
            host = self.host_name
        return f"{scheme}://{_bracketed(host)}:{self.port}"

    @property
    def own(self) -> list[str]:
        """Its addresses for programs on this computer, the one to be used first."""
        scheme, host = urlsplit(self.address).scheme, urlsplit(self.address).hostname or ""
        names = ["127.0.0.1", "localhost"]
        if host == "::":
            names.append("::1")
        elif host not in ("0.0.0.0", *names):  # noqa: S104
            # An address of its own alone: the loopback ones are not listened to.
            names = [host]
        if is_loopback(host) and host not in names:
            names = [host]
        found = [f"{scheme}://{_bracketed(name)}:{self.port}" for name in names]
        return [*found, *([] if self.page in found else [self.page])]


async def first_start(
    ask: Ask,
    access: Access,
    data: Path,
    reached: Reached,
    now: float,
    known: Callable[[], KnownServers] = KnownServers,
) -> list[str]:
    """See to it that there is an operator's token; return lines to be printed, if it was made.

    Args:
        ask: has the server do a command.
        access: knows who is let in.
        data: the data folder.
        reached: how the server is reached.
        now: the Unix time.
        known: the file of servers of the user who starts it.

    Raises:
        StartError: the file of the token cannot be read or written.
    """
    path = data / TOKEN_FILE
    token = _read(path)
    if token is not None and (who := access.who_has(token.text, now)) and who.may("admin"):
        return []
    if token is None or access.token(token.id) is not None:  # none, or one that was revoked
        token = tokens.make(secrets.token_bytes(tokens.RANDOM_BYTES))
        _write(path, token)
    random = base64.b32decode(token.id.upper()) + token.secret
    await ask(MakeToken(["admin"], OPERATOR, None, random))
    kept = _remember(known, reached, token, path)
    return [*await _lines(ask, reached), *kept]


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
        raise StartError(f"{path} cannot be written: {error.strerror or error}") from None


def _remember(
    known: Callable[[], KnownServers], reached: Reached, token: Token, path: Path
) -> list[str]:
    """Have the commands of this user find pin and token; return what is to be said of it."""
    try:
        file = known()
        default = file.default
        is_default = not default or is_loopback(urlsplit(default).hostname or "")
        for url in reversed(reached.own):
            own = Known(reached.pin.hex(), token.text)
            file.keep(url, own, default=is_default and url == reached.own[0])
    except StartError as error:  # such as a service's user, who has no home
        log.warning("%s; the operator's token is in %s", error, path)
        pin = f" --pin {reached.pin.hex()}" if reached.pin else ""
        return [f"use it here: python -m dc sign-in {path} --server {reached.own[0]}{pin}"]
    return []


async def _lines(ask: Ask, reached: Reached) -> list[str]:
    secret = secrets.token_bytes(invites.SECRET_BYTES)
    wanted = NewInvite(
        name="first start", lifetime=LINK_SECONDS, purpose="sign_in", roles=["admin"]
    )
    await ask(MakeInvite(wanted, secret))
    lines = [
        f"sign in, once, within an hour: {reached.page}/sign-in#{invites.secret_text(secret)}",
        "add a computer: python -m dc invite",
    ]
    if reached.pin:
        lines.append(f"its key, to compare: {pin_text(reached.pin)}")
    return lines


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
