"""How an executor keeps out of the way of people: it comes last, and uses some processors only.

It holds for whatever its tasks start, and is done once, before anything of a plugin runs. What the
system does not offer is left out. `python -m dc.worker` says it to each executor.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from contextlib import suppress
from typing import Any, Final

NICEST: Final = 19

IO_CLASS_IDLE: Final = 3 << 13
IO_OF_PROCESS: Final = 1
SET_IO: Final = {"x86_64": 251, "aarch64": 30, "armv7l": 314, "armv6l": 314, "i686": 289}
"""The number of Linux's call `ioprio_set`, which no library has."""

IDLE_CLASS: Final = 0x40
"""IDLE_PRIORITY_CLASS of Windows."""

BACKGROUND_BEGIN: Final = 0x100000
"""PROCESS_MODE_BACKGROUND_BEGIN of Windows: its disk comes last as well."""


def keep_out_of_the_way(*, nice: bool, processors: int) -> None:
    """Do what was asked for.

    Args:
        nice: whether to come last.
        processors: how many to use; 0 for all.
    """
    if nice:
        come_last()
    if processors:
        use_processors(processors)


def come_last() -> None:
    """Give this process the lowest priority, for processors and disks."""
    if sys.platform == "win32":
        come_last_on_windows(_kernel())
        return
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICEST)
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        number = SET_IO.get(platform.machine())
        with suppress(OSError, AttributeError):
            if number is not None:
                ctypes.CDLL(None, use_errno=True).syscall(number, IO_OF_PROCESS, 0, IO_CLASS_IDLE)


def come_last_on_windows(kernel: Any) -> None:
    """The same on Windows; `kernel` is the library kernel32."""
    with suppress(OSError, AttributeError):
        own = kernel.GetCurrentProcess()
        kernel.SetPriorityClass(own, IDLE_CLASS)
        kernel.SetPriorityClass(own, BACKGROUND_BEGIN)


def use_processors(count: int) -> None:
    """Use so many of the processors that this process may use: the last ones.

    The first ones have more to do with devices, and so with people.
    """
    if sys.platform == "win32":
        use_processors_on_windows(_kernel(), count, os.cpu_count() or 1)
    elif sys.platform == "linux":
        with suppress(OSError):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-max(1, count) :])


def use_processors_on_windows(kernel: Any, count: int, whole: int) -> None:
    """The same on Windows, of `whole` processors; `kernel` is the library kernel32."""
    first = max(0, min(whole, 64) - max(1, count))
    mask = sum(1 << at for at in range(first, min(whole, 64)))
    with suppress(OSError, AttributeError):
        kernel.SetProcessAffinityMask(kernel.GetCurrentProcess(), ctypes.c_size_t(mask))


def _kernel() -> Any:
    load: Any = getattr(ctypes, "WinDLL", None)
    assert load is not None, "there is no such library here"
    kernel = load("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.SetPriorityClass.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    kernel.SetProcessAffinityMask.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return kernel
