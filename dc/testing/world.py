"""A server, workers and clients in one process, over memory streams.

Everything is the real thing but for four edges: the streams, the executors (their tasks take
simulated time), the store (in memory) and the clock (Trio's MockClock). A test, or the simulation,
says what each of them is by overriding the methods that make it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any

import trio

from dc.blobs import BlobFolder
from dc.client.trio_client import AsyncClient
from dc.executor import ExecutorPort
from dc.plugins import Plugins
from dc.server.app import ServerApp, Settings
from dc.server.site import Site
from dc.server.types import PluginTypes
from dc.store import Store
from dc.testing.fake_executor import FakeExecutor
from dc.testing.process import PROCESS, Process, here
from dc.testing.wires import End, Wire
from dc.worker.app import WorkerApp
from dc.worker.identity import Identity

HOST = "127.0.0.1:8220"
EPOCH = 1e9  # the Unix time at which worlds begin


class Worker:
    """One run of a worker: a WorkerApp, its wires and its executors."""

    def __init__(self, world: World, name: str, slots: int, scratch: Path, run: int = 1) -> None:
        self.world = world
        self.name = name
        self.process = Process(name, run)
        self.wires: list[Wire] = []
        self.executors: list[FakeExecutor] = []
        self.app = self.make_app(slots, scratch)

    def make_app(self, slots: int, scratch: Path) -> WorkerApp:
        """Return the app of this run."""
        identity = Identity(
            self.name,
            is_default=False,
            key=self.name,
            slots=slots,
            software="dc test",
        )
        return WorkerApp(
            identity,
            open_stream=self.world.opener(self.wires),
            start_executor=self.start_executor,
            scratch=scratch,
            host=HOST,
            jitter=lambda: 0.5,
        )

    async def start_executor(self) -> ExecutorPort:
        """Start an executor."""
        await trio.lowlevel.checkpoint()
        executor = self.world.make_executor(self)
        self.executors.append(executor)
        return executor

    async def run(self) -> None:
        """Work until the app ends or the process is killed."""
        PROCESS.set(self.process)
        with self.process.scope:
            await self.app.run()

    def vanish(self) -> None:
        """Go as a computer does that loses its power: nobody is told."""
        self.process.kill(silently=True)


class World:
    """See the module.

    Args:
        nursery: where everything runs.
        folder: for files.
        plugins: of the server.
        store: outlives servers.

    Attributes:
        app: the server that runs now, or ran last.
        server: its process.
        workers: all that were started.
    """

    def __init__(self, nursery: trio.Nursery, folder: Path, plugins: Plugins, store: Store) -> None:
        self.nursery = nursery
        self.folder = folder
        self.plugins = plugins
        self.store = store
        self.app: ServerApp
        self.server = Process("server", 0)
        self.workers: list[Worker] = []
        self._site: Site | None = None
        self._start: Callable[..., None] | None = None
        self._ended = trio.Event()

    # --- the edges ------------------------------------------------------------------------------

    def make_wire(self) -> Wire:
        """Return a new connection to the server."""
        return Wire()

    def make_executor(self, worker: Worker) -> FakeExecutor:
        """Return an executor for a worker."""
        assert not worker.process.killed
        return FakeExecutor(self.plugins)

    def make_server(self) -> ServerApp:
        """Return a server that has not recovered yet."""
        settings = Settings("dc test", f"http://{HOST}", self.folder, EPOCH)
        blobs = BlobFolder(self.folder / "blobs")
        return ServerApp(self.store, blobs, PluginTypes(self.plugins), settings, self.wall)

    def make_site(self, app: ServerApp) -> Site:
        """Return what serves connections."""
        return Site(app)

    def wall(self) -> float:
        """Return the Unix time."""
        return EPOCH + trio.current_time()

    # --- the server -----------------------------------------------------------------------------

    async def start_server(self) -> None:
        """Start the server; it listens on return, unless it was killed before."""
        self._ended = trio.Event()
        up = trio.Event()
        self.nursery.start_soon(self._serve, up)
        await up.wait()

    async def _serve(self, up: trio.Event) -> None:
        process = self.server = Process("server", self.server.run + 1)
        PROCESS.set(process)
        try:
            with process.scope:
                await self.run_server(up)
        finally:
            process.is_alive = False
            self._site = self._start = None
            up.set()
            self._ended.set()

    async def run_server(self, up: trio.Event) -> None:
        """Run a server to its end; `up` is to be set once it listens."""
        self.app = app = self.make_server()
        await app.recover()
        async with trio.open_nursery() as nursery:
            await nursery.start(app.run)
            context = copy_context()  # whoever connects starts a task of the server's
            self._site = self.make_site(app)

            def start(*call: Any) -> None:
                context.run(partial(nursery.start_soon, *call))

            self._start = start
            self.server.is_up = True
            up.set()
            await app.wait_stopped()
            nursery.cancel_scope.cancel()

    async def stop_server(self) -> None:
        """Stop the server as SIGTERM does."""
        self.app.stop()
        await self._ended.wait()

    async def kill_server(self) -> None:
        """End the server as kill -9 does: at once, whatever is under way."""
        self.server.kill()
        await self._ended.wait()

    async def wait_ended(self) -> None:
        """Wait until the server that was started last has ended."""
        await self._ended.wait()

    def opener(self, wires: list[Wire]) -> Callable[[], Awaitable[trio.abc.Stream]]:
        """Return what opens a connection to the server that runs then; `wires` collects them."""

        async def open_stream() -> trio.abc.Stream:
            await trio.lowlevel.checkpoint()
            if self._site is None or self._start is None or not self.server.is_alive:
                raise ConnectionRefusedError("nobody listens")
            wire = self.make_wire()
            wires.append(wire)
            try:
                self._connect(wire.server)
            except RuntimeError:  # the server is ending: its nursery takes nobody any more
                raise ConnectionRefusedError("nobody listens any more") from None
            if (process := here()) is not None:
                process.ends.append(wire.client)
            return wire.client

        return open_stream

    def _connect(self, end: End) -> None:
        assert self._site is not None
        assert self._start is not None
        self.server.ends.append(end)
        self._start(self._site.serve_stream, end, "127.0.0.1:1")

    # --- workers and clients --------------------------------------------------------------------

    async def start_worker(self, name: str, slots: int = 1) -> Worker:
        """Start a worker, and wait until the server has taken it in."""
        scratch = self.folder / f"scratch-{name}"
        scratch.mkdir()
        worker = self.make_worker(name, slots, scratch)
        self.workers.append(worker)
        self.nursery.start_soon(worker.run)
        while not worker.app.statistics().connected:  # noqa: ASYNC110  # nothing tells
            await trio.sleep(0.05)
        return worker

    def make_worker(self, name: str, slots: int, scratch: Path) -> Worker:
        """Return a worker that does not run yet."""
        return Worker(self, name, slots, scratch)

    @asynccontextmanager
    async def client(
        self, wires: list[Wire] | None = None, plugins: Sequence[Path] = ()
    ) -> AsyncIterator[AsyncClient]:
        """Open a client."""
        opener = self.opener([] if wires is None else wires)
        async with AsyncClient(plugins=plugins, open_stream=opener) as client:
            yield client
