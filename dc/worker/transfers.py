"""Transfers, of blobs to be fetched or results to be put: which are under way, which wait."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from dc import limits_worker as limits
from dc.pipe import InFile
from dc.worker.tasks import Job

K = TypeVar("K", bound=Hashable)
K_co = TypeVar("K_co", bound=Hashable, covariant=True)


class Keyed(Protocol[K_co]):
    """Something that is to be moved."""

    failures: int

    @property
    def key(self) -> K_co:
        """What tells it from all others."""


T = TypeVar("T", bound=Keyed[Any])


class Put(Struct):
    """The large result of one attempt, on its way to the server.

    `time` is for how many seconds the task ran. `failures` counts the tries that count. `restored`
    says that the file is from before this process began, and may be less than was written to it.
    """

    job: Job
    number: int
    attempt: int
    file: InFile
    time: float = 0.0
    failures: int = 0
    restored: bool = False

    @property
    def key(self) -> tuple[int, int, int]:
        """The job, number and attempt."""
        return self.job.number, self.number, self.attempt

    @property
    def is_live(self) -> bool:
        """Whether its attempt is still held."""
        return self.job.held.get(self.number) == self.attempt


class Transfers(Generic[K, T]):
    """Transfers of one direction, a few at a time.

    Args:
        at_once: how many may be under way at one time.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._all: dict[K, T] = {}
        self._active: set[K] = set()
        self._waiting: list[tuple[float, int, K]] = []
        self._pushed = 0

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[T]:
        return iter(self._all.values())

    def get(self, key: K) -> T | None:
        """Return a transfer that is known."""
        return self._all.get(key)

    def add(self, transfer: T) -> None:
        """Add a transfer that may begin at once."""
        self._all[transfer.key] = transfer
        self._wait(transfer.key, 0.0)

    def active(self) -> Iterator[T]:
        """Yield those under way that somebody still waits for."""
        return (self._all[key] for key in self._active if key in self._all)

    def may_begin(self, now: float) -> bool:
        """Whether the next one may begin, for all that is known here."""
        return (
            bool(self._waiting)
            and len(self._active) < self._at_once
            and (self._waiting[0][0] <= now)
        )

    def begin(self, now: float, may: Callable[[T], bool] = lambda _: True) -> list[T]:
        """Return those that are to begin now, and count them as under way.

        Args:
            now: the time in seconds.
            may: whether one may begin; those behind one that may not wait for it.
        """
        begun: list[T] = []
        while self.may_begin(now):
            key = self._waiting[0][2]
            transfer = self._all.get(key)
            if transfer is not None and key not in self._active:
                if not may(transfer):
                    break
                self._active.add(key)
                begun.append(transfer)
            heapq.heappop(self._waiting)
        return begun

    def end(self, key: K) -> T | None:
        """Note that a transfer has succeeded; return it unless it was dropped meanwhile."""
        self._active.discard(key)
        return self._all.pop(key, None)

    def fail(self, key: K, now: float, *, counts: bool) -> T | None:
        """Note that a try has failed, and try again later; return the transfer unless dropped."""
        self._active.discard(key)
        transfer = self._all.get(key)
        if transfer is not None:
            transfer.failures += counts
            self._wait(key, now + transfer_pause(transfer.failures))
        return transfer

    def drop(self, transfer: T) -> None:
        """Forget a transfer. If it is under way, its end is still waited for."""
        self._all.pop(transfer.key, None)

    def try_now(self) -> None:
        """Wait for nothing any more: the connection is back."""
        self._waiting = []
        for key in self._all:
            if key not in self._active:
                self._wait(key, 0.0)

    def _wait(self, key: K, until: float) -> None:
        self._pushed += 1
        heapq.heappush(self._waiting, (until, self._pushed, key))

    def validate(self) -> None:
        """Check that each transfer is under way or waits, and that not too many are under way."""
        assert len(self._active) <= self._at_once, self._active
        waiting = {key for _, _, key in self._waiting}
        for key, transfer in self._all.items():
            assert key == transfer.key
            assert key in self._active or key in waiting, f"{key!r} is forgotten"


def transfer_pause(failures: int) -> float:
    """Return the seconds before a transfer is tried again after so many failures."""
    pause = limits.RECONNECT_SECONDS * 2.0 ** min(failures, 30)
    return min(pause, limits.RECONNECT_SECONDS_MOST)
