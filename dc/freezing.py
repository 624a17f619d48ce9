"""Has an executor, and all that its tasks have started, stand still, and go on again.

A control group of version 2 does it at once and for certain. Elsewhere each process is stopped by a
signal, until none is left that could start another; what a task has stopped itself stays so
afterwards. Windows has a call for it, which no document names and many programs use; it holds for
the executor's own process.

Somebody waits beside what stands still (dc/waking.py), for the case that this program is killed.

All here blocks for some milliseconds, and so belongs into a thread. Nothing here raises.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from dc import limits_executor as limits
from dc.cgroups import Cgroup
from dc.process_tree import Process, all_processes, below, send_signal
from dc.waking import Waker

_STOPPED: Final = "Tt"
_SUSPEND_RESUME: Final = 0x0800
"""The right of Windows to stop a process."""


class Freezer:
    """Of one executor.

    Args:
        pid: the executor, which is not reaped yet whenever something is asked for here.
        cgroup: its control group, if it has one.
        processes: returns all processes.
        send: sends a signal to processes.
        wait: has somebody wait beside what stands still.
    """

    def __init__(
        self,
        pid: int,
        cgroup: Cgroup | None = None,
        processes: Callable[[], list[Process]] = all_processes,
        send: Callable[[list[Process], int], None] = send_signal,
        wait: Callable[[Sequence[str]], Waker] = Waker,
    ) -> None:
        self._pid = pid
        self._cgroup = cgroup
        self._processes = processes
        self._send = send
        self._wait = wait
        self._waker: Waker | None = None
        self._stopped: set[int] = set()

    def freeze(self) -> None:
        """Have all of it stand still."""
        if self._cgroup is not None and self._cgroup.freeze(still=True):
            self._waker = self._wait([str(self._cgroup.freeze_file)])
            return
        if sys.platform == "win32":
            hold_on_windows(self._pid, *windows_libraries(), still=True)
            return
        self._stop()
        if self._stopped:
            self._waker = self._wait([str(pid) for pid in sorted(self._stopped)])

    def _stop(self) -> None:
        """Stop all processes, until none is left that could start another."""
        if sys.platform == "win32":
            return
        for _ in range(limits.TREE_STOPS):
            inside = self._inside()
            running = [one for one in inside if one.state not in _STOPPED]
            running = [one for one in running if one.pid not in self._stopped]
            if not running:
                return
            self._send(running, signal.SIGSTOP)
            self._stopped.update(one.pid for one in running)

    def thaw(self) -> None:
        """Let all of it go on that stands still because of `freeze`."""
        self.release()
        if self._cgroup is not None:
            self._cgroup.freeze(still=False)
        if sys.platform == "win32":
            hold_on_windows(self._pid, *windows_libraries(), still=False)
            return
        if self._stopped:
            ours = [one for one in self._inside() if one.pid in self._stopped]
            self._send(ours, signal.SIGCONT)
            self._stopped.clear()

    def release(self) -> None:
        """Have nobody wait beside it any more: it goes on, or is killed."""
        waker, self._waker = self._waker, None
        if waker is not None:
            waker.dismiss()

    def _inside(self) -> list[Process]:
        table = self._processes()
        top = [one for one in table if one.pid == self._pid]
        return [one for one in [*below(self._pid, table), *top] if one.is_alive]


def hold_on_windows(pid: int, kernel: Any, native: Any, *, still: bool) -> bool:
    """Stop a process of Windows, or let it go on; return whether that was done.

    Args:
        pid: its number.
        kernel: the library kernel32.
        native: the library ntdll.
        still: whether it is to stand still.
    """
    with suppress(OSError, AttributeError):
        handle = kernel.OpenProcess(_SUSPEND_RESUME, False, pid)
        if handle:
            call = native.NtSuspendProcess if still else native.NtResumeProcess
            done = call(handle) == 0
            kernel.CloseHandle(handle)
            return bool(done)
    return False


def windows_libraries() -> tuple[Any, Any]:
    """Return kernel32 and ntdll, on Windows."""
    load: Any = getattr(ctypes, "WinDLL", None)
    assert load is not None, "there is no such library here"
    kernel, native = load("kernel32"), load("ntdll")
    kernel.OpenProcess.restype = ctypes.c_void_p
    for call in (kernel.CloseHandle, native.NtSuspendProcess, native.NtResumeProcess):
        call.argtypes = [ctypes.c_void_p]
    return kernel, native
