"""A job while it is in memory: its counts, the payloads at hand, and how long its tasks take.

Payloads stay in the lists that they arrived in (a *chunk* is one message's worth), and tasks find
theirs by number. A chunk is let go when each of its tasks has been assigned once; the few that are
assigned again are read back from the store. Above `limits.PAYLOAD_WINDOW_BYTES` in all, a chunk is
let go as soon as it is on disk: so memory holds the head of the queue and the disk its tail.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from msgspec import Struct

from dc import limits
from dc.messages import Counts, Options, Payload
from dc.records import JobRow

BYTES_PER_SECOND = 100e6
"""What a payload's way to a worker is reckoned at, so that credit is bounded in bytes, too."""

MOST_SECONDS = 1e6
"""A task is reckoned to cost, at most: what a worker says may be anything, and far below it already
one task fills a worker's credit."""


class Chunk(Struct):
    """Payloads of consecutive tasks; `unassigned` counts those never assigned."""

    first: int
    payloads: list[Payload]
    size: int
    unassigned: int
    stored: bool = False


class Window:
    """How many bytes of payloads are in memory, over all jobs."""

    def __init__(self, limit: int = limits.PAYLOAD_WINDOW_BYTES) -> None:
        self.limit = limit
        self.used = 0


class Job:
    """One job in memory.

    Args:
        row: the job as the store has it, or will.
        class_: its requirement class in the scheduler.
        window: the bound on payloads in memory that all jobs share.
    """

    def __init__(self, row: JobRow, class_: int, window: Window) -> None:
        self.number = row.job
        self.row = row
        self.class_ = class_
        self.total = row.counts.total
        self.stored = row.counts.total
        self.done = row.counts.done
        self.failed = row.counts.failed
        self.recorded = self.done + self.failed
        self.ended = row.ended
        self.end_stored = row.ended
        self.cancelled = row.cancelled_at is not None
        self.cancel_stored = self.cancelled
        self.cost = -1.0
        self.commits = 0
        self.last_sequence = 0
        self.scheduled = False
        self.changed = False
        self.deserted = False
        self._sizes = 0
        self._seconds = -1.0
        self._window = window
        self._firsts: list[int] = []
        self._chunks: list[Chunk] = []

    @property
    def options(self) -> Options:
        """The job's options."""
        return self.row.options

    @property
    def finished(self) -> bool:
        """Whether every task has an outcome that is on disk, or never will have one."""
        if self.cancelled:
            return self.cancel_stored
        return self.end_stored and self.recorded == self.total

    def counts(self, queued: int, assigned: int, running: int) -> Counts:
        """Return the job's counts, given the scheduler's."""
        missing = self.total - self.done - self.failed
        return Counts(
            total=self.total,
            queued=0 if self.cancelled else queued,
            assigned=0 if self.cancelled else assigned,
            running=0 if self.cancelled else running,
            done=self.done,
            failed=self.failed,
            cancelled=missing if self.cancelled else 0,
        )

    # --- payloads -------------------------------------------------------------------------------

    def add(self, payloads: list[Payload]) -> int:
        """Take the payloads of the next tasks; return the first one's number."""
        first = self.total
        size = sum(len(p) if isinstance(p, bytes) else 64 for p in payloads)
        self._firsts.append(first)
        self._chunks.append(Chunk(first, payloads, size, len(payloads)))
        self._window.used += size
        self._sizes += size
        self.total += len(payloads)
        return first

    def stored_up_to(self, count: int) -> None:
        """Note that the first `count` tasks are on disk."""
        at = bisect_left(self._firsts, self.stored)
        self.stored = count
        while at < len(self._chunks) and self._chunks[at].first < count:
            chunk = self._chunks[at]
            chunk.stored = True
            if chunk.unassigned <= 0 or self._window.used > self._window.limit:
                self._let_go(at)
            else:
                at += 1

    def take(self, numbers: list[int], attempts: list[int]) -> tuple[list[Payload], list[int]]:
        """Return the payloads at hand for ascending numbers, and the positions of the others.

        Where a position is not at hand, its payload is the empty string of bytes.
        """
        payloads: list[Payload] = []
        missing: list[int] = []
        start = 0
        while start < len(numbers):
            at = bisect_right(self._firsts, numbers[start]) - 1
            chunk = self._chunks[at] if at >= 0 else None
            end_number = chunk.first + len(chunk.payloads) if chunk else 0
            if chunk is None or numbers[start] >= end_number:
                missing.append(start)
                payloads.append(b"")
                start += 1
                continue
            stop = bisect_left(numbers, end_number, start)
            payloads += _pick(chunk, numbers[start:stop])
            chunk.unassigned -= attempts[start:stop].count(1)
            if chunk.unassigned <= 0 and chunk.stored:
                self._let_go(at)
            start = stop
        return payloads, missing

    def peek(self, number: int) -> Payload | None:
        """Return one task's payload if it is at hand."""
        at = bisect_right(self._firsts, number) - 1
        if at < 0 or number >= self._chunks[at].first + len(self._chunks[at].payloads):
            return None
        return self._chunks[at].payloads[number - self._chunks[at].first]

    def forget_payloads(self) -> None:
        """Let all payloads go that are in memory."""
        while self._chunks:
            self._let_go(len(self._chunks) - 1)

    @property
    def resident(self) -> int:
        """Bytes of payloads in memory."""
        return sum(chunk.size for chunk in self._chunks)

    def _let_go(self, at: int) -> None:
        self._window.used -= self._chunks[at].size
        del self._chunks[at], self._firsts[at]

    # --- run times ------------------------------------------------------------------------------

    def learn(self, times: list[float]) -> float:
        """Take the run times of finished tasks in seconds; return what a task is reckoned to cost.

        The mean moves by three tenths of the way with each batch: quick enough to follow a job
        whose tasks grow, slow enough not to swing with one odd task.
        """
        mean = sum(times) / len(times)
        self._seconds = mean if self._seconds < 0 else self._seconds + 0.3 * (mean - self._seconds)
        per_task = self._sizes / self.total if self.total else 0.0
        self.cost = min(self._seconds + per_task / BYTES_PER_SECOND, MOST_SECONDS)
        return self.cost


def _pick(chunk: Chunk, numbers: list[int]) -> list[Payload]:
    low = numbers[0] - chunk.first
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return chunk.payloads[low : low + len(numbers)]
    return [chunk.payloads[number - chunk.first] for number in numbers]


def job_state(ended: bool, cancelled: bool, counts: Counts) -> str:
    """Return a job's state as all outside see it."""
    if cancelled:
        return "cancelled"
    finished = counts.done + counts.failed
    if not ended:
        return "open"
    if finished == counts.total:
        return "failed" if counts.failed else "done"
    if finished or counts.assigned or counts.running:
        return "running"
    return "queued"
