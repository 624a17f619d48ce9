"""Executors that keep out of the way of people."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from dc.worker import gentle

LOOK = """
import os
from dc.worker.gentle import keep_out_of_the_way
keep_out_of_the_way(nice={nice}, processors={processors})
policy = os.sched_getscheduler(0)
print(os.getpriority(os.PRIO_PROCESS, 0), policy == os.SCHED_IDLE, len(os.sched_getaffinity(0)))
print(max(os.sched_getaffinity(0)))
"""


def looked(nice: bool, processors: int) -> list[str]:
    """What a process that keeps out of the way finds of itself."""
    code = LOOK.format(nice=nice, processors=processors)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    return done.stdout.decode().split()


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_a_process_comes_last_and_uses_the_last_processors() -> None:
    own = sorted(os.sched_getaffinity(0))
    assert looked(True, 1) == ["19", "True", "1", str(own[-1])]
    before = str(os.getpriority(os.PRIO_PROCESS, 0))
    assert looked(False, 0) == [before, "False", str(len(own)), str(own[-1])]
    assert looked(False, 1000)[2] == str(len(own)), "no more than there are"


class FakeKernel:
    """kernel32, which writes down what is done."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []

    def GetCurrentProcess(self) -> int:  # noqa: N802
        return -1

    def SetPriorityClass(self, process: int, kind: int) -> int:  # noqa: N802
        assert process == -1
        self.done.append(("priority", kind))
        return 1

    def SetProcessAffinityMask(self, process: int, mask: Any) -> int:  # noqa: N802
        assert process == -1
        self.done.append(("mask", mask.value))
        return 1


def test_windows_has_its_own_words_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = FakeKernel()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(gentle, "_kernel", lambda: kernel)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    gentle.keep_out_of_the_way(nice=True, processors=3)
    assert kernel.done == [("priority", 0x40), ("priority", 0x100000), ("mask", 0b11100000)]


@pytest.mark.parametrize(
    ("count", "whole", "mask"), [(1, 1, 1), (9, 4, 0b1111), (0, 4, 0b1000), (2, 200, 3 << 62)]
)
def test_the_mask_of_windows_is_never_empty(count: int, whole: int, mask: int) -> None:
    kernel = FakeKernel()
    gentle.use_processors_on_windows(kernel, count, whole)
    assert kernel.done == [("mask", mask)]


def test_what_a_system_does_not_have_is_left_out() -> None:
    gentle.come_last_on_windows(object())
    gentle.use_processors_on_windows(object(), 1, 2)
