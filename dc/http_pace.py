"""How slowly the other side may send a head, and send or take a body."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from dc import limits_guard, limits_http
from dc.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Pace:
    """Watches one body: each minute of it has to bring some bytes, or it holds a place for nothing.

    It begins with its first wait, and begins anew after each minute.
    """

    __slots__ = ("_bytes", "_seen", "_since")

    def __init__(self) -> None:
        self._since = self._seen = trio.current_time()
        self._bytes = 0

    def resume(self) -> Pace:
        """Do not count the time since bytes were counted last: nobody has waited for more."""
        now = trio.current_time()
        self._since += now - self._seen
        self._seen = now
        return self

    def keeps(self, size: int) -> bool:
        """Count bytes; return whether the last minute, if one is over, has brought enough."""
        self._bytes += size
        self._seen = trio.current_time()
        seconds = trio.current_time() - self._since
        if seconds < limits_http.PACE_SECONDS:
            return True
        enough = self._bytes >= seconds * limits_http.PACE_BYTES_PER_SECOND
        self._since, self._bytes = trio.current_time(), 0
        return enough

    def check(self, size: int) -> None:
        """Count bytes of a request's body.

        Raises:
            ProtocolError: 408, they come too slowly.
        """
        if not self.keeps(size):
            text = f"the body comes at less than {limits_http.PACE_BYTES_PER_SECOND} bytes a second"
            raise ProtocolError(text, status=408)


@contextmanager
def patience() -> Iterator[None]:
    """Bound a wait for more of a body."""
    with trio.move_on_after(limits_http.BODY_IDLE_SECONDS) as scope:
        yield
    if scope.cancelled_caught:
        text = f"nothing of the body within {limits_http.BODY_IDLE_SECONDS:g} seconds"
        raise ProtocolError(text, status=408)


async def calm(began: float) -> None:
    """Let some of a head gather that trickles: it is looked at again once it is twice as old.

    Args:
        began: when the head did, in Trio's time.
    """
    age = trio.current_time() - began
    if age > limits_guard.HEAD_CALM_SECONDS:
        await trio.sleep(age)
