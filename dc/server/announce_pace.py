"""How often a server answers questions for servers: seldom enough that nobody is flooded by it."""

from __future__ import annotations

from dc import limits_join

_MINUTE = 60.0


class AnnouncePace:
    """Counts answers, by whom they go to and in all.

    Args:
        per_address: that one address gets in a minute.
        per_second: that all get in a second.
        addresses: of which the number is kept; who came first is forgotten first.
    """

    def __init__(
        self,
        per_address: int = limits_join.ANSWERS_PER_ADDRESS,
        per_second: int = limits_join.ANSWERS_PER_SECOND,
        addresses: int = limits_join.ANSWERED_ADDRESSES,
    ) -> None:
        self._per_address = per_address
        self._per_second = per_second
        self._addresses = addresses
        self._since: dict[str, tuple[float, int]] = {}
        self._second = 0.0
        self._in_second = 0

    def may(self, address: str, now: float) -> bool:
        """Whether an address is answered once more; `now` is in seconds, of any clock."""
        if not self._second <= now < self._second + 1.0:
            self._second, self._in_second = now, 0
        since, count = self._since.get(address, (now, 0))
        if not since <= now < since + _MINUTE:
            since, count = now, 0
        if count >= self._per_address or self._in_second >= self._per_second:
            return False
        self._in_second += 1
        self._since[address] = since, count + 1
        if len(self._since) > self._addresses:
            del self._since[next(iter(self._since))]
        return True
