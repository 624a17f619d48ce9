"""How many files this process may have open: each connection is one."""

from __future__ import annotations

import sys

from dc import limits, limits_guard

if sys.platform == "win32":
    resource = None  # it has no such limit
else:
    import resource

LEAST_PLACES = 64
"""For connections, however few files there may be."""


def raise_limit() -> int:
    """Raise the limit of open files as far as is of use; return how many connections that gives."""
    return limits.CONNECTIONS if resource is None else _raised()


def _raised() -> int:
    if sys.platform == "win32":
        raise AssertionError("it has no such limit")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.CONNECTIONS + limits_guard.FILES_SPARE
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
