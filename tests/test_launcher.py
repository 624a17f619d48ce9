"""What is left of executors: nothing, whether they could be started or not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from dc.cgroups import Cgroups
from dc.errors import StartError
from dc.executor import Executor, Start
from dc.launcher import Launcher
from dc.task_user import TaskUser


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_no_control_group_is_left_of_what_could_not_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(*_: Any, **__: Any) -> Executor:
        raise StartError("no more processes")

    monkeypatch.setattr(Executor, "start", start)
    launcher = Launcher([], cgroups=Cgroups(tmp_path, None, None))
    for _ in range(3):
        with pytest.raises(StartError):
            await launcher.start()
    assert entries(tmp_path) == []


PLUGIN = """
import dc, subprocess, time

@dc.task_type
def daemons(count: int) -> int:
    for _ in range(count):
        subprocess.Popen(["sleep", "100"], start_new_session=True)
    open("begun", "w").close()
    time.sleep(100)
    return count
"""

AGENT = """
import os, sys, trio
from pathlib import Path
from dc.launcher import Launcher
from dc.pipe import Run
from dc.process_tree import all_processes, become_reaper

async def main():
    here = Path(sys.argv[1])
    launcher = Launcher([here], scratch=here, is_reaper=become_reaper())
    with trio.fail_after(20):
        for number in range(1, 4):
            executor = await launcher.start()
            await executor.receive()
            await executor.send(Run(1, "daemons", "1", "/nonexistent", [1], [1], [bytes([40])]))
            while not (here / f"work-{number}" / "begun").exists():
                await trio.sleep(0.01)
            await executor.aclose()
            print(sum(one.parent == os.getpid() for one in all_processes()))

trio.run(main)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reapers are of Linux")
def test_what_a_task_has_started_is_reaped_with_its_executor(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    command = [sys.executable, "-c", AGENT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.stdout.split(), done.stderr) == (["0", "0", "0"], "")


@pytest.mark.parametrize("user", [None, TaskUser("x", 12345, 12345)])
async def test_who_becomes_another_user_imports_nothing_from_the_folder_of_the_start(
    user: TaskUser | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins as root, and its tasks may be able to write there."""
    begun: list[list[str]] = []

    async def note(command: list[str], _: int) -> NoReturn:
        begun.append(command)
        raise OSError("not here")

    monkeypatch.setattr("dc.executor._open", note)
    with pytest.raises(StartError, match="not here"):
        await Executor.start([], start=Start(user=user))
    [command] = begun
    assert command[: command.index("dc.worker.child")] == [
        sys.executable,
        *([] if user is None else ["-P"]),
        "-m",
    ]
