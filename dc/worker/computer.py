"""What a worker finds out about the computer it is on."""

from __future__ import annotations

import os
import platform
import socket
import sys
import time


def processors() -> int:
    """Return how many processors this process may use."""
    if sys.platform != "win32" and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def hostname() -> str:
    """Return this computer's name, without its domain."""
    return socket.gethostname().partition(".")[0] or "worker"


def labels() -> dict[str, str]:
    """Return what is known of this computer: os, arch and hostname, engine and python.

    The engine is what runs Python, such as cpython; the latter is its version as major.minor.
    """
    return {
        "os": platform.system().lower(),
        "arch": platform.machine().lower(),
        "engine": platform.python_implementation().lower(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "hostname": hostname(),
    }


def waking_clock() -> float:
    """Return the seconds of a clock that goes on while the computer sleeps."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.time()
