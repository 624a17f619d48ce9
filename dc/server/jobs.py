"""A job while it is in memory: its counts, its tail, and how long its tasks take."""

from __future__ import annotations

from msgspec import Struct, field

from dc.messages_client import Counts, Options
from dc.messages_parts import Limits, Payload
from dc.records import JobRow, Outcomes
from dc.server.gaps import Gaps
from dc.server.holds import Holds
from dc.server.payloads import AtHand, Window
from dc.server.shipping import Shipped

BYTES_PER_SECOND = 100e6
"""What a payload's way to a worker is reckoned at, so that credit is bounded in bytes, too."""

MOST_SECONDS = 1e6
"""A task is reckoned to cost, at most: what a worker says may be anything, and far below it already
one task fills a worker's credit."""


class Tail(Struct):
    """The tasks of a job that the scheduler does not know.

    Their numbers are from `next` on, `count` of them; those below `recovered` are from before the
    restart: some of these are finished. Those in `gaps` are not of the tail: they are in the
    scheduler already, or have their outcome. `loading` says that a page is being read, `sparse`
    that few of them are unfinished, `closed` that the tasks are let in one by one, as those of
    another job finish.
    """

    next: int
    recovered: int
    count: int = 0
    loading: bool = False
    sparse: bool = False
    closed: bool = False
    gaps: Gaps = field(default_factory=Gaps)

    def has(self, number: int) -> bool:
        """Whether the scheduler does not know an unfinished task yet."""
        return number >= self.next and number not in self.gaps

    def drop(self, number: int) -> None:
        """Take out a task that is in it."""
        self.gaps.add(number, number + 1)
        self.count -= 1
        self.close_up()

    def close_up(self) -> None:
        """Begin behind the tasks that are not in it any more."""
        if not self.loading and self.gaps:
            self.next = self.gaps.free_from(self.next)
            self.gaps.cut(self.next)


class Job:
    """One job in memory.

    Args:
        row: the job as the store has it, or will.
        class_: its requirement class in the scheduler.
        window: the bound on payloads in memory that all jobs share.

    Attributes:
        whole: all outcomes, where they are one small record that has finished the job.
        holds: why nothing of it is handed out, if nothing is.
        why: what it was cancelled for, where nobody asked for it.
        retried: whether outcomes of it were set aside.
        bytes: of its payloads, results, inputs and output, as quotas count them.
        own_only: whether it may come after jobs of its own submitter alone.
        busy: how many operations on it are under way, for which it stays in memory.
        resources: what each alternative of what it needs uses, as a worker is told it.
        limits: of a task, by alternative.
        traceparent: the parent of what its tasks do, while it is scheduled.
        shipped: the archive that its code is in, where workers can get it.
    """

    def __init__(self, row: JobRow, class_: int, window: Window) -> None:
        self.number = row.job
        self.row = row
        self.class_ = class_
        self.resources: list[dict[str, float]] = []
        self.limits: list[Limits] = []
        self.shipped: Shipped | None = None
        self.total = row.counts.total
        self.done = row.counts.done
        self.failed = row.counts.failed
        self.recorded = self.done + self.failed
        self.ended = row.ended
        self.end_stored = row.ended
        self.cancelled = row.cancelled_at is not None
        self.cancel_stored = self.cancelled
        self.bytes = row.bytes
        self.cost = -1.0
        self.commits = 0
        self.last_sequence = 0
        self.whole: Outcomes | None = None
        self.traceparent = ""
        self.scheduled = False
        self.changed = False
        self.tail = Tail(self.total, 0)
        self.at_hand = AtHand(window, self.total)
        self.deserted = False
        self.holds = Holds(paused=row.paused)
        self.why = row.why
        self.retried = row.retried > 0
        self.busy = 0
        self.own_only = False
        self._seconds = -1.0

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
        """Return the job's counts, given the scheduler's; what is in the tail is queued."""
        missing = self.total - self.done - self.failed
        return Counts(
            total=self.total,
            queued=0 if self.cancelled else queued + self.tail.count,
            assigned=0 if self.cancelled else assigned,
            running=0 if self.cancelled else running,
            done=self.done,
            failed=self.failed,
            cancelled=missing if self.cancelled else 0,
        )

    def validate(self) -> None:
        """Check what must always hold; AssertionError says what does not."""
        tail = self.tail
        assert 0 <= tail.count <= self.total - tail.next, f"job {self.number}: the tail's count"
        if tail.next >= tail.recovered:
            whole = self.total - tail.next - tail.gaps.count
            assert tail.count == whole, f"job {self.number}: the tail has a hole"
        tail.gaps.validate()
        assert not tail.gaps or tail.gaps.first >= tail.next, f"job {self.number}: gaps"
        self.at_hand.validate()

    # --- payloads -------------------------------------------------------------------------------

    @property
    def stored(self) -> int:
        """How many tasks are on disk."""
        return self.at_hand.stored

    def add(self, payloads: list[Payload]) -> int:
        """Take the payloads of the next tasks; return the first one's number."""
        first = self.total
        self.at_hand.add(first, payloads)
        self.total += len(payloads)
        return first

    def stored_up_to(self, count: int) -> None:
        """Note that the first `count` tasks are on disk."""
        self.at_hand.stored_up_to(count)

    def take(self, numbers: list[int]) -> tuple[list[Payload], list[int]]:
        """Return the payloads at hand for tasks being assigned, and the positions of the others.

        The numbers ascend. Where a position is not at hand, its payload is the empty string of
        bytes.
        """
        found = self.at_hand.take(numbers)
        if numbers[-1] < self.tail.next:
            self.at_hand.passed(numbers[-1] + 1)
        return found

    def peek(self, number: int) -> Payload | None:
        """Return one task's payload if it is at hand."""
        return self.at_hand.peek(number)

    def forget_payloads(self) -> None:
        """Let all payloads go that are in memory."""
        self.at_hand.forget()

    def drop_tail(self) -> None:
        """Forget the tasks that the scheduler does not know: none of them will run."""
        self.tail = Tail(self.total, 0)

    # --- run times ------------------------------------------------------------------------------

    def learn(self, times: list[float]) -> float:
        """Take the run times of finished tasks in seconds; return what a task is reckoned to cost.

        The mean moves by three tenths of the way with each batch: quick enough to follow a job
        whose tasks grow, slow enough not to swing with one odd task.
        """
        mean = sum(times) / len(times)
        self._seconds = mean if self._seconds < 0 else self._seconds + 0.3 * (mean - self._seconds)
        self.cost = min(self._seconds + self.at_hand.each / BYTES_PER_SECOND, MOST_SECONDS)
        return self.cost


def job_state(ended: bool, cancelled: bool, counts: Counts, held: str = "") -> str:
    """Return a job's state as all outside see it; `held` is that of its holds."""
    if cancelled:
        return "cancelled"
    finished = counts.done + counts.failed
    if not ended:
        return "open"
    if finished == counts.total:
        return "failed" if counts.failed else "done"
    if held:
        return held
    if finished or counts.assigned or counts.running:
        return "running"
    return "queued"
