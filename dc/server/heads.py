"""The head and the tail of each job's queue: which tasks the scheduler knows.

Theory of operation
-------------------
The scheduler holds the *head* of a job: the tasks that come next. Those behind are its *tail*: the
numbers from `next` up to the job's total, which cost nothing. When fewer than half of the head's
allowance are queued, the next ones go into the scheduler:

- Tasks that were submitted to this process are all there and untouched: a range of numbers, and no
  disk is needed. So that happens at once, in the middle of assigning. They are as old as the head:
  a job's turn does not depend on when the scheduler is told of its tasks.
- Among tasks of before the restart (numbers below `recovered`) some are finished, so the store is
  asked for a page of the others (LoadHead), early enough that the head does not run dry.

Tasks that were with workers when the server stopped are in the scheduler from the start, wherever
they are in the job: those from `next` on are `gaps` of the tail, and the pages leave them out. So
are tasks that have got an outcome without having run, and those of a job that waits task by task
for another, as they are let in.

Payloads are not a matter of the tail: a job's tasks are assigned in order, and this part sees to it
that those which are not in memory are read (Prefetch) shortly before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator

from msgspec import Struct

from dc import limits
from dc._core import Scheduler
from dc.records import Unfinished
from dc.server.events import Action, LoadHead, Prefetch
from dc.server.gaps import Gaps
from dc.server.jobs import Job, Tail

SPARSE = 4
"""Where fewer than one task in so many is unfinished, payloads are not read ahead: most of them
would be read for nothing."""


class HeadLimits(Struct, frozen=True):
    """Queued tasks that the scheduler holds: of one job, of all, and of each job above that.

    `piece` is how many payloads are read ahead at one time.
    """

    one: int = limits.HEAD_TASKS
    all: int = limits.HEADS_TASKS
    least: int = limits.HEAD_TASKS_LEAST
    piece: int = limits.PREFETCH_TASKS


class Heads:
    """Moves tasks from the tails of jobs to the scheduler.

    Args:
        scheduler: where to.
        ask: has an action performed.
        most: how many.
    """

    def __init__(
        self, scheduler: Scheduler, ask: Callable[[Action], None], most: HeadLimits
    ) -> None:
        self._scheduler = scheduler
        self._ask = ask
        self._most = most

    # --- in -------------------------------------------------------------------------------------

    def submitted(self, job: Job, count: int) -> None:
        """Queue the last `count` tasks of a job, which are new."""
        tail = job.tail
        tail.count += count
        if tail.count == count or self._queued(job) * 2 < self._allowance():
            self._fill(job, late=tail.count > count)

    def begun(self, job: Job) -> None:
        """Queue the tasks of a job of which nothing was to be given out until now."""
        if job.scheduled:
            self._fill(job)

    def recovered(self, job: Job) -> None:
        """Take up a job after a restart: its unfinished tasks are its tail."""
        left = job.total - job.done - job.failed
        job.tail = Tail(0, job.total, left, closed=job.options.each)
        self._fill(job)

    def restored(self, job: Job, tasks: Unfinished) -> None:
        """Queue tasks from anywhere in the tail of a job."""
        self._restore(job, tasks)
        for first, end in _runs(tasks.numbers):
            job.tail.gaps.add(first, end)
        job.tail.close_up()

    def again(self, job: Job, tasks: Unfinished) -> None:
        """Queue tasks again that had their outcome: they are not in the tail."""
        job.tail.count += len(tasks.numbers)
        self._restore(job, tasks)
        for number in tasks.numbers[bisect_left(tasks.numbers, job.tail.next) :]:
            job.tail.gaps.add(number, number + 1)
        job.tail.close_up()

    def loaded(self, job: Job, tasks: Unfinished, next_: int) -> None:
        """Queue a page of the tail of a recovered job; go on at `next_`."""
        tail = job.tail
        tail.loading = False
        if tail.gaps or (tasks.numbers and tasks.numbers[-1] >= tail.recovered):
            tasks = _below(tasks, tail.recovered, tail.gaps)
        if tasks.numbers:
            span = tasks.numbers[-1] + 1 - tasks.numbers[0]
            tail.sparse = span > SPARSE * len(tasks.numbers)
            if not self._queued(job):
                job.at_hand.passed(tasks.numbers[0])
        tail.next = min(next_, tail.recovered)
        tail.gaps.cut(tail.next)
        tail.close_up()
        self._restore(job, tasks)
        self.assigned(job)

    def _restore(self, job: Job, tasks: Unfinished) -> None:
        self._scheduler.restore(
            job.number, tasks.numbers, tasks.attempts, tasks.crashes, tasks.failures
        )
        job.tail.count -= len(tasks.numbers)

    # --- out ------------------------------------------------------------------------------------

    def assigned(self, job: Job) -> None:
        """See to it that a job of which tasks have been assigned goes on."""
        tail = job.tail
        if tail.count and self._queued(job) * 2 < self._allowance():
            self._fill(job)
        if not tail.sparse and job.at_hand.kept < tail.next:
            self.fetch(job)

    def fetch(self, job: Job) -> None:
        """Have payloads read whose tasks' turn comes soon."""
        piece = job.at_hand.fetch(job.tail.next, self._most.piece)
        if piece:
            self._ask(Prefetch(job.number, piece.start, len(piece)))

    def _fill(self, job: Job, *, late: bool = True) -> None:
        tail = job.tail
        room = self._allowance() - self._queued(job)
        if room <= 0 or not tail.count or tail.loading or tail.closed or job.holds.unsure:
            return
        if tail.next < tail.recovered:
            tail.loading = True
            self._ask(LoadHead(job.number, tail.next, room))
            return
        while room > 0 and tail.count:
            count = tail.gaps.free_until(tail.next, tail.next + min(room, tail.count)) - tail.next
            self._scheduler.submit(job.number, tail.next, count, late)
            tail.next += count
            tail.count -= count
            room -= count
            late = True
            tail.close_up()

    def _queued(self, job: Job) -> int:
        return self._scheduler.job_counts(job.number)[0]

    def _allowance(self) -> int:
        crowded = self._scheduler.statistics().queued >= self._most.all
        return self._most.least if crowded else self._most.one


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Cut ascending numbers into runs, each from a number up to, and without, another."""
    start = 0
    for at in range(1, len(numbers) + 1):
        if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
            yield numbers[start], numbers[at - 1] + 1
            start = at


def _below(tasks: Unfinished, end: int, known: Gaps) -> Unfinished:
    """Return the tasks below a number that the scheduler does not know."""
    stop = bisect_left(tasks.numbers, end)
    kept = [at for at in range(stop) if tasks.numbers[at] not in known]
    return Unfinished(
        tasks.job,
        [tasks.numbers[at] for at in kept],
        [tasks.attempts[at] for at in kept],
        [tasks.crashes[at] for at in kept],
        [tasks.failures[at] for at in kept],
        [tasks.workers[at] for at in kept],
    )
