"""Tasks that misbehave in real processes: each is contained and named, and harms no other.

One worker with one slot runs them all, one after the other; one that uses control groups, where
they can be had, and one that does without. After each, the next task in that slot is fine. In the
end the worker's loop has never been held up.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

import dc
from tests.system import leaking_tasks
from tests.system.leaking_tasks import Leak
from tests.system.processes import ROOT, Machine, Program, Server, is_running, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the whole tree dies on Linux only")

PLUGINS = Path(__file__).parent / "bad_plugins"
MIB = 2**20
LATE_SECONDS = 1.0  # of the worker's loop, on a computer that is busy with much else
DEAD_SECONDS = 1.0  # from the cancellation until nothing runs any more
SLACK_SECONDS = 1.0  # for a busy computer


class World:
    """A server and a worker with one slot."""

    def __init__(self, machine: Machine, server: Server, worker: Program, late: Path) -> None:
        self.machine = machine
        self.server = server
        self.worker = worker
        self.late = late
        self._files = 0

    def path(self) -> str:
        """Return the path of a file that is not there yet."""
        self._files += 1
        return str(self.machine.folder / f"file-{self._files}")

    async def text(self, path: str) -> str:
        """Return what is in a file, once there is something."""
        await until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, path)  # noqa: PTH110, PTH202
        return await trio.Path(path).read_text()

    async def run(self, kind: str, *payloads: Any, **options: Any) -> list[Any]:
        """Run tasks; return for each its value, or its failure."""
        options = {"retries": 0, "crashes": 1, **options}
        async with dc.AsyncClient(self.server.address, plugins=[PLUGINS]) as client:
            job = await client.submit(kind, list(payloads), **options)
            found = {one.number: one async for one in job.as_completed()}
        return [one.result if one.error is None else one.error for _, one in sorted(found.items())]

    async def fails(self, kind: str, payload: Any, **options: Any) -> dc.TaskFailed:
        """Run a task that fails; see that the next one does not."""
        (error,) = await self.run(kind, payload, **options)
        assert isinstance(error, dc.TaskFailed), error
        await self.is_well()
        return error

    async def is_well(self) -> None:
        """See that a task finds nothing of those before it."""
        (state,) = await self.run("state", 1)
        assert state["folder"].startswith(str(self.machine.folder)), state
        del state["folder"]
        assert state == {
            "files": "",
            "variable": "",
            "umask": "0o22",
            "handler": "",
            "threads": "",
            "output": "True",
        }


@pytest.fixture(scope="module", params=["groups", "tree"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp(request.param)
    with Machine(folder) as machine:

        async def start() -> World:
            server = await machine.server(plugins=[PLUGINS])
            late = folder / "late"
            worker = await machine.worker(
                server,
                "one",
                plugins=[PLUGINS],
                program=("tests.system.watched_worker", late, server.address),
                arguments=["--spares", 1, *(["--no-cgroups"] if request.param == "tree" else [])],
                environment={"PYTHONPATH": str(ROOT)},
            )
            return World(machine, server, worker, late)

        world = trio.run(start)
        if request.param == "groups" and "control groups for" not in world.worker.text():
            pytest.skip("this user can make no control groups here")
        yield world
        assert float(world.late.read_text()) < LATE_SECONDS, "the worker's loop was held up"


# --- it does not end ------------------------------------------------------------------------------


async def test_one_that_never_returns(world: World) -> None:
    path = world.path()
    error = await world.fails("forever", path, timeout=0.3)
    assert error.kind == "timeout"
    assert "ran longer than its time limit of 0.3 s\n" in str(error)
    assert "in forever" in error.traceback
    assert await world.text(path) == "TimeLimit"


async def test_one_that_ignores_every_signal(world: World) -> None:
    path = world.path()
    error = await world.fails("stubborn", path, timeout=0.3)
    assert error.kind == "timeout"
    assert str(error).endswith("ran longer than its time limit of 0.3 s and was killed")
    assert not is_running(int(await world.text(path)))


async def test_a_cancelled_one_that_ignores_every_signal(world: World) -> None:
    path = world.path()
    async with dc.AsyncClient(world.server.address, plugins=[PLUGINS]) as client:
        job = await client.submit("stubborn", [path])
        pid = int(await world.text(path))
        began = time.monotonic()
        await job.cancel()
        await until(lambda: not is_running(pid), "the program to end")
        took = time.monotonic() - began
    assert took < DEAD_SECONDS + SLACK_SECONDS
    await world.is_well()


async def test_a_cancelled_one_that_listens(world: World) -> None:
    asked, raised = world.path(), world.path()
    for kind, path, said in (("polite", asked, "asked"), ("forever", raised, "TaskStopped")):
        async with dc.AsyncClient(world.server.address, plugins=[PLUGINS]) as client:
            job = await client.submit(kind, [path])
            await world.text(f"{path}-begun")
            await job.cancel()
        assert await world.text(path) == said
    await world.is_well()


# --- it uses too much -----------------------------------------------------------------------------


async def test_one_that_forks_without_end(world: World) -> None:
    error = await world.fails("fork_bomb", 1, timeout=0.5, limits={"processes": 24})
    assert error.kind in ("timeout", "error"), error
    assert "time limit" in str(error) or "processes" in str(error)


@pytest.mark.parametrize("how", ["at once", "bit by bit", "in children"])
async def test_one_that_allocates_a_hundred_gigabytes(world: World, how: str) -> None:
    error = await world.fails("allocate", how, timeout=50, limits={"memory": 128 * MIB})
    assert error.kind == "memory", error


@pytest.mark.parametrize("how", ["one", "scratch", "here"])
async def test_one_that_fills_the_disk_of_its_folder(world: World, how: str) -> None:
    error = await world.fails("fill_disk", how, timeout=20, limits={"disk": 4 * MIB})
    assert error.kind == "error"
    assert ("File too large" if how == "one" else "more than its limit of 4 MiB") in str(error)


# --- it ends its process --------------------------------------------------------------------------


async def test_one_that_reads_where_nothing_is(world: World) -> None:
    error = await world.fails("segfault", 1)
    assert error.kind == "crashed"
    assert "SIGSEGV" in str(error)


@pytest.mark.parametrize(
    ("how", "kind", "text"),
    [
        ("sys.exit", "error", "SystemExit: 3"),
        ("os._exit", "crashed", "exit status 3"),
        ("abort", "crashed", "SIGABRT"),
        ("close", "crashed", "its executor died"),
    ],
)
async def test_one_that_ends_its_process(world: World, how: str, kind: str, text: str) -> None:
    error = await world.fails("end", how)
    assert error.kind == kind
    assert text in str(error)


# --- it leaves something behind -------------------------------------------------------------------


async def test_one_that_starts_a_daemon(world: World) -> None:
    path = world.path()
    (process,) = await world.run("daemon", path)
    daemon = int(await world.text(path))
    await until(lambda: not is_running(daemon), "the daemon to end")
    await world.is_well()
    assert "left behind: a process" in world.worker.text()
    assert (await world.run("leave", ""))[0] != process


async def test_one_that_starts_a_daemon_and_dies(world: World) -> None:
    path = world.path()
    error = await world.fails("crash_with_daemon", path)
    assert error.kind == "crashed"
    assert not is_running(int(await world.text(path)))


LEFT = [
    "another working folder",
    "another environment",
    "another umask",
    "other signal handlers",
    "threads",
    "other standard descriptors",
]


@pytest.mark.parametrize("what", LEFT)
async def test_one_that_leaves_something_behind(world: World, what: str) -> None:
    first, second, third = await world.run("leave", what, what, what)
    assert len({first, second, third}) == 3, "in one process"
    await world.is_well()
    assert f"left behind: {what}" in world.worker.text()


async def test_one_that_leaves_a_file_behind(world: World) -> None:
    before, after = await world.run("leave", "", "")
    assert before == after, "replaced for a file"
    await world.is_well()


# --- what a job asks for --------------------------------------------------------------------------


async def test_variables_of_a_job(world: World) -> None:
    (state,) = await world.run("state", 1, environment={"DC_TEST_LEFT": "mine"})
    assert state["variable"] == "mine"
    await world.is_well()


# --- replaced in time -----------------------------------------------------------------------------


async def test_leaking_tasks(machine: Machine) -> None:
    leak = Leak(tasks=6_000, size=20_000, recycle=24 * MIB)
    found = await leaking_tasks.run(machine, leak)
    assert found.done == leak.tasks
    assert found.is_bounded(leak, 48 * MIB), found


async def test_an_executor_is_replaced_after_so_many_tasks_by_a_spare(machine: Machine) -> None:
    server = await machine.server(plugins=[PLUGINS])
    arguments = ["--spares", 1, "--recycle-tasks", 50]
    worker = await machine.worker(server, "one", plugins=[PLUGINS], arguments=arguments)
    await until(lambda: len(worker.children()) == 2, "the spare")
    spare = max(worker.children())
    async with dc.AsyncClient(server.address, plugins=[PLUGINS]) as client:
        job = await client.submit("leak", [1] * 500)
        pids = [one async for one in job.results()]
    assert len(pids) == 500
    assert pids[0] != spare
    assert spare in pids
    assert len(set(pids)) > 2
    assert "replaced" not in worker.text(), "that is nothing to be told"
