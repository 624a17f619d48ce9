"""Tokens as text: what is shown to be let in, and what is kept of it.

    dct_<16 letters: the id>_<32 letters: the secret>

The letters are lower-case base32. The id is no secret: it names the token in lists and in the audit
log. The secret is 160 random bits, so a plain SHA-256 of it is enough to keep: nobody can try them
all, and a slow hash would only make requests slow.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

from msgspec import Struct

PREFIX: Final = "dct"
ID_BYTES: Final = 10
SECRET_BYTES: Final = 20
RANDOM_BYTES: Final = ID_BYTES + SECRET_BYTES
"""Needed to make a token."""

MOST_CHARS: Final = 64
"""Of a token as text; it has 53. What is longer is not looked at."""


class Token(Struct, frozen=True):
    """A token that was made or shown.

    Attributes:
        id: 16 letters, no secret.
        secret: 20 bytes.
    """

    id: str
    secret: bytes

    @property
    def text(self) -> str:
        """The whole of it, as it is shown."""
        return f"{PREFIX}_{self.id}_{_letters(self.secret)}"

    @property
    def digest(self) -> bytes:
        """What is kept of its secret: the SHA-256 (32 bytes)."""
        return hashlib.sha256(self.secret).digest()

    def is_of(self, digest: bytes) -> bool:
        """Whether this is the token of which that was kept; takes the same time in any case."""
        return hmac.compare_digest(self.digest, digest)


def make(random: bytes) -> Token:
    """Return a new token of RANDOM_BYTES random bytes."""
    assert len(random) == RANDOM_BYTES
    return Token(_letters(random[:ID_BYTES]), random[ID_BYTES:])


def read(text: str) -> Token | None:
    """Return the token that a text is, None if it is none. May be given anything."""
    if len(text) > MOST_CHARS or not text.isascii():
        return None
    parts = text.strip().lower().split("_")
    if len(parts) != 3 or parts[0] != PREFIX:
        return None
    try:
        name, secret = _bytes(parts[1]), _bytes(parts[2])
    except (binascii.Error, ValueError):
        return None
    if len(name) != ID_BYTES or len(secret) != SECRET_BYTES:
        return None
    return Token(parts[1], secret)


def _letters(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _bytes(text: str) -> bytes:
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
