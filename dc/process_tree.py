"""The processes that descend from one: found, counted, stopped and killed, all of them.

Linux tells of them in /proc; other systems by `ps`, which takes a few milliseconds more. All of
this blocks, for as long as limits.TREE_SECONDS at most, and so belongs into a thread.

A process whose parent ends becomes the child of the nearest *reaper* above: so what a task has
started stays below its executor, which is one, whatever sessions and forks it hides behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from dc import limits_executor as limits

if sys.platform != "linux":  # for `ps` alone: on Linux no executor imports it
    import subprocess

_PR_SET_DUMPABLE: Final = 4
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
_STOPPED: Final = "Tt"
_DEAD: Final = "ZX"


class Process(NamedTuple):
    """One process: its state is a letter, as in /proc; `resident` is in bytes, 0 if not known."""

    pid: int
    parent: int
    group: int
    state: str
    resident: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether it is more than an entry that waits to be reaped."""
        return self.state not in _DEAD


def become_reaper() -> bool:
    """Have orphans below this process become its children; return whether that can be had."""
    if sys.platform != "linux":
        return False
    try:
        call = ctypes.CDLL(None, use_errno=True).prctl
        return bool(call(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def gain_nothing_more() -> None:
    """Have what this process starts from now on never have more rights than it has itself.

    And it may look at its own files in /proc again, which who has become another user may not.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            call = ctypes.CDLL(None, use_errno=True).prctl
            call(_PR_SET_DUMPABLE, 1, 0, 0, 0)
            call(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def all_processes() -> list[Process]:
    """Return all processes that can be seen."""
    if sys.platform != "linux":
        return list(_from_ps())
    return list(_from_proc())


def _from_proc() -> Iterator[Process]:
    page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
    for name in os.listdir("/proc"):  # noqa: PTH208  # a Path for each would cost as much again
        if name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                yield process_of(int(name), Path("/proc", name, "stat").read_bytes(), page)


def process_of(pid: int, stat: bytes, page: int) -> Process:
    """Return a process from its /proc/PID/stat; its name there may hold anything.

    Raises:
        ValueError, IndexError: it is no such text.
    """
    fields = stat[stat.rindex(b")") + 2 :].split()
    state, parent, group, resident = fields[0], fields[1], fields[2], fields[21]
    return Process(pid, int(parent), int(group), state.decode(), int(resident) * page)


if sys.platform != "linux":

    def _from_ps() -> Iterator[Process]:
        command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,rss=,stat="]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            found = subprocess.run(command, capture_output=True, timeout=5, check=True).stdout
            for line in found.decode("ascii", "replace").splitlines():
                pid, parent, group, resident, state = line.split(maxsplit=4)
                size = int(resident) * 1024
                yield Process(int(pid), int(parent), int(group), state[0], size)


def below(root: int, processes: Iterable[Process]) -> list[Process]:
    """Return those that descend from a process or are in its group, without it, dead ones too."""
    children: dict[int, list[Process]] = {}
    ours: dict[int, Process] = {}
    for one in processes:
        children.setdefault(one.parent, []).append(one)
        if one.group == root:
            ours[one.pid] = one
    waiting = [root, *ours]
    while waiting:
        for one in children.get(waiting.pop(), ()):
            if one.pid not in ours:
                ours[one.pid] = one
                waiting.append(one.pid)
    ours.pop(root, None)
    return list(ours.values())


def kill_below(root: int, *, itself: bool = False) -> bool:
    """Kill all that descends from a process, or is in its group, and the process `itself`, if so.

    They are stopped first, until none is left that could start another: else those that are not
    killed yet take the places of those that are.

    Returns:
        Whether nothing was left of them in limits.TREE_SECONDS.
    """

    def find() -> list[Process]:
        table = all_processes()
        top = [one for one in table if itself and one.pid == root]
        return [one for one in [*below(root, table), *top] if one.is_alive]

    return kill_all(find)


def kill_all(find: Callable[[], list[Process]]) -> bool:
    """Stop and kill what `find` returns, again and again, until it returns nothing.

    Returns:
        Whether nothing was left of them in limits.TREE_SECONDS.
    """
    if sys.platform == "win32":
        return True  # none is known
    deadline = time.monotonic() + limits.TREE_SECONDS
    for _ in range(limits.TREE_STOPS):
        running = [one for one in find() if one.state not in _STOPPED]
        if not running:
            break
        send_signal(running, signal.SIGSTOP)
    while found := find():
        send_signal(found, signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(limits.TREE_PAUSE_SECONDS)
    return True


def send_signal(processes: Iterable[Process], number: int) -> None:
    """Send a signal to processes, those that are still there and ours."""
    for one in processes:
        with contextlib.suppress(OSError):
            os.kill(one.pid, number)


def has_children() -> bool:
    """Whether this process has children, alive or not reaped: one system call.

    Where the system has no such call it may have some.
    """
    if sys.platform == "win32" or not hasattr(os, "waitid"):
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def reap() -> None:
    """Take note of all children that have ended, so that nothing stays of them."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
