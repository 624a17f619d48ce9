"""Executors that stand still: with control groups, by signals, on Windows."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

import pytest

from dc.cgroups import Cgroup
from dc.fence import Fence
from dc.freezing import Freezer, hold_on_windows
from dc.process_tree import Process, process_of
from dc.waking import Waker

TREE = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], {how})
print(child.pid, flush=True)
time.sleep(1000)
"""


def state_of(pid: int) -> str:
    try:
        return process_of(pid, Path(f"/proc/{pid}/stat").read_bytes(), 4096).state
    except OSError:
        return "gone"


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Tree:
    """A process that leads a group, with a child in another session."""

    def __init__(self) -> None:
        code = TREE.format(how="start_new_session=True")
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
        )
        assert self.process.stdout is not None
        self.pids = [self.process.pid, int(self.process.stdout.readline())]

    def states(self) -> str:
        return "".join(map(state_of, self.pids))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        Fence(self.process.pid).kill()
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()


linux = pytest.mark.skipif(sys.platform != "linux", reason="states of processes as on Linux")


@linux
def test_all_of_a_tree_stands_still_and_goes_on() -> None:
    with Tree() as tree:
        fence = Fence(tree.process.pid)
        fence.hold(still=True)
        fence.settle()
        until(lambda: tree.states() == "TT")
        fence.settle()
        fence.hold(still=False)
        fence.settle()
        until(lambda: "T" not in tree.states())


@linux
def test_what_stands_still_can_be_killed_and_then_nothing_is_touched() -> None:
    with Tree() as tree:
        fence = Fence(tree.process.pid)
        fence.hold(still=True)
        fence.settle()
        fence.kill()
        until(lambda: set(map(state_of, tree.pids)) <= {"Z", "X", "gone"})
        fence.hold(still=False)
        fence.settle()


@linux
def test_what_was_said_last_holds() -> None:
    with Tree() as tree:
        fence = Fence(tree.process.pid)
        fence.hold(still=True)
        fence.hold(still=False)
        fence.settle()
        assert "T" not in tree.states()


class World:
    """Processes of which one starts another whenever it is looked for, a few times."""

    def __init__(self, births: int = 0) -> None:
        self.states = {10: "S", 11: "R", 12: "T"}
        self.births = births
        self.sent: list[tuple[int, int]] = []

    def processes(self) -> list[Process]:
        if self.births:
            self.births -= 1
            self.states[20 + self.births] = "R"
        rows = [Process(pid, 10, 10, state) for pid, state in self.states.items() if pid != 10]
        return [Process(10, 1, 10, self.states[10]), *rows, Process(99, 1, 99, "R")]

    def send(self, processes: Iterable[Process], number: int) -> None:
        for one in processes:
            self.sent.append((one.pid, number))
            self.states[one.pid] = "T" if number == signal.SIGSTOP else "S"


class Wakers:
    """Notes who is to wait beside what, and for how long: not at all any more, if it is gone."""

    def __init__(self) -> None:
        self.waiting: list[list[str]] = []

    def __call__(self, still: Sequence[str]) -> Waker:
        return FakeWaker(self, list(still))


class FakeWaker(Waker):
    """One of them."""

    def __init__(self, wakers: Wakers, still: list[str]) -> None:
        self.wakers, self.still = wakers, still
        wakers.waiting.append(still)

    def dismiss(self) -> None:
        self.wakers.waiting.remove(self.still)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_it_stops_until_there_is_none_left_that_could_start_another() -> None:
    world, wakers = World(births=3), Wakers()
    freezer = Freezer(10, processes=world.processes, send=world.send, wait=wakers)
    freezer.freeze()
    assert wakers.waiting == [["10", "11", "20", "21", "22"]]
    assert set(world.states.values()) == {"T"}
    stopped = [pid for pid, _ in world.sent]
    assert len(stopped) == len(set(stopped)), "each is told once"
    assert 99 not in stopped
    world.sent.clear()
    freezer.thaw()
    assert wakers.waiting == []
    assert {number for _, number in world.sent} == {signal.SIGCONT}
    assert world.states[12] == "T", "the task itself has stopped it"
    world.sent.clear()
    freezer.thaw()
    assert world.sent == []


def test_a_control_group_does_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "cgroup.freeze").write_text("0")
    world, wakers = World(), Wakers()
    freezer = Freezer(10, Cgroup(tmp_path, None, None), world.processes, world.send, wakers)
    freezer.freeze()
    assert wakers.waiting == [[str(tmp_path / "cgroup.freeze")]]
    assert (tmp_path / "cgroup.freeze").read_text() == "1"
    freezer.thaw()
    assert (tmp_path / "cgroup.freeze").read_text() == "0"
    assert wakers.waiting == []
    assert world.sent == []


@pytest.mark.parametrize("there", [True, False])
def test_one_without_that_is_stopped_by_signals(tmp_path: Path, there: bool) -> None:
    world = World()
    group = Cgroup(tmp_path if there else None, None, None)
    Freezer(10, group, world.processes, world.send, Wakers()).freeze()
    assert [pid for pid, _ in world.sent] == [11, 10]
    assert not list(tmp_path.iterdir())


class FakeLibrary:
    """kernel32 and ntdll in one."""

    def __init__(self, handle: int = 5, status: int = 0) -> None:
        self.handle, self.status = handle, status
        self.done: list[str] = []

    def OpenProcess(self, access: int, inherit: bool, pid: int) -> int:  # noqa: N802
        assert (access, inherit, pid) == (0x0800, False, 77)
        return self.handle

    def NtSuspendProcess(self, handle: int) -> int:  # noqa: N802
        self.done.append(f"suspend {handle}")
        return self.status

    def NtResumeProcess(self, handle: int) -> int:  # noqa: N802
        self.done.append(f"resume {handle}")
        return self.status

    def CloseHandle(self, handle: int) -> int:  # noqa: N802
        self.done.append(f"close {handle}")
        return 1


def test_windows_has_a_call_for_it() -> None:
    library = FakeLibrary()
    assert hold_on_windows(77, library, library, still=True)
    assert hold_on_windows(77, library, library, still=False)
    assert library.done == ["suspend 5", "close 5", "resume 5", "close 5"]
    gone = FakeLibrary(handle=0)
    assert not hold_on_windows(77, gone, gone, still=True)
    assert gone.done == []
    assert not hold_on_windows(77, *[FakeLibrary(status=-1)] * 2, still=True)
    assert not hold_on_windows(77, object(), object(), still=True)
