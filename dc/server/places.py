"""Places for connections: who has one, and who loses it when they are all taken.

Whoever has shown who it is keeps its place. A stranger's is kept while there are others; then the
one that has been in hand for longest without a whole request, or has been idle for longest, goes.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Literal, TypeAlias

from msgspec import Struct

Full: TypeAlias = Literal["address", "all"]


class Visit(Struct, eq=False):
    """A connection that has a place.

    Attributes:
        address: where from, as limits count it; empty for one that is exempt from those.
    """

    address: str


class Places:
    """The places of a server.

    Args:
        most: connections in all.
        strangers: of them that strangers may have.
        each: of these that one address may have.
    """

    def __init__(self, most: int, strangers: int, each: int) -> None:
        self._most = most
        self._strangers = min(strangers, most)
        self._each = each
        self._waiting: OrderedDict[Visit, None] = (
            OrderedDict()
        )  # strangers' idle ones, oldest first
        self._busy: set[Visit] = set()  # strangers' that are being answered
        self._by_address: Counter[str] = Counter()
        self._known: set[Visit] = set()

    @property
    def strangers(self) -> int:
        """How many strangers there are."""
        return len(self._waiting) + len(self._busy)

    def __len__(self) -> int:
        return len(self._known) + self.strangers

    def enter(self, address: str, more: int = 0) -> tuple[Visit | Full, Visit | None]:
        """Give a new connection a place.

        Args:
            address: where from, empty for one that is not counted by address.
            more: places that are taken by others, which cannot lose them.

        Returns:
            The visit, or what there is too much of; and a visit that has lost its place for it.
        """
        if address and self._by_address[address] >= self._each:
            return "address", None
        gone = None
        if self.strangers >= self._strangers or len(self) + more >= self._most:
            gone = next(iter(self._waiting), None)
            if gone is None:
                return "all", None
            self.leave(gone)
        visit = Visit(address)
        self._waiting[visit] = None
        if address:
            self._by_address[address] += 1
        return visit, gone

    def begin(self, visit: Visit) -> None:
        """Note that a request of it is being answered."""
        if visit in self._waiting:
            del self._waiting[visit]
            self._busy.add(visit)

    def end(self, visit: Visit) -> None:
        """Note that it is idle again: it is the last one to lose its place."""
        if visit in self._busy:
            self._busy.remove(visit)
            self._waiting[visit] = None

    def know(self, visit: Visit) -> None:
        """Note that it has shown who it is, and keeps its place."""
        if self._forget(visit):
            self._known.add(visit)

    def leave(self, visit: Visit) -> None:
        """Take back a place; a second time does nothing."""
        self._known.discard(visit)
        self._forget(visit)

    def _forget(self, visit: Visit) -> bool:
        """Take a stranger from the others; return whether it was one."""
        if visit in self._waiting:
            del self._waiting[visit]
        elif visit in self._busy:
            self._busy.remove(visit)
        else:
            return False
        if visit.address:
            self._by_address[visit.address] -= 1
            if not self._by_address[visit.address]:
                del self._by_address[visit.address]
        return True
