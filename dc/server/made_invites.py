"""Invites as they are given to people: a code, a line to type, a QR code, a link."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlencode

import segno
from msgspec import Struct

from dc import invites, limits
from dc.errors import OptionsError
from dc.invites import Invite
from dc.view_access import InviteView, MadeInvite, NewInvite

BOOT: Final = "dc.invite="
"""What a line for the boot of a computer begins with."""

_ADDRESS: Final = re.compile(
    r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<name>[\w.-]{1,253}))(?::(?P<port>[0-9]{1,5}))?"
)

Address = tuple[str, int]


class Place(Struct, frozen=True):
    """Where a server is reached.

    Attributes:
        addresses: hosts and ports, the likeliest first.
        pin: the SHA-256 of its public key; empty if it is verified as browsers do.
        scheme: of its URL.
    """

    addresses: list[Address]
    pin: bytes = b""
    scheme: str = "https"

    @property
    def url(self) -> str:
        """Its likeliest URL."""
        host, port = self.addresses[0]
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def made(view: InviteView, secret: bytes, place: Place) -> MadeInvite:
    """Return an invite as it is shown to who has made it.

    Args:
        view: the invite.
        secret: its secret.
        place: where the server is reached.

    Raises:
        OptionsError: an address is too long for a code.
    """
    if view.purpose == "sign_in":
        code = invites.secret_text(secret)
        link = f"{place.url}/sign-in#{code}"
        return MadeInvite(
            invite=view, code=code, link=link, shell="", file="", pxe="", qr=qr_rows(link)
        )
    code = code_of(secret, place)
    return MadeInvite(  # noqa: S604  # nosec B604  # its `shell` is a line to be shown
        invite=view,
        code=code,
        link="",
        shell=f"python -m dc.worker {code}",  # nosec B604
        file=f"{BOOT}{code}\n",
        pxe=f"{BOOT}{code}",
        qr=qr_rows(code.upper()),  # these letters alone take half the room, and mean the same
    )


def boot_places(secret: bytes, place: Place, new: NewInvite, *, clear: bool) -> dict[str, str]:
    """Return the addresses from which a computer boots by an invite, by their fields.

    Args:
        secret: of the invite.
        place: where the server is reached.
        new: what was wanted of the invite.
        clear: whether boot loaders are served without TLS: they trust no certificate of ours.
    """
    base = f"{place.url}/boot/{invites.secret_text(secret)}"
    public = [("public", "1")] if new.public else []
    query, more = (
        urlencode(public),
        urlencode([*public, *(("address", one) for one in new.addresses)]),
    )
    script = f"{base}/boot.ipxe{'?' * bool(query)}{query}"
    iso = f"worker.iso{'?' * bool(more)}{more}"
    return {
        "boot": re.sub("^https:", "http:", script) if clear else script,
        "iso": f"{base}/{iso}",
        "iso_arm64": f"{base}/arm64/{iso}",
    }


def code_of(secret: bytes, place: Place) -> str:
    """Return the join code of a secret; OptionsError if an address is too long for one."""
    pin = place.pin[: invites.PIN_BYTES]
    try:
        return Invite(secret, pin, place.addresses[: invites.MOST_ADDRESSES]).text
    except ValueError as error:
        raise OptionsError(f"addresses: {error}") from None


def qr_rows(text: str) -> list[str]:
    """Return the rows of a QR code, of `0` and `1`, without a margin."""
    code = segno.make(text, error="m", micro=False)
    return ["".join("1" if dark else "0" for dark in row) for row in code.matrix]


def read_addresses(texts: Sequence[str], port: int) -> list[Address]:
    """Return the hosts and ports of `HOST:PORT`, `HOST`, `[HOST]:PORT`.

    Args:
        texts: what was given.
        port: where none is said.

    Raises:
        OptionsError: one is no address.
    """
    return [_address(text.strip(), port) for text in texts]


def _address(text: str, port: int) -> Address:
    found = _ADDRESS.fullmatch(text)
    with suppress(ValueError):
        if found is None:
            return str(ipaddress.IPv6Address(text)), port
        host, said = found["name"], int(found["port"] or port)
        if host is None:
            host = str(ipaddress.IPv6Address(found["six"]))
        if 0 < said < 65536:
            return host, said
    raise OptionsError(f"addresses: {text[: limits.TEXT_CHARS]!r} is no HOST:PORT")
