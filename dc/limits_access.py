"""Every number that bounds who is let in and how, with its unit and its reason."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024

# --- TLS ------------------------------------------------------------------------------------------

HANDSHAKE_SECONDS: Final = 10.0
"""From the connection to the end of the TLS handshake: four packets on the slowest line."""

HANDSHAKES: Final = 1000
"""Connections in the midst of it, of all that are open: each holds some 30 KiB, and no more."""

HANDSHAKE_BYTES: Final = 64 * KIB
"""That a peer may send before the handshake ends: an honest one sends 2 KiB, with a certificate of
its own 8."""

PLAIN_HEAD_BYTES: Final = 4 * KIB
"""Of a plain HTTP request on a port with TLS, to tell where it should have gone."""

TLS_PIECE_BYTES: Final = 48 * KIB
"""Encrypted at once: three records of TLS. Twice as much is slower: its memory is mapped each time,
see dc/memory.py (measured)."""

TLS_OWED_BYTES: Final = 64 * KIB
"""Of what TLS itself has to say, which a peer does not take: an honest one leaves some hundred."""

CERTIFICATE_DAYS: Final = 820
"""That a certificate made here is valid: what browsers and systems take at most is 825."""

CERTIFICATE_RENEW_DAYS: Final = 90
"""Left of them, a new one is made for the same key."""

CERTIFICATE_LOOK_SECONDS: Final = 60.0
"""Between two looks at whether the certificate was changed, or is to be renewed."""

PIN_BYTES_LEAST: Final = 16
"""Of a pin: nobody finds a key that has the same 128 bits."""

CERTIFICATE_BYTES: Final = 256 * KIB
"""Of a file with a certificate or a key: a chain of four has 8."""

PROXY_HEAD_BYTES: Final = 16 * KIB
"""Of what a proxy answers to CONNECT."""
