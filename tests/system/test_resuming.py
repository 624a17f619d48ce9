"""A submission is cut at every message boundary, and comes through whole and once.

The client, the server and its reactor are the real ones; between them are memory streams whose
pieces are counted: each is one frame of the WebSocket, or a head of HTTP. A run without a cut says
how many pieces there are; then each of them is, in a run of its own, the one at which the line
breaks: lost, or delivered as the last one. In half of the runs the server dies with its line, and
what it had not committed with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

import dc
from dc import limits
from dc.blobs import BlobFolder
from dc.messages_parts import Payload
from dc.plugins import Plugins, load_plugins
from dc.records import Record
from dc.server.app import ServerApp, Settings
from dc.server.site import Site
from dc.server.types import PluginTypes
from dc.store_memory import MemoryStore
from tests.system.memory_world import run_here

PLUGIN = '''\
import dc

@dc.task_type
def resumed(number: int) -> int:
    """Nobody runs it here."""
    return number
'''
TASKS = 10
NEVER = 10**9


@dc.task_type
def resumed(number: int) -> int:
    """Only its types matter here."""
    return number


class End(trio.abc.Stream):
    """One end of a connection."""

    def __init__(self, line: Line, inner: trio.abc.Stream) -> None:
        self._line = line
        self.inner = inner

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._line.passes(partial(self.inner.send_all, bytes(data)))

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self.inner.aclose()


class Line:
    """All connections to one server after the other, which break at one piece.

    Attributes:
        pieces: how many were sent so far, by both sides.
        cut_at: the piece at which everything breaks.
        delivers: whether that piece still arrives.
        kills: whether the server dies as well.
    """

    def __init__(self, nursery: trio.Nursery, folder: Path, plugins: Plugins) -> None:
        self.pieces = 0
        self.cut_at = NEVER
        self.delivers = False
        self.kills = False
        self.store = MemoryStore()
        self._nursery = nursery
        self._folder = folder
        self._types = PluginTypes(plugins)
        self._ends: list[End] = []
        self._site: Site | None = None
        self._serving: trio.Nursery | None = None
        self.app: ServerApp

    async def start(self) -> None:
        settings = Settings("dc test", "http://127.0.0.1:8220", self._folder, 1e9)
        blobs = BlobFolder(self._folder / "blobs")
        self.app = ServerApp(self.store, blobs, self._types, settings, lambda: 1e9)
        await self.app.recover()
        await self._nursery.start(self._serve)

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as self._serving:
            await self._serving.start(self.app.run)
            self._site = Site(self.app)
            task_status.started()

    async def open_stream(self) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if self._site is None:
            raise ConnectionRefusedError("nobody listens")
        assert self._serving is not None
        ends = [End(self, stream) for stream in trio.testing.memory_stream_pair()]
        self._ends += ends
        self._serving.start_soon(self._site.serve_stream, ends[1], "127.0.0.1:1")
        return ends[0]

    async def passes(self, send: Callable[[], Awaitable[None]]) -> None:
        """Have a piece sent, unless it is lost."""
        self.pieces += 1
        here = self.pieces == self.cut_at
        if not here or self.delivers:
            await send()
        if here:
            for _ in range(5 * self.delivers):  # the other side has read it
                await trio.lowlevel.checkpoint()
            await self._cut()

    async def _cut(self) -> None:
        with trio.CancelScope(shield=True):
            for end in self._ends:
                await trio.aclose_forcefully(end.inner)
        self._ends.clear()
        if self.kills and self._serving is not None:
            self._site, serving = None, self._serving
            self._nursery.start_soon(self._restart)
            serving.cancel_scope.cancel()
        await trio.lowlevel.checkpoint()

    async def _restart(self) -> None:
        await trio.sleep(0.5)
        await self.start()


@pytest.fixture
def plugins(tmp_path: Path) -> Plugins:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "resumed_plugin.py").write_text(PLUGIN)
    return load_plugins([folder], entry_points=False)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trio.to_thread, "run_sync", run_here)
    monkeypatch.setattr(limits, "BATCH_TASKS", 3)
    monkeypatch.setattr(limits, "INLINE_BYTES", 8)


async def numbers() -> AsyncIterator[int]:
    for number in range(TASKS):
        yield number
        if number % 4 == 1:
            await trio.sleep(0.2)  # so that what is there is sent, and answered


async def submit(line: Line, how: str) -> dc.AsyncJob:
    async with dc.AsyncClient(open_stream=line.open_stream) as client:
        client.types.load()
        if how == "slowly":
            return await client.submit(resumed, numbers())
        if how == "keyed":
            return await client.submit("resumed", range(TASKS), key="k")
        return await client.submit(resumed, list(range(TASKS)))


async def check(line: Line, job: dc.AsyncJob) -> None:
    """Check that the store has the job once, whole."""
    rows = await line.store.jobs(None, 10)
    assert [(row.job, row.ended, row.cancelled_at) for row in rows] == [(job.number, True, None)]
    stored: list[Payload] = await line.store.payloads(job.number, range(rows[0].counts.total))
    assert stored == [resumed.encode_payload(number) for number in range(TASKS)]
    line.app.reactor.validate()


async def run(
    folder: Path, plugins: Plugins, how: str, cut_at: int, *, delivers: bool, kills: bool
) -> int:
    """Submit over a line that breaks at a piece; return how many there were."""
    async with trio.open_nursery() as nursery:
        line = Line(nursery, folder, plugins)
        await line.start()
        line.cut_at, line.delivers, line.kills = cut_at, delivers, kills
        with trio.fail_after(300):
            try:
                job = await submit(line, how)
            except dc.ConnectionLost:  # before anything was asked: entering says so at once
                assert cut_at <= 4
                await trio.sleep(1)
                job = await submit(line, how)
        await check(line, job)
        nursery.cancel_scope.cancel()
    return line.pieces


async def test_a_small_job_is_one_commit(
    tmp_path: Path,
    plugins: Plugins,
    autojump_clock: trio.testing.MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commits: list[list[str]] = []

    def counted(records: Sequence[Record]) -> None:
        commits.append([type(record).__name__ for record in records])
        apply(records)

    async with trio.open_nursery() as nursery:
        line = Line(nursery, tmp_path, plugins)
        apply = line.store.apply
        monkeypatch.setattr(line.store, "apply", counted)
        await line.start()
        async with dc.AsyncClient(open_stream=line.open_stream) as client:
            await client.submit(resumed, [1])
            at_the_start, *others = commits
            assert at_the_start == ["JobNumbers"]
            assert others == [["NewJob", "NewTasks", "JobEnded"]]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("how", ["whole", "slowly", "keyed"])
@pytest.mark.parametrize("delivers", [False, True], ids=["lost", "delivered"])
@pytest.mark.parametrize("kills", [False, True], ids=["cut", "killed"])
async def test_a_submission_that_is_cut_anywhere(
    how: str,
    delivers: bool,
    kills: bool,
    tmp_path: Path,
    plugins: Plugins,
    autojump_clock: trio.testing.MockClock,
) -> None:
    whole = await run(tmp_path, plugins, how, NEVER, delivers=False, kills=False)
    assert whole > 6
    for cut_at in range(1, whole + 1):
        await run(tmp_path, plugins, how, cut_at, delivers=delivers, kills=kills)
