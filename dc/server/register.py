"""The workers that the server remembers, and what operators have decided of each.

Theory of operation
-------------------
A worker that comes is entered under its key, and stays when it goes; so an operator can see who is
missing, and decide of somebody who is not here at present. There is room for some thousands who are
gone: those go first that were here longest ago and of which nothing was decided. A worker that was
deleted stays too, so that its key is refused, and is not shown.

A decision is written down at once. That somebody has come or gone is written at the next tick, many
in one record: it may be lost with the server, and is found out again when the worker comes back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from dc import limits
from dc.errors import WorkerDeleted
from dc.messages_worker import About
from dc.records import WorkerRow, Workers
from dc.requirements import CPUS
from dc.server.board import Board

DELETED = "deleted"

HOW_TO_JOIN = (
    "an operator has deleted this worker from the server; to join anew, as another worker: "
    "python -m dc.worker --new-key"
)


class Register:
    """Remembers workers by their keys.

    Args:
        board: what is written down goes through it.
        most: workers that are gone and remembered.
    """

    def __init__(self, board: Board, most: int = limits.KNOWN_WORKERS) -> None:
        self._board = board
        self._most = most
        self._rows: dict[str, WorkerRow] = {}
        self._gone: dict[str, None] = {}  # in the order in which they went
        self._gone_decided: dict[str, None] = {}
        self._named: dict[str, set[str]] = {}  # by name, those of `_gone`
        self._commanded: dict[str, None] = {}  # here or gone, those with a state or an order
        self._changed: dict[str, None] = {}  # what the disk does not know yet
        self._called: dict[str, str] = {}  # by the names that operators gave, whose they are

    def recovered(self, rows: Iterable[WorkerRow]) -> None:
        """Take what is on disk, those first that were here longest ago; nobody is here yet."""
        for row in rows:
            self._rows[row.key] = row
            self._list_called(row)
            self._note_commanded(row)
            self._list_gone(row)

    # --- coming and going -----------------------------------------------------------------------

    def check(self, key: str) -> None:
        """Check that the worker of a key may come in.

        Raises:
            WorkerDeleted: an operator has deleted it.
        """
        row = self._rows.get(key)
        if row is not None and row.state == DELETED:
            raise WorkerDeleted(HOW_TO_JOIN)

    def came(self, about: About) -> WorkerRow:
        """Enter a worker that says what it is; return what is decided of it.

        What another process of it was to do is done with that process.
        """
        row = self._rows.get(about.key) or WorkerRow(about.key, about.name, about.run, 0.0)
        self._unlist(row)
        if row.run != about.run:
            row = replace(row, order="")
        row = replace(row, name=about.name, run=about.run, seen=self._board.wall)
        row = replace(row, appliance=about.appliance)
        self.forget_named(row.shown)  # this is who has that name now
        return self._put(row)

    def here(self, key: str) -> None:
        """Note that a worker is here, though it has not said anything yet: it has tasks."""
        if key in self._rows:
            self._unlist(self._rows[key])

    def went(self, key: str) -> None:
        """Note that a worker is gone."""
        row = self._rows.get(key)
        if row is not None:
            self._list_gone(self._put(replace(row, seen=self._board.wall)))

    def saw(self, key: str) -> None:
        """Note that a worker is here now."""
        if key in self._rows:
            self._put(replace(self._rows[key], seen=self._board.wall))

    def ended(self, key: str) -> None:
        """Note that the process of a worker has ended of itself: it has done what it was told."""
        row = self._rows.get(key)
        if row is not None and row.order:
            self._put(replace(row, order=""))

    def forget_named(self, name: str) -> None:
        """Forget those that are gone, of which nothing was decided, and that had this name."""
        for key in list(self._named.get(name, ())):
            self._forget(key)

    # --- deciding -------------------------------------------------------------------------------

    def decide(self, rows: Iterable[WorkerRow]) -> None:
        """Have these rows take the place of those of the same keys, and write them down."""
        for row in rows:
            old = self._rows[row.key]
            gone = row.key in self._gone or row.key in self._gone_decided
            self._put(row)
            if gone and is_decided(old) != is_decided(row):
                self._unlist(old)
                self._list_gone(row)
        self.write()

    def write(self) -> None:
        """Write down what the disk does not know yet."""
        keys, self._changed = list(self._changed), {}
        for start in range(0, len(keys), limits.WORKERS_WRITTEN):
            part = keys[start : start + limits.WORKERS_WRITTEN]
            rows = [self._rows[key] for key in part if key in self._rows]
            forgotten = [key for key in part if key not in self._rows]
            self._board.write(Workers(rows, forgotten), lambda: None)

    # --- looking --------------------------------------------------------------------------------

    def get(self, key: str) -> WorkerRow | None:
        """Return what is remembered of the worker of a key."""
        return self._rows.get(key)

    def name_of(self, about: About) -> str:
        """Return the name of a worker: the one that operators gave it, or what it says."""
        row = self._rows.get(about.key)
        return row.called if row is not None and row.called else about.name

    def called(self, name: str) -> str:
        """Return the key of the worker to which operators gave this name; empty: nobody's."""
        return self._called.get(name, "")

    def commanded(self) -> Iterable[str]:
        """Return the keys of those that have a state or an order of an operator."""
        return self._commanded.keys()

    def gone(self) -> Iterator[WorkerRow]:
        """Yield those that are not here, but for deleted ones; the last to go come last."""
        for keys in (self._gone, self._gone_decided):
            for key in keys:
                if self._rows[key].state != DELETED:
                    yield self._rows[key]

    # --- inside ---------------------------------------------------------------------------------

    def _put(self, row: WorkerRow) -> WorkerRow:
        old = self._rows.get(row.key)
        if old is not None:
            self._unlist_called(old)
        self._list_called(row)
        self._rows[row.key] = row
        self._changed[row.key] = None
        self._note_commanded(row)
        return row

    def _list_called(self, row: WorkerRow) -> None:
        """Note whose name this is: not one's who was deleted, and does not come back."""
        if row.called and row.state != DELETED:
            self._called[row.called] = row.key

    def _unlist_called(self, row: WorkerRow) -> None:
        if self._called.get(row.called) == row.key:
            del self._called[row.called]

    def _note_commanded(self, row: WorkerRow) -> None:
        if row.state or row.order:
            self._commanded[row.key] = None
        else:
            self._commanded.pop(row.key, None)

    def _list_gone(self, row: WorkerRow) -> None:
        if is_decided(row):
            self._gone_decided[row.key] = None
        else:
            self._gone[row.key] = None
            self._named.setdefault(row.name, set()).add(row.key)
        while len(self._gone) + len(self._gone_decided) > self._most:
            self._forget(next(iter(self._gone or self._gone_decided)))

    def _unlist(self, row: WorkerRow) -> None:
        self._gone_decided.pop(row.key, None)
        if row.key in self._gone:
            del self._gone[row.key]
            keys = self._named[row.name]
            keys.discard(row.key)
            if not keys:
                del self._named[row.name]

    def _forget(self, key: str) -> None:
        row = self._rows.pop(key)
        self._unlist(row)
        self._unlist_called(row)
        self._commanded.pop(key, None)
        self._changed[key] = None

    def validate(self) -> None:
        """Check that everybody who is gone is listed, once."""
        assert self._gone.keys().isdisjoint(self._gone_decided), "somebody is gone twice"
        assert self._rows.keys() >= {*self._gone, *self._gone_decided}, "a stranger is gone"
        named = [key for keys in self._named.values() for key in keys]
        assert sorted(named) == sorted(self._gone), "a name is nobody's, or is missing"
        assert len(self._gone) + len(self._gone_decided) <= self._most
        called = {row.called: row.key for row in self._rows.values() if row.state != DELETED}
        called.pop("", None)
        assert called == self._called, "a name that was given is not found, or is nobody's"
        commanded = {key for key, row in self._rows.items() if row.state or row.order}
        assert self._commanded.keys() == commanded, "it is not known who was told something"
        for key in self._rows:
            decided = is_decided(self._rows[key])
            assert not (decided and key in self._gone), "a decision may be forgotten"


def is_decided(row: WorkerRow) -> bool:
    """Whether operators have decided anything of a worker."""
    return bool(row.note or row.labels or row.slots or row.state or row.called)


def decided(about: About, row: WorkerRow) -> About:
    """Return what a worker is, with what operators have decided of it.

    It has a cpu for each slot that they give it, unless its user has said how many it has.
    """
    labels = {**about.labels, **row.labels} if row.labels else about.labels
    slots, resources = row.slots or about.slots, about.resources
    fixed = about.fixed_cpus or resources.get(CPUS, math.inf) < about.slots
    if resources.get(CPUS, slots) < slots and not fixed:
        resources = {**resources, CPUS: float(slots)}
    name = row.called or about.name
    return replace(about, name=name, labels=labels, slots=slots, resources=resources)
