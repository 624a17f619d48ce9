"""The world of dc.testing as the system tests use it: three task types, and patience."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

import dc
from dc.plugins import load_plugins
from dc.store_memory import MemoryStore
from dc.testing import FakeExecutor, world
from dc.testing.substitutes import run_here
from dc.testing.wires import Wire

__all__ = ["Wire", "Worker", "World", "run_here", "running_world"]

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


class Worker(world.Worker):
    """A worker that can be asked what it does."""

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


class World(world.World):
    """See dc.testing.world.

    Attributes:
        seconds_of: by the name of a type, how long its tasks take; 0 if it is not there.
    """

    def __init__(self, nursery: trio.Nursery, folder: Path) -> None:
        plugins = folder / "plugins"
        plugins.mkdir()
        (plugins / "system_memory.py").write_text(PLUGIN)
        loaded = load_plugins([plugins], entry_points=False)
        assert not loaded.broken
        self.memory = MemoryStore()
        super().__init__(nursery, folder, loaded, self.memory)
        self.seconds_of: dict[str, float] = {"crash": math.inf}
        self.workers: list[Worker] = []  # type: ignore[assignment]

    def make_executor(self, worker: world.Worker) -> FakeExecutor:
        return FakeExecutor(self.plugins, seconds=self.seconds)

    def make_worker(self, name: str, slots: int, scratch: Path) -> Worker:
        return Worker(self, name, slots, scratch)

    def seconds(self, job: int, number: int) -> float:
        """How long a task takes."""
        return self.seconds_of.get(self.app.reactor.board.jobs[job].row.type, 0.0)

    async def start_worker(self, name: str, slots: int = 1) -> Worker:
        worker = await super().start_worker(name, slots)
        assert isinstance(worker, Worker)
        return worker

    @asynccontextmanager
    async def client(
        self, wires: list[Wire] | None = None, plugins: Sequence[Path] = ()
    ) -> AsyncIterator[dc.AsyncClient]:
        async with super().client(wires, [self.folder / "plugins", *plugins]) as client:
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
        numbers: list[int] = []
        after = 0
        while records := await self.store.outcomes_after(job, after, 1 << 30):
            numbers += (number for record in records for number in record.numbers)
            after = records[-1].sequence
        assert sorted(numbers) == list(range(total))
        self.app.reactor.validate()


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
