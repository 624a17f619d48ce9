"""How a worker proves who it is: by a key of its own (Ed25519) and signatures of challenges.

The exchange, on one connection, before the socket is opened; both sides' clocks do not matter:

    GET /socket                        401, WWW-Authenticate: DC-Key server="…", nonce="…"
    GET /socket                        101, DC-Session: …
    Authorization: DC-Key key="…", nonce="…", signature="…"

What is signed names the server and the nonce, so a signature is of no use anywhere else or at any
other time. The server is named by the pin of the key that it shows by TLS, all 64 digits of it; or
by its identity, as in Welcome, if a proxy shows another one. A worker that sees another key than
the one that is named signs nothing: else a server that it has joined could pass on what another one
asks, and be this worker there. The session is a secret for requests over HTTP (in
`Authorization: Bearer …`) for as long as the socket is open.
"""

from __future__ import annotations

import re
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

SCHEME: Final = "DC-Key"
SESSION_HEADER: Final = "DC-Session"
KEY_BYTES: Final = 32
SAID: Final = b"dc: I am the worker of this key, to this server, for this challenge:\n"

_CHALLENGE: Final = re.compile(
    r'DC-Key\s+server="([\x20-\x21\x23-\x7e]{0,80})",\s*nonce="([0-9a-zA-Z_.-]{16,160})"'
)
_PROOF: Final = re.compile(
    r'DC-Key\s+key="([0-9a-f]{64})",\s*nonce="([0-9a-zA-Z_.-]{16,160})",\s*signature="([0-9a-f]{128})"'
)


class Challenge(Struct, frozen=True):
    """What a server asks to be signed: what names it, and something that was never asked before.

    `date` is when it said so, by its own clock, as in the header Date; nothing depends on it.
    """

    server: str
    nonce: str
    date: str = ""

    @property
    def header(self) -> str:
        """The value of WWW-Authenticate."""
        return f'{SCHEME} server="{self.server}", nonce="{self.nonce}"'

    @property
    def said(self) -> bytes:
        """The bytes that are signed."""
        return SAID + f"{self.server}\n{self.nonce}".encode()


class Proof(Struct, frozen=True):
    """What a worker answers.

    Attributes:
        key: its public key, 64 hexadecimal digits.
        nonce: of the challenge.
        signature: 64 bytes.
    """

    key: str
    nonce: str
    signature: bytes

    @property
    def header(self) -> str:
        """The value of Authorization."""
        return (
            f'{SCHEME} key="{self.key}", nonce="{self.nonce}", signature="{self.signature.hex()}"'
        )

    def holds(self, server: str) -> bool:
        """Whether the worker of this key has signed its nonce for the server that is named so."""
        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key))
            public.verify(self.signature, Challenge(server, self.nonce).said)
        except (InvalidSignature, ValueError):
            return False
        return True


def new_private() -> bytes:
    """Return a new private key, 32 bytes."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_of(private: bytes) -> str:
    """Return the public key of a private one (32 bytes) as 64 hexadecimal digits."""
    key = Ed25519PrivateKey.from_private_bytes(private)
    return key.public_key().public_bytes_raw().hex()


def prove(private: bytes, challenge: Challenge) -> Proof:
    """Return the answer to a challenge, by a private key (32 bytes)."""
    signature = Ed25519PrivateKey.from_private_bytes(private).sign(challenge.said)
    return Proof(public_of(private), challenge.nonce, signature)


def read_challenge(header: str) -> Challenge | None:
    """Return the challenge that a WWW-Authenticate has, None if it has none."""
    found = _CHALLENGE.search(header[:1000])
    return Challenge(found[1], found[2]) if found else None


def read_proof(header: str) -> Proof | None:
    """Return the proof that an Authorization is, None if it is none."""
    found = _PROOF.fullmatch(header[:1000])
    return Proof(found[1], found[2], bytes.fromhex(found[3])) if found else None
