"""What of a submission is not known to be on the server's disk, over all connections.

A submission numbers its payloads from 0 and keeps each batch until the server says that it is
stored. On a new connection the server says how many tasks it has, and the rest is sent again, with
the same numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from dc import limits
from dc.errors import DcError, KeyConflict, ProtocolError
from dc.messages_client import Accepted
from dc.messages_parts import Payload


class Batch(Struct):
    """Payloads of the tasks from `first` on; `size` is what they take on the socket in bytes."""

    first: int
    payloads: list[Payload]
    size: int


class Backlog:
    """The payloads of one submission.

    Args:
        adopts: whether the server may have a job of the same key from an earlier submission: its
            tasks are then counted as the first ones, until `take_up`.

    Attributes:
        total: tasks of the job so far.
        stored: how many of them are on disk.
        ended: whether there are no more to come.
        whole: whether that is on disk, too.
    """

    def __init__(self, *, adopts: bool = False) -> None:
        self._adopts = adopts
        self.total = 0
        self.stored = 0
        self.ended = False
        self.whole = False
        self._bytes = 0
        self._batches: deque[Batch] = deque()

    @property
    def unstored_bytes(self) -> int:
        """Bytes of payloads that are not known to be on disk."""
        return self._bytes

    def has_room(self, size: int) -> bool:
        """Whether a batch of `size` bytes may be added: one always fits, however large."""
        return not self._bytes or self._bytes + size <= limits.UNSTORED_BYTES

    def take_up(self) -> int:
        """Go on from the tasks that are there, all on disk; return how many they are."""
        assert self.stored == self.total
        self._adopts = False
        return self.total

    def push(self, payloads: list[Payload], size: int) -> Batch:
        """Add the next tasks, of together `size` bytes."""
        batch = Batch(self.total, payloads, size)
        self._batches.append(batch)
        self._bytes += size
        self.total += len(payloads)
        return batch

    def acknowledge(self, count: int, *, ended: bool) -> None:
        """Note that the first `count` tasks are on disk, and whether the end is.

        Raises:
            ProtocolError: there are not so many.
        """
        if count > self.total or (ended and not self.ended):
            raise ProtocolError(f"{count} tasks stored, ended {ended}: {self.total} were sent")
        self.stored = max(self.stored, count)
        self.whole = self.whole or ended
        while self._batches and self._batches[0].first + len(self._batches[0].payloads) <= count:
            self._bytes -= self._batches.popleft().size

    def resume(self, accepted: Accepted) -> Iterator[Batch]:
        """Compare with what the server has of the job; return what it lacks.

        Raises:
            KeyConflict: somebody else has submitted to the job.
            DcError: the server has lost what it had acknowledged.
        """
        has = accepted.stored
        if self._adopts:
            self.total, self.stored, self.ended = has, 0, accepted.ended
        if has < self.stored:
            text = f"the server has {has} tasks of job {accepted.job}, of {self.stored} that were"
            raise DcError(f"{text} on its disk: its data folder is not the one it was")
        if has > self.total or (accepted.ended and not (self.ended and has == self.total)):
            text = f"another submission under the key of job {accepted.job} has sent other tasks"
            raise KeyConflict(f"{text}: take another key")
        return self._beyond(has)

    def _beyond(self, count: int) -> Iterator[Batch]:
        for batch in self._batches:
            known = count - batch.first
            if known <= 0:
                yield batch
            elif known < len(batch.payloads):
                rest = list(islice(batch.payloads, known, None))
                yield Batch(count, rest, batch.size)
