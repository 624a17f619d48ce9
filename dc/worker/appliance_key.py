"""The key of a computer that keeps nothing, so that it is the same worker after each start.

It is derived from the secret of the join code and from what the computer is. So it is known to
nobody who does not have the code; who has it could be any of the computers that were booted by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

_SALT: Final = b"dc: a worker that was booted from the image, 1"
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_NOT_UNIQUE: Final = frozenset(
    (
        "03000200-0400-0500-0006-000700080009",
        "00020003-0004-0005-0006-000700080009",
        "12345678-1234-5678-90ab-cddeefaabbcc",
        "00010203-0405-0607-0809-0a0b0c0d0e0f",
        "03020100-0504-0706-0809-0a0b0c0d0e0f",
    )
)
"""UUIDs that makers of boards have left as they were, in many computers."""

_DIGITS_LEAST: Final = 4
"""Different ones that a UUID has: of those that were made by chance, one in 10^18 has fewer."""


class Keys(Struct, frozen=True):
    """What a worker is known by: its private key, and the name of its folder's worker."""

    private: bytes
    name: str


def computer_id(uuid: str, macs: Sequence[str]) -> str:
    """Return what tells a computer from all others; empty if nothing does.

    Args:
        uuid: as its firmware says it.
        macs: the addresses of its network cards.
    """
    uuid = uuid.strip().lower()
    is_own = uuid not in _NOT_UNIQUE and len(set(uuid) - {"-"}) >= _DIGITS_LEAST
    if _UUID.fullmatch(uuid) and is_own:
        return f"uuid {uuid}"
    found = [one for one in usable(macs) if len(set(one) - {":"}) > 1]
    return f"mac {min(found)}" if found else ""


def usable(macs: Sequence[str]) -> list[str]:
    """Return those addresses of cards that are some, written alike."""
    lower = (one.strip().lower() for one in macs)
    return [one for one in dict.fromkeys(lower) if _MAC.fullmatch(one)]


def keys_of(secret: bytes, computer: str) -> Keys:
    """Return the keys of a computer under a join code.

    Args:
        secret: of the code.
        computer: as `computer_id` returns it; not empty.
    """
    assert computer
    private = _derived(secret, f"key of {computer}", 32)
    return Keys(private, _derived(secret, f"name of {computer}", 16).hex())


def _derived(secret: bytes, what: str, size: int) -> bytes:
    return HKDF(SHA256(), size, _SALT, what.encode()).derive(secret)
