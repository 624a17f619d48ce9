"""Limits of who is let in, and how: each with its unit and its reason."""

from __future__ import annotations

from typing import Final

TOKENS: Final = 10_000
"""Tokens that are kept, but for sessions: all are in memory, at about a kilobyte each. Those that
let nobody in any more make way for new ones."""

SESSIONS: Final = 10_000
"""Sessions of browsers that are open at a time; the oldest of all make way for new ones."""

SESSIONS_OF_ONE: Final = 1000
"""Sessions that were opened by one token or invite; its oldest make way for new ones."""

SESSION_SECONDS: Final = 30 * 86400.0
"""Until a browser has to sign in again, unless its token ends before that: a month."""

SESSIONS_LOOKED_SECONDS: Final = 600.0
"""Between two looks for sessions that are over, which are then forgotten: they are no longer let in
by then, and a look at all of them takes a few milliseconds."""

USED_SECONDS: Final = 60.0
"""By which it is known when a token was last used: one that is used all the time costs the disk a
row in so many seconds."""

USED_WRITTEN: Final = 500
"""Tokens of which that is written down at a time: a commit of a few milliseconds."""

INVITES: Final = 10_000
"""Invites that are kept; those that let nobody in any more make way for new ones."""

WORKER_KEYS: Final = 50_000
"""Keys of workers that are kept: all are in memory, at one or two kilobytes each. Those that joined
longest ago and are not here make way for new ones."""

KEYS_SHOWN: Final = 2000
"""Keys in one answer of the API: a megabyte or two. Those that wait come first."""

GROUPS: Final = 1000
"""Groups of workers."""

ABOUT_CHARS: Final = 1000
"""Of all that a worker which joins says of itself: enough for system, processors and memory."""

KNOCKS: Final = 256
"""Workers without a code that wait to be let in, in memory alone: more than anybody compares."""

KNOCKS_OF_ADDRESS: Final = 16
"""Of these, from one address (of IPv6, one network): a room of computers behind one router."""

KNOCK_SECONDS: Final = 600.0
"""For which such a worker waits: until somebody has walked to the page. It may then knock again."""

REVEAL_SECONDS: Final = 30.0
"""That it may take to reveal its half of the number: one round trip, and nobody can see it yet."""

AUDIT_KEPT: Final = 100_000
"""Entries of the audit log that are kept, the newest: some 30 MB; the schema says the same."""

AUDIT_CHARS: Final = 500
"""Of an entry's text."""

AUDIT_FIELD_CHARS: Final = 256
"""Of each other text of an entry: as much as a name has."""

AUDIT_SEARCH_CHARS: Final = 200
"""Of a text that is looked for in the audit log."""

AUDIT_PAGE: Final = 1000
"""Entries of one page of it: 300 KB."""

REFUSED_SECONDS: Final = 60.0
"""In which refusals of one kind from one address are one entry, with how many there were."""

REFUSED_FLOWS: Final = 500
"""Kinds and addresses whose refusals are counted apart; what comes from more is counted together,
so that a flood from all over the world writes so many entries in a minute at most."""

KIB: Final = 1024

# --- at the gate ----------------------------------------------------------------------------------

CHALLENGE_SECONDS: Final = 60.0
"""A worker's challenge is taken for one to two of these: an answer is a signature, and comes at
once, but the computer may be slow or asleep for a moment."""

CHALLENGES_MET: Final = 100_000
"""Of one CHALLENGE_SECONDS, that are remembered: about 10 MB. Only who has a key that was let in
can meet one, and a computer does so once for each connection."""

SESSION_REST_SECONDS: Final = 30.0
"""For which a worker's session outlives its socket: what it fetches meanwhile comes to its end, and
it needs some seconds to be back."""

WATCHED_SECONDS: Final = 1.0
"""Between two looks at whether those who are sent a long answer still may have it: a token may end
by time alone."""

NAMES_SECONDS: Final = 2.0
"""To find the addresses of this computer's name: where that is not known nearby, it is not worth
more."""

COOKIE_CHARS: Final = 4000
"""Of a browser's cookies: what is longer is not looked at."""

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
