"""Who the workers are: those that are connected, and those that are away and still hold tasks.

A worker is known by its key. It has one place in the scheduler for as long as it is connected or
holds anything, over any number of connections. A name belongs to a worker only while it is
connected: then no other may take it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from dc import limits, limits_plugins
from dc.errors import DuplicateName, ProtocolError
from dc.messages_worker import About, Stop, Vitals
from dc.server.board import Board
from dc.server.event_log import counted
from dc.server.register import Register, decided
from dc.server.tally import Tally

RESTING = "resting"
"""The state of a worker that takes nothing, for its computer is in use by somebody else."""

KEY_SHOWN = 8
"""Characters of a key that stand for the name of a worker that has not said one yet."""


class Worker(Struct, eq=False):
    """A worker; `id` is the scheduler's, `peer` its connection, -1 while it is away.

    Attributes:
        said: what it says of itself.
        software: its program and version.
        about: the same, with what operators have decided.
        since: when it connected, in Unix time.
        ready: whether it has said all that it holds, and so gets tasks.
        anew: whether it may be another process than the one that was given its tasks.
        named: by job, those of its tasks that it has named since it came back.
        heard: while it is away, when it was last heard, on the reactor's clock.
        graces: while it is away, for how many seconds from then it keeps each job's tasks.
        judged: of the attempts (job, task, attempt) that it has from before the server restarted,
            those whose failure may be on disk already.
        taken: the highest sequence of a report that this `run` of it has brought.
        again: what `taken` was when it connected: reports up to there have come before.
        unsent: of its attempts (job, task, attempt), those whose payloads are still being read, so
            that it has not heard of them.
        doubts: what it named since then and does not have, by job, task and attempt, with the code
            to be counted under, unless it names it for the sake of a report that came before.
        obeys: whether it understands orders.
        leaving: whether it takes no more, as it says.
        resting: why it takes nothing now, as it says; empty if it does.
        until: when it will leave, on the reactor's clock.
        stop_by: when it must have stopped, if it was told to.
        unusable: by archive, why it could not use it when it last tried, the newest last.
        tally: how it has done lately.
        vitals: how its computer is, as it said last, at `vitals_at` in Unix time.
    """

    id: int
    said: About
    about: About
    peer: int = -1
    address: str = ""
    software: str = ""
    since: float = 0.0
    done: int = 0
    failed: int = 0
    ready: bool = False
    anew: bool = False
    named: dict[int, set[int]] = {}
    heard: float = 0.0
    graces: dict[int, float] = {}
    judged: set[tuple[int, int, int]] = set()
    taken: int = 0
    again: int = 0
    unsent: set[tuple[int, int, int]] = set()
    doubts: dict[tuple[int, int, int], str] = {}
    obeys: bool = False
    leaving: bool = False
    resting: str = ""
    until: float = math.inf
    stop_by: float = math.inf
    unusable: dict[bytes, str] = {}
    tally: Tally = field(default_factory=Tally)
    vitals: Vitals | None = None
    vitals_at: float = 0.0

    def cannot_use(self, archive: bytes, why: str) -> None:
        """Note that it has failed to get or to load an archive."""
        self.unusable.pop(archive, None)
        self.unusable[archive] = why[: limits.NOTE_CHARS]
        if len(self.unusable) > limits_plugins.UNUSABLE_NOTED:
            del self.unusable[next(iter(self.unusable))]

    @property
    def key(self) -> str:
        """What it is known by."""
        return self.about.key

    @property
    def process(self) -> tuple[str, str]:
        """Its key, and which run of it this is."""
        return self.about.key, self.about.run

    @property
    def name(self) -> str:
        """Its name, or the beginning of its key."""
        return self.about.name or self.about.key[:KEY_SHOWN]

    def longest(self, now: float) -> float:
        """Return the seconds of the longest task that it may get: it may leave at a set time."""
        return max(0.0, self.until - now - limits.LAST_SECONDS)


class Roster:
    """Keeps the workers, and their places in the scheduler.

    Args:
        board: where the scheduler is.
        register: who is remembered, and what was decided of them.
    """

    def __init__(self, board: Board, register: Register) -> None:
        self._board = board
        self._scheduler = board.scheduler
        self._register = register
        self.by_key: dict[str, Worker] = {}
        self.by_id: dict[int, Worker] = {}
        self.by_peer: dict[int, Worker] = {}
        self.by_name: dict[str, Worker] = {}
        self.away: dict[str, Worker] = {}
        self.on_removed: Callable[[int], None] = lambda _: None

    # --- connections ----------------------------------------------------------------------------

    def check(self, about: About) -> None:
        """Check that a worker may come in.

        Raises:
            ProtocolError: it has no key.
            WorkerDeleted: an operator has deleted it.
            DuplicateName: another worker of this name is connected.
        """
        if not about.key:
            raise ProtocolError("a worker has a key that is its own for good")
        self._register.check(about.key)
        name = self._register.name_of(about)
        named = self.by_name.get(name)
        if named is not None and named.key != about.key:
            text = f"a worker named {name} is connected from {named.address}: choose another name"
            raise DuplicateName(text)
        if self._register.called(name) not in ("", about.key):
            text = f"an operator has given the name {name} to another worker: choose another name"
            raise DuplicateName(text)

    def connect(self, peer: int, address: str, said: About, *, obeys: bool) -> Worker:
        """Give a worker its place, the one that it had if it is known; it gets no tasks yet.

        One that does not obey orders uses the slots that it has.
        A worker that does not say which `run` of it this is, is taken for another process.
        """
        row = self._register.came(said)
        about = decided(said, row if obeys else replace(row, slots=0))
        worker = self.by_key.get(about.key)
        if worker is None:
            worker = self.add(about)
        else:
            if not about.run or about.run != worker.about.run:
                worker.anew, worker.taken = True, 0
            worker.again, worker.doubts = worker.taken, {}
            self.disconnect(worker)
            self.regroup(worker, about)
        self.away.pop(about.key, None)
        worker.obeys, worker.leaving, worker.stop_by = obeys, False, math.inf
        worker.resting = ""
        worker.said, worker.about, worker.peer, worker.address = said, about, peer, address
        worker.until = self._board.now + said.leaves_in if said.leaves_in else math.inf
        worker.since, worker.named, worker.graces = self._board.wall, {}, {}
        self.by_peer[peer] = self.by_name[about.name] = worker
        self._note_came(worker)
        return worker

    def _note_came(self, worker: Worker) -> None:
        new = self._board.presence.came(worker.key, self._board.wall)
        slots = counted(worker.about.slots, "slot")
        self._board.log.note(
            "worker.came" if new else "worker.back",
            worker.name,
            lambda: f"worker {worker.name} {'came' if new else 'is back'}, with {slots}",
            worker=worker.name,
        )

    def disconnect(self, worker: Worker) -> None:
        """Take a worker's connection from it; it is away from now on.

        What it may be running is noted, because it cannot say so any more. What it has not heard of
        is not among that, and is queued again.
        """
        if worker.peer < 0:
            return
        self.release_unsent(worker)
        del self.by_peer[worker.peer], self.by_name[worker.about.name]
        self._scheduler.suspect(worker.id, worker.about.slots)
        self._scheduler.set_slots(worker.id, 0)
        worker.peer = -1
        worker.ready = False
        self.away[worker.key] = worker

    def release_unsent(self, worker: Worker) -> None:
        """Queue again what a worker was given and has not been sent."""
        unsent, worker.unsent = worker.unsent, set()
        for number, task, attempt in unsent:
            job = self._board.jobs.get(number)
            if job is not None and job.scheduled and not job.cancelled:
                self._scheduler.release(worker.id, number, [task], [attempt])

    # --- places ---------------------------------------------------------------------------------

    def add(self, about: About) -> Worker:
        """Make a place for a worker; it is away."""
        self._register.here(about.key)
        matching = self._board.matching
        group = matching.group_of(about)
        amounts = matching.amounts_of(about)
        worker = Worker(self._scheduler.add_worker(group, 0, amounts), about, about)
        matching.joined(worker.id, about)
        self.by_key[about.key] = self.by_id[worker.id] = self.away[about.key] = worker
        return worker

    def regroup(self, worker: Worker, about: About) -> None:
        """Have a worker be what it says, or is decided to be."""
        if worker.peer >= 0 and about.name != worker.about.name:
            del self.by_name[worker.about.name]
            self.by_name[about.name] = worker
        worker.about = about
        self._board.matching.joined(worker.id, about)

    def remove(self, worker: Worker) -> None:
        """Forget a worker that is away; what it holds is queued again, without blame."""
        self._register.went(worker.key)
        board, name = self._board, worker.name
        board.presence.went(worker.key, worker.done, worker.failed, board.wall)
        board.log.note("worker.went", name, lambda: f"worker {name} went", worker=name)
        del self.by_key[worker.key], self.by_id[worker.id], self.away[worker.key]
        self._scheduler.remove_worker(worker.id, False)
        self.on_removed(worker.id)
        self._board.matching.left(worker.id)

    # --- looking --------------------------------------------------------------------------------

    def named(self, name: str) -> Worker | None:
        """Return the worker of a name: the connected one, or else one that is away."""
        found = self.by_name.get(name)
        if found is not None:
            return found
        return next((one for one in self.away.values() if one.name == name), None)

    def has(self, worker: Worker) -> bool:
        """Whether a worker is here or away still."""
        return self.by_id.get(worker.id) is worker

    def last_name(self, key: str) -> str:
        """Return the name that the worker of a key had last, as far as it is remembered."""
        row = self._register.get(key)
        return row.shown if row is not None else ""

    def jobs_of(self, worker: Worker) -> list[int]:
        """Return the jobs of which a worker has tasks."""
        return self._scheduler.jobs_of(worker.id)

    def holds(self, worker: Worker, job: int, number: int, attempt: int) -> bool:
        """Whether an attempt is the task's newest and with this worker; the job is scheduled."""
        state = self._scheduler.state(job, number)
        return state is not None and state[1] == attempt and state[3] == worker.id

    # --- telling --------------------------------------------------------------------------------

    def stop(self, id_: int, job: int, numbers: Sequence[int], attempts: Sequence[int]) -> None:
        """Tell a worker, if it is connected, that attempts are no longer its own."""
        worker = self.by_id.get(id_)
        if worker is None or worker.peer < 0:
            return
        for start in range(0, len(numbers), limits.BATCH_TASKS):
            part = slice(start, start + limits.BATCH_TASKS)
            self._board.send(worker.peer, Stop(job, list(numbers[part]), list(attempts[part])))
