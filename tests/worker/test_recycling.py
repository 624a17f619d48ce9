"""When an executor is to be replaced."""

from __future__ import annotations

import pytest

from dc import limits, limits_executor
from dc.worker import recycling
from dc.worker.recycling import Recycling, resident_bytes

MIB = limits.MIB


def test_never_unless_it_is_asked_for() -> None:
    assert Recycling(0, 0.0, 0, 0.0).due(10**9, 1e9) == ""


def test_after_so_many_tasks() -> None:
    one = Recycling(1000, 0.0, 0, 0.0)
    assert one.due(999, 1.0) == ""
    assert one.due(1000, 1.0) == "it has run 1,000 tasks"


def test_at_such_an_age() -> None:
    one = Recycling(0, 3600.0, 0, 50.0)
    assert one.due(1, 3649.0) == ""
    assert one.due(1, 3650.0) == "it is 3,600 s old"


def test_when_it_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 100 * MIB
    looks: list[int] = []

    def resident() -> int:
        looks.append(size)
        return size

    monkeypatch.setattr(recycling, "resident_bytes", resident)
    one = Recycling(0, 0.0, 50 * MIB, 0.0)
    size = 149 * MIB
    assert one.due(1, limits_executor.RECYCLE_LOOK_SECONDS) == ""
    size = 150 * MIB
    assert one.due(1, 1.5 * limits_executor.RECYCLE_LOOK_SECONDS) == "", "not yet time for a look"
    assert len(looks) == 2
    assert (
        one.due(limits_executor.RECYCLE_LOOK_TASKS, 1.5 * limits_executor.RECYCLE_LOOK_SECONDS)
        == ""
    )
    assert (
        one.due(1 + limits_executor.RECYCLE_LOOK_TASKS, 1.5 * limits_executor.RECYCLE_LOOK_SECONDS)
        != ""
    )
    assert one.due(1, 3 * limits_executor.RECYCLE_LOOK_SECONDS) == "it has grown by 50 MiB"


def test_resident_memory_is_that_of_this_process() -> None:
    before = resident_bytes()
    block = b"x" * (64 * MIB)
    assert resident_bytes() - before > 32 * MIB or before == 0
    del block
