"""Watches what running tasks use, and names those that use too much.

A task's own limits are looked at only where it has some. Beside them the computer as a whole is
watched: when its memory, or the disk of the worker's folder, is nearly used up, the task that uses
most of it is named. So the agent, and whatever else runs there, goes on.

A look blocks for some milliseconds, and so is done in a thread.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

import trio
from msgspec import Struct

from dc import limits, limits_executor, limits_worker
from dc.executor import ExecutorPort
from dc.messages_parts import Limits
from dc.process_tree import Process, all_processes
from dc.worker.events import Exceeded

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


class Watched(Struct, frozen=True):
    """An executor that runs something: its slot, the limits of its task, the task's folders."""

    executor: int
    port: ExecutorPort
    limits: Limits
    folders: list[Path]


class Guard:
    """Of one worker.

    Args:
        folder: the worker's folder for files, whose disk is watched.
        memory: returns the bytes of free and of all memory of the computer; 0 for not known.
        disk: returns the bytes that are free, and all, on the disk of a folder.
        most: bytes of memory that all tasks together may use.
    """

    def __init__(
        self,
        folder: Path,
        memory: Callable[[], tuple[int, int]] | None = None,
        disk: Callable[[Path], tuple[int, int]] | None = None,
        most: float = math.inf,
    ) -> None:
        self._folder = folder
        self._memory = memory or memory_of_computer
        self._disk = disk or disk_of
        self._most = most
        self._looks = 0

    async def keep(
        self, watched: Callable[[], list[Watched]], report: Callable[[Exceeded], object]
    ) -> NoReturn:
        """Look from time to time, for good.

        Args:
            watched: returns what runs.
            report: is told what uses more than it may.
        """
        pause = limits_worker.GUARD_SECONDS
        while True:
            await trio.sleep(pause)
            began = trio.current_time()
            if present := watched():
                for exceeded in await trio.to_thread.run_sync(self.look, present):
                    report(exceeded)
            pause = max(
                limits_worker.GUARD_SECONDS,
                limits_worker.GUARD_SHARE * (trio.current_time() - began),
            )

    def look(self, watched: Sequence[Watched]) -> list[Exceeded]:
        """Return what uses more than it may; of the computer's rest, the largest user alone."""
        self._looks += 1
        processes: list[Process] = []
        counts = self._looks % limits_worker.GUARD_COUNT_LOOKS == 0
        if counts or any(one.limits for one in watched):
            processes = all_processes()
        found = [self._own(one, processes) for one in watched if counts or one.limits]
        exceeded = [one for one in found if one is not None]
        return exceeded or self._together(watched, processes) or self._of_computer(watched)

    def _own(self, one: Watched, processes: list[Process]) -> Exceeded | None:
        """Return whether a task uses more than its own limits."""
        usage = one.port.usage(processes)
        memory = one.limits.get("memory", 0)
        if memory and usage.out_of_memory:
            text = f"reached its limit of {_size(memory)} of memory, and was killed"
            return Exceeded(one.executor, "memory", text, one.port.running)
        if memory and usage.memory > memory:
            return _exceeded(one, "memory", "of memory", usage.memory, memory)
        most = one.limits.get("processes", limits_executor.TASK_PROCESSES)
        if usage.processes > most:
            text = f"started {usage.processes:,} processes, {most:,} at most, and was killed"
            return Exceeded(one.executor, "error", text, one.port.running)
        disk = one.limits.get("disk", 0)
        used = sum(map(size_of_folder, one.folders)) if disk else 0
        if used > disk:
            return _exceeded(one, "error", "in its folder", used, disk)
        return None

    def _together(self, watched: Sequence[Watched], processes: list[Process]) -> list[Exceeded]:
        """Return the largest user of memory, if all together use more than they may."""
        if self._most == math.inf:
            return []
        table = processes or all_processes()
        sizes = [(one.port.usage(table).memory, one) for one in watched]
        used = sum(size for size, _ in sizes)
        if used <= self._most:
            return []
        text = f"the tasks here used {_size(used)} of memory, and may use {_size(self._most)}"
        return _largest(sizes, "memory", text)

    def _of_computer(self, watched: Sequence[Watched]) -> list[Exceeded]:
        """Return the largest user of what the computer is about to run out of."""
        free, whole = self._memory()
        if whole and free < min(limits_worker.MEMORY_LEAST_BYTES, whole // 20):
            processes = all_processes()
            sizes = [(one.port.usage(processes).memory, one) for one in watched]
            text = f"the computer had {_size(free)} of memory left"
            return _largest(sizes, "memory", text)
        free, whole = self._disk(self._folder)
        if whole and free < min(limits_worker.DISK_LEAST_BYTES, whole // 20):
            sizes = [(sum(map(size_of_folder, one.folders)), one) for one in watched]
            text = f"the disk of its folder had {_size(free)} left"
            return _largest(sizes, "error", text)
        return []


def _largest(sizes: list[tuple[int, Watched]], kind: str, text: str) -> list[Exceeded]:
    size, one = max(sizes, key=lambda pair: pair[0])
    if size < limits_worker.GUARD_LEAST_BYTES:
        return []  # it is somebody else
    text = f"{text}; this task used most of it, {_size(size)}, and was killed"
    return [Exceeded(one.executor, kind, text, one.port.running)]


def _exceeded(one: Watched, kind: str, what: str, used: int, limit: int) -> Exceeded:
    text = f"used {_size(used)} {what}, more than its limit of {_size(limit)}, and was killed"
    return Exceeded(one.executor, kind, text, one.port.running)


def _size(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in _UNITS[:-1]:
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} {_UNITS[-1]}"


def memory_of_computer() -> tuple[int, int]:
    """Return the bytes of memory that are free, and all, of this computer; 0, 0 if not known."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        names = "MemAvailable", "MemTotal"
        free, whole = (int(fields[name].split()[0]) * limits.KIB for name in names)
    except (OSError, ValueError, KeyError):
        return 0, 0
    return free, whole


def disk_of(folder: Path) -> tuple[int, int]:
    """Return the bytes that this user may still write, and all, on a disk; 0, 0 if not known."""
    try:
        if not hasattr(os, "statvfs"):
            free = shutil.disk_usage(folder)
            return free.free, free.total
        found = os.statvfs(folder)
    except OSError:
        return 0, 0
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def size_of_folder(folder: Path) -> int:
    """Return the bytes on disk of what is in a folder, of its first DISK_ENTRIES entries."""
    total = 0
    for count, entry in enumerate(_entries(str(folder))):
        if count >= limits_worker.DISK_ENTRIES:
            break
        total += entry
    return total


def _entries(folder: str) -> Iterator[int]:
    """Yield the size of each file below a folder, as far as it can be read, and 0 for a folder."""
    waiting = [folder]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    yield 0
                else:
                    yield entry.stat(follow_symlinks=False).st_size
