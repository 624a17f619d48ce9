"""The workers' side of the reactor: who comes and goes, what each is given, what each says.

What is behind it has files of its own: `roster` (who they are), `leases` (which attempts are
whose), `reports` (what they say of them), `health` (who is sick).
"""

from __future__ import annotations

from dc._core import RUNNING
from dc.errors import ProtocolError
from dc.messages import Heartbeat, check_columns
from dc.messages_parts import Blob, Message, Payload
from dc.messages_worker import (
    About,
    Assign,
    Cached,
    Checkpoint,
    Done,
    Failed,
    Goodbye,
    Held,
    Leaving,
    Output,
    Progress,
    Resting,
    Returned,
    Running,
    Vitals,
)
from dc.plugin_manifest import unusable
from dc.portions import portions
from dc.server.attempts import AttemptNotes
from dc.server.board import Board
from dc.server.events import CheckpointsLoaded, LoadCheckpoints, LoadPayloads, PayloadsLoaded
from dc.server.health import SICK, TRIAL, Health
from dc.server.inputs import InputSide
from dc.server.jobs import Job
from dc.server.leases import Leases
from dc.server.orders import Orders, commanded
from dc.server.outputs import Outputs
from dc.server.register import Register
from dc.server.reports import Reports
from dc.server.room import Room
from dc.server.roster import RESTING, Roster, Worker
from dc.server.telling import Telling

BLOB_BYTES = 64
"""Of a Blob in a message, about."""


class WorkerSide:
    """Keeps the workers, gives them tasks, takes their reports.

    Args:
        board: what workers and clients share.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._scheduler = board.scheduler
        self.register = Register(board)
        self.roster = Roster(board, self.register)
        self.by_peer = self.roster.by_peer
        self.by_name = self.roster.by_name
        self.attempts = AttemptNotes(board)
        self.leases = Leases(board, self.roster, self.attempts)
        self.health = Health()
        self._room = Room(board, self.roster, self.health, self.register)
        self._reports = Reports(
            board, self.roster, self.leases, self.health, self._room, self.attempts
        )
        self.began = self.attempts.began
        self.orders = Orders(
            *(board, self.roster, self.register, self.leases, self._room),
            lambda worker: self.state_of(worker)[0],
        )
        self.outputs = Outputs(board, self.roster, self.leases)
        self.telling = Telling(board, self.roster, self.leases)
        self.inputs = InputSide(board)
        self.roster.on_removed = self.inputs.forget
        self.stop = self.roster.stop
        board.on_unscheduled = self._job_gone

    # --- coming and going -----------------------------------------------------------------------

    def join(self, peer: int, address: str, about: About, *, obeys: bool) -> int | None:
        """Take a worker in, in its old place if it has one; return the peer that it replaces.

        It gets no task before it has said what it holds, or it would get back its own tasks as
        new attempts.

        Args:
            peer: its connection.
            address: from where.
            about: what it says of itself.
            obeys: whether it understands orders.

        Raises:
            ProtocolError: it has no key.
            WorkerDeleted: an operator has deleted it.
            DuplicateName: another worker of this name is connected.
        """
        self.roster.check(about)
        old = self.roster.by_key.get(about.key)
        replaced = old.peer if old is not None and old.peer >= 0 else None
        self.inputs.forget(self.roster.connect(peer, address, about, obeys=obeys).id)
        return replaced

    def lost(self, peer: int, heard: float) -> None:
        """Note that a worker's connection is gone; it was `heard` last at this time."""
        self.leases.lost(self.roster.by_peer[peer], heard)

    def expel(self, peer: int) -> None:
        """Take everything from a worker that broke the rules of the wire.

        It would do so again: so its tasks do not wait for it, and it does not get them back.
        """
        worker = self.roster.by_peer[peer]
        self.roster.release_unsent(worker)
        self.leases.give_up(worker, blame=True, remember=False)

    def tick(self, late: float, *, patient: bool) -> None:
        """Do what time alone brings about.

        Args:
            late: for how many seconds nobody could be heard.
            patient: whether what workers have to say may still wait to be read.
        """
        self.leases.postpone(late)
        for expired in self._scheduler.advance(self._board.now):
            self._reports.overdue(*expired, patient=patient)
        self.leases.expire()
        self.leases.count_doubts()
        self._reports.try_again()
        self.orders.tick()
        self._room.tick()
        self.register.write()
        self.outputs.tick()
        self.telling.tick()
        self.inputs.tick()
        self.attempts.tick()

    def note_all_seen(self) -> None:
        """Write down that all who are connected were here now: the server stops."""
        for worker in self.roster.by_peer.values():
            self.register.saw(worker.key)
        self.register.write()

    def _job_gone(self, job: Job) -> None:
        self.health.job_gone(job.number)
        self.inputs.gone(job)

    # --- giving tasks ---------------------------------------------------------------------------

    def assign(self) -> None:
        """Give queued tasks to workers that have room, until one of the two runs out."""
        if not self._board.may_assign:
            return
        while (given := self._scheduler.assign()) is not None:
            worker = self.roster.by_id[given[0]]
            for number, alternative, numbers, attempts in given[1]:
                job = self._board.jobs[number]
                job.changed = True
                payloads, missing = job.take(numbers)
                self._board.heads.assigned(job)
                if missing:
                    self._load(worker, number, alternative, numbers, attempts, missing)
                    for at in reversed(missing):
                        del numbers[at], attempts[at], payloads[at]
                if numbers:
                    self._hand_out(worker, job, alternative, numbers, attempts, payloads)

    def _load(
        self,
        worker: Worker,
        job: int,
        alternative: int,
        numbers: list[int],
        attempts: list[int],
        missing: list[int],
    ) -> None:
        rows = [numbers[at] for at in missing], [attempts[at] for at in missing]
        worker.unsent.update((job, *row) for row in zip(*rows, strict=True))
        self._board.out.append(LoadPayloads(worker.peer, job, *rows, alternative))

    def loaded(self, event: PayloadsLoaded) -> None:
        """Send tasks whose payloads came from the store, if they are still the worker's."""
        number, numbers, attempts = event.job, event.numbers, event.attempts
        worker = self.roster.by_peer.get(event.peer)
        job = self._board.jobs.get(number)
        if worker is None or job is None:
            return
        mine = self._still(worker, job, numbers, attempts)
        if mine:
            columns = _pick(mine, numbers, attempts, event.payloads)
            self._hand_out(worker, job, event.alternative, *columns)

    def _still(
        self, worker: Worker, job: Job, numbers: list[int], attempts: list[int]
    ) -> list[int]:
        """Return the places of attempts that were being read for and still are the worker's."""
        rows = list(zip(numbers, attempts, strict=True))
        worker.unsent.difference_update((job.number, *row) for row in rows)
        if not job.scheduled:
            return []
        return [at for at, row in enumerate(rows) if self.roster.holds(worker, job.number, *row)]

    def _hand_out(
        self,
        worker: Worker,
        job: Job,
        alternative: int,
        numbers: list[int],
        attempts: list[int],
        payloads: list[Payload],
    ) -> None:
        """Send tasks; those that have a checkpoint on disk, once it is read."""
        if job.number in self._board.checkpointed:
            having = self.telling.having(job.number, numbers)
            columns = _pick(having, numbers, attempts, payloads)
            self._with_checkpoints(worker, job, alternative, *columns)
            rest = sorted(set(range(len(numbers))).difference(having))
            numbers, attempts, payloads = _pick(rest, numbers, attempts, payloads)
        if numbers:
            self._send_tasks(worker, job, alternative, numbers, attempts, payloads)

    def _with_checkpoints(
        self,
        worker: Worker,
        job: Job,
        alternative: int,
        numbers: list[int],
        attempts: list[int],
        payloads: list[Payload],
    ) -> None:
        at_hand = [self.telling.at_hand(job.number, number) for number in numbers]
        for at, saved in enumerate(at_hand):
            if saved is not None:
                row = [numbers[at]], [attempts[at]], [payloads[at]]
                self._send_tasks(worker, job, alternative, *row, {numbers[at]: saved})
        rest = [at for at, saved in enumerate(at_hand) if saved is None]
        if rest:
            columns = _pick(rest, numbers, attempts, payloads)
            worker.unsent.update((job.number, *row) for row in zip(*columns[:2], strict=True))
            self._board.out.append(LoadCheckpoints(worker.peer, job.number, *columns, alternative))

    def checkpoints_loaded(self, event: CheckpointsLoaded) -> None:
        """Send tasks whose checkpoints came from the store, if they are still the worker's."""
        worker = self.roster.by_peer.get(event.peer)
        job = self._board.jobs.get(event.job)
        if worker is None or job is None:
            return
        for at in self._still(worker, job, event.numbers, event.attempts):
            number = event.numbers[at]
            saved = event.checkpoints.get(number)
            row = [number], [event.attempts[at]], [event.payloads[at]]
            known = {} if saved is None else {number: saved}
            self._send_tasks(worker, job, event.alternative, *row, known)

    def _send_tasks(
        self,
        worker: Worker,
        job: Job,
        alternative: int,
        numbers: list[int],
        attempts: list[int],
        payloads: list[Payload],
        checkpoints: dict[int, Payload] | None = None,
    ) -> None:
        row = job.row
        plugin = job.shipped.plugin if job.shipped is not None else None
        if plugin and self._board.matching.has_own(worker.id, row.type, row.version):
            plugin = None
        self.inputs.payloads(job, payloads)
        start = 0
        for stop, size in portions(payloads, 0, lambda _: BLOB_BYTES):
            message = Assign(
                job.number,
                row.type,
                row.version,
                row.options.timeout,
                numbers[start:stop],
                attempts[start:stop],
                payloads[start:stop],
                job.limits[alternative],
                row.options.environment,
                job.resources[alternative],
                checkpoints or {},
                plugin,
                row.options.inputs,
                row.options.keep_output,
                job.traceparent,
                bool(row.options.traceparent),
            )
            self._board.send(worker.peer, message, size)
            start = stop

    # --- messages -------------------------------------------------------------------------------

    def received(self, worker: Worker, message: Message, missing: frozenset[Blob]) -> None:
        """Take one message of a worker; `missing` are results in it whose blobs are not here.

        Raises:
            ProtocolError: the message is not one that a worker sends.
        """
        if not worker.ready and not isinstance(message, (Held, Leaving, Resting)):
            self.leases.settle(worker)
            self.orders.meet(worker)
        match message:
            case Done():
                self._reports.done(worker, message, missing)
            case Running():
                self._reports.running(worker, message)
            case Failed():
                self._note_unusable(worker, message)
                self._reports.failed(worker, message)
            case Returned():
                self._reports.returned(worker, message)
            case Output():
                self.outputs.take(worker, message, missing)
            case Progress():
                self.telling.progressed(worker, message)
            case Checkpoint():
                self.telling.saved(worker, message, missing)
            case Held():
                check_columns(message)
                self.leases.named(worker, message.job, message.numbers, message.attempts)
            case Vitals():
                worker.vitals = message
                worker.vitals_at = self._board.wall
            case Cached():
                self.inputs.told(worker, message)
            case Goodbye():
                self.register.ended(worker.key)
                self.leases.give_up(worker, blame=False)
            case Leaving() | Resting():
                self._takes_no_more(worker, message)
            case Heartbeat():
                pass
            case _:
                raise ProtocolError(f"a worker does not send {type(message).__name__}")

    def _takes_no_more(self, worker: Worker, message: Leaving | Resting) -> None:
        """Give a worker nothing that leaves; nor one that rests, until it says otherwise."""
        if isinstance(message, Leaving):
            worker.leaving = True
        else:
            worker.resting = message.reason
        self._room.look(worker)

    def _note_unusable(self, worker: Worker, message: Failed) -> None:
        """Note that a task has failed because its worker cannot use the plugin, if it has."""
        job = self._board.jobs.get(message.job)
        if job is not None and job.shipped is not None:
            plugin, error = job.shipped.plugin, message.failure.error
            begins = unusable(plugin.name)
            if error.startswith(begins):
                worker.cannot_use(plugin.digest, error.removeprefix(begins))

    # --- looking --------------------------------------------------------------------------------

    def is_idle(self, peer: int) -> bool:
        """Whether a peer is a worker that has said what it holds, and holds nothing."""
        worker = self.roster.by_peer.get(peer)
        return worker is not None and worker.ready and not self._scheduler.worker_load(worker.id)[0]

    def tasks_of(self, worker: Worker, limit: int) -> list[tuple[int, int, int, bool]]:
        """Return up to `limit` of (job, number, attempt, reported as running) that it holds."""
        rows = []
        for job, number, attempt in self._scheduler.held(worker.id)[:limit]:
            state = self._scheduler.state(job, number)
            rows.append((job, number, attempt, state is not None and state[0] == RUNNING))
        return rows

    def state_of(self, worker: Worker) -> tuple[str, str]:
        """Return `connected`, `away`, `paused`, `draining`, `resting`, `sick`, `trial`; and why."""
        now = self._board.now
        left = self.leases.lapses_in(worker)
        if left is not None:
            silent = now - worker.heard
            return "away", f"away for {silent:.0f} s; its tasks go to others in {left:.0f} s"
        row = self.register.get(worker.key)
        if row is not None and (row.state or row.order):
            return commanded(row, self._scheduler.worker_load(worker.id)[0])
        if worker.resting:
            return RESTING, f"resting: {worker.resting}"
        state = self.health.state(worker.process)
        reason = self.health.reason(worker.process)
        if state == SICK:
            left = max(0.0, self.health.until(worker.process) - now)
            return "sick", f"set aside: {reason}; tried again in {left:.0f} s"
        if state == TRIAL:
            return "trial", f"tried again with one slot, after it was set aside: {reason}"
        return "connected", ""

    def name_of(self, id_: int) -> str:
        """Return the name of a worker of the scheduler."""
        worker = self.roster.by_id.get(id_)
        return worker.name if worker is not None else ""

    def validate(self) -> None:
        """Check what must always hold of workers."""
        self.leases.validate()
        self.health.validate()
        self.register.validate()
        for worker in self.roster.by_key.values():
            row = self.register.get(worker.key)
            if row is not None and (row.state or row.order):
                room = self._scheduler.worker_load(worker.id)[1]
                assert not room, "a worker has room that operators have taken from it"
        for row in self.register.gone():
            assert row.key not in self.roster.by_key, "a worker is gone, and here"
        self.outputs.validate()
        self.inputs.validate()
        self.telling.validate()
        self.attempts.validate()
        for peer, worker in self.roster.by_peer.items():
            assert worker.peer == peer, "a worker has another connection than it is found by"
            assert self.roster.by_name[worker.about.name] is worker, "a name is another worker's"
        places = {*self.roster.by_peer.values(), *self.roster.away.values()}
        assert set(self.roster.by_key.values()) == places, "a worker is nowhere"
        assert set(self.roster.by_id.values()) == places, "a place is nobody's"


def _pick(
    places: list[int], numbers: list[int], attempts: list[int], payloads: list[Payload]
) -> tuple[list[int], list[int], list[Payload]]:
    """Return the rows at these places, as columns."""
    return (
        [numbers[at] for at in places],
        [attempts[at] for at in places],
        [payloads[at] for at in places],
    )
