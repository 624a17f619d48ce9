"""The fence around one executor: what is killed with it, and what is known of all that is inside.

Where the system has them, it is a control group. Without one, it is what descends from the
executor, which is a reaper: children in other groups and sessions, and daemons, stay below it while
it lives. It is therefore killed last. What was started by one that died by itself has gone to the
next reaper above, the worker's agent, and is found there (`Launcher.sweep`).

All here blocks for up to a few seconds, and so belongs into a thread.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from dc.cgroups import Cgroup
from dc.freezing import Freezer
from dc.process_tree import Process, all_processes, below, kill_below
from dc.removal import remove_folder

log: Final = logging.getLogger("dc.worker")


class Usage(NamedTuple):
    """What is inside a fence uses: bytes of memory, and processes.

    `out_of_memory` says that the kernel has killed one of these for a limit of memory.
    """

    memory: int
    processes: int
    out_of_memory: bool = False


class Fence:
    """Around one executor.

    Args:
        pid: the executor, which leads a group of its own and is not reaped yet.
        cgroup: its control group, if it has one.
        folder: its working folder, which is removed in the end.
        after: called when it is gone, to look for what has escaped.
    """

    def __init__(
        self,
        pid: int,
        cgroup: Cgroup | None = None,
        folder: Path | None = None,
        after: Callable[[], object] = lambda: None,
    ) -> None:
        self._pid = pid
        self._cgroup = cgroup
        self._folder = folder
        self._after = after
        self._killing = threading.Lock()
        self._killed = False
        self._freezer = Freezer(pid, cgroup)
        self._still = False  # whether it is to stand still
        self._stands = False

    def kill(self) -> None:
        """Kill all that is inside; once is enough. It must not be reaped before this returns."""
        with self._killing:
            if not self._killed:
                self._kill()
                self._freezer.release()
                self._killed = True

    def _kill(self) -> None:
        done = True
        if self._cgroup is not None:
            done = self._cgroup.kill()
        elif sys.platform != "win32":
            with contextlib.suppress(OSError):
                os.kill(self._pid, signal.SIGSTOP)
            done = kill_below(self._pid)
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                os.killpg(self._pid, signal.SIGKILL)
        if not done:
            log.warning("what executor %d has started hangs and cannot be killed", self._pid)

    def hold(self, *, still: bool) -> None:
        """Say whether all that is inside is to stand still; `settle` brings it about."""
        self._still = still

    def settle(self) -> None:
        """Have all that is inside stand still or go on, as was said last; not if it was killed."""
        with self._killing:
            if self._killed or self._still == self._stands:
                return
            self._stands = self._still
            if self._stands:
                self._freezer.freeze()
            else:
                self._freezer.thaw()

    def was_out_of_memory(self) -> bool:
        """Whether the kernel has killed something inside, for it had reached a limit of memory."""
        return self._cgroup is not None and self._cgroup.was_out_of_memory()

    def usage(self, processes: Iterable[Process] | None = None) -> Usage:
        """Return what is used inside.

        Args:
            processes: all that there are, for one who asks several fences.
        """
        table = all_processes() if processes is None else list(processes)
        inside = [one for one in below(self._pid, table) if one.is_alive]
        own = [one for one in table if one.pid == self._pid]
        memory = self._cgroup.memory() if self._cgroup is not None else 0
        memory = memory or sum(one.resident for one in [*inside, *own])
        return Usage(memory, len(inside) + len(own), self.was_out_of_memory())

    def remove(self) -> None:
        """Remove what is left of it, once the executor has been reaped.

        Only then all that it had not reaped itself has gone to the next reaper.
        """
        self._after()
        if self._cgroup is not None:
            self._cgroup.remove()
        if self._folder is not None:
            remove_folder(self._folder)
