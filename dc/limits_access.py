"""Limits of who is let in, each with its unit and its reason."""

from __future__ import annotations

from typing import Final

# --- at the gate --------------------------------------------------------------------------------

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

COOKIE_CHARS: Final = 4000
"""Of a browser's cookies: what is longer is not looked at."""
