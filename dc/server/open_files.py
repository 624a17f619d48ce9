"""How many files this process may have open: each connection is one."""

from __future__ import annotations

import sys

from dc import limits, limits_guard

if sys.platform != "win32":
    import resource

LEAST_PLACES = 64
"""For connections, however few files there may be."""


def raise_limit() -> int:
    """Raise the limit of open files as far as is of use; return how many connections that gives."""
    wanted = limits.CONNECTIONS + limits_guard.FILES_SPARE
    if sys.platform == "win32":  # it has no such limit
        return limits.CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return limits.CONNECTIONS
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (ValueError, OSError):  # macOS has a lower limit of its own
        most = soft
    return places_of(most)


def places_of(files: int) -> int:
    """Return how many connections there may be with so many open files."""
    return min(limits.CONNECTIONS, max(LEAST_PLACES, files - limits_guard.FILES_SPARE))
