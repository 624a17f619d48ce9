"""What stands still goes on when the program that has stopped it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dc.waking import Waker
from tests.test_freezing import state_of, until

AGENT = """
import subprocess, sys, time
from dc.fence import Fence
code = "import sys; sys.stdin.read()"  # it ends when its agent has gone, as executors do
executor = subprocess.Popen(
    [sys.executable, "-c", code], stdin=subprocess.PIPE, start_new_session=True
)
fence = Fence(executor.pid)
fence.hold(still=True)
fence.settle()
print(executor.pid, flush=True)
time.sleep(1000)
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="it has no such shell")


@pytest.mark.skipif(sys.platform != "linux", reason="states of processes as on Linux")
def test_an_executor_that_stands_still_does_not_outlive_its_agent() -> None:
    with subprocess.Popen([sys.executable, "-c", AGENT], stdout=subprocess.PIPE) as agent:
        assert agent.stdout is not None
        pid = int(agent.stdout.readline())
        try:
            until(lambda: state_of(pid) == "T")
            agent.kill()
            until(lambda: state_of(pid) in ("gone", "Z", "X"))
        finally:
            agent.kill()
            if state_of(pid) != "gone":
                os.kill(pid, signal.SIGKILL)


@posix
def test_a_control_group_is_let_go_on_when_nobody_is_left(tmp_path: Path) -> None:
    file = tmp_path / "with 'odd $(letters)" / "cgroup.freeze"
    file.parent.mkdir()
    file.write_text("1")
    waker = Waker([str(file)])
    waker.hang_up()
    assert file.read_text() == "0\n"


@posix
def test_who_is_dismissed_wakes_nobody(tmp_path: Path) -> None:
    file = tmp_path / "cgroup.freeze"
    file.write_text("1")
    waker = Waker([str(file)])
    waker.dismiss()
    waker.dismiss()
    assert file.read_text() == "1"


def test_without_a_shell_there_is_none() -> None:
    Waker(["1"], shell="/nowhere/sh").dismiss()
