"""What operators decide of workers: whom they mean, what is written down, what a worker is told.

Theory of operation
-------------------
A *decision* (paused, draining, deleted, slots, note, labels) is of a worker, and holds until it is
taken back: over restarts of both sides, and for a worker that is not here. An *order* (leave, stop,
restart, and of a computer that was booted from the image: power-off, reboot, reread) is for one
process of a worker, and is done with when that process has ended, or when another one of the same
worker comes.

Both are written down and obeyed at once. A worker with either, but for slots, note and labels, has
no room; it is told to hand back what it has not begun (Rest), and for an order to end (End). It
hears both again whenever it comes back. A worker that was told to stop and does not say goodbye in
time loses its tasks all the same, without blame. One that was deleted loses them at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import translate
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from dc import limits
from dc.errors import DcError, NotPossible, OptionsError, UnknownWorker, WorkerDeleted
from dc.messages_worker import End, PowerOrder, Rest, Slots
from dc.records import WorkerRow
from dc.server.board import Board
from dc.server.commands import OrderWorkers, SetWorkers, Which
from dc.server.leases import Leases
from dc.server.naming import PATTERN, Naming
from dc.server.register import DELETED, HOW_TO_JOIN, Register, decided
from dc.server.room import Room
from dc.server.roster import Roster, Worker

GONE = "gone"

NOW: Final = " now"
"""What an order ends in for which what runs is not finished first."""

NO_APPLIANCE: Final = "is no computer that was booted from the image"

NAMED: Final = 5
"""Of many workers that cannot do something, those that are named."""

POWER: Final[dict[str, PowerOrder]] = {
    "power-off": "off",
    "reboot": "reboot",
    "reread": "reread",
}
"""Orders for computers that were booted from the image, as these are told."""

AT_ONCE = ("stop", "restart now", *(f"{order} now" for order in POWER))
"""Orders for which what runs is given up."""

TEXTS = {
    "leave": "an operator has it drained, to leave",
    "stop": "an operator has stopped it",
    "restart": "an operator has it restarted, once it is drained",
    "restart now": "an operator has it restarted",
    "power-off": "an operator has its computer switched off, once it is drained",
    "power-off now": "an operator has its computer switched off",
    "reboot": "an operator has its computer booted anew, once it is drained",
    "reboot now": "an operator has its computer booted anew",
    "reread": "an operator has it read its configuration anew, once it is drained",
    "reread now": "an operator has it read its configuration anew",
}

ENDS = {
    "restart": "restarts",
    "power-off": "switches its computer off",
    "reboot": "boots its computer anew",
    "reread": "reads its configuration anew",
}
"""How a worker comes to its end by an order, if it does not just end."""


class Orders:
    """Does what operators ask of workers.

    Args:
        board: what all share.
        roster: the workers that are here.
        register: those that are remembered.
        leases: which attempts are whose.
        room: how much of it workers have.
        state_of: gives the state of a worker that is here.

    Attributes:
        dismiss: tells a peer why it may not stay, and closes its connection.
    """

    def __init__(
        self,
        board: Board,
        roster: Roster,
        register: Register,
        leases: Leases,
        room: Room,
        state_of: Callable[[Worker], str],
    ) -> None:
        self._board = board
        self._roster = roster
        self._register = register
        self._leases = leases
        self._room = room
        self._state_of = state_of
        self._naming = Naming(roster, register)
        self._stopping: dict[int, Worker] = {}
        self.dismiss: Callable[[int, DcError], None] = _nobody

    # --- commands -------------------------------------------------------------------------------

    def order(self, command: OrderWorkers) -> list[str]:
        """Do something with workers; return their keys.

        Raises:
            UnknownWorker: there are none of these.
            OptionsError: it is not said which.
            NotPossible: one of them cannot do that.
        """
        rows = list(self._chosen(command.which))
        order = _order_of(command)
        if order:
            rows = [row for row in rows if row.key in self._roster.by_key]
            self._check_obey(rows, order)
        elif command.action != "delete":
            self._check_free(rows)
        return self._decide(rows, [_changed(row, command.action, order) for row in rows])

    def wake(self, which: Which) -> list[str]:
        """Return the keys of those that are meant, are not here, and whose computers can be woken.

        Raises:
            UnknownWorker: there are none of these.
            OptionsError: it is not said which.
            NotPossible: somebody who is named cannot be woken, or nobody can.
        """
        rows = list(self._chosen(which))
        wrong = {row.key: text for row in rows if (text := self._awake(row))}
        named = any(which.exact or not _is_pattern(name) for name in which.names)
        if wrong and (named or len(wrong) == len(rows)):
            raise NotPossible(_some(list(wrong.values()), "; "))
        return [row.key for row in rows if row.key not in wrong]

    def _awake(self, row: WorkerRow) -> str:
        """Return why a worker's computer cannot be woken, or nothing."""
        worker = self._roster.by_key.get(row.key)
        if worker is not None and worker.peer >= 0:
            return f"{row.shown} is here: it need not be woken"
        if row.appliance is None:
            return f"{row.shown} {NO_APPLIANCE}"
        return "" if row.appliance.macs else f"{row.shown} has no network card to be woken by"

    def set(self, command: SetWorkers) -> list[str]:
        """Change what is decided of workers; return their keys.

        Raises:
            UnknownWorker: there are none of these.
            OptionsError: it is not said which, there are too many labels, or the name is none.
            DuplicateName: the name is another worker's.
        """
        rows = list(self._chosen(command.which))
        after = [_with(row, command) for row in rows]
        if command.name is not UNSET:
            after = [self._naming.named(rows, after, command.name or "")]
        return self._decide(rows, after)

    def _decide(self, before: list[WorkerRow], after: list[WorkerRow]) -> list[str]:
        pairs = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        if pairs:
            self._register.decide([new for _, new in pairs])
        for old, new in pairs:
            worker = self._roster.by_key.get(new.key)
            if worker is not None:
                self._follow(worker, old, new)
        return [row.key for row in after]

    def delete(self, key: str) -> None:
        """Delete the worker of a key, if it was ever here."""
        row = self.row(key)
        if row is not None:
            self._decide([row], [replace(row, state=DELETED, order="")])

    def row(self, key: str) -> WorkerRow | None:
        """Return what is remembered of the worker of a key."""
        return self._register.get(key)

    # --- what follows from it -------------------------------------------------------------------

    def _follow(self, worker: Worker, old: WorkerRow, new: WorkerRow) -> None:
        if new.state == DELETED:
            self._delete(worker)
            return
        if (old.labels, old.slots, old.called) != (new.labels, new.slots, new.called):
            said = replace(worker.said, name=new.name)  # of one that is away, it may be the other
            about = decided(said, new if worker.obeys else replace(new, slots=0))
            if about.slots != worker.about.slots:
                self._tell(worker, Slots(about.slots))
            self._roster.regroup(worker, about)
        self._room.look(worker)
        if (new.state or new.order) and not (old.state or old.order):
            self._roster.release_unsent(worker)
            self._tell(worker, Rest())
        if new.order and new.order != old.order:
            self._end(worker, new.order)

    def _delete(self, worker: Worker) -> None:
        peer = worker.peer
        self._leases.give_up(worker, blame=False, remember=False)
        if peer >= 0:
            self.dismiss(peer, WorkerDeleted(HOW_TO_JOIN))

    def _tell(self, worker: Worker, message: Slots | Rest | End) -> None:
        """Tell a worker, if it is here and understands it; else it hears it when it is ready."""
        if worker.ready and worker.obeys:
            self._board.send(worker.peer, message)

    def _end(self, worker: Worker, order: str) -> None:
        if worker.peer < 0 and order == "stop":
            self._leases.give_up(worker, blame=False)
            return
        again = order.startswith("restart")
        power = POWER.get(order.removesuffix(NOW))
        self._tell(worker, End(order not in AT_ONCE, again, TEXTS[order], power or ""))
        if worker.ready and order in AT_ONCE:
            worker.stop_by = self._board.now + limits.ORDER_SECONDS
            self._stopping[worker.id] = worker

    def meet(self, worker: Worker) -> None:
        """Give a worker that has said what it holds its room, and tell it what it is to do."""
        self._room.look(worker)
        row = self._register.get(worker.key)
        if row is not None and (row.state or row.order):
            self._tell(worker, Rest())
            if row.order:
                self._end(worker, row.order)

    def tick(self) -> None:
        """Take the tasks of those that were told to stop and did not."""
        for id_, worker in list(self._stopping.items()):
            if self._roster.by_id.get(id_) is not worker or worker.stop_by == math.inf:
                del self._stopping[id_]
            elif self._board.now >= worker.stop_by:
                del self._stopping[id_]
                peer = worker.peer
                self._leases.give_up(worker, blame=False)
                if peer >= 0:
                    self.dismiss(peer, NotPossible("it was told to stop, and did not"))

    # --- whom they mean -------------------------------------------------------------------------

    def _chosen(self, which: Which) -> Iterator[WorkerRow]:
        """Yield what is remembered of the workers that are meant, one at least."""
        if not (which.names or which.labels or which.states or which.all):
            raise OptionsError("say which workers: by names, labels or states, or all of them")
        like = [name for name in which.names if _is_pattern(name) and not which.exact]
        if len(like) > limits.WORKER_FILTER:
            raise OptionsError(f"{len(like)} patterns are too many: {limits.WORKER_FILTER} at most")
        exact = self._named([name for name in which.names if which.exact or not _is_pattern(name)])
        patterns = [re.compile(translate(name)).match for name in like]
        found = {row.key: row for row in exact if self._fits(row, which)}
        if patterns or not which.names:
            for row in self._all():
                named = not which.names or any(match(row.shown) for match in patterns)
                if named and self._fits(row, which):
                    found[row.key] = row
        if not found:
            raise UnknownWorker(f"no worker is meant by {_said(which)}")
        yield from found.values()

    def _all(self) -> Iterator[WorkerRow]:
        for worker in self._roster.by_key.values():
            if (row := self._register.get(worker.key)) is not None:
                yield row
        yield from self._register.gone()

    def _named(self, names: Sequence[str]) -> list[WorkerRow]:
        """Return who has each of these names: who is connected, else away, else who was last."""
        if not names:
            return []
        keys = {row.shown: row.key for row in self._register.gone()}
        keys |= {worker.name: key for key, worker in reversed(self._roster.away.items())}
        keys |= {worker.name: worker.key for worker in self._roster.by_peer.values()}
        rows = [self._register.get(keys.get(name, "")) for name in names]
        for name, row in zip(names, rows, strict=True):
            if row is None:
                raise UnknownWorker(f"no worker is called {name}")
        return [row for row in rows if row is not None]

    def _fits(self, row: WorkerRow, which: Which) -> bool:
        worker = self._roster.by_key.get(row.key)
        labels = row.labels if worker is None else worker.about.labels
        if not which.labels.items() <= labels.items():
            return False
        state = GONE if worker is None else self._state_of(worker)
        return not which.states or state in which.states or row.state in which.states

    def _check_free(self, rows: Sequence[WorkerRow]) -> None:
        """Check that nobody has been told to end: who is connected cannot be called back."""
        for row in rows:
            worker = self._roster.by_key.get(row.key)
            if row.order and worker is not None and worker.peer >= 0:
                raise NotPossible(f"{row.shown} was told to {row.order} already")

    def _check_obey(self, rows: list[WorkerRow], order: str) -> None:
        if not rows:
            raise NotPossible(f"none of these workers is here: there is nobody to {order}")
        for row in rows:
            worker = self._roster.by_key[row.key]
            if worker.peer >= 0 and not worker.obeys:
                text = f"{row.shown} is of a dc that takes no orders: end its program where it runs"
                raise NotPossible(text)
        if power := POWER.get(order.removesuffix(NOW)):
            wrong = [text for row in rows if (text := _cannot(row, power))]
            if wrong:
                raise NotPossible(_some(wrong, "; "))


def _order_of(command: OrderWorkers) -> str:
    """Return the order of a command, if it is one."""
    if command.action == "drain" and command.leave:
        return "leave"
    at_once = f"{command.action}{NOW}"
    if command.now and at_once in TEXTS:
        return at_once
    return command.action if command.action in TEXTS else ""


def _cannot(row: WorkerRow, power: PowerOrder) -> str:
    """Return why an order cannot be given to a worker's computer, or nothing."""
    if row.appliance is None:
        return f"{row.shown} {NO_APPLIANCE}"
    return "" if power in row.appliance.orders else f"the image of {row.shown} knows no such order"


def _changed(row: WorkerRow, action: str, order: str) -> WorkerRow:
    if order:
        return replace(row, order=order)
    states = {"drain": "draining", "pause": "paused", "resume": "", "delete": DELETED}
    return replace(row, state=states[action], order="")


def _with(row: WorkerRow, command: SetWorkers) -> WorkerRow:
    if command.slots is not UNSET:
        row = replace(row, slots=command.slots or 0)
    if command.note is not UNSET:
        row = replace(row, note=command.note)
    if command.labels is not UNSET:
        merged = {**row.labels, **command.labels}
        labels = {name: value for name, value in merged.items() if value is not None}
        if len(labels) > limits.LABELS:
            raise OptionsError(f"{row.shown} would have more than {limits.LABELS} labels")
        row = replace(row, labels=labels)
    return row


def commanded(row: WorkerRow, held: int) -> tuple[str, str]:
    """Return the state of a worker that is here and that operators have a hand on, and why.

    Args:
        row: what they have decided.
        held: how many tasks it holds.
    """
    tasks = f"{held} task{'s' if held != 1 else ''}"
    if row.order:
        ends = ENDS.get(row.order.removesuffix(NOW), "ends")
        after = f"after its {tasks}" if held and row.order not in AT_ONCE else "now"
        return "draining", f"told to {row.order} by an operator: {ends} {after}"
    if row.state == "paused":
        return "paused", "paused by an operator: it takes nothing until it is resumed"
    now = f"finishes its {tasks}, and takes" if held else "drained by an operator: it takes"
    return "draining", f"{now} nothing until it is resumed"


def _is_pattern(name: str) -> bool:
    return any(mark in name for mark in PATTERN)


def _some(texts: list[str], between: str) -> str:
    """Return some of many texts, and how many there are beside."""
    more = f"{between}and so on, for {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return between.join(texts[:NAMED]) + more


def _said(which: Which) -> str:
    labels = [f"{name}={value}" for name, value in which.labels.items()]
    return ", ".join([*which.names, *labels, *which.states]) or "this: there are none"


def _nobody(*_: object) -> None:
    """Stand in for the door while there is none."""
