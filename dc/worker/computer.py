"""What a worker finds out about the computer it is on."""

from __future__ import annotations

import os
import platform
import socket
import sys
import sysconfig
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
    """Return what is known of this computer: os, arch, libc and hostname, engine and python.

    The engine is what runs Python, such as cpython; the latter is its version, such as 3.12.1.
    """
    found = {
        "os": platform.system().lower(),
        "arch": platform.machine().lower(),
        "engine": platform.python_implementation().lower(),
        "python": python_version(),
        "libc": libc(),
        "hostname": hostname(),
    }
    return {name: value for name, value in found.items() if value}


def python_version() -> str:
    """Return Python's version, such as 3.12.1; of one built between two, that of the former."""
    return platform.python_version().removesuffix("+")


def libc() -> str:
    """Return the C library that programs here are made for: `glibc` or `musl`; else nothing."""
    if sys.platform != "linux":
        return ""
    name, _ = platform.libc_ver()
    return name or ("musl" if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else "")


def waking_clock() -> float:
    """Return the seconds of a clock that goes on while the computer sleeps."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.time()
