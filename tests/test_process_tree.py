"""The processes below one: found in a table, and killed in the real world."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc.process_tree import Process, all_processes, below, kill_below, process_of

PAGE = 4096
TABLE = [
    Process(1, 0, 1, "S"),
    Process(10, 1, 10, "S"),
    Process(11, 10, 10, "S"),
    Process(12, 11, 12, "Z"),
    Process(13, 12, 12, "S"),
    Process(20, 1, 10, "S"),  # an orphan that is still in the group
    Process(21, 20, 21, "S"),
    Process(30, 1, 30, "S"),
]


def test_below_is_what_descends_and_what_is_in_the_group() -> None:
    assert {one.pid for one in below(10, TABLE)} == {11, 12, 13, 20, 21}
    assert below(30, TABLE) == []
    assert [one.pid for one in below(10, TABLE) if not one.is_alive] == [12]


@given(st.lists(st.tuples(st.integers(2, 30), st.integers(1, 30)), max_size=60))
def test_below_agrees_with_walking_up_and_ends_in_any_table(pairs: list[tuple[int, int]]) -> None:
    parents = dict(pairs)
    table = [Process(pid, parent, 0, "S") for pid, parent in parents.items()]

    def descends(pid: int) -> bool:
        for _ in range(40):
            pid = parents.get(pid, 0)
            if pid == 1:
                return True
        return False

    expected = {pid for pid in parents if descends(pid)}
    assert {one.pid for one in below(1, table)} == expected


@pytest.mark.parametrize("name", ["sh", "a) S 1 1", "(((", "na me"])
def test_name_of_a_process_may_be_anything(name: str) -> None:
    stat = f"77 ({name}) R 5 6 7 " + " ".join("0" * 17) + " 3 0\n"
    fields = process_of(77, stat.encode(), PAGE)
    assert fields[:4] == (77, 5, 6, "R")


def test_resident_memory_of_this_process() -> None:
    (own,) = [one for one in all_processes() if one.pid == os.getpid()]
    assert own.parent == os.getppid()
    assert 2**20 < own.resident < 2**36


FAMILY = """
import os, subprocess, sys, time
for depth in range(3):
    if os.fork():
        break
    os.setsid()
os.write(1, b"%d\\n" % os.getpid())  # at once: four write to one pipe
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="parents of orphans")
def test_a_family_in_sessions_of_its_own_is_killed(tmp_path: Path) -> None:
    del tmp_path
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        pids = {int(process.stdout.readline()) for _ in range(4)}
        assert kill_below(process.pid)
        alive = {one.pid for one in all_processes() if one.is_alive}
        assert pids & alive == {process.pid}
        process.kill()
