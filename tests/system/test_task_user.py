"""Tasks that run as another user than their worker: they work, and the worker's secrets stay its.

Where the tests do not run as root nobody can become another user: then that is what is looked at.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

import dc
from dc.errors import StartError
from dc.task_user import TaskUser, find_user
from tests.system.processes import Machine, Program, until
from tests.system.secure import SecureServer
from tests.system.shared_python import shared_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no such users")

USER = "nobody"
SECONDS = 120.0
MB = 1_000_000
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0

PLUGIN = '''
import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dc

@dc.task_type
def who(number: int) -> dict[str, str]:
    """Tell who this is, and where."""
    names = ("HOME", "USER", "LOGNAME", "XDG_STATE_HOME", "TMPDIR")
    said = {name: os.environ.get(name, "") for name in names}
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        **said,
        "ids": f"{os.getresuid()} {os.getresgid()} {os.getgroups()}",
        "descriptors": str(len(os.listdir("/proc/self/fd")) > 0),
        "no_new_privs": status.get("NoNewPrivs", "").strip(),
        "cwd": os.getcwd(),
        "writes": str(os.access(os.getcwd(), os.W_OK)),
    }

@dc.task_type
def try_to(path: str) -> str:
    """Read, list and write a file or folder; tell what could be done."""
    done = []
    for name, way in (
        ("read", lambda: open(path).read()),
        ("listed", lambda: os.listdir(path)),
        ("written", lambda: open(path, "a")),
        ("made", lambda: open(path + "/made", "w")),
        ("moved", lambda: os.rename(path, path + "-2")),
    ):
        try:
            way()
        except OSError:
            continue
        done.append(name)
    return " ".join(done)

@dc.task_type
def make(size: int, context: dc.Context) -> Path:
    """Make a file of so many bytes."""
    path = context.scratch / "made"
    path.write_bytes(bytes(size))
    return path

@dc.task_type
def look(data: Path, context: dc.Context) -> str:
    """Tell the SHA-256 of the payload and of the input."""
    inputs = [one.map() for one in context.inputs.values()]
    found = [hashlib.sha256(one).hexdigest() for one in (data.read_bytes(), *inputs)]
    return " ".join([*found, str(os.access(data, os.W_OK))])

@dc.task_type
def former(job: int, context: dc.Context) -> int:
    """Tell the size of the result of the first task of a job."""
    return context.result_file(job, 0).stat().st_size

@dc.task_type
def again(size: int, context: dc.Context) -> int:
    """Save a large checkpoint, and fail; tell the size of the one that comes back."""
    if context.checkpoint is None:
        context.save(bytes(size))
        raise RuntimeError("once more")
    return len(context.checkpoint)

@dc.task_type
def daemon(path: str) -> int:
    """Start a process that does not end, and wait for ever."""
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    Path(path).write_text(str(child.pid))
    time.sleep(1000)
    return 0

@dc.task_type
def hog(size: int) -> int:
    """Take so many bytes of memory."""
    return len(bytearray(b"x") * size)
'''


@pytest.fixture(scope="module")
def user() -> TaskUser:
    if not IS_ROOT:
        with pytest.raises(StartError, match="only root can become another user"):
            find_user(USER)
        pytest.skip("that this needs root was told")
    return find_user(USER)


class World:
    """A server with TLS, which gives its plugins to a worker whose tasks are another user's."""

    def __init__(self, machine: Machine, user: TaskUser) -> None:
        self.machine, self.user = machine, user
        self.data = machine.folder / "worker-one"
        self.open = machine.folder / "open"
        self.open.mkdir()
        self.open.chmod(0o777)
        (machine.plugins / "task_user.py").write_text(PLUGIN)

    async def start(self, *arguments: object) -> Program:
        """Start it; return the worker."""
        self.server = await SecureServer.up(self.machine, "--secure")
        code = await self.server.invite()
        python, variables = shared_python(self.machine.folder, self.user)
        options = ["--data", self.data, "--name", "one", "--task-user", self.user.name]
        self.worker = self.machine.start(
            *("dc.worker", "--slots", 2, "--spares", 0, *options, *arguments),
            name="one",
            environment={**variables, "DC_JOIN": code, "TMPDIR": str(self.data)},
            python=python,
        )
        text = self.worker.text
        ready = lambda: " connected to " in text() or not self.worker.alive  # noqa: E731
        await until(ready, "the worker", 60, text)
        assert self.worker.alive, text()
        return self.worker

    async def run(self, kind: str, *payloads: Any, **options: Any) -> list[Any]:
        """Run tasks; return for each its value, or its failure."""
        async with self.server.client(self.machine) as client:
            job = await client.submit(kind, list(payloads), **{"retries": 0, **options})
            found = {one.number: one async for one in job.as_completed()}
        return [one.result if one.error is None else one.error for _, one in sorted(found.items())]


@pytest.fixture
def world(user: TaskUser, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="dc-task-user-"))
    folder.chmod(0o755)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    try:
        with Machine(folder) as machine:
            yield World(machine, user)
    finally:
        shutil.rmtree(folder)


async def test_tasks_are_another_user(world: World) -> None:
    worker = await world.start()
    with trio.fail_after(SECONDS):
        (said,) = await world.run("who", 1)
        uid, gid = world.user.uid, world.user.gid
        assert said["ids"] == f"{(uid,) * 3} {(gid,) * 3} []"
        assert (said["USER"], said["LOGNAME"]) == (USER, USER)
        assert said["XDG_STATE_HOME"] == ""
        assert said["TMPDIR"]
        assert said["cwd"].startswith(said["TMPDIR"])
        assert os.access(said["HOME"], os.F_OK) or said["HOME"] == said["cwd"]
        assert (said["descriptors"], said["writes"], said["no_new_privs"]) == ("True", "True", "1")
        await _secrets_stay(world)
        await _bytes_move(world)
    assert await worker.stop() == 0, worker.text()
    assert not (world.data / "scratch").exists(), "all of it was removed"


async def _secrets_stay(world: World) -> None:
    """See that tasks can do nothing with what is the worker's alone."""
    files = [one for one in world.data.iterdir() if one.is_file()]
    names = {one.name for one in files}
    assert {"key", "worker.key", "servers", "server", "lock"} <= names
    assert any(one.name.startswith("reports-") for one in files)
    assert [one for one in files if stat.S_IMODE(one.stat().st_mode) != 0o600] == []
    (run,) = (world.data / "scratch").iterdir()
    folders = [world.data, world.data / "code", world.data / "cache", run, run / "taken"]
    done = await world.run("try_to", *map(str, [*files, *folders]))
    assert done == [""] * len(done), dict(zip([*files, *folders], done, strict=True))


async def _bytes_move(world: World) -> None:
    """See that large payloads, inputs, results and checkpoints come and go."""
    size = 3 * MB
    async with world.server.client(world.machine) as client:
        made = await client.submit("make", [size])
        (result,) = [one async for one in made.results()]
        assert result.size == size
        assert await result.read() == bytes(size)
    payload, data = bytes(size), bytes(2 * size)
    (told,) = await world.run("look", payload, inputs={"data": data})
    digests = [hashlib.sha256(one).hexdigest() for one in (payload, data)]
    assert told.split() == [*digests, "False"]
    assert await world.run("former", made.number, made.number, after=[made.number]) == [size] * 2
    assert await world.run("again", size, retries=1) == [size]


@pytest.mark.parametrize("how", [(), ("--no-cgroups",)])
async def test_tasks_are_still_contained(world: World, how: tuple[str, ...]) -> None:
    worker = await world.start(*how)
    with trio.fail_after(SECONDS):
        (error,) = await world.run("hog", 500 * MB, limits={"memory": 200 * MB})
        assert isinstance(error, dc.TaskFailed)
        assert error.kind == "memory"
        place = world.open / "pid"
        (error,) = await world.run("daemon", str(place), timeout=5.0)
        assert isinstance(error, dc.TaskFailed)
        assert error.kind == "timeout"
        pid = Path("/proc", place.read_text())
        await until(lambda: not pid.exists(), "the daemon's end")
        assert len(await world.run("who", *range(20))) == 20
    assert await worker.stop() == 0, worker.text()


async def test_a_folder_that_the_user_cannot_enter(world: World) -> None:
    closed = world.machine.folder / "closed"
    closed.mkdir(mode=0o700)
    world.data = closed / "worker"
    with pytest.raises(AssertionError, match=f"that user cannot enter {closed}: give --data DIR"):
        await world.start()
