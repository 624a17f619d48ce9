"""When an executor is replaced though nothing is wrong with it: so leaking code harms nobody."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dc import limits, limits_executor


class Recycling:
    """Of one executor, which was ready at `now`, by the clock that is used from then on.

    Args:
        tasks: after so many; 0 for never.
        seconds: at such an age; 0 for never.
        memory: with so many bytes of resident memory more than at the start; 0 for never.
        now: the time in seconds.
    """

    def __init__(self, tasks: int, seconds: float, memory: int, now: float) -> None:
        self._tasks = tasks
        self._seconds = seconds
        self._memory = memory
        self._since = self._looked = now
        self._seen = 0  # tasks at the last look
        self._first = resident_bytes()

    def due(self, tasks: int, now: float) -> str:
        """Return why it is to be replaced; an empty text if it is not.

        Args:
            tasks: that it has run.
            now: the time in seconds.
        """
        if self._tasks and tasks >= self._tasks:
            return f"it has run {tasks:,} tasks"
        if self._seconds and now - self._since >= self._seconds:
            return f"it is {now - self._since:,.0f} s old"
        if self._memory and self._is_time(tasks, now):
            self._looked, self._seen = now, tasks
            grown = resident_bytes() - self._first
            if grown >= self._memory:
                return f"it has grown by {grown / limits.MIB:,.0f} MiB"
        return ""

    def _is_time(self, tasks: int, now: float) -> bool:
        waited = now - self._looked >= limits_executor.RECYCLE_LOOK_SECONDS
        return waited or tasks - self._seen >= limits_executor.RECYCLE_LOOK_TASKS


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
