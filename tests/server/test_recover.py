"""What a server takes up when it starts, before it serves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trio.testing import MockClock

from dc import limits
from dc.blobs import BlobFolder
from dc.messages_client import Options
from dc.messages_parts import Payload
from dc.plugins import Plugins
from dc.records import JobCancelled, JobEnded, Leases, NewJob, NewTasks, Outcomes, Record
from dc.server.app import ServerApp, Settings
from dc.server.types import PluginTypes
from dc.store_memory import MemoryStore


class CountingStore(MemoryStore):
    """Notes which tasks were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[Sequence[int]] = []

    async def payloads(self, job: int, numbers: Sequence[int]) -> list[Payload]:
        self.read.append(numbers)
        return await super().payloads(job, numbers)


def a_job(job: int, count: int) -> list[Record]:
    return [
        NewJob(job, "echo", "1", Options(), "bytes", "bytes", 1.0),
        NewTasks(job, 0, [b"%d" % number for number in range(count)]),
        JobEnded(job, count, 1.0),
    ]


def done(sequence: int, job: int, numbers: list[int]) -> Outcomes:
    size = len(numbers)
    return Outcomes(sequence, job, "w", 2.0, numbers, [1] * size, [0.1] * size, [b"x"] * size)


async def start(store: MemoryStore, folder: Path) -> ServerApp:
    settings = Settings("dc test", "http://127.0.0.1:1", folder, 0.0)
    app = ServerApp(store, BlobFolder(folder), PluginTypes(Plugins()), settings)
    await app.recover()
    app.reactor.validate()
    return app


async def test_a_queue_with_gaps_a_cancelled_job_and_leases(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    store = CountingStore()
    await store.commit([*a_job(1, 200), *a_job(2, 20), *a_job(3, 5)])
    await store.commit([done(1, 1, [0, 1, 50, 199]), done(2, 3, list(range(5)))])
    await store.commit([JobCancelled(2, 3.0), Leases(1, "key", [2, 120], [1, 2])])
    app = await start(store, tmp_path)
    board = app.reactor.board
    assert list(board.jobs) == [1]
    counts = board.counts(board.jobs[1])
    assert (counts.queued, counts.running, counts.done) == (194, 2, 4)
    assert not store.read, "payloads have time"


async def test_only_the_head_is_read_before_serving(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    store = CountingStore()
    await store.commit([*a_job(1, 70_000), Leases(1, "key", [69_990], [3])])
    app = await start(store, tmp_path)
    board = app.reactor.board
    assert board.scheduler.statistics().queued == limits.HEAD_TASKS
    assert board.jobs[1].tail.count == 70_000 - limits.HEAD_TASKS - 1
    assert board.scheduler.state(1, 69_990) is not None
