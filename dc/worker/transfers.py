"""Payloads to be fetched and results to be put: which are under way, and which wait until when."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from msgspec import Struct

from dc import limits
from dc.messages import Blob
from dc.pipe import InFile
from dc.worker.tasks import Job


class Transfer(Struct):
    """The payload or the result of one attempt, or the checkpoint that it begins with.

    `size` is in bytes. A payload has the `order` of its task, a result its `file` and the `time` in
    seconds that the task ran. `resources` are what the task of a payload uses while it runs.
    A `checkpoint` comes before the `payload`, which is here, or is to be
    fetched next. `failures` counts the tries that count. `restored` says that the file
    is from before this process began, and may be less than was written to it.
    """

    job: Job
    number: int
    attempt: int
    size: int
    order: int = 0
    file: InFile | None = None
    time: float = 0.0
    failures: int = 0
    restored: bool = False
    resources: dict[str, float] = {}
    checkpoint: Blob | None = None
    payload: bytes | Blob = b""

    @property
    def key(self) -> tuple[int, int, int]:
        """The job, number and attempt."""
        return self.job.number, self.number, self.attempt

    @property
    def is_live(self) -> bool:
        """Whether its attempt is still held."""
        return self.job.held.get(self.number) == self.attempt


class Transfers:
    """Transfers of one direction, a few at a time.

    Args:
        at_once: how many may be under way at one time.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._all: dict[tuple[int, int, int], Transfer] = {}
        self._active: set[tuple[int, int, int]] = set()
        self._waiting: list[tuple[float, int, tuple[int, int, int]]] = []
        self._pushed = 0

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Transfer]:
        return iter(self._all.values())

    def add(self, transfer: Transfer) -> None:
        """Add a transfer that may begin at once."""
        self._all[transfer.key] = transfer
        self._wait(transfer.key, 0.0)

    def begin(self, now: float) -> list[Transfer]:
        """Return those that are to begin now, and count them as under way."""
        begun: list[Transfer] = []
        while self._waiting and len(self._active) < self._at_once and self._waiting[0][0] <= now:
            key = heapq.heappop(self._waiting)[2]
            if key in self._all and key not in self._active:
                self._active.add(key)
                begun.append(self._all[key])
        return begun

    def end(self, key: tuple[int, int, int]) -> Transfer | None:
        """Note that a transfer has succeeded; return it unless it was dropped meanwhile."""
        self._active.discard(key)
        return self._all.pop(key, None)

    def fail(self, key: tuple[int, int, int], now: float, *, counts: bool) -> Transfer | None:
        """Note that a try has failed, and try again later; return the transfer unless dropped."""
        self._active.discard(key)
        transfer = self._all.get(key)
        if transfer is not None:
            transfer.failures += counts
            self._wait(key, now + transfer_pause(transfer.failures))
        return transfer

    def drop(self, transfer: Transfer) -> None:
        """Forget a transfer. If it is under way, its end is still waited for."""
        self._all.pop(transfer.key, None)

    def try_now(self) -> None:
        """Wait for nothing any more: the connection is back."""
        self._waiting = []
        for key in self._all:
            if key not in self._active:
                self._wait(key, 0.0)

    def _wait(self, key: tuple[int, int, int], until: float) -> None:
        self._pushed += 1
        heapq.heappush(self._waiting, (until, self._pushed, key))

    def validate(self) -> None:
        """Check that each transfer is under way or waits, and that not too many are under way."""
        assert len(self._active) <= self._at_once, self._active
        waiting = {key for _, _, key in self._waiting}
        for key, transfer in self._all.items():
            assert key == transfer.key
            assert key in self._active or key in waiting, f"{key} is forgotten"


def transfer_pause(failures: int) -> float:
    """Return the seconds before a transfer is tried again after so many failures."""
    pause = limits.RECONNECT_SECONDS * 2.0 ** min(failures, 30)
    return min(pause, limits.RECONNECT_SECONDS_MOST)
