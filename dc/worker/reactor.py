"""What a worker decides: an event and the time go in, actions come out. No IO, no clock.

Theory of operation
-------------------
Every attempt that the server assigns is in `Job.held` until its report is recorded, and at exactly
one of these places:

    fetching  something that it is to have is still on the server
    plugins   its code is still on the server, or what that needs is not installed yet
    queue     it waits for an executor
    slots     an executor has it
    puts      its result is in a file and on its way to the server
    reports   its outcome is in a draft, or in a message that the server has not recorded

An attempt that is stopped, or replaced by a higher one of the same task, leaves `held` at once. It
is taken out of the first three places and the fifth; an executor that runs it is killed. A report
that was made stays, for the server knows what to do with it.

`Executors` (dc/worker/executors.py) has the slots, `Carriage` (dc/worker/carriage.py) the files
that come and go, `Fetching` (dc/worker/fetching.py) who waits for which, and who uses them,
`Assignments` (dc/worker/assignments.py) what the server gives and takes back; this class has the
rest of the server's side: the connection and the reports. A lost connection changes nothing but
that nothing is sent: what was not recorded is sent again after the next Welcome.

Reports and large results are in the journal as well, before they are sent, and until they are
recorded. A worker that starts is given what is in there (Restored) and goes on from it, as if its
connection alone had been lost.

What is held belongs to one server, for its numbers mean nothing to another. When a Welcome names
another server, all is let go, what is in the journal is left there for its own server, and the new
one is told what its own journal holds.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import Final

from dc import limits
from dc.errors import DuplicateName, ProtocolError, VersionError, WorkerDeleted
from dc.messages import PROTOCOL, Heartbeat, Hello, Refused, Trouble, Welcome, check_columns
from dc.messages_parts import Message
from dc.messages_worker import Assign, End, Held, Leaving, Progress, Recorded, Rest, Slots, Stop
from dc.pipe import Loaded, Saved
from dc.worker.amounts import Amounts
from dc.worker.assignments import Assignments
from dc.worker.board import Board, uses_of
from dc.worker.carriage import Carriage
from dc.worker.events import (
    Action,
    BlobPut,
    BlobPutFailed,
    CacheChanged,
    CheckpointPut,
    Connect,
    Connected,
    Disconnected,
    Drop,
    Event,
    Exceeded,
    ExecutorDied,
    ExecutorReady,
    ExecutorSaid,
    ExecutorWrote,
    Fetched,
    FetchFailed,
    Finish,
    Flush,
    Leave,
    Measured,
    PluginFailed,
    PluginReady,
    Received,
    Restored,
    SwitchJournal,
    Tick,
    Woke,
)
from dc.worker.executors import Executors
from dc.worker.giving_back import GivingBack
from dc.worker.identity import Identity
from dc.worker.leaving import DELETED, Departure
from dc.worker.neighbour_events import InUse
from dc.worker.outputs import Outputs
from dc.worker.pulse import Pulse
from dc.worker.statistics import Statistics, statistics_of
from dc.worker.telling import Telling

CAPABILITIES: Final = ["orders"]


class WorkerReactor:
    """Decides for one worker.

    Args:
        identity: who the worker is.
        scratch: the path of the folder for files, as the executors are told it.
        idle_exit: seconds without anything to do, after which the worker leaves.
        give_back: seconds for which tasks stand still while somebody else uses the computer.

    Attributes:
        identity: as given, but for the name, which changes when a name not asked for is taken.
    """

    def __init__(
        self, identity: Identity, scratch: str, idle_exit: float = math.inf, give_back: float = 0.0
    ) -> None:
        self.identity = identity
        self._board = Board()
        self._board.slots = identity.slots
        self._carriage = Carriage(self._board)
        self._amounts = Amounts(identity.resources, identity.cards)
        self._executors = Executors(self._board, identity.slots, scratch, self._amounts)
        self._assignments = Assignments(self._board, self._executors, identity)
        self._outputs = Outputs(self._board)
        self._telling = Telling(self._board)
        self._pulse = Pulse(self._board)
        self._connecting = False
        self._online = False
        self._welcome = False
        self._was_welcome_last = False
        self._was_ever_welcome = False
        self._heard = 0.0
        self._server = ""  # the one that all that is held belongs to, if it is known
        self._durable = False
        self._switching = ""  # the one whose journal is waited for
        self._greeted = False  # whether Welcome came on the present connection
        parts = self._board, self._executors, self._assignments
        self._departure = Departure(*parts, idle_exit)
        suspending, departure = self._executors.suspending, self._departure
        self._giving_back = GivingBack(self._board, suspending, departure, give_back)
        self._finished = False

    @property
    def is_welcome(self) -> bool:
        """Whether the server has taken the worker in on the present connection."""
        return self._welcome

    @property
    def was_welcome_last(self) -> bool:
        """Whether the server had taken the worker in on the present or the last connection."""
        return self._was_welcome_last

    @property
    def was_ever_welcome(self) -> bool:
        """Whether the server has taken the worker in on any connection."""
        return self._was_ever_welcome

    # --- the door -------------------------------------------------------------------------------

    def start(self, now: float) -> list[Action]:
        """Begin: start the executors. `now` is in seconds, of any clock that does not go back.

        What was kept for the last server (Restored) comes right after this.
        """
        self._board.now = now
        self._executors.start()
        return self._board.take()

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take an event; return what is to be done, in order.

        Args:
            event: what has happened.
            now: in seconds, of the same clock as always; never less than the last.
        """
        self._board.now = now
        if self._finished:
            return []
        match event:
            case Received():
                self._on_received(event.message)
            case ExecutorSaid():
                self._on_said(event)
            case ExecutorWrote():
                self._outputs.wrote(event.executor, event.wrote, event.whole)
            case Flush():
                self._board.flush()
            case Tick():
                self._on_tick()
            case Fetched() | FetchFailed() | CacheChanged() | BlobPut() | BlobPutFailed():
                self._carriage.take(event, counts=self._welcome)
            case ExecutorReady():
                self._on_ready(event)
            case CheckpointPut():
                self._telling.put(event)
            case PluginReady() | PluginFailed():
                self._board.plugins.ended(event, now)
            case ExecutorDied(index, text, kind):
                self._outputs.died(index, self._executors.current(index), event.whole)
                self._executors.died(index, text, kind)
            case Exceeded():
                self._executors.exceeded(event)
            case Connected(leaves_in):
                self._on_connected(leaves_in)
            case Disconnected():
                self._offline()
            case Restored():
                self._on_restored(event)
            case Measured() | Woke() | InUse():
                self._of_the_computer(event)
            case Leave(finish):
                self._departure.end(finish, again=False)
        return self._settle()

    def _settle(self) -> list[Action]:
        """Do what has become possible by the last event."""
        board = self._board
        self._departure.look()
        if self._departure.leave_by is None:
            self._executors.dispatch()
        elif self._departure.may_end(welcome=self._welcome, durable=self._durable):
            self._finish("")
        if self._welcome:
            self._carriage.begin()
            board.plugins.begin(board.now)
        if board.reports.has_drafts and not board.flush_asked:
            board.report(idle=not board.queue and self._executors.all_idle)
        return board.take()

    # --- the connection -------------------------------------------------------------------------

    def _on_said(self, event: ExecutorSaid) -> None:
        if isinstance(event.message, Progress | Saved):
            self._telling.said(event.message)
        elif isinstance(event.message, Loaded):
            self._executors.loaded(event.executor, event.message)
        else:
            self._executors.said(event.executor, event.message)

    def _on_ready(self, event: ExecutorReady) -> None:
        self._executors.ready(event.executor)
        if not self._connecting:
            self._connecting = True
            self.identity.learn(event.ready)
            self._amounts.set_total(self.identity.resources)
            for plugin, why in self.identity.broken.items():
                self._board.say(f"plugin {plugin} is broken: {why}")
            self._board.out.append(Connect())

    def _on_connected(self, leaves_in: float) -> None:
        self._online = True
        self._was_welcome_last = False
        self._heard = self._board.now
        about = self.identity.about(leaves_in)
        hello = Hello(PROTOCOL, "worker", self.identity.software, CAPABILITIES, about)
        self._board.can_send = True
        self._board.send(hello)
        self._board.can_send = False

    def _on_received(self, message: Message) -> None:
        if not self._online:
            return
        self._heard = self._board.now
        try:
            self._take_message(message)
        except ProtocolError as error:
            self._drop(f"the server broke the rules of the wire: {error}")

    def _take_message(self, message: Message) -> None:
        early = Welcome | Refused | Heartbeat | Trouble
        if not self._welcome and not isinstance(message, early):
            raise ProtocolError(f"{type(message).__name__} before Welcome")
        match message:
            case Assign():
                check_columns(message)
                self._board.heard_trouble("")  # while there is any, nothing is assigned
                self._on_assign(message)
            case Recorded():
                self._board.recorded(message.sequence)
                self._board.tidy()
            case Stop():
                check_columns(message)
                self._assignments.stop(message)
            case Slots():
                self._use_slots(message.count)
            case Rest():
                self._departure.rest()
            case End():
                self._departure.told(message, self.identity.orders)
            case Welcome():
                self._pulse.greeted(message.capabilities)
                self._giving_back.greeted(message.capabilities)
                self._on_welcome(message.server)
                self._use_slots(message.slots or self.identity.slots)
            case Trouble():
                self._board.heard_trouble(message.text)
            case Refused():
                self._on_refused(message)

    def _use_slots(self, count: int) -> None:
        """Have so many slots, and the cpus for them."""
        self._amounts.set_total(self.identity.resources_with(count))
        self._executors.resize(count)
        self._board.slots = count

    def _on_assign(self, message: Assign) -> None:
        departure = self._departure
        leaving, refuses = departure.leave_by is not None, departure.draining or departure.lent
        self._assignments.assign(message, leaving=leaving, draining=refuses)
        departure.resting = departure.draining

    def _on_welcome(self, server: str) -> None:
        self._greeted = True
        if server in ("", self._switching or self._server):
            if not self._switching:
                self._begin()
            return
        if self._server:
            left = len(self._board.puts) + self._board.reports.outcomes
            more = f"; {left} results wait for the former one" if left and self._durable else ""
            self._board.say(f"this is another server than before{more}")
        self._board.let_go()
        self._telling.let_go()
        self._outputs.let_go()
        self._assignments.let_go()
        self._executors.begin_anew()
        self._switching = server
        self._board.out.append(SwitchJournal(server))

    def _on_restored(self, event: Restored) -> None:
        if self._switching not in ("", event.server):
            return
        self._switching = ""
        self._server, self._durable = event.server, event.durable
        self._board.restore(event.recorded, event.reports, event.files)
        if self._greeted:
            self._begin()

    def _begin(self) -> None:
        """Say what is held and go on. The server has taken the worker in."""
        board = self._board
        self._welcome = board.can_send = True
        self._was_welcome_last = self._was_ever_welcome = True
        for job in board.jobs.values():
            numbers, attempts = list(job.held), list(job.held.values())
            for start in range(0, len(numbers), limits.BATCH_TASKS):
                part = slice(start, start + limits.BATCH_TASKS)
                board.send(Held(job.number, numbers[part], attempts[part]))
        if self._departure.draining:
            board.send(Leaving())
        self._giving_back.begin()
        board.send(Heartbeat())  # that was all: tasks may come
        self._outputs.begin()
        self._telling.begin()
        self._pulse.begin()
        for report, size in board.reports:
            board.send(report, size)
        self._carriage.begin_anew()
        self._executors.report_again()

    def _on_refused(self, message: Refused) -> None:
        if message.request >= 0:
            self._board.say(f"the server refused something: {message.text}")
            return
        if message.code == DuplicateName.code and self.identity.take_next_name():
            self._drop(f"{message.text}; going on as {self.identity.name}", at_once=True)
        elif message.code in (DuplicateName.code, VersionError.code) and not self._was_ever_welcome:
            self._finish(message.text)
        elif message.code == WorkerDeleted.code:
            self._board.say(message.text)
            self._departure.power = DELETED
            self._finish("")
        else:
            self._drop(f"the server says: {message.text}")

    def _drop(self, reason: str, *, at_once: bool = False) -> None:
        self._offline()
        self._board.out.append(Drop(reason, at_once))

    def _offline(self) -> None:
        self._online = self._greeted = self._welcome = self._board.can_send = False

    def _of_the_computer(self, event: Measured | Woke | InUse) -> None:
        """Say how it is. After its sleep the server has given the connection up, or soon will."""
        if isinstance(event, Measured):
            self._pulse.measured(event)
            return
        if isinstance(event, InUse):
            self._giving_back.in_use(event.reason)
            return
        self._board.say(f"slept for {event.seconds:.0f} s")
        if self._online and event.seconds >= limits.SILENCE_SECONDS:
            self._drop("connecting again after the sleep", at_once=True)
        else:
            self._board.send(Heartbeat())

    def _on_tick(self) -> None:
        board = self._board
        self._giving_back.tick()
        self._executors.tick()
        self._departure.tick()
        self._outputs.tick(self._executors.running())
        self._telling.tick()
        if self._online and board.now - self._heard >= limits.SILENCE_SECONDS:
            self._drop(f"nothing was heard of the server for {limits.SILENCE_SECONDS:g} s")
        self._pulse.tick()

    # --- the end --------------------------------------------------------------------------------

    def _finish(self, error: str) -> None:
        self._finished = True
        how = self._departure
        self._board.out.append(Finish(error) if error else Finish("", how.again, how.power))

    # --- looking --------------------------------------------------------------------------------

    def busy(self) -> list[int]:
        """Return the slots whose executors have something to do."""
        return self._executors.busy()

    def statistics(self) -> Statistics:
        """Return how much there is of what."""
        return statistics_of(self._board, self._executors, connected=self._welcome)

    def validate(self) -> None:
        """Check all that must hold between two events; AssertionError says what does not."""
        board = self._board
        board.validate()
        chunks = chain(board.queue, board.plugins.chunks(), self._executors.chunks())
        board.fetching.validate(uses_of(chunks, board.jobs.values()))
        self._executors.validate()
        self._outputs.validate()
        self._telling.validate()
        if self._finished:
            return
        places = [*board.places(), *self._executors.places()]
        live = [one for one in places if board.is_held(*one)]
        held = {(job.number, *pair) for job in board.jobs.values() for pair in job.held.items()}
        assert len(live) == len(set(live)), "an attempt is at two places"
        assert set(live) == held, f"at no place: {held.difference(live)}"
