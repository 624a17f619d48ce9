"""The server's shell: it turns what happens into events and performs the reactor's actions.

The nursery holds the committer, the ticker, a task for each connection, and short-lived tasks that
send or read from the store. Everything else is synchronous: an event is handled and its actions
performed before anything else runs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial

import trio

from dc import limits, memory
from dc.blobs import BlobFolder
from dc.errors import DcError, InternalError, ServerStopped
from dc.link import Link
from dc.log_fields import about
from dc.messages_parts import Blob, Message
from dc.records import JobNumbers, NewPlugin
from dc.roles import LOCAL, Principal
from dc.server.asking import Question
from dc.server.commands import Command
from dc.server.commands_access import AccessCommand
from dc.server.committer import Committer
from dc.server.connection import Connection, peer_codec
from dc.server.connections import Connections, End
from dc.server.events import (
    Action,
    Asked,
    Broken,
    CheckpointsFound,
    Close,
    Closed,
    Committed,
    DropBlob,
    Emptied,
    Event,
    JobRecovered,
    JobRemoved,
    LoadHead,
    Opened,
    PluginsAdded,
    Received,
    Send,
    Stopping,
    TasksRecovered,
    Tick,
    Troubled,
    WorkersRecovered,
    Write,
)
from dc.server.histogram import Histogram
from dc.server.inner_peer import InnerPeer
from dc.server.loads import Loads
from dc.server.parking import Parking
from dc.server.reactor import Reactor
from dc.server.record_log import log_record
from dc.server.retention import Retention
from dc.server.started import Settings as Settings  # who starts an app needs both
from dc.server.surroundings import Surroundings
from dc.server.types import PluginTypes
from dc.server.worker_sessions import WorkerSessions
from dc.store import Store

__all__ = ["ServerApp", "Settings"]

log = logging.getLogger("dc.server")

LATE_BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Seconds by which the event loop comes late, for the metrics."""

QUIET_SECONDS = 5.0
"""Without anything to write, after which free memory is given back: a long queue may wait for days
for its workers."""

STOP_SECONDS = 5.0
"""For farewells and the last commit once the server is told to stop."""


class ServerApp:
    """A running server, but for the listening socket.

    Args:
        store: where jobs, tasks and results are.
        blobs: where large payloads and results are.
        types: the task types of the plugins.
        settings: what to show of itself.
        wall: gives the Unix time in seconds.
    """

    def __init__(
        self,
        store: Store,
        blobs: BlobFolder,
        types: PluginTypes,
        settings: Settings,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.blobs = blobs
        self.types = types
        self.settings = settings
        self.reactor = Reactor(types, settings.software)
        self.committer = Committer(store, self._committed, self._troubled)
        self.retention = Retention(store, blobs, self._followed, settings.keep, wall)
        self.retention.freed = self._freed
        self.retention.written = self.committer.wait_written
        self.retention.named = self._named
        self.retention.forget_plugin = self._forget_plugin
        self._loads = Loads(store, self.retention)
        self._wall = wall
        self._codec = peer_codec()
        self._connections = Connections()
        self.sessions = WorkerSessions()
        self.parking = Parking(self)
        self.surroundings = Surroundings(store, types, settings.data)
        self.lateness = Histogram(LATE_BOUNDS)
        self._asked: list[Action] = []
        self._nursery: trio.Nursery | None = None
        self._worked = False
        self._wrote = 0.0
        self._verbose = log.isEnabledFor(logging.DEBUG)
        self._failure: Exception | None = None
        self._loaded = trio.Event()
        self._stopping = trio.Event()
        self._stopped = trio.Event()

    # --- life -----------------------------------------------------------------------------------

    async def recover(self) -> None:
        """Take up the unfinished jobs of the store; before anything is served."""
        next_job, next_sequence = await self.store.next_ids()
        await self.store.commit([JobNumbers(next_job + limits.JOBS_AHEAD)])
        self.reactor = Reactor(
            self.types,
            self.settings.software,
            next_job,
            next_sequence,
            server=await self.store.identity(),
        )
        self.reactor.board.access.recovered(await self.store.access())
        self.reactor.board.audit.next = await self.store.next_audit()
        self.feed(WorkersRecovered(await self.store.workers()))
        await self.surroundings.recover(self.reactor.chronicle)
        self.reactor.board.usage.restore(await self.store.usage())
        await self.surroundings.settle(self.reactor.board, self.settings.given, self.retention)
        self.reactor.board.submitters.weights = await self.store.submitters()
        leased = {tasks.job: tasks for tasks in await self.store.leased()}
        for row in await self.store.open_jobs():
            self.feed(JobRecovered(row))
            if not row.ended:
                text = "job %d is not submitted to its end: see its page"
                log.warning(text, row.job, extra=about(job=row.job))
            if row.job in leased:
                self.feed(TasksRecovered(leased[row.job]))
            await self._recover_head()
            log.info("job %d goes on", row.job, extra=about(job=row.job))
        self.feed(CheckpointsFound(await self.store.checkpointed()))
        self._raise_failure()

    async def _recover_head(self) -> None:
        """Read the head of a job; what else was asked for has time until the server runs."""
        while heads := [action for action in self._asked if isinstance(action, LoadHead)]:
            self._asked = [action for action in self._asked if not isinstance(action, LoadHead)]
            for head in heads:
                self.feed(await self._loads.answer(head))

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until `stop` is called; then say farewell and write down what is left."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self.committer.run)
            nursery.start_soon(self.retention.run)
            nursery.start_soon(self.blobs.run)
            nursery.start_soon(self._tick)
            nursery.start_soon(self.parking.run)
            for action in self._asked:
                nursery.start_soon(self._load, action)
            self._asked = []
            task_status.started()
            await self._stopping.wait()
            self.feed(Stopping())
            self._connections.close_all(1001, "the server is stopping")
            with trio.move_on_after(STOP_SECONDS):
                await self._connections.wait_none()
                self.feed(Emptied())
                await self.committer.wait_idle()
            nursery.cancel_scope.cancel()
        self._stopped.set()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            text = f"stopped by a mistake in dc: {self._failure!r}; nothing acknowledged is lost"
            raise InternalError(text) from self._failure

    async def wait_stopped(self) -> None:
        """Wait until `run` has ended after `stop`."""
        await self._stopped.wait()

    async def wait_stopping(self) -> None:
        """Wait until the server is told to stop."""
        await self._stopping.wait()

    def start_beside(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run something beside all else, for as long as the server runs."""
        if self._nursery is not None:
            self._nursery.start_soon(work)

    @property
    def stopping(self) -> bool:
        """Whether the server has been told to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Begin to stop."""
        self._stopping.set()

    async def _tick(self) -> None:
        while True:
            due = trio.current_time() + self.reactor.pause()
            await trio.sleep_until(due)
            self.lateness.add([trio.current_time() - due])
            self.surroundings.look(self.reactor.chronicle)
            self.feed(Tick(self.committer.stalled))
            quiet = trio.current_time() - self._wrote > QUIET_SECONDS
            if self._worked and (quiet or self.reactor.idle):
                self._worked = False
                memory.give_back()

    def wall(self) -> float:
        """Return the Unix time."""
        return self._wall()

    # --- connections ----------------------------------------------------------------------------

    async def serve_socket(
        self, link: Link, address: str, principal: Principal = LOCAL, session: str = ""
    ) -> None:
        """Serve one peer's socket to its end, or until it is parked.

        Args:
            link: the socket.
            address: where it comes from.
            principal: who has opened it.
            session: the worker's, which lasts as long; empty for none.
        """
        number = self._connections.take_number()
        if session:
            self.sessions.opened(session, number)
        connection = Connection(self, number, link, self._codec)
        self._connections.put(number, connection)
        self.feed(Opened(number, address, principal))
        await self._serve(number, connection, link.stream)

    async def _serve(self, number: int, connection: Connection, stream: trio.abc.Stream) -> None:
        parked = False
        try:
            if parked := await connection.run(partial(self._closed, number)):
                self._connections.put(number, self.parking.park(number, stream))
        except Exception:
            log.exception("the connection of peer %d failed", number, extra=about(peer=number))
        finally:
            if not parked:
                self._connections.remove(number)
                self.sessions.closed(number, trio.current_time())
                await trio.aclose_forcefully(stream)

    def enter(self, peer: InnerPeer, principal: Principal = LOCAL) -> int:
        """Take in a peer that is inside the server, on behalf of somebody; return its number.

        Raises:
            ServerStopped: the server is stopping.
        """
        if self.stopping:
            raise ServerStopped("the server is stopping")
        number = self._connections.take_number()
        self._connections.put(number, peer)
        self.feed(Opened(number, "inside", principal))
        return number

    def leave(self, number: int) -> None:
        """Forget a peer that was inside the server."""
        self._closed(number)
        self._connections.remove(number)

    def may_park(self, peer: int, stream: trio.abc.Stream) -> bool:
        """Whether a peer's connection may be parked: it has nothing to say but heartbeats."""
        return self.parking.may_take(stream) and self.reactor.workers.is_idle(peer)

    def alive(self, peers: Collection[int], now: float) -> list[int]:
        """Note that heartbeats of parked peers came; return which are to be answered."""
        return self.reactor.alive(peers, now)

    def wake(self, peer: int, stream: trio.abc.Stream, initial: bytes) -> Connection:
        """Serve a connection again that was parked; `initial` has been read from it."""
        link = Link(stream, client=False, initial=initial)
        connection = Connection(self, peer, link, self._codec)
        self._connections.put(peer, connection)
        if self._nursery is not None:
            self._nursery.start_soon(self._serve, peer, connection, stream)
        return connection

    @property
    def sockets(self) -> int:
        """How many sockets of peers are open."""
        return len(self._connections)

    def _closed(self, peer: int) -> None:
        # A worker that the server itself sends away is not to blame: its tasks stay its own.
        if not self.stopping:
            self.feed(Closed(peer))

    def _committed(self, count: int) -> None:
        self.feed(Committed(count))

    def _freed(self, submitter: str, size: int) -> None:
        self.feed(JobRemoved(submitter, size))

    def _named(self) -> set[bytes]:
        """Return the blobs that are needed and that the store may not name yet, or never."""
        return self.committer.named().union(self.reactor.board.running)

    def _forget_plugin(self, plugin: bytes) -> None:
        if plugin not in self.reactor.board.running:
            self.types.forget(plugin)

    def _followed(self) -> Collection[int]:
        return self.reactor.in_memory

    def _troubled(self, text: str) -> None:
        self.feed(Troubled(text))

    def received(
        self, peer: int, batch: list[Message], size: int, missing: frozenset[Blob]
    ) -> None:
        """Take a batch of a peer: its bytes on the wire, and its results that are not here."""
        self.feed(Received(peer, batch, missing), size)

    def plugins_added(self, records: list[NewPlugin]) -> None:
        """Write down versions of plugins that are in service from now on."""
        self.feed(PluginsAdded(records))

    def broken(self, peer: int, error: DcError) -> None:
        """Refuse a peer that sent what cannot be taken."""
        self.feed(Broken(peer, error))

    async def wait_space(self, peer: int) -> None:
        """Wait until more may be received from a peer.

        Workers need not wait: how much they can send is bounded by what they were given. What a
        client says while it looks for the job of a key is held: it is read again afterwards.
        """
        if peer not in self.reactor.workers.by_peer:
            await self.committer.wait_space()
            while self.reactor.clients.looks(peer):
                await self._loaded.wait()

    def start_soon(self, connection: Connection) -> None:
        """Send what is queued for a connection, in a task of its own."""
        if self._nursery is not None:
            self._nursery.start_soon(connection.drain)

    async def ask(
        self, command: Command | AccessCommand, by: Principal = LOCAL, address: str = ""
    ) -> object:
        """Do what somebody asks for who may; return the answer once all of it is on disk.

        Args:
            command: what.
            by: who asks, for the audit log.
            address: from where, without the port.

        Raises:
            DcError: why nothing was done.
            StoreError: it is done, and not on disk for limits_http.ASK_SECONDS.
        """
        question = Question()
        self.feed(Asked(command, question.take, by, address))
        await question.wait()
        return question.answer(self.committer.trouble)

    # --- events and actions -----------------------------------------------------------------------

    def feed(self, event: Event, size: int = 0) -> None:
        """Handle an event, of so many bytes if it came from a peer, and perform what follows.

        An error in here is a mistake of ours, and leaves the reactor half changed: the server then
        stops, before anything is acknowledged that is not on disk. What is there is whole.
        """
        if self._failure is not None:
            return
        try:
            self._act(self.reactor.handle(event, trio.current_time(), self._wall()), size)
        except Exception as error:
            self._fail(error)

    def _act(self, actions: list[Action], size: int) -> None:
        """Perform actions in order; what is sent leaves together, before anything is committed."""
        wrote = False
        spoken_to: dict[int, End] = {}
        for action in actions:
            if isinstance(action, Send):
                if (connection := self._connections.get(action.peer)) is not None:
                    connection.push(action.message, action.size)
                    spoken_to[action.peer] = connection
            elif isinstance(action, Write):
                self.committer.add(action.record)
                if self._verbose:
                    log_record(action.record)
                wrote = self._worked = True
                self._wrote = trio.current_time()
            else:
                self._perform(action)
        for connection in spoken_to.values():
            connection.flush()
        if wrote:
            self.committer.weigh(size)
            self.committer.begin()

    def _fail(self, error: Exception) -> None:
        log.critical("the server stops: this is a mistake in dc", exc_info=error)
        self._failure = error
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    def _perform(self, action: Action) -> None:
        if isinstance(action, Close):
            if (connection := self._connections.get(action.peer)) is not None:
                connection.close(action.code, action.reason)
        elif isinstance(action, DropBlob):
            self.retention.drop(action.digest)
        elif self._nursery is not None:
            self._nursery.start_soon(self._load, action)
        else:
            self._asked.append(action)

    async def _load(self, action: Action) -> None:
        """Answer an action that takes time."""
        self.feed(await self._loads.answer_at_last(action))
        self._loaded.set()
        self._loaded = trio.Event()
