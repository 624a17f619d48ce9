"""The server's thought: events and the time go in, actions come out.

Theory of operation
-------------------
Nothing here does anything: no socket, clock, disk or randomness. The app feeds one event after the
other to `handle` and performs the actions it gets back, in order. So every order of events that the
world can produce can be produced by a test, in microseconds.

The work is shared out: `board` holds what all touch (jobs, the scheduler, records on their way to
disk), `workers` and `clients` each know one kind of peer, `streams` carries results to clients.
This file is the door: it greets peers, watches over their silence, and sees to it that after each
event every worker with room gets tasks if there are any.

What the rest of the design hangs on:

- A result is acknowledged to its worker, counted as recorded, and shown to clients, only in answer
  to Committed, that is once it is on disk. Assigning does not wait for the disk: at worst a task
  that was never acknowledged to its client has been run for nothing.
- Tasks leave the scheduler the moment their outcome is accepted, so of two answers to one task only
  the first is ever written.
- A peer's mistake closes that peer, with its name for it, and touches nothing else.
- Silence counts only while there is somebody to listen: a tick that comes late, because the
  process or its computer stood still, takes nobody's tasks.
"""

from __future__ import annotations

from collections.abc import Iterable

from dc import limits
from dc.errors import DcError, NotSignedIn, ProtocolError
from dc.messages import PROTOCOL, Heartbeat, Hello, Refused, Trouble, Welcome
from dc.messages_parts import Blob, Message
from dc.messages_worker import About
from dc.records import Outcomes
from dc.server.admission import SHUTS_OUT, Admission, check_version
from dc.server.attention import AttentionList
from dc.server.board import Board
from dc.server.chronicle import Chronicle
from dc.server.clients import ClientSide
from dc.server.events import (
    Action,
    Answered,
    Asked,
    Broken,
    CheckpointsFound,
    CheckpointsLoaded,
    Close,
    Closed,
    Committed,
    Continued,
    Emptied,
    Event,
    HeadLoaded,
    JobLoaded,
    JobRecovered,
    JobRemoved,
    KeyLoaded,
    Opened,
    OutcomesLoaded,
    PayloadsLoaded,
    PayloadsPrefetched,
    PluginsAdded,
    Received,
    Send,
    Stopping,
    TasksRecovered,
    Tick,
    Troubled,
    WorkersRecovered,
)
from dc.server.heads import HeadLimits
from dc.server.job_control import JobControl
from dc.server.jobs import Job
from dc.server.operations import Operations
from dc.server.peers import ANSWER_SECONDS, OWN_SECONDS, Peer, Peers
from dc.server.streams import Streams
from dc.server.type_port import Types
from dc.server.unheard import Unheard
from dc.server.why import Whys
from dc.server.workers import WorkerSide

CAPABILITIES = ["batch", "blobs", "vitals", "resting"]
CLOSE_POLICY = 1008
ENDED = "what you were let in by has ended: sign in again"
CLOSE_GOING = 1001
HEADS = HeadLimits()
RECOVERED = JobRecovered, TasksRecovered, WorkersRecovered, CheckpointsFound
"""Events of the start, before which nobody gets anything."""


class Reactor:
    """Decides everything the server does.

    Args:
        types: the task types of the server's plugins.
        software: the server's name and version, for Welcome.
        next_job: the number of the next job.
        next_sequence: the sequence of the next record of outcomes.
        window: bytes of payloads of queued tasks that are kept in memory.
        heads: how many queued tasks the scheduler holds.
        server: names the data folder, for Welcome.
    """

    def __init__(
        self,
        types: Types,
        software: str,
        next_job: int = 1,
        next_sequence: int = 1,
        window: int = limits.PAYLOAD_WINDOW_BYTES,
        heads: HeadLimits = HEADS,
        server: str = "",
    ) -> None:
        self.board = Board(types, next_job, next_sequence, window, heads)
        self.workers = WorkerSide(self.board)
        self.whys = Whys(self.board, self.workers)
        self.streams = Streams(self.board)
        self.clients = ClientSide(self.board, self.workers, self.streams)
        self.control = JobControl(self.board, self.clients, self.workers)
        self.chronicle = Chronicle(self.board, self.workers)
        self.attention = AttentionList(self.board, self.workers, self.chronicle)
        self.operations = Operations(self.board, self.clients, self.control, self.workers)
        self.workers.orders.dismiss = self._dismiss
        self.board.on_outcomes = self._recorded
        self.board.on_finished = self._finished
        self.board.on_unfollowed = self.clients.let_go
        self._software = software
        self.board.server = server
        self._peers = Peers()
        self.admission = Admission(self.board.access, self._peers, self.workers.roster)
        self._unheard = Unheard()

    # --- the door -------------------------------------------------------------------------------

    def handle(self, event: Event, now: float, wall: float) -> list[Action]:
        """Take an event; return what is to be done.

        Args:
            event: what has happened.
            now: seconds on a clock that never goes back.
            wall: Unix time in seconds, for what is written down and shown.
        """
        board = self.board
        board.now, board.wall = now, wall
        out: list[Action] = []
        board.out = out
        if not self._of_a_peer(event):
            self._of_the_store(event)
        if not isinstance(event, RECOVERED):
            self.workers.assign()
        self._note_sends(out)
        return out

    def _of_a_peer(self, event: Event) -> bool:
        """Take an event of a peer, the page, the clock or the app; False for any other."""
        match event:
            case Received():
                self._on_received(event)
            case Opened(number, address, principal):
                self._peers.add(number, address, self.board.now, principal)
            case Closed():
                self._forget(event.peer)
            case Broken():
                if (peer := self._peers.get(event.peer)) is not None:
                    self._refuse(peer, event.error)
            case Asked():
                self.operations.ask(event)
                if isinstance(event.command, SHUTS_OUT):
                    self._shut_out()
            case Tick():
                self._on_tick(event.stalled)
            case PluginsAdded(records):
                for record in records:
                    self.board.write(record, lambda: None)
                    self.board.signed(record)
                    self.chronicle.plugin(record)
            case Stopping():
                self.workers.note_all_seen()
                self.chronicle.stopping()
            case Emptied():
                self.board.give_numbers_back()
                self.chronicle.write(all_=True)
                self.operations.access.tick(last=True)
            case _:
                return False
        return True

    def _of_the_store(self, event: Event) -> None:
        """Take an event by which the store, or the loop, answers an action."""
        match event:
            case Committed():
                self.board.stalled = False
                self.board.committed(event.count)
            case Troubled(text):
                self._on_trouble(text)
            case PayloadsLoaded():
                self.workers.loaded(event)
            case CheckpointsLoaded():
                self.workers.checkpoints_loaded(event)
            case CheckpointsFound(tasks):
                self.workers.telling.recovered(tasks)
            case OutcomesLoaded():
                self.streams.loaded(event.peer, event.request, event.records)
            case JobLoaded():
                self.clients.job_loaded(event.job, event.row)
                self._take_held()
            case JobRemoved(submitter, size):
                self.board.usage.free(submitter, size)
                self.chronicle.removed()
            case Continued():
                self.clients.cancel_step(event.job)
            case Answered(then, answer):
                then(answer)
            case KeyLoaded():
                self.clients.submissions.key_loaded(event.key, event.row)
                self._take_held()
            case WorkersRecovered(rows):
                self.workers.register.recovered(rows)
            case JobRecovered():
                self._on_recovered(self.board.add_job(event.row))
            case TasksRecovered(tasks):
                if (queued := self._queued(tasks.job)) is not None:
                    self.board.heads.restored(queued, tasks)
                    self.workers.leases.restored(tasks)
            case HeadLoaded(tasks, next_):
                if (queued := self._queued(tasks.job)) is not None:
                    self.board.heads.loaded(queued, tasks, next_)
            case PayloadsPrefetched(number, first, payloads):
                if (queued := self._queued(number)) is not None:
                    queued.at_hand.fetched(first, payloads)
                    self.board.heads.assigned(queued)

    def _on_recovered(self, job: Job) -> None:
        self.clients.submissions.recovered(job)
        self.board.heads.recovered(job)
        self.control.recovered(job)

    def _recorded(self, job: Job, record: Outcomes) -> None:
        self.streams.recorded(job, record)
        self.control.recorded(job, record)

    def _finished(self, job: Job) -> None:
        self.control.finished(job)
        self.chronicle.finished(job)
        self.clients.finished(job)

    def _queued(self, number: int) -> Job | None:
        """Return a job that has tasks to hand out: what was read for any other comes too late."""
        job = self.board.jobs.get(number)
        return job if job is not None and job.scheduled and not job.cancelled else None

    def pause(self) -> float:
        """Return after how many seconds the next Tick is wanted."""
        usual = limits.STATUS_SECONDS if self.clients.watching else limits.TICK_SECONDS
        board = self.board
        due = min(board.scheduler.next_time() - board.now, self.control.next_time() - board.wall)
        return max(0.001, min(usual, due))

    @property
    def idle(self) -> bool:
        """Whether no job is in memory: all have finished and nobody follows one."""
        return not self.board.jobs

    @property
    def in_memory(self) -> set[int]:
        """The jobs that may be read or asked for without the store, and those that others need."""
        needed = self.control.dependencies.needed()
        return {*self.board.jobs, *self.clients.recent.numbers(), *needed}

    def validate(self) -> None:
        """Check what must always hold; AssertionError says what does not."""
        self.workers.validate()
        self._peers.validate()
        for peer in self.workers.roster.by_peer:
            assert self._peers[peer].role == "worker", f"worker {peer} has no open socket"
        for peer in self.clients.by_peer:
            assert self._peers[peer].role == "client", f"client {peer} has no open socket"
        self.board.validate()

    # --- peers ----------------------------------------------------------------------------------

    def _on_received(self, event: Received) -> None:
        peer = self._peers.get(event.peer)
        if peer is None:
            return
        peer.heard = self.board.now
        self._take(peer, event.batch, event.missing)
        if len(event.batch) == 1 and isinstance(event.batch[0], Heartbeat):
            self._answer(peer)

    def _take(self, peer: Peer, batch: list[Message], missing: frozenset[Blob]) -> None:
        for message in batch:
            try:
                self._one(peer, message, missing)
            except DcError as error:
                self._refuse(peer, error)
                return
            if peer.number not in self._peers:
                return

    def _take_held(self) -> None:
        """Take what clients said while the jobs of their keys were looked for."""
        for client in self.clients.submissions.answered():
            held, client.held = client.held, []
            missing, client.held_missing = frozenset(client.held_missing), set()
            if (peer := self._peers.get(client.peer)) is not None:
                self._take(peer, held, missing)

    def _answer(self, peer: Peer) -> None:
        """Answer a heartbeat by one, if nothing else was said to this peer for a while."""
        if peer.role and self.board.now - peer.spoke >= ANSWER_SECONDS:
            self.board.send(peer.number, Heartbeat())

    def _one(self, peer: Peer, message: Message, missing: frozenset[Blob]) -> None:
        if isinstance(message, Hello):
            self._greet(peer, message)
        elif peer.role == "worker":
            worker = self.workers.roster.by_peer.get(peer.number)
            if worker is not None:
                self.workers.received(worker, message, missing)
        elif peer.role == "client":
            if not isinstance(message, Heartbeat):
                self.clients.received(self.clients.by_peer[peer.number], message, missing)
        else:
            raise ProtocolError(f"the first message must be Hello, not {type(message).__name__}")

    def _greet(self, peer: Peer, hello: Hello) -> None:
        if peer.role:
            raise ProtocolError("Hello was said already")
        check_version(hello, self._software)
        about = self.admission.greet(peer.principal, hello)
        slots = 0
        if hello.role == "client":
            self.clients.join(peer.number, peer.address, peer.principal)
        else:
            slots = self._greet_worker(peer, hello, about)
        peer.role = hello.role
        welcome = Welcome(PROTOCOL, self._software, CAPABILITIES, self.board.server, slots)
        self.board.send(peer.number, welcome)
        if self.board.trouble:
            self.board.send(peer.number, Trouble(self.board.trouble))

    def _greet_worker(self, peer: Peer, hello: Hello, about: About | None) -> int:
        """Take a worker in; return how many slots it is to use, 0 for its own."""
        if about is None:
            raise ProtocolError("a worker says in Hello what it is")
        obeys = "orders" in hello.capabilities
        replaced = self.workers.join(peer.number, peer.address, about, obeys=obeys)
        if replaced is not None:
            self._peers.pop(replaced)
            self.board.out.append(Close(replaced, CLOSE_POLICY, "connected again elsewhere"))
        self.workers.by_peer[peer.number].software = hello.software
        row = self.workers.register.get(about.key)
        return row.slots if row is not None else 0

    def _refuse(self, peer: Peer, error: DcError) -> None:
        code = error.close_code if isinstance(error, ProtocolError) else CLOSE_POLICY
        self.board.send(peer.number, Refused(-1, error.code, str(error)))
        self.board.out.append(Close(peer.number, code, error.code))
        if peer.number in self.workers.roster.by_peer:
            self.workers.expel(peer.number)
        self._forget(peer.number)

    def _dismiss(self, number: int, error: DcError) -> None:
        """Send a peer away that is nobody's any more."""
        if (peer := self._peers.get(number)) is not None:
            self._refuse(peer, error)

    def _shut_out(self) -> None:
        """Send those away who were let in by what has ended meanwhile."""
        for peer in self.admission.strangers(self.board.wall):
            self._refuse(peer, NotSignedIn(ENDED))

    def _forget(self, number: int) -> None:
        peer = self._peers.pop(number)
        if peer is not None and number in self.workers.roster.by_peer:
            self.workers.lost(number, peer.heard)
        elif number in self.clients.by_peer:
            self.clients.leave(number)

    def _on_trouble(self, text: str) -> None:
        """Tell everybody why nothing is acknowledged at present, or that it is again."""
        self.board.trouble = text
        self.chronicle.trouble(text)
        for peer in self._peers.all():
            if peer.role:
                self.board.send(peer.number, Trouble(text))

    def alive(self, numbers: Iterable[int], now: float) -> list[int]:
        """Note heartbeats of workers that hold nothing; return who is to be answered by one.

        For such a peer it is what Received with a Heartbeat alone comes to.
        """
        answered = []
        for number in numbers:
            peer = self._peers[number]
            peer.heard = now
            if now - peer.spoke >= ANSWER_SECONDS:
                peer.spoke = now
                answered.append(number)
        return answered

    # --- time -----------------------------------------------------------------------------------

    def _on_tick(self, stalled: bool) -> None:
        self.board.stalled = stalled
        self.clients.report()
        self.clients.recent.expire(self.board.now)
        self.control.tick()
        late = self._unheard.tick(self.board.now, stalled=stalled)
        self._peers.postpone(late, self.board.now)
        for peer in self._peers.due(self.board.now):
            self._watch_over(peer)
        self.workers.tick(late, patient=self._unheard.is_patient(self.board.now))
        self.operations.access.tick()
        self.chronicle.tick()

    def _watch_over(self, peer: Peer) -> None:
        now = self.board.now
        if self.clients.looks(peer.number):
            peer.heard = now  # it is not read meanwhile
        if not peer.role and now - peer.opened > limits.HELLO_SECONDS:
            text = f"no Hello within {limits.HELLO_SECONDS:g} s"
            self._refuse(peer, ProtocolError(text, close_code=CLOSE_POLICY))
        elif now - peer.heard > limits.SILENCE_SECONDS:
            self.board.out.append(Close(peer.number, CLOSE_GOING, "silent for too long"))
            self._forget(peer.number)
        elif not self.admission.stands(peer, self.board.wall):
            self._refuse(peer, NotSignedIn(ENDED))
        else:
            if peer.role and now - peer.spoke >= OWN_SECONDS:
                self.board.send(peer.number, Heartbeat())
                peer.spoke = now
            self._peers.look_later(peer)

    def _note_sends(self, out: list[Action]) -> None:
        for action in out:
            if type(action) is Send and (peer := self._peers.get(action.peer)) is not None:
                peer.spoke = self.board.now
