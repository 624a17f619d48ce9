"""Who has shown wrong secrets, and how long it waits until it may try again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from msgspec import Struct

from dc import limits_guard
from dc.server.allowance import Allowance

ALL: Final = "all"


class _Failing(Struct):
    """What is remembered of an address."""

    count: int
    last: float


class Failures:
    """Counts wrong tokens, links and codes by address. Times are seconds of a steady clock.

    Args:
        free: so many of one address cost it nothing.
    """

    def __init__(self, free: int = limits_guard.FREE_FAILURES) -> None:
        self._free = free
        self._failing: OrderedDict[str, _Failing] = OrderedDict()
        self._together = Allowance(limits_guard.FAILURES_PER_SECOND, limits_guard.FAILURES_BURST, 1)

    def __len__(self) -> int:
        return len(self._failing)

    def wait(self, address: str, now: float) -> float:
        """Return the seconds until an address may try again; 0 if it may now."""
        one = self._of(address, now)
        if one is None:
            return 0.0
        mine = one.last + self._pause(one.count) - now
        if mine <= 0 and self._together.left(ALL, now) < 1:
            return 1 / limits_guard.FAILURES_PER_SECOND
        return max(0.0, mine)

    def add(self, address: str, now: float) -> None:
        """Count a failure."""
        one = self._of(address, now) or _Failing(0, now)
        one.count, one.last = one.count + 1, now
        self._failing[address] = one
        self._failing.move_to_end(address)
        if len(self._failing) > limits_guard.ADDRESSES:
            self._failing.popitem(last=False)
        self._together.take(ALL, now)

    def clear(self, address: str) -> None:
        """Forget what an address has done wrong: it has shown something right."""
        self._failing.pop(address, None)

    def _of(self, address: str, now: float) -> _Failing | None:
        one = self._failing.get(address)
        if one is not None and now - one.last >= limits_guard.FORGIVEN_SECONDS:
            del self._failing[address]
            return None
        return one

    def _pause(self, count: int) -> float:
        beyond = count - self._free
        if beyond <= 0:
            return 0.0
        doubled: float = limits_guard.FAILURE_SECONDS * 2.0 ** min(beyond - 1, 32)
        return min(doubled, limits_guard.FAILURE_SECONDS_MOST)
