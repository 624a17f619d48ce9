"""Executors that were started before it was known how: real processes, like any other then."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio

import dc
from dc.errors import StartError
from dc.executor import Executor, Start
from dc.launcher import Launcher
from dc.pipe import Begin, Ran, Ready, Run
from dc.pipe_frames import encode_frame
from dc.prepared import Prepared
from dc.process_tree import all_processes
from dc.worker.child_begin import wait_for_words

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are none on Windows")

BOUND_SECONDS = 50.0

PLUGIN = """
import os
import dc

@dc.task_type
def tell(name: str) -> tuple[int, bytes, str]:
    return os.getpid(), os.environb.get(os.fsencode(name), b""), os.getcwd()
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "mine.py").write_text(PLUGIN)
    return folder


@asynccontextmanager
async def ready(executor: Executor) -> AsyncIterator[None]:
    try:
        with trio.fail_after(BOUND_SECONDS):
            found = await executor.receive()
            assert isinstance(found, Ready)
            assert [one.name for one in found.types] == ["tell"]
            yield
    finally:
        await executor.aclose()


async def told(executor: Executor, name: str) -> tuple[int, bytes, str]:
    """Return what a task sees: its process, a variable, its working folder."""
    payload = msgspec.msgpack.encode(name)
    await executor.send(Run(1, "tell", "1", "/nonexistent", [1], [1], [payload]))
    while not isinstance(message := await executor.receive(), Ran):
        assert message is not None, executor.exit_text
    [outcome] = message.outcomes
    assert isinstance(outcome, bytes)
    return msgspec.msgpack.decode(outcome, type=tuple[int, bytes, str])


def descriptors() -> int:
    """Return how many this process has, without those of what is left of other tests."""
    gc.collect()
    return sum(1 for _ in Path("/dev/fd").iterdir())


def is_there(pid: int) -> bool:
    return any(one.pid == pid for one in all_processes())


async def test_it_is_an_executor_like_any_other(
    tmp_path: Path, plugins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has changed in the environment since it was started holds for it, too."""
    monkeypatch.setenv("DC_TEST_GONE", "1")
    with Prepared() as prepared:
        monkeypatch.setenv("DC_TEST_NEW", "caf\udce9=1")
        monkeypatch.delenv("DC_TEST_GONE")
        work = tmp_path / "work"
        start = Start(folder=work, prepared=prepared)
        pid = prepared.pid
        executor = await Executor.start([plugins], entry_points=False, start=start)
        assert executor.pid == pid
        async with ready(executor):
            assert executor.running is None
            assert await told(executor, "DC_TEST_NEW") == (pid, b"caf\xe9=1", str(work))
            assert await told(executor, "DC_TEST_GONE") == (pid, b"", str(work))
            assert executor.running == (1, 1)
        assert executor.exit_text == "killed by signal 9 (SIGKILL)"
        assert not work.exists()
        assert prepared.pid == 0
    assert not is_there(pid)


async def test_only_the_first_executor_is_it(tmp_path: Path, plugins: Path) -> None:
    with Prepared() as prepared:
        pid = prepared.pid
        launcher = Launcher([plugins], scratch=tmp_path, prepared=prepared)
        one = await launcher.start()
        other = await launcher.start()
        assert one.pid == pid != other.pid
        await one.aclose()
        await other.aclose()


async def test_one_that_has_died_is_not_used(plugins: Path) -> None:
    with Prepared() as prepared:
        pid = prepared.pid
        prepared.process.kill()
        prepared.process.wait()
        start = Start(prepared=prepared)
        executor = await Executor.start([plugins], entry_points=False, start=start)
        assert executor.pid != pid
        async with ready(executor):
            assert (await told(executor, "X"))[0] == executor.pid


async def test_one_that_dies_while_it_is_told_is_found_out(
    plugins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Prepared() as prepared:
        prepared.process.kill()
        prepared.process.wait()
        prepared.process.returncode = None  # it dies behind the look
        monkeypatch.setattr(prepared.process, "poll", lambda: None)
        start = Start(prepared=prepared)
        with trio.fail_after(BOUND_SECONDS):
            executor = await Executor.start([plugins], entry_points=False, start=start)
            assert await executor.receive() is None
            await executor.aclose()
        assert executor.exit_text


def test_one_that_nobody_wanted_is_ended() -> None:
    with Prepared() as prepared:
        pid = prepared.pid
        assert is_there(pid)
    assert not is_there(pid)
    assert not prepared.take()


async def test_none_imports_what_is_in_the_folder_where_it_starts(
    tmp_path: Path, plugins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may begin as root, and its tasks as another user may write there."""
    (tmp_path / "msgspec.py").write_text("open('was-run', 'w').close()\nraise SystemExit(1)")
    monkeypatch.setenv("PYTHONPATH", str(Path(dc.__file__).parent.parent))
    monkeypatch.chdir(tmp_path)
    with Prepared() as prepared:
        start = Start(prepared=prepared)
        async with ready(await Executor.start([plugins], entry_points=False, start=start)):
            assert not (tmp_path / "was-run").exists()


def test_one_whose_agent_is_gone_ends() -> None:
    with Prepared() as prepared:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, prepared.to)  # which closes the pipe
        os.close(nothing)
        assert prepared.process.wait(BOUND_SECONDS) == 0


def test_where_the_system_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    assert Prepared.start() is None
    with pytest.raises(StartError, match="cannot start an executor"):
        Prepared()
    assert descriptors() == before


@pytest.mark.parametrize("step", [0, 1, 2])
def test_where_there_is_no_room_for_it(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """No file for the page, or no further descriptors: nothing of it is left open."""
    before, pipe = descriptors(), os.pipe
    made: list[tuple[int, int]] = []

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    def few() -> tuple[int, int]:
        if len(made) == step:
            raise OSError(errno.EMFILE, "too many")
        made.append(pipe())
        return made[-1]

    if step:
        monkeypatch.setattr("os.pipe", few)
    else:
        monkeypatch.setattr("dc.prepared.tempfile.TemporaryFile", full)
    assert Prepared.start() is None
    assert descriptors() == before


async def test_nothing_is_left_of_one_that_was_not_told_to_the_end() -> None:
    before = descriptors()
    with Prepared() as prepared:
        pid = prepared.pid
        with trio.CancelScope() as scope:
            scope.cancel()
            await Executor.start([], start=Start(prepared=prepared))
        assert scope.cancelled_caught
        assert not is_there(pid)
    prepared.page.close()
    assert descriptors() == before


SWEEPS = """
import sys, trio
from pathlib import Path
from dc.launcher import Launcher
from dc.prepared import Prepared
from dc.process_tree import become_reaper

async def main():
    here = Path(sys.argv[1])
    with Prepared() as prepared, trio.fail_after(50):
        launcher = Launcher([], scratch=here, is_reaper=become_reaper(), prepared=prepared)
        launcher.sweep()
        print(prepared.process.poll())
        executor = await launcher.start()
        print(executor.pid == prepared.process.pid)
        await executor.aclose()

trio.run(main)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reapers are of Linux")
def test_one_that_waits_is_no_stray(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SWEEPS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["None", "True"], "")


@pytest.mark.parametrize("most", [1, 3, 10**6])
@pytest.mark.parametrize("cut", [0, 3, 4, 20])
def test_what_it_is_told_may_come_in_pieces_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, most: int, cut: int
) -> None:
    words, names = [b"--token", b"a\xe9"], [b"A=b=c", b"EMPTY="]
    frame = encode_frame(Begin(words, names)) + b"more"
    reading, writing = os.pipe()
    before = dict(os.environb)
    read = os.read
    monkeypatch.setattr("os.read", lambda file, size: read(file, min(size, most)))
    try:
        os.write(writing, frame[:cut] if cut else frame)
        os.close(writing)
        if cut:
            with pytest.raises(SystemExit):
                wait_for_words(reading)
            return
        assert wait_for_words(reading) == ["--token", "a\udce9"]
        assert dict(os.environb) == {b"A": b"b=c", b"EMPTY": b""}
        assert read(reading, 10) == b"more", "that is for who reads next"
    finally:
        os.close(reading)
        os.environb.clear()
        os.environb.update(before)
