"""How much a worker holds, and what it has done."""

from __future__ import annotations

from msgspec import Struct


class Statistics(Struct, frozen=True):
    """Attempts by place, and what the worker has done so far."""

    fetching: int
    queued: int
    given: int
    putting: int
    unrecorded: int
    executors: int
    connected: bool
    done: int
    failed: int
