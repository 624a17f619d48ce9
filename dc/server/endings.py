"""Tasks that get their outcome without having run to their end: cancelled, or past their deadline.

Theory of operation
-------------------
Which tasks of a job have no outcome is known to the scheduler (the head), and of the tail after a
restart only to the store. So an ending asks the store for them, page by page, once all that was to
be written is on disk. What has got its outcome since then is in the scheduler no more, nor in the
tail, and is passed over; of any other task the outcome is recorded like that of a worker, and
whoever holds it is told to stop. What that worker says of it later is refused, as of any task that
is done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct

from dc import limits
from dc.messages_parts import Failure
from dc.records import Unfinished
from dc.server.board import Board
from dc.server.events import LoadUnfinished
from dc.server.jobs import Job
from dc.server.roster import Roster

Range = tuple[int, int]
"""The first and the last of some neighbouring tasks."""


class Ending(Struct):
    """Tasks of a job that are being ended: those of `ranges`, ascending, are still to be done."""

    job: int
    ranges: list[Range]
    failure: Failure
    then: Callable[[int], None]
    count: int = 0


class Endings:
    """Ends tasks.

    Args:
        board: where jobs and the scheduler are.
        roster: the workers.
    """

    def __init__(self, board: Board, roster: Roster) -> None:
        self._board = board
        self._roster = roster

    def begin(
        self, job: Job, ranges: Sequence[Range], failure: Failure, then: Callable[[int], None]
    ) -> None:
        """End those of some tasks that have no outcome.

        Args:
            job: their job; one that has finished stays as it is.
            ranges: which.
            failure: what becomes their outcome.
            then: called with how many there were, once that is on disk.
        """
        job.busy += 1
        ending = Ending(job.number, sorted(ranges), failure, then)
        self._board.after_writes(partial(self._go_on, ending))

    def _go_on(self, ending: Ending) -> None:
        job = self._board.jobs[ending.job]
        if job.scheduled and not job.cancelled and ending.ranges:
            read = LoadUnfinished(
                job.number, ending.ranges[0][0], limits.END_TASKS, partial(self._page, ending)
            )
            self._board.out.append(read)
            return
        job.busy -= 1
        self._board.after_writes(partial(ending.then, ending.count))
        self._board.on_unfollowed(job)

    def _page(self, ending: Ending, tasks: Unfinished) -> None:
        """End the tasks of a page that are among those to be ended."""
        job = self._board.jobs[ending.job]
        last = ending.ranges[0][1]
        rows = [
            (number, attempt)
            for number, attempt in zip(tasks.numbers, tasks.attempts, strict=True)
            if number <= last
        ]
        if job.scheduled and not job.cancelled:
            ending.count += self.end(job, rows, ending.failure)
        if len(rows) < limits.END_TASKS:
            ending.ranges.pop(0)
        else:
            ending.ranges[0] = (rows[-1][0] + 1, last)
        self._go_on(ending)

    def end(self, job: Job, rows: Sequence[tuple[int, int]], failure: Failure) -> int:
        """Record the same failure for tasks of a scheduled job; return for how many.

        Args:
            job: the job.
            rows: the tasks, ascending, each with the last attempt that the store knows of.
            failure: what becomes their outcome.
        """
        numbers: list[int] = []
        attempts: list[int] = []
        held: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for number, attempt in rows:
            found = self._board.scheduler.cancel(job.number, number)
            if found is not None:
                worker, attempt = found
                held[worker][0].append(number)
                held[worker][1].append(attempt)
            elif job.tail.has(number):
                job.tail.drop(number)
            else:  # its outcome is on its way to the disk
                continue
            numbers.append(number)
            attempts.append(attempt)
        for worker, (mine, theirs) in held.items():
            self._roster.stop(worker, job.number, mine, theirs)
        if numbers:
            times = [0.0] * len(numbers)
            self._board.record(job, "", numbers, attempts, times, [failure] * len(numbers))
            self._board.heads.assigned(job)
        return len(numbers)
