"""The guard's shell: it knows connections by their requests; what is refused waits a little."""

from __future__ import annotations

from contextlib import AbstractContextManager

import trio

from dc import limits_guard, limits_shown
from dc.http import Request
from dc.roles import NOBODY
from dc.server.gate import shown
from dc.server.guard import Guard, too_many
from dc.server.places import Visit


class Limiter:
    """Holds requests against what whoever asks may ask for.

    Args:
        guard: decides.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def held(self, request: Request, visit: Visit | None) -> AbstractContextManager[None]:
        """Let a request be answered, or have it wait a little and refuse it.

        Args:
            request: of which is known who asks.
            visit: the connection it came over.

        Returns:
            What counts its body while it is answered.

        Raises:
            TooManyTries: there was too much of this from there.
        """
        who, now = request.principal, trio.current_time()
        if visit is not None and who is not NOBODY:
            self._guard.places.know(visit)
        if wait := self._guard.ask(request.address, who.token or who.worker_key, now):
            await trio.sleep(min(wait, limits_guard.REFUSAL_PAUSE_SECONDS))
            raise too_many(wait)
        if who is NOBODY and shown(request.headers):
            self._guard.wrong_token(request.address, now)
        return self._guard.carried(request.address, _held_bytes(request))


def _held_bytes(request: Request) -> int:
    """Return how much of a request's body may be in memory at a time."""
    size, whole = request.content_length, request.segments[0] != "blobs"
    most = limits_shown.SUBMITTED_BYTES if whole else limits_guard.BODY_PIECE_BYTES
    return most if size is None else min(size, most)
