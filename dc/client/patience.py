"""How a client goes on where its server is not there, and what the server said where it is."""

from __future__ import annotations

import random

import msgspec
import trio

from dc import limits_client as limits
from dc.errors import ConnectionLost, DcError, HttpError, by_code
from dc.view_server import Problem


class Patience:
    """Growing, jittered pauses between tries to reach a server, for a bounded time."""

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._pause = limits.FOLLOW_PAUSE_SECONDS

    def reached(self) -> None:
        """Note that the server answers: the time to reach it begins anew when it is lost again."""
        self._deadline = None

    async def pause(self, error: ConnectionLost) -> None:
        """Wait before the next try; raise the error if there is to be none."""
        now = trio.current_time()
        if self._deadline is None:
            self._deadline = now + limits.FOLLOW_SECONDS
        pause = self._pause * random.uniform(0.5, 1.5)
        if now + pause > self._deadline:
            raise error
        await trio.sleep(pause)
        self._pause = min(2 * self._pause, limits.FOLLOW_PAUSE_SECONDS_MOST)


def named(error: HttpError) -> DcError:
    """Return the error that the server named in the problem it answered with; else the same one."""
    try:
        said = msgspec.json.decode(str(error.args[0]), type=Problem)
    except msgspec.DecodeError:
        return error
    return by_code(said.code, said.detail)
