"""The number that a worker without a code and the server show, for a person to compare.

Neither side can choose it. The worker sends the SHA-256 of its nonce; the server answers with its
own nonce; only then the worker reveals its one. So who stands between the two, with a key of its
own to each of them, has one guess in a million for each number that a person compares: the two
numbers are of different keys, and differ.
"""

from __future__ import annotations

import hashlib
from typing import Final

NONCE_BYTES: Final = 16
DIGITS: Final = 6

SAID: Final = b"dc: the number of a worker that joins:\n"


def commitment(nonce: bytes) -> str:
    """Return what a worker sends first: the SHA-256 of its nonce, as 64 hexadecimal digits."""
    return hashlib.sha256(nonce).hexdigest()


def number(server: str, key: str, worker_nonce: bytes, server_nonce: bytes) -> str:
    """Return the six digits.

    Args:
        server: the whole pin of the server as 64 hexadecimal digits: to the worker, that of the
            certificate which it was shown; without TLS, the server's identity.
        key: the worker's public key, 64 hexadecimal digits.
        worker_nonce: 16 random bytes of the worker.
        server_nonce: 16 random bytes of the server.
    """
    said = SAID + f"{server}\n{key}\n".encode() + worker_nonce + server_nonce
    found = int.from_bytes(hashlib.sha256(said).digest()[:16]) % 10**DIGITS
    return f"{found:0{DIGITS}d}"
