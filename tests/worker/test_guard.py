"""What running tasks use, as the guard sees it: fake executors, real folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dc import limits_executor, limits_worker
from dc.fence import Usage
from dc.messages_parts import Limits
from dc.process_tree import Process
from dc.removal import remove_folder
from dc.testing import FakeExecutor
from dc.worker.events import Exceeded
from dc.worker.guard import Guard, Watched, size_of_folder

GIB = 2**30
MIB = 2**20


class Using(FakeExecutor):
    """An executor whose tasks use what a test says."""

    def __init__(self, memory: int = 0, processes: int = 1, *, killed: bool = False) -> None:
        super().__init__({})
        self.running = (1, 7)
        self._usage = Usage(memory, processes, killed)

    def usage(self, processes: Sequence[Process] | None = None) -> Usage:
        del processes
        return self._usage


class Computer:
    """What is free on a computer."""

    def __init__(self) -> None:
        self.memory = 8 * GIB, 16 * GIB
        self.disk = 100 * GIB, 200 * GIB

    def guard(self) -> Guard:
        return Guard(Path("/s"), lambda: self.memory, lambda _: self.disk)


def watched(
    port: FakeExecutor, limits: Limits | None = None, folder: Path | None = None, executor: int = 0
) -> Watched:
    return Watched(executor, port, limits or {}, [] if folder is None else [folder])


def test_whatever_uses_little_is_left_alone(tmp_path: Path) -> None:
    most: Limits = {"memory": GIB, "disk": GIB, "processes": 2, "open_files": 10, "nice": 3}
    guard = Computer().guard()
    for _ in range(limits_worker.GUARD_COUNT_LOOKS):
        assert guard.look([watched(Using(GIB, 2), most, tmp_path), watched(Using(9 * GIB))]) == []


def test_memory_above_the_limit() -> None:
    (found,) = Computer().guard().look([watched(Using(3 * GIB), {"memory": 2 * GIB}, executor=4)])
    text = "used 3 GiB of memory, more than its limit of 2 GiB, and was killed"
    assert found == Exceeded(4, "memory", text, (1, 7))


def test_limit_of_memory_that_the_kernel_keeps() -> None:
    (found,) = Computer().guard().look([watched(Using(GIB, killed=True), {"memory": 2 * GIB})])
    assert found.kind == "memory"
    assert "reached its limit of 2 GiB of memory" in found.text


def test_memory_of_all_tasks_together_above_the_workers_own_limit() -> None:
    guard = Guard(Path("/s"), lambda: (8 * GIB, 16 * GIB), lambda _: (1, 0), most=4 * GIB)
    small, large = watched(Using(GIB)), watched(Using(3 * GIB), executor=2)
    assert guard.look([small, large]) == []
    found = guard.look([small, large, watched(Using(GIB), executor=3)])
    text = "the tasks here used 5 GiB of memory, and may use 4 GiB"
    assert found == [
        Exceeded(2, "memory", f"{text}; this task used most of it, 3 GiB, and was killed", (1, 7))
    ]


def test_processes_above_the_limit() -> None:
    (found,) = Computer().guard().look([watched(Using(0, 9), {"processes": 8})])
    assert (found.kind, found.text) == ("error", "started 9 processes, 8 at most, and was killed")


def test_processes_of_a_task_without_limits_are_counted_now_and_then() -> None:
    guard = Computer().guard()
    one = [watched(Using(0, limits_executor.TASK_PROCESSES + 1))]
    found = [guard.look(one) for _ in range(limits_worker.GUARD_COUNT_LOOKS)]
    assert [bool(each) for each in found] == [False] * (limits_worker.GUARD_COUNT_LOOKS - 1) + [
        True
    ]


def test_files_above_the_limit(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for path in (tmp_path / "one", tmp_path / "below" / "two"):
        path.write_bytes(bytes(600))
    (found,) = Computer().guard().look([watched(Using(), {"disk": 1024}, tmp_path)])
    assert found.text == "used 1.17 KiB in its folder, more than its limit of 1 KiB, and was killed"


def test_computer_without_memory_loses_the_largest_task() -> None:
    computer = Computer()
    computer.memory = 100 * MIB, 16 * GIB
    tasks = [watched(Using(size), executor=at) for at, size in enumerate((GIB, 9 * GIB, 2 * GIB))]
    (found,) = computer.guard().look(tasks)
    assert (found.executor, found.kind) == (1, "memory")
    assert "the computer had 100 MiB of memory left; this task used most of it, 9 GiB" in found.text


def test_computer_whose_memory_somebody_else_uses() -> None:
    computer = Computer()
    computer.memory = 100 * MIB, 16 * GIB
    assert computer.guard().look([watched(Using(limits_worker.GUARD_LEAST_BYTES - 1))]) == []


@pytest.mark.parametrize("whole", [GIB, 0])
def test_small_computers_and_unknown_ones_are_not_always_full(whole: int) -> None:
    computer = Computer()
    computer.memory = computer.disk = whole // 10, whole
    assert computer.guard().look([watched(Using(GIB))]) == []


def test_full_disk_takes_the_task_that_has_written_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_worker, "GUARD_LEAST_BYTES", 100)
    for name, size in (("a", 200), ("b", 300)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(bytes(size))
    computer = Computer()
    computer.disk = MIB, 200 * GIB
    tasks = [watched(Using(), None, tmp_path / name, at) for at, name in enumerate("ab")]
    (found,) = computer.guard().look(tasks)
    assert (found.executor, found.kind) == (1, "error")
    assert "the disk of its folder had 1 MiB left" in found.text


def test_size_of_a_folder_ends_with_so_many_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        (tmp_path / str(number)).write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setattr(limits_worker, "DISK_ENTRIES", 4)
    assert size_of_folder(tmp_path) <= 4 + len(str(tmp_path))
    assert size_of_folder(tmp_path / "absent") == 0


def test_folders_in_folders_are_counted_to_any_depth(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(1200):
        deep = deep / "d"
        deep.mkdir()
    (deep / "f").write_bytes(b"x" * 100)
    assert size_of_folder(tmp_path) == 100
    remove_folder(tmp_path)


def test_only_so_many_folders_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path
    for _ in range(20):
        deep = deep / "d"
        deep.mkdir()
    (deep / "f").write_bytes(b"x" * 100)
    monkeypatch.setattr(limits_worker, "DISK_ENTRIES", 20)
    assert size_of_folder(tmp_path) == 0
