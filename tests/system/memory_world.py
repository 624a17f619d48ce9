"""A server, workers and clients in one process, over memory streams that a test can cut or freeze.

Everything is the real thing but for four edges: the streams, the executors (their tasks take
simulated time), the store (in memory) and the clock (Trio's MockClock).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from trio.testing import memory_stream_pair

import dc
from dc.blobs import BlobFolder
from dc.executor import ExecutorPort
from dc.plugins import load_plugins
from dc.server.app import ServerApp, Settings
from dc.server.site import Site
from dc.server.types import PluginTypes
from dc.store_memory import MemoryStore
from dc.testing import FakeExecutor
from dc.worker.app import WorkerApp
from dc.worker.identity import Identity

PLUGIN = '''\
import dc

@dc.task_type
def square(number: int) -> int:
    """Thirteen is not squared."""
    if number == 13:
        raise ValueError("thirteen is not squared")
    return number * number

@dc.task_type
def hang(number: int) -> int:
    """How long it takes is the test's choice."""
    return number

@dc.task_type
def crash(number: int) -> int:
    """Never ends: its executor dies of it."""
    return number
'''
PATIENCE_SECONDS = 900.0  # of simulated time, after which a test is stuck
POLL_SECONDS = 0.05
HOST = "127.0.0.1:8220"


class Wire:
    """One connection with its two ends.

    A cut breaks both ends at once and loses what was under way. A frozen wire takes all that is
    sent and delivers nothing: neither side learns of it by itself.
    """

    def __init__(self) -> None:
        ours, theirs = memory_stream_pair()
        self.client, self.server = End(self, ours), End(self, theirs)
        self.is_cut = False
        self.is_frozen = False

    def cut(self) -> None:
        """Break the connection."""
        self.is_cut = True
        for end in (self.client, self.server):
            end.waiting.cancel()

    def freeze(self) -> None:
        """Deliver nothing any more."""
        self.is_frozen = True


class End(trio.abc.Stream):
    """One end of a wire."""

    def __init__(self, wire: Wire, inner: trio.abc.Stream) -> None:
        self.wire = wire
        self.inner = inner
        self.waiting = trio.CancelScope()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        if self.wire.is_cut:
            raise trio.BrokenResourceError("the wire is cut")
        if not self.wire.is_frozen:
            await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        self.waiting = trio.CancelScope()
        data: bytes | bytearray = b""
        if not self.wire.is_cut:
            with self.waiting:
                data = await self.inner.receive_some(max_bytes)
                if self.wire.is_frozen:
                    await trio.sleep_forever()
        if self.wire.is_cut:
            raise trio.BrokenResourceError("the wire is cut")
        return data

    async def aclose(self) -> None:
        if self.wire.is_frozen:  # the other side does not learn of it
            await trio.lowlevel.checkpoint()
        else:
            await self.inner.aclose()


class Worker:
    """A running WorkerApp, its wires and its executors."""

    def __init__(self, world: World, name: str, slots: int, scratch: Path) -> None:
        self.world = world
        self.name = name
        self.wires: list[Wire] = []
        self.executors: list[FakeExecutor] = []
        self.scope = trio.CancelScope()
        identity = Identity(
            name, is_default=False, key=f"key of {name}", slots=slots, software="dc test"
        )
        self.app = WorkerApp(
            identity,
            open_stream=world.opener(self.wires),
            start_executor=self.start_executor,
            scratch=scratch,
            host=HOST,
            jitter=lambda: 0.5,
        )

    async def start_executor(self) -> ExecutorPort:
        await trio.lowlevel.checkpoint()
        executor = FakeExecutor(self.world.plugins, seconds=self.world.seconds)
        self.executors.append(executor)
        return executor

    async def run(self) -> None:
        with self.scope:
            await self.app.run()

    @property
    def running(self) -> bool:
        """Whether the worker has tasks that its executors work on."""
        return self.app.statistics().given > 0

    @property
    def attempts(self) -> Counter[tuple[int, int]]:
        """How often each (job, number) was given to an executor."""
        return Counter(
            (run.job, number)
            for executor in self.executors
            for run in executor.runs
            for number in run.numbers
        )

    def vanish(self) -> None:
        """Go as a computer does that loses its power: nobody is told."""
        for wire in self.wires:
            wire.freeze()
        self.scope.cancel()


class World:
    """See the module.

    Attributes:
        store: outlives servers.
        app: the server that runs now, or ran last.
        seconds_of: by the name of a type, how long its tasks take; 0 if it is not there.
    """

    def __init__(self, nursery: trio.Nursery, folder: Path) -> None:
        plugins = folder / "plugins"
        plugins.mkdir()
        (plugins / "system_memory.py").write_text(PLUGIN)
        self.plugins = load_plugins([plugins], entry_points=False)
        assert not self.plugins.broken
        self.nursery = nursery
        self.folder = folder
        self.store = MemoryStore()
        self.app: ServerApp
        self.seconds_of: dict[str, float] = {"crash": math.inf}
        self.workers: list[Worker] = []
        self._site: Site | None = None
        self._serving: trio.Nursery | None = None
        self._wires: list[Wire] = []
        self._ended = trio.Event()

    # --- the server -----------------------------------------------------------------------------

    async def start_server(self) -> None:
        settings = Settings("dc test", f"http://{HOST}", self.folder, 1e9)
        blobs = BlobFolder(self.folder / "blobs")
        types = PluginTypes(self.plugins)
        self.app = ServerApp(self.store, blobs, types, settings, lambda: 1e9 + trio.current_time())
        await self.app.recover()
        self._ended = trio.Event()
        await self.nursery.start(self._serve)

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.app.run)
            self._site, self._serving, self._wires = Site(self.app), nursery, []
            task_status.started()
            await self.app.wait_stopped()
            nursery.cancel_scope.cancel()
        self._ended.set()

    async def stop_server(self) -> None:
        """Stop the server as SIGTERM does."""
        self.app.stop()
        await self._ended.wait()
        self._site = None

    async def kill_server(self) -> None:
        """End the server as kill -9 does: at once, whatever is under way."""
        assert self._serving is not None
        self._site = None
        for wire in self._wires:
            wire.cut()
        self._serving.cancel_scope.cancel()
        await self._ended.wait()

    def opener(self, wires: list[Wire]) -> Callable[[], Awaitable[trio.abc.Stream]]:
        """Return what opens a connection to the server that runs then; `wires` collects them."""

        async def open_stream() -> trio.abc.Stream:
            await trio.lowlevel.checkpoint()
            if self._site is None:
                raise ConnectionRefusedError("nobody listens")
            assert self._serving is not None
            wire = Wire()
            wires.append(wire)
            self._wires.append(wire)
            self._serving.start_soon(self._site.serve_stream, wire.server, "127.0.0.1:1")
            return wire.client

        return open_stream

    # --- workers and clients --------------------------------------------------------------------

    def seconds(self, job: int, number: int) -> float:
        """How long a task takes."""
        return self.seconds_of.get(self.app.reactor.board.jobs[job].row.type, 0.0)

    async def start_worker(self, name: str, slots: int = 1) -> Worker:
        scratch = self.folder / f"scratch-{name}"
        scratch.mkdir()
        worker = Worker(self, name, slots, scratch)
        self.workers.append(worker)
        self.nursery.start_soon(worker.run)
        await self.until(lambda: worker.app.statistics().connected)
        return worker

    @asynccontextmanager
    async def client(self, wires: list[Wire] | None = None) -> AsyncIterator[dc.AsyncClient]:
        wires = [] if wires is None else wires
        plugins = [self.folder / "plugins"]
        async with dc.AsyncClient(plugins=plugins, open_stream=self.opener(wires)) as client:
            yield client

    async def let_executors_crash(self) -> None:
        """Have each executor die of the tasks of type `crash`."""
        while True:
            for executor in [one for worker in self.workers for one in worker.executors]:
                last = executor.runs[-1] if executor.runs else None
                if last is not None and last.type == "crash" and executor.running is not None:
                    executor.die()
            await trio.sleep(POLL_SECONDS)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait, in simulated time, for something to become so."""
        while not condition():  # noqa: ASYNC110  # nothing tells when a part has changed
            await trio.sleep(POLL_SECONDS)

    async def check_recorded(self, job: int, total: int) -> None:
        """Check that each task of a job has one outcome, and the server nothing left of it."""
        records = await self.store.outcomes_after(job, 0, 1 << 30)
        numbers = sorted(number for record in records for number in record.numbers)
        assert numbers == list(range(total))
        self.app.reactor.validate()


async def run_here(function: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
    """Stand in for trio.to_thread.run_sync: a MockClock does not wait for threads."""
    await trio.lowlevel.checkpoint()
    return function(*arguments)


@asynccontextmanager
async def running_world(folder: Path, workers: int = 2, slots: int = 1) -> AsyncIterator[World]:
    """A server with workers `w0`, `w1`, …; everything is ended at the end."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            world = World(nursery, folder)
            await world.start_server()
            for number in range(workers):
                await world.start_worker(f"w{number}", slots)
            yield world
            world.app.reactor.validate()
            nursery.cancel_scope.cancel()
