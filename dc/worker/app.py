"""The worker's shell: turns the world into events, and performs the reactor's actions in order.

What runs here:
- a task for the connection: connects, receives, and connects again after a pause;
- for each executor a task that starts it, receives from it and buries it, and one that feeds it;
- a task for each transfer, which take turns on a few HTTP connections;
- a task that sends, only while there is something that could not be sent at once, or while results
  are being gathered: it lets one turn of the loop pass first, so that what comes out of that turn
  goes in one frame;
- the clock.

Everything outside is given to the app, so it runs over memory streams with fake executors as well.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio
from trio.abc import Stream

from dc import limits, limits_client, limits_worker
from dc.cache import CacheFolder
from dc.errors import (
    ConnectionLost,
    DcError,
    NotPermitted,
    NotSignedIn,
    ProtocolError,
    StartError,
    VersionError,
    WrongServer,
)
from dc.executor import ExecutorPort
from dc.http_client import HttpClient
from dc.link import Link
from dc.link_open import connect
from dc.logs import say_in_all
from dc.messages import Codec, ToWorker
from dc.removal import remove_folder
from dc.worker.carrying import Carrier, text_of
from dc.worker.events import (
    Action,
    ClearFolder,
    Connect,
    Connected,
    Disconnected,
    Drop,
    Event,
    Execute,
    Fetch,
    FetchPlugin,
    Finish,
    Flush,
    FlushSoon,
    Forget,
    ForgetFile,
    Interrupt,
    Keep,
    KeepFile,
    Kill,
    Leave,
    LetGo,
    Measure,
    Measured,
    PutBlob,
    PutCheckpoint,
    Received,
    RemoveFile,
    Say,
    Send,
    StartExecutor,
    SwitchJournal,
    Tick,
    Woke,
)
from dc.worker.guard import Guard, Watched
from dc.worker.identity import Identity
from dc.worker.keeping import Keeping
from dc.worker.kept_output import KeptOutputs
from dc.worker.minding import Minder
from dc.worker.neighbour_events import InUse, Resume, Suspend
from dc.worker.plugin_fetch import PluginFetcher
from dc.worker.reactor import WorkerReactor
from dc.worker.seats import Seat, run_executor
from dc.worker.sending import Sending
from dc.worker.statistics import Statistics
from dc.worker.task_place import TASKS
from dc.worker.vitals import Meter
from dc.worker_proof import Challenge, Proof

log: Final = logging.getLogger("dc.worker")


class WorkerApp:
    """One worker.

    Args:
        identity: who it is.
        open_stream: opens a connection to the server.
        start_executor: starts an executor, or raises StartError.
        scratch: an existing folder for files, of this worker alone.
        host: the server as the header Host names it, and as the log does.
        jitter: returns a random number from 0 to 1.
        keeping: keeps reports on disk; without it they are in memory alone.
        cache: where blobs are that were fetched; without it, in the scratch folder.
        guard: watches what tasks use; without it only their executors' own limits hold.
        meter: looks at how the computer is; without it the server is not told.
        clock: the time in seconds, of a clock that goes on while the computer sleeps.
        idle_exit: seconds without anything to do, after which it ends.
        until: when it ends, in Unix time.
        wall: gives the Unix time.
        minder: says when the computer is in use by somebody else; without it, it never is.
        give_back: seconds for which tasks stand still then, before other workers get them.
        make_fetcher: makes what brings plugins here; needed where the identity takes any.
        access: headers of requests to the server, as what lets in; what is given to a socket for as
            long as it is open comes and goes in this very list.
        prover: proves to the server whose key this worker has; without it, it shows nothing.

    Attributes:
        again: whether it ended so that its program starts anew.
        power: what its computer is to do now, as in `End`.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        open_stream: Callable[[], Awaitable[Stream]],
        start_executor: Callable[[], Awaitable[ExecutorPort]],
        scratch: Path,
        host: str,
        jitter: Callable[[], float],
        keeping: Keeping | None = None,
        cache: CacheFolder | None = None,
        guard: Guard | None = None,
        meter: Meter | None = None,
        clock: Callable[[], float] = trio.current_time,
        idle_exit: float = math.inf,
        until: float = math.inf,
        wall: Callable[[], float] = time.time,
        minder: Minder | None = None,
        give_back: float = 0.0,
        make_fetcher: Callable[[Callable[[Event], None]], PluginFetcher] | None = None,
        access: list[tuple[str, str]] | None = None,
        prover: Callable[[Challenge], Proof] | None = None,
    ) -> None:
        self._identity = identity
        self._open_stream = open_stream
        self._start_executor = start_executor
        self._host, self._jitter = host, jitter
        self._keeping = keeping or Keeping()
        self._guard, self._meter, self._minder = guard, meter, minder
        self._clock, self._wall, self._until = clock, wall, until
        self._looked, self._slept = 0.0, 0.0  # when it was last told the time; what it is behind
        self._reactor = WorkerReactor(identity, str(scratch / TASKS), idle_exit, give_back)
        self._codec = Codec(ToWorker)
        self._cache = cache or CacheFolder(scratch / "cache", limits_worker.CACHE_BYTES)
        self._access, self._prover = [] if access is None else access, prover
        self._carrier = Carrier(self._new_http, self._cache, self._handle)
        self._fetcher = make_fetcher(self._handle) if make_fetcher is not None else None
        self._outputs = KeptOutputs(scratch, self._new_http())
        self._link: Link | None = None
        self._connection_scope: trio.CancelScope | None = None
        self._at_once, self._error, self.again, self.power = False, "", False, ""
        self._sending = Sending(self._codec, lambda: self._handle(Flush()), self._start)
        self._executors: dict[int, Seat] = {}
        self._finished = trio.Event()
        self._nursery: trio.Nursery | None = None

    # --- from outside ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until `leave` is called. Leaves no executor behind, even when cancelled.

        Raises:
            StartError: the server will not have this worker.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self._begin()
                await self._finished.wait()
                with trio.move_on_after(limits_client.CLOSE_SECONDS):
                    await self._close_connection()
                nursery.cancel_scope.cancel()
        finally:
            self._keeping.close()
            self._cache.close()
        if self._error:
            raise StartError(self._error)

    def leave(self, finish: float = 0.0) -> None:
        """Hand back what is not done, wait shortly for what is to be recorded, and end.

        Args:
            finish: seconds in which what has begun may still be finished.
        """
        log.info("leaving" + (f", once what runs is finished, in {finish:g} s" if finish else ""))
        self._handle(Leave(finish))

    def in_use(self, reason: str) -> None:
        """Rest, for this reason, while somebody else uses the computer; work again if it is empty.

        Args:
            reason: for people.
        """
        self._handle(InUse(reason))

    def statistics(self) -> Statistics:
        """Return how much there is of what."""
        return self._reactor.statistics()

    # --- events and actions ---------------------------------------------------------------------

    def _begin(self) -> None:
        assert self._nursery is not None
        self._looked = trio.current_time()
        self._nursery.start_soon(self._keep_time)
        self._nursery.start_soon(self._carrier.tell_all)
        if self._guard is not None:
            self._nursery.start_soon(self._guard.keep, self._watched, self._handle)
        if self._minder is not None:
            self._nursery.start_soon(self._minder.keep, self.in_use)
        self._perform(self._reactor.start(self._now()))
        restored = self._keeping.start()
        if restored is not None:
            self._handle(restored)

    def _handle(self, event: Event) -> None:
        self._perform(self._reactor.handle(event, self._now()))

    def _now(self) -> float:
        """Return the time by the reactor's clock, which stands still while this process sleeps.

        So what slept with it is not taken for late: a task's time limit, the server's silence.
        """
        now = trio.current_time()
        if now - self._looked > limits_worker.SLEPT_SECONDS:
            self._slept += now - self._looked
        self._looked = now
        return now - self._slept

    def _perform(self, actions: list[Action]) -> None:
        assert self._nursery is not None
        start = self._nursery.start_soon
        for action in actions:
            match action:
                case Send():
                    self._sending.add(action.message, action.size)
                case Keep():
                    self._keep(action)
                case Execute():
                    self._executors[action.executor].feed(action.run)
                case FlushSoon():
                    self._sending.flush_soon()
                case StartExecutor():
                    seat = Seat(self._outputs.of(action.executor))
                    self._executors[action.executor] = seat
                    start(run_executor, action.executor, seat, self._start_executor, self._handle)
                case Interrupt():
                    self._executors[action.executor].feed(action.halt)
                case Kill():
                    self._executors[action.executor].kill()
                case Fetch():
                    start(self._carrier.fetch, action)
                case LetGo():
                    self._cache.let_go(action.digest)
                    if self._cache.is_full:
                        start(self._carrier.make_room)
                case PutBlob() | PutCheckpoint():
                    start(self._carrier.put, action)
                case FetchPlugin() if self._fetcher is not None:
                    start(self._fetcher.fetch, action)
                case _:
                    self._perform_rare(action)
        self._sending.send_now()

    def _perform_rare(self, action: Action) -> None:
        assert self._nursery is not None
        match action:
            case Forget():
                self._keeping.forget(action.sequence)
            case KeepFile():
                self._keeping.keep_file(action.result)
            case ForgetFile():
                self._keeping.forget_file(action.job, action.number, action.attempt)
            case SwitchJournal():
                self._carrier.give_up()
                self._handle(self._keeping.switch(action.server))
            case Connect():
                self._nursery.start_soon(self._stay_connected)
            case Drop():
                log.warning("%s", action.reason)
                self._at_once = action.at_once
                if self._connection_scope is not None:
                    self._connection_scope.cancel()
            case RemoveFile():
                with suppress(OSError):
                    Path(action.path).unlink()
            case ClearFolder() if Path(action.path).is_dir():
                keep = set(map(Path, action.keep))
                start = self._nursery.start_soon
                start(trio.to_thread.run_sync, remove_folder, Path(action.path), keep)
            case Suspend() | Resume():
                self._executors[action.executor].hold(still=isinstance(action, Suspend))
            case Measure() if self._meter is not None:
                self._nursery.start_soon(self._measure, self._meter)
            case Say():
                log.warning("%s", action.text)
            case Finish():
                self._error, self.again, self.power = action.error, action.again, action.power
                self._finished.set()

    def _keep(self, action: Keep) -> None:
        """Write reports to the journal and send the very bytes."""
        encoded = self._keeping.keep([report for report, _ in action.reports])
        if action.send:
            for data, (_, size) in zip(encoded, action.reports, strict=True):
                self._sending.add(data, size)

    async def _keep_time(self) -> None:
        before = self._clock()
        while True:
            await trio.sleep(limits_worker.WORKER_TICK_SECONDS)
            now = self._clock()
            slept, before = now - before, now
            if slept > limits_worker.SLEPT_SECONDS:
                self._handle(Woke(slept))
            self._handle(Tick())
            if self._wall() >= self._until:
                self._until = math.inf
                log.info("its time is over")
                self.leave()
            self._keeping.tick(trio.current_time())

    async def _measure(self, meter: Meter) -> None:
        self._handle(Measured(await trio.to_thread.run_sync(meter.read)))

    def _watched(self) -> list[Watched]:
        """Return what is to be watched of those executors that run something."""
        seats = [self._executors[index].watched(index) for index in self._reactor.busy()]
        return [one for one in seats if one is not None]

    # --- the connection -------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        failures = 0
        while not self._finished.is_set():
            began = trio.current_time()
            why = await self._connect_once()
            if self._finished.is_set():
                return
            lived = trio.current_time() - began >= limits.HEARTBEAT_SECONDS
            failures = 0 if lived and self._reactor.was_welcome_last else failures
            pause = 0.0 if self._at_once else self._pause(failures)
            failures += not self._at_once
            self._at_once = False
            if pause:
                log.warning("%s; trying again in %.1f s", why, pause)
            await trio.sleep(pause)

    def _pause(self, failures: int) -> float:
        """Return the seconds to wait after so many failures, at least half of it not by chance."""
        longest = limits_worker.RECONNECT_SECONDS * 2.0 ** min(failures, 30)
        return min(longest, limits_worker.RECONNECT_SECONDS_MOST) * (0.5 + 0.5 * self._jitter())

    async def _connect_once(self) -> str:
        """Connect and stay connected; return why it ended."""
        try:
            with trio.fail_after(limits_worker.CONNECT_SECONDS):
                link = await self._open_link()
        except (VersionError, WrongServer, NotSignedIn, NotPermitted) as error:
            if not self._reactor.was_ever_welcome:
                self._perform([Finish(str(error))])
            return f"cannot use {self._host}: {error}"
        except (OSError, trio.BrokenResourceError, DcError) as error:
            return f"cannot reach {self._host}: {text_of(error)}"
        except trio.TooSlowError:
            return f"cannot reach {self._host}: no answer for {limits_worker.CONNECT_SECONDS:g} s"
        try:
            with trio.CancelScope() as scope:
                self._connection_scope = scope
                self._link = self._sending.link = link
                left = self._until - self._wall()
                self._handle(Connected(max(left, 0.001) if left < math.inf else 0.0))
                return await self._receive(link)
            return f"the connection to {self._host} was given up"
        finally:
            await self._disconnect(link)

    async def _open_link(self) -> Link:
        stream = await self._open_stream()
        try:
            link = await connect(stream, self._host, "/socket", prover=self._prover)
            self._access[:] = [("Authorization", f"Bearer {link.session}")] if link.session else []
            return link
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise

    def _new_http(self) -> HttpClient:
        return HttpClient(self._open_stream, self._host, self._access)

    async def _receive(self, link: Link) -> str:
        """Take what the server sends; return why that ended."""
        try:
            while (data := await link.receive()) is not None:
                self._take(data)
        except ConnectionLost as error:
            return f"lost {self._host}: {error}"
        except ProtocolError as error:
            return f"{self._host} broke the rules of the wire: {error}"
        reason = f": {link.close_reason}" if link.close_reason else ""
        return f"{self._host} closed the connection ({link.close_code}{reason})"

    def _take(self, data: bytes) -> None:
        was_welcome = self._reactor.is_welcome
        for message in self._codec.decode(data):
            self._handle(Received(message))
        if self._reactor.is_welcome and not was_welcome:
            me = self._identity
            say_in_all(worker=me.name)
            log.info("connected to %s as %s with %d slots", self._host, me.name, me.slots)

    async def _disconnect(self, link: Link) -> None:
        self._link = self._sending.link = self._connection_scope = None
        self._sending.clear()
        self._handle(Disconnected())
        with trio.CancelScope(shield=True):
            with trio.move_on_after(limits_client.CLOSE_SECONDS):
                await link.aclose()
            await self._carrier.aclose()

    async def _close_connection(self) -> None:
        """Send the last words and close."""
        await self._sending.wait_until_sent()
        if self._link is not None:
            await self._link.aclose()

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(work)
