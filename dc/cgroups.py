"""Control groups of Linux, where this user may make them: a fence around each executor.

Theory of operation
-------------------
A worker makes one group for itself below the group that it is in, and in that one for each
executor, which goes there by itself before it loads any plugin. Whatever it starts is in it, too.
Three things come of that, each on its own, for systems differ in what they allow:

    kill     all processes of the group at once (version 2)
    memory   a limit that the kernel keeps, and a count of what it killed for it (1 and 2)
    pids     a limit of processes and threads (1 and 2)

Version 1 has a tree for each of these, version 2 has one for all, and a computer may have both. In
version 2 a group that has members cannot hand out memory and pids to groups below it: a worker that
is alone in its group moves itself aside first, as in `systemd-run --user --scope -p Delegate=yes`.

What cannot be had is left out; nothing here raises but `Cgroups.make`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dc import limits_executor as limits
from dc.process_tree import Process, kill_all

_PREFIX: Final = "dc-worker-"
_ASIDE: Final = "agent"
_NO_LIMIT_V1: Final = -1
_LIMITS: Final = (
    *("memory.max", "memory.swap.max", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    "pids.max",
)
"""The files by which executors keep the limits of their tasks."""


class Cgroup:
    """The group of one executor: a folder in each tree that is of use, by what it is of use for.

    Args:
        kill: the folder in the tree of version 2, if there is one.
        memory: the folder in the tree that has memory, if one has.
        pids: the folder in the tree that has pids, if one has.
    """

    def __init__(self, kill: Path | None, memory: Path | None, pids: Path | None) -> None:
        self._kill = kill
        self.memory_folder = memory
        self._pids = pids
        self._killed_before = self._oom_kills()

    @property
    def folders(self) -> list[Path]:
        """All its folders."""
        return list(dict.fromkeys(one for one in self._parts() if one is not None))

    def _parts(self) -> tuple[Path | None, Path | None, Path | None]:
        return self._kill, self.memory_folder, self._pids

    def give_limits(self, give: Callable[[Path], object]) -> None:
        """Have another user set the limits of it, who can neither leave it nor move others.

        Args:
            give: makes a file that user's.
        """
        for folder in self.folders:
            for name in _LIMITS:
                with contextlib.suppress(OSError):
                    give(folder / name)

    def members(self) -> list[int]:
        """Return the processes in it."""
        found: dict[int, None] = {}
        for folder in self.folders:
            found |= dict.fromkeys(_members(folder))
        return list(found)

    def memory(self) -> int:
        """Return the bytes of memory that it uses, but for copies of files; 0 if not known."""
        folder = self.memory_folder
        if folder is None:
            return 0
        used = _read(folder / "memory.current") or _read(folder / "memory.usage_in_bytes")
        figures = dict(line.split(" ", 1) for line in _read(folder / "memory.stat").splitlines())
        cached = int(figures.get("total_inactive_file", figures.get("inactive_file", 0)))
        return max(0, int(used or 0) - cached)

    def was_out_of_memory(self) -> bool:
        """Whether the kernel has killed something of it for want of memory."""
        return self._oom_kills() > self._killed_before

    def _oom_kills(self) -> int:
        if self.memory_folder is None:
            return 0
        names = "memory.events", "memory.oom_control"
        lines = [line for name in names for line in _read(self.memory_folder / name).splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def kill(self) -> bool:
        """Kill all that is in it; return whether nothing was left in limits.TREE_SECONDS."""
        if self._kill is None or not _write(self._kill / "cgroup.kill", 1):
            return kill_all(lambda: [Process(pid, 0, 0, "R") for pid in self.members()])
        deadline = time.monotonic() + limits.TREE_SECONDS
        while self.members():
            if time.monotonic() > deadline:
                return False
            time.sleep(limits.TREE_PAUSE_SECONDS)
        return True

    def freeze(self, *, still: bool) -> bool:
        """Have all that is in it stand still, or go on; return whether that can be had."""
        file = self.freeze_file
        return file is not None and file.exists() and _write(file, int(still))

    @property
    def freeze_file(self) -> Path | None:
        """The file by which it stands still or goes on, where there is one."""
        return None if self._kill is None else self._kill / "cgroup.freeze"

    def remove(self) -> None:
        """Remove it, if nothing is in it any more."""
        for folder in self.folders:
            _remove(folder)


class Cgroups:
    """Where a worker makes groups.

    Args:
        kill: the worker's own folder in the tree of version 2, if there is one.
        memory: its folder in the tree that has memory, if one has.
        pids: its folder in the tree that has pids, if one has.
    """

    def __init__(self, kill: Path | None, memory: Path | None, pids: Path | None) -> None:
        self._kill = kill
        self._memory = memory
        self._pids = pids
        self._made = 0

    @classmethod
    def find(
        cls, *, mounts: Path = Path("/proc/self/mountinfo"), own: Path = Path("/proc/self/cgroup")
    ) -> Cgroups | None:
        """Find out where groups may be made, and make the worker's own; None if nowhere."""
        if sys.platform != "linux":
            return None
        found: dict[str, Path] = {}
        for what, folder in own_groups(_read(mounts), _read(own)).items():
            own_name = f"{_PREFIX}{os.getpid()}"
            if folder.parts[-2:] == (own_name, _ASIDE):  # this program has started itself anew
                folder = folder.parent.parent
            _remove_old(folder)
            mine = folder / own_name
            with contextlib.suppress(OSError):
                mine.mkdir(exist_ok=True)
                found[what] = mine
        unified = found.get("")
        for what in ("memory", "pids"):
            if what not in found and unified is not None and _hand_down(unified, what):
                found[what] = unified
        if not found:
            return None
        return cls(unified, found.get("memory"), found.get("pids"))

    @property
    def text(self) -> str:
        """What can be had, for the log."""
        parts = {"kill": self._kill, "memory": self._memory, "pids": self._pids}
        return ", ".join(name for name, folder in parts.items() if folder is not None)

    def make(self) -> Cgroup:
        """Make a group for an executor, with the limit of processes that holds for all.

        Raises:
            OSError: it cannot be made (any more).
        """
        self._made += 1
        made: dict[Path, Path] = {}
        for folder in (self._kill, self._memory, self._pids):
            if folder is not None and folder not in made:
                made[folder] = folder / f"executor-{self._made}"
                made[folder].mkdir()
        kill, memory, pids = (
            made[folder] if folder is not None else None
            for folder in (self._kill, self._memory, self._pids)
        )
        if pids is not None:
            _write(pids / "pids.max", limits.TASK_PROCESSES)
        if memory is not None:
            _write(memory / "memory.oom.group", 1)
        return Cgroup(kill, memory, pids)

    def close(self) -> None:
        """Remove the worker's own groups, if nothing is in them any more."""
        for folder in (self._kill, self._memory, self._pids):
            if folder is not None:
                for one in [*folder.glob("executor-*"), folder]:
                    _remove(one)


def own_groups(mounts: str, own: str) -> dict[str, Path]:
    """Return the folders of the groups that this process is in.

    Args:
        mounts: the text of /proc/self/mountinfo.
        own: the text of /proc/self/cgroup.

    Returns:
        A folder for "" (the tree of version 2), "memory" and "pids" (version 1), as far as there.
    """
    places: dict[str, str] = {}
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        places |= dict.fromkeys(controllers.split(","), path)
    found: dict[str, Path] = {}
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        root, where = left.split()[3:5]
        kind, _, options = right.split(maxsplit=2)
        names = {"cgroup2": [""], "cgroup": options.split(",")}.get(kind, [])
        for name in {"", "memory", "pids"} & set(names) & places.keys():
            path = places[name]
            inner = path.removeprefix(root.rstrip("/")) if path.startswith(root) else path
            found.setdefault(name, Path(where, inner.lstrip("/")))
    return found


def limit_memory(folder: Path, size: int) -> bool:
    """Have the kernel keep a group below so many bytes of memory; 0 for no limit.

    Returns:
        Whether it does.
    """
    if (folder / "memory.max").exists():
        _write(folder / "memory.swap.max", 0 if size else "max")
        return _write(folder / "memory.max", size or "max")
    both = folder / "memory.memsw.limit_in_bytes"
    _write(both, _NO_LIMIT_V1)  # which has to be the larger one of the two at any time
    done = _write(folder / "memory.limit_in_bytes", size or _NO_LIMIT_V1)
    if size and done:
        _write(both, size)
    return done


def join(folder: Path) -> bool:
    """Move this process into a group; return whether that went well."""
    return _write(folder / "cgroup.procs", 0)


def _hand_down(mine: Path, controller: str) -> bool:
    """Have a controller of version 2 in the groups below one's own; return whether it is there."""
    parent = mine.parent
    if controller not in _read(parent / "cgroup.controllers").split():
        return False
    if controller not in _read(parent / "cgroup.subtree_control").split():
        if _read(parent / "cgroup.procs").split() == [str(os.getpid())]:
            aside = mine / _ASIDE
            with contextlib.suppress(OSError):
                aside.mkdir(exist_ok=True)
            join(aside)
        _write(parent / "cgroup.subtree_control", f"+{controller}")
    return _write(mine / "cgroup.subtree_control", f"+{controller}")


def _remove_old(folder: Path) -> None:
    """Remove the groups of workers that are no more, and whatever is still in them.

    So with what this worker has left of itself, which has only begun: it may have started anew.
    """
    if sys.platform != "linux":
        return
    for old in folder.glob(f"{_PREFIX}*"):
        pid = old.name.removeprefix(_PREFIX)
        is_own = pid == str(os.getpid())
        if is_own or (pid.isdecimal() and not Path("/proc", pid).exists()):
            parts = old.glob("executor-*/") if is_own else [*old.glob("*/"), old]
            for one in parts:
                for left in _members(one):
                    with contextlib.suppress(OSError):
                        os.kill(left, signal.SIGKILL)
                _remove(one)


def _remove(folder: Path) -> None:
    for _ in range(limits.CGROUP_TRIES):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # busy: the kernel is a little behind with the last process
            time.sleep(limits.TREE_PAUSE_SECONDS)
        else:
            return


def _members(folder: Path) -> list[int]:
    """Return the processes in a group; those of another namespace are shown as 0."""
    return [pid for pid in map(int, _read(folder / "cgroup.procs").split()) if pid > 0]


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""


def _write(path: Path, value: object) -> bool:
    try:
        path.write_text(str(value), "ascii")
    except OSError:
        return False
    return True
