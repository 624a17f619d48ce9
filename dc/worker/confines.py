"""The limits of a job's tasks, put on the executor that runs them, from inside.

They hold for the executor and whatever its tasks start, and are changed when a batch of another job
comes. What cannot be taken back (niceness; variables, which libraries read once) is set in a fresh
executor only: the agent sees to that.

Memory: where the executor has a control group with memory, the kernel keeps its limit. Elsewhere
the data of each process is limited, and the agent watches the resident memory of all.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Final

from dc import limits_executor as limits
from dc.cgroups import limit_memory
from dc.messages_parts import Environment, Limits

if sys.platform != "win32":
    import resource

_LIMITED: Final = "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_DATA"


class Confines:
    """Of one executor.

    Args:
        groups: the folders of its control group.
    """

    def __init__(self, groups: list[Path]) -> None:
        self._memory = next((one for one in groups if _has_memory(one)), None)
        self._pids = next((one for one in groups if (one / "pids.max").exists()), None)
        self._before = {name: _soft_limit(name) for name in _LIMITED}
        self._limits: Limits = {}
        self._nice = 0

    def set(self, wanted: Limits, environment: Environment) -> bool:
        """Put other limits on this process, as far as the system lets it.

        Limits that the system refuses (lower ones hold already) stay as they are.

        Returns:
            Whether anything was changed.
        """
        if wanted == self._limits and not environment:
            return False
        self._limits = dict(wanted)
        self._set_limits(self._limits)
        os.environ.update(environment)
        return True

    def _set_limits(self, wanted: Limits) -> None:
        if sys.platform != "win32":
            with contextlib.suppress(OSError, AttributeError):
                os.nice(max(0, min(wanted.get("nice", 0), 19) - self._nice))
                self._nice = max(self._nice, min(wanted.get("nice", 0), 19))
        if self._pids is not None:
            most = min(wanted.get("processes", limits.TASK_PROCESSES), limits.TASK_PROCESSES)
            with contextlib.suppress(OSError):
                (self._pids / "pids.max").write_text(str(most))
        memory = wanted.get("memory", 0)
        if self._memory is not None and limit_memory(self._memory, memory):
            memory = 0
        self._limit("RLIMIT_NOFILE", wanted.get("open_files", 0))
        self._limit("RLIMIT_FSIZE", wanted.get("disk", 0))
        self._limit("RLIMIT_DATA", memory + _data_bytes() if memory else 0)

    def _limit(self, name: str, value: int) -> None:
        """Set the soft limit of a resource; 0 for what it was."""
        before = self._before[name]
        if sys.platform != "win32" and before is not None:
            with contextlib.suppress(OSError, ValueError):
                kind = getattr(resource, name)
                hard = resource.getrlimit(kind)[1]
                most = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(kind, (most if value else before, hard))


def _has_memory(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("memory.max", "memory.limit_in_bytes"))


def _soft_limit(name: str) -> int | None:
    """Return the soft limit of a resource; None where there is no such resource."""
    if sys.platform != "win32" and hasattr(resource, name):
        return resource.getrlimit(getattr(resource, name))[0]
    return None


def _data_bytes() -> int:
    """Return the bytes of data that this process has already."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages = int(Path("/proc/self/statm").read_text().split()[5])
            return pages * resource.getpagesize()
    return 0
