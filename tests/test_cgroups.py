"""Control groups: where they are, by the texts of several systems, and what is done in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dc.cgroups import Cgroup, Cgroups, limit_memory, own_groups

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = """\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
38 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
39 31 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
40 31 0:38 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
"""
DOCKER = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"


def test_another_user_is_given_the_limits_and_nothing_else(tmp_path: Path) -> None:
    for name in ("memory.max", "pids.max", "cgroup.procs", "cgroup.kill", "cgroup.freeze"):
        (tmp_path / name).touch()
    given: list[str] = []

    def give(path: Path) -> None:
        path.stat()
        given.append(path.name)

    Cgroup(tmp_path, tmp_path, tmp_path).give_limits(give)
    assert sorted(given) == ["memory.max", "pids.max"]


def test_version_2_has_one_tree() -> None:
    found = own_groups(V2, "0::/user.slice/dc.scope\n")
    assert found == {"": Path("/sys/fs/cgroup/user.slice/dc.scope")}


def test_version_1_has_one_for_each_and_version_2_beside_it() -> None:
    own = "9:name=systemd:/\n8:pids:/\n4:memory:/a/b\n1:cpu,cpuacct:/\n0::/\n"
    assert own_groups(V1, own) == {
        "memory": Path("/sys/fs/cgroup/memory/a/b"),
        "pids": Path("/sys/fs/cgroup/pids"),
        "": Path("/sys/fs/cgroup/unified"),
    }


def test_container_that_sees_its_own_part_alone() -> None:
    assert own_groups(DOCKER, "4:memory:/docker/abc/dc\n") == {
        "memory": Path("/sys/fs/cgroup/memory/dc")
    }


def test_system_without_any() -> None:
    assert own_groups("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "") == {}


def find(tmp_path: Path, own: str, mounts: str) -> Cgroups | None:
    """Find groups in a system whose trees are below a folder of the test."""
    (tmp_path / "own").write_text(own)
    (tmp_path / "mounts").write_text(mounts.replace("/sys/fs/cgroup", str(tmp_path / "fs")))
    return Cgroups.find(mounts=tmp_path / "mounts", own=tmp_path / "own")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of version 2 that is handed down to this user, who is in it alone."""
    folder = tmp_path / "fs" / "dc.scope"
    folder.mkdir(parents=True)
    (folder / "cgroup.controllers").write_text("cpu memory pids")
    (folder / "cgroup.procs").write_text(f"{os.getpid()}\n")
    return folder


def test_worker_alone_in_its_group_moves_aside_and_hands_down(tmp_path: Path, tree: Path) -> None:
    groups = find(tmp_path, "0::/dc.scope\n", V2)
    assert groups is not None
    assert groups.text == "kill, memory, pids"
    mine = tree / f"dc-worker-{os.getpid()}"
    assert (mine / "agent" / "cgroup.procs").read_text() == "0"
    assert (tree / "cgroup.subtree_control").read_text() == "+pids"  # a file here keeps the last
    group = groups.make()
    assert group.folders == [mine / "executor-1"]
    assert int((mine / "executor-1" / "pids.max").read_text()) > 0


def test_nothing_is_handed_down_where_the_system_does_not(tmp_path: Path) -> None:
    (tmp_path / "fs" / "x").mkdir(parents=True)
    groups = find(tmp_path, "0::/x\n", V2)
    assert groups is not None
    assert groups.text == "kill"
    groups.close()
    assert list((tmp_path / "fs" / "x").iterdir()) == []


def test_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    assert find(tmp_path, "0::/not/there\n", V2) is None


def test_groups_of_workers_that_are_no_more_are_removed(tmp_path: Path, tree: Path) -> None:
    (tree / "dc-worker-999999999" / "executor-1").mkdir(parents=True)
    (tree / "dc-worker-1").mkdir()  # of a process that is there
    (tree / "dc-worker-notes").mkdir()
    find(tmp_path, "0::/dc.scope\n", V2)
    left = {one.name for one in tree.iterdir() if one.is_dir()}
    assert left == {"dc-worker-1", "dc-worker-notes", f"dc-worker-{os.getpid()}"}


def test_worker_that_has_started_itself_anew_uses_its_own_group_again(
    tmp_path: Path, tree: Path
) -> None:
    assert find(tmp_path, "0::/dc.scope\n", V2) is not None
    mine = tree / f"dc-worker-{os.getpid()}"
    (mine / "executor-1").mkdir()
    groups = find(tmp_path, f"0::/dc.scope/{mine.name}/agent\n", V2)
    assert groups is not None
    assert not list((mine / "agent").glob("*/"))
    assert groups.make().folders == [mine / "executor-1"]


def test_memory_limit_of_version_2(tmp_path: Path) -> None:
    for name in ("memory.max", "memory.swap.max"):
        (tmp_path / name).write_text("max")
    assert limit_memory(tmp_path, 2**20)
    assert (tmp_path / "memory.max").read_text() == "1048576"
    assert (tmp_path / "memory.swap.max").read_text() == "0"
    assert limit_memory(tmp_path, 0)
    assert (tmp_path / "memory.max").read_text() == "max"
    assert (tmp_path / "memory.swap.max").read_text() == "max"


def test_memory_limit_of_version_1(tmp_path: Path) -> None:
    assert limit_memory(tmp_path, 2**20)
    for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
        assert (tmp_path / name).read_text() == "1048576"
    assert limit_memory(tmp_path, 0)
    assert (tmp_path / "memory.limit_in_bytes").read_text() == "-1"
    assert not limit_memory(tmp_path / "absent", 2**20)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("memory.events", "low 0\noom_kill 1\n", "low 0\noom_kill 2\n"),
        ("memory.oom_control", "under_oom 0\noom_kill 0\n", "under_oom 1\noom_kill 1\n"),
    ],
)
def test_kills_of_the_kernel_are_counted(
    tmp_path: Path, name: str, before: str, after: str
) -> None:
    (tmp_path / name).write_text(before)
    group = Cgroup(None, tmp_path, None)
    assert not group.was_out_of_memory()
    (tmp_path / name).write_text(after)
    assert group.was_out_of_memory()


def test_memory_is_counted_without_copies_of_files(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("5000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 2000\n")
    assert Cgroup(None, tmp_path, None).memory() == 3000
    assert Cgroup(tmp_path, None, None).memory() == 0


def test_members_of_another_namespace_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("0\n0\n17\n")
    assert Cgroup(tmp_path, None, None).members() == [17]
