"""The numbers that keep strangers from taking what is there for everybody; see dc/server/guard.py.

A stranger is a connection over which nobody has shown a token, a session or a worker's key yet.
"""

from __future__ import annotations

from typing import Final

from dc.limits import KIB, MIB

# --- connections ----------------------------------------------------------------------------------

STRANGERS_PER_ADDRESS: Final = 1000
"""Connections of strangers from one address at a time: so many workers behind one router come back
at once after a power cut. At HEAD_BYTES each, what they can make the server hold is 16 MB."""

STRANGERS: Final = 10_000
"""Connections of strangers in all: half of CONNECTIONS, so that there is always room for who has
shown who it is. For a further one the slowest of them goes."""

SPEAK_SECONDS: Final = 60.0
"""From a connection's beginning to its first byte: a program sends its request at once, and a
browser that has connected ahead does so again when it needs to. For HEAD_SECONDS' reason it is no
less."""

HEAD_CALM_SECONDS: Final = 0.25
"""After which a head that is not whole yet is only looked at again once it is twice as old: one
that comes byte by byte costs a few looks, and not one for each byte."""

FILES_SPARE: Final = 1024
"""Open files that the process needs beside its connections: the store, blobs, plugins, threads."""

# --- requests -------------------------------------------------------------------------------------

REQUESTS_PER_SECOND: Final = 1000.0
"""Of one token, session or worker, over a long time: an answer takes about a millisecond, and tasks
of a worker with many slots fetch results of others."""

REQUESTS_BURST: Final = 10_000.0
"""Of the same at once, after a rest."""

STRANGE_REQUESTS_SHARE: Final = 0.1
"""Of REQUESTS_PER_SECOND that one address has for requests which show nothing: the files of the
page, joining, signing in."""

STRANGE_BURST: Final = 3000.0
"""Of the same at once: a thousand workers behind one router join with three requests each."""

REFUSAL_PAUSE_SECONDS: Final = 1.0
"""That a request beyond these waits for its refusal at most: so each connection that goes on costs
one answer a second."""

BODY_BYTES_PER_ADDRESS: Final = 64 * MIB
"""Of bodies of requests that one address has under way into the server's memory; further requests
are refused until some are answered. What goes to a blob counts as BODY_PIECE_BYTES."""

BODY_PIECE_BYTES: Final = 64 * KIB
"""Of a body that goes to the disk, the part that is in memory."""

# --- signing in and joining -----------------------------------------------------------------------

FREE_FAILURES: Final = 10
"""Wrong tokens, codes or links of one address before it has to wait: who copies one by hand, and
some computers behind one router that hold a token which is over."""

FAILURE_SECONDS: Final = 1.0
"""That an address waits after the next one; doubled by each further one."""

FAILURE_SECONDS_MOST: Final = 300.0
"""The longest such wait. Secrets have 80 random bits and more, so waiting is not what protects
them: it is what makes trying pointless, and keeps the audit log readable."""

FORGIVEN_SECONDS: Final = 3600.0
"""Without a failure, after which an address starts anew."""

FAILURES_PER_SECOND: Final = 10.0
FAILURES_BURST: Final = 1000.0
"""Of all addresses together, over a long time and at once. Beyond them only addresses that have not
failed lately may try: so many attackers cannot lock out everybody."""

# --- memory of all this ---------------------------------------------------------------------------

ADDRESSES: Final = 10_000
"""Addresses of which something is remembered, the latest: at 200 bytes, 2 MB for each kind."""

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that count as one address: what one household or computer is given."""
