"""Keys of workers that have joined, or that wait for an operator's yes.

What is here is on disk, or on its way there: each one was let in, or could show the secret of an
invite. Who could show nothing waits in memory alone (`access_knocks`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

from dc import limits_access as limits
from dc.errors import NotPossible
from dc.records_access import AccessRecord, WorkerKeyForgotten, WorkerKeyRow

Here = Callable[[str], bool]


class KeyBook:
    """Keeps them.

    Args:
        most: keys.

    Attributes:
        is_here: whether the worker of a key is connected, or holds tasks.
    """

    def __init__(self, most: int = limits.WORKER_KEYS) -> None:
        self.is_here: Here = lambda _: False
        self._most = most
        self._pending: dict[str, WorkerKeyRow] = {}  # the oldest first
        self._joined: dict[str, WorkerKeyRow] = {}
        self._in_group: Counter[str] = Counter()

    def recovered(self, rows: Iterable[WorkerKeyRow]) -> None:
        """Take what is on disk."""
        for row in sorted(rows, key=lambda row: row.created):
            self.put(row)

    def make_room(self) -> list[AccessRecord]:
        """Forget a key, if there are as many as there may be; return what to write down.

        Raises:
            NotPossible: all of their workers are here.
        """
        if len(self) < self._most:
            return []
        oldest = chain(self._pending, self._joined)
        gone = next((key for key in oldest if not self.is_here(key)), None)
        if gone is not None:
            self.pop(gone)
            return [WorkerKeyForgotten(gone)]
        raise NotPossible(f"there are {self._most:,} workers already: delete some first")

    def put(self, row: WorkerKeyRow) -> None:
        """Take in a key, as it is now."""
        old = self.get(row.key)
        if old is not None and old.state == row.state:
            self._in_group[old.group] -= 1
        elif old is not None:
            self.pop(row.key)
        (self._joined if row.state == "joined" else self._pending)[row.key] = row
        self._in_group[row.group] += 1

    def pop(self, key: str) -> WorkerKeyRow | None:
        """Forget a key; return what it was, if it was known."""
        row = self._pending.pop(key, None) or self._joined.pop(key, None)
        if row is not None:
            self._in_group[row.group] -= 1
        return row

    # --- looking --------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._pending) + len(self._joined)

    def get(self, key: str) -> WorkerKeyRow | None:
        """Return what is known of a key."""
        return self._joined.get(key) or self._pending.get(key)

    def joined(self, key: str) -> WorkerKeyRow | None:
        """Return what is known of a key, if its worker is in."""
        return self._joined.get(key)

    def all(self) -> Iterator[WorkerKeyRow]:
        """Yield those that wait, the oldest first, then those that are in, the newest first."""
        yield from self._pending.values()
        yield from reversed(self._joined.values())

    def in_group(self, group: str) -> int:
        """Return how many keys are of a group."""
        return self._in_group[group]

    def of_group(self, group: str) -> list[str]:
        """Return the keys that are of a group."""
        return [row.key for row in self.all() if row.group == group]

    def validate(self) -> None:
        """Check that each is in its one place, and counted in its group."""
        places: tuple[tuple[str, Mapping[str, WorkerKeyRow]], ...] = (
            ("pending", self._pending),
            ("joined", self._joined),
        )
        for state, rows in places:
            for key, row in rows.items():
                assert (row.key, row.state) == (key, state), "a key is where it should not be"
        assert self._pending.keys().isdisjoint(self._joined), "a worker is in and waits"
        counted = Counter(row.group for row in self.all())
        assert +self._in_group == counted, "a group is counted wrong"
        assert len(self) <= self._most
