"""Join codes: all that a computer needs to know to become a worker of a server, as one short text.

    dc1-<lower-case base32 of: flags, secret, pin, addresses, checksum>

- flags, one byte: bit 0 says that there is a pin. Others are 0: a code with one of them is newer.
- secret, 10 bytes: lets so many workers in, until a date. Nobody can try them all over the network.
- pin, the first 16 bytes of the SHA-256 of the server's public key (SubjectPublicKeyInfo), if there
  is one; without it the server's certificate is verified as browsers do.
- addresses, each as one byte for its kind and length, and what it is: see `_address`.
- checksum, the first 2 bytes of the SHA-256 of all before it: a letter that was lost or changed is
  found before anything is asked of anybody.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from dc.errors import StartError

PREFIX: Final = "dc1-"
SECRET_BYTES: Final = 10
PIN_BYTES: Final = 16
CHECK_BYTES: Final = 2
MOST_CHARS: Final = 1000
"""Of a code: what is longer is not looked at. A QR code holds up to 4,296."""

MOST_ADDRESSES: Final = 8
"""Of one server: all its networks."""

_PINNED: Final = 1
_V4, _V6, _NAME = 0, 1, 2
_SIZES: Final[Mapping[int, int]] = MappingProxyType({_V4: 4, _V6: 16})
_HOST: Final = re.compile(rb"[0-9A-Za-z._-]+")


class Invite(Struct, frozen=True):
    """What a join code says.

    Attributes:
        secret: 10 bytes.
        pin: 16 bytes of the SHA-256 of the server's public key; empty for a server whose
            certificate is verified by the authorities that the computer knows.
        addresses: hosts and ports, the likeliest first; at least one.
    """

    secret: bytes
    pin: bytes
    addresses: list[tuple[str, int]]

    @property
    def text(self) -> str:
        """The code; ValueError if an address cannot be put into one."""
        flags = _PINNED if self.pin else 0
        body = bytes([flags]) + self.secret + self.pin
        body += b"".join(_address(*one) for one in self.addresses)
        return sealed(body)


def secret_text(secret: bytes) -> str:
    """Return the secret of an invite for a browser as it stands in its link: 16 letters."""
    return base64.b32encode(secret).decode().lower()


def read_secret(text: str) -> bytes | None:
    """Return the secret that a text is, None if it is none. May be given anything."""
    letters = text.strip()
    if len(letters) != SECRET_BYTES * 8 // 5 or not letters.isascii():
        return None
    try:
        return base64.b32decode(letters.upper())
    except (binascii.Error, ValueError):
        return None


def sealed(body: bytes) -> str:
    """Return the code of these bytes, with their checksum, whatever they are."""
    body += hashlib.sha256(body).digest()[:CHECK_BYTES]
    return PREFIX + base64.b32encode(body).decode().rstrip("=").lower()


def is_code(text: str) -> bool:
    """Whether a text is meant to be a join code."""
    return text.strip().lower().startswith(PREFIX)


def read(text: str) -> Invite:
    """Return what a code says; spaces, line breaks and capitals in it do not matter.

    Raises:
        StartError: it is no code, or one that was not copied whole, or one of a newer dc.
    """
    wrong = StartError("this join code is not whole: copy all of it, from dc1- to its last letter")
    letters = "".join(text[: 2 * MOST_CHARS].split()).lower()
    if not letters.startswith(PREFIX) or not letters.isascii() or len(letters) > MOST_CHARS:
        raise wrong
    letters = letters.removeprefix(PREFIX).upper()
    try:
        data = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except (binascii.Error, ValueError):
        raise wrong from None
    body, check = data[:-CHECK_BYTES], data[-CHECK_BYTES:]
    if len(body) < 1 + SECRET_BYTES or hashlib.sha256(body).digest()[:CHECK_BYTES] != check:
        raise wrong
    if body[0] & ~_PINNED:
        raise StartError("this join code is of a newer dc: update this one")
    at = 1 + SECRET_BYTES
    pin = body[at : at + PIN_BYTES] if body[0] & _PINNED else b""
    addresses = _addresses(body[at + len(pin) :])
    if not addresses or (body[0] & _PINNED and len(pin) < PIN_BYTES):
        raise wrong
    return Invite(body[1:at], pin, addresses)


def _address(host: str, port: int) -> bytes:
    """Return an address as bytes: kind and length of its host in one, the host, two of the port."""
    try:
        address = ipaddress.ip_address(host)
        kind, data = (_V4 if address.version == 4 else _V6), address.packed
    except ValueError:
        kind, data = _NAME, host.encode("idna") if not host.isascii() else host.encode()
    if not 0 < len(data) < 64:
        raise ValueError(f"{host!r} is too long for a join code: 63 bytes at most")
    return bytes([kind << 6 | len(data)]) + data + port.to_bytes(2)


def _addresses(data: bytes) -> list[tuple[str, int]]:
    """Return the addresses that follow one another; nothing if they cannot be."""
    found: list[tuple[str, int]] = []
    while data:
        kind, size = data[0] >> 6, data[0] & 63
        host, port, data = data[1 : 1 + size], data[1 + size : 3 + size], data[3 + size :]
        text = _host(kind, host)
        if not text or len(host) != size or len(port) != 2 or len(found) == MOST_ADDRESSES:
            return []
        found.append((text, int.from_bytes(port)))
    return found


def _host(kind: int, data: bytes) -> str:
    """Return the host that these bytes are; empty if they are none of this kind."""
    if kind == _NAME:
        return data.decode() if _HOST.fullmatch(data) else ""
    return str(ipaddress.ip_address(data)) if _SIZES.get(kind) == len(data) else ""
