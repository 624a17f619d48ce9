"""Failed tasks run again, under their numbers: their outcomes are set aside.

Theory of operation
-------------------
Which tasks have failed only the store knows, so it is asked, page by page, once all that was to be
written is on disk. For each page a Retried is written, and from then on these tasks have no
outcome: what dies with the server is what nobody was told. Their next attempts count on, and one
attempt that nobody has is left out, so that what a worker still says of the one that failed is
stale.

A job that is in the scheduler gets them there. One that had finished is taken up as after a
restart: the tasks without an outcome are its tail, which is read from the store once all of it is
on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec import Struct

from dc import limits
from dc.errors import NotPossible
from dc.messages_parts import Failure
from dc.records import AttemptEnd, Retried, TaskRow, Unfinished
from dc.server.attempts import AttemptNotes, failed_end
from dc.server.board import MOST_ATTEMPTS, Board
from dc.server.endings import Range
from dc.server.events import LoadFailed
from dc.server.jobs import Job, Tail


class Retry(Struct):
    """Failed tasks of a job that are being queued again.

    `ranges` are those that were asked for; None stands for all that were not cancelled. Its
    requirement class is kept, so that there is room for it when the job is taken up.
    """

    job: int
    ranges: list[Range] | None
    then: Callable[[int], None]
    class_: int
    count: int = 0

    def means(self, task: TaskRow) -> bool:
        """Whether a failed task is to run again."""
        if self.ranges is not None:
            return any(first <= task.number <= last for first, last in self.ranges)
        return not (isinstance(task.outcome, Failure) and task.outcome.kind == "cancelled")


class Retrying:
    """Queues failed tasks again.

    Args:
        board: where jobs and the scheduler are.
        notes: where it is noted how attempts ended.
        look: brings what depends on the clock up to it, of a job that is taken up again.
    """

    def __init__(self, board: Board, notes: AttemptNotes, look: Callable[[Job], None]) -> None:
        self._board = board
        self._notes = notes
        self._look = look
        self.on_retried: Callable[[Job, list[TaskRow]], None] = lambda _job, _tasks: None
        self._under_way: set[int] = set()

    def begin(self, job: Job, ranges: list[Range] | None, then: Callable[[int], None]) -> None:
        """Queue failed tasks of a job again.

        Args:
            job: the job.
            ranges: which; None for all but those that were cancelled.
            then: called with how many there were, once that is on disk.

        Raises:
            NotPossible: the job was cancelled, its deadline is over, or it is being done already.
            OptionsError: unfinished jobs use too many other resources.
        """
        if job.cancelled:
            raise NotPossible(f"job {job.number} was cancelled: submit it again")
        if 0 < job.options.deadline <= self._board.wall:
            text = f"the deadline of job {job.number} is over: set another one first"
            raise NotPossible(text)
        if job.number in self._under_way:
            raise NotPossible(f"failed tasks of job {job.number} are being queued already")
        self._board.check_resources(job.options)
        class_ = self._board.class_of(job)
        self._under_way.add(job.number)
        job.busy += 1
        retry = Retry(job.number, ranges, then, class_)
        self._board.after_writes(partial(self._read, retry, 0))

    def _read(self, retry: Retry, first: int) -> None:
        page = partial(self._page, retry)
        self._board.out.append(LoadFailed(retry.job, first, limits.RETRY_TASKS, page))

    def _page(self, retry: Retry, tasks: list[TaskRow]) -> None:
        job = self._board.jobs[retry.job]
        chosen = [task for task in tasks if retry.means(task)]
        if chosen and not job.cancelled:
            self._queue(job, chosen)
            retry.count += len(chosen)
        if len(tasks) < limits.RETRY_TASKS or job.cancelled:
            self._board.after_writes(partial(self._done, retry))
        else:
            next_ = tasks[-1].number + 1
            self._board.after_writes(partial(self._read, retry, next_))

    def _queue(self, job: Job, tasks: list[TaskRow]) -> None:
        """Set the outcomes of some failed tasks aside, and queue them."""
        numbers = [task.number for task in tasks]
        on_disk = partial(self.on_retried, job, tasks)
        attempts = [min(task.attempt + 1, MOST_ATTEMPTS) for task in tasks]
        self._notes.write(job.number, [end for task in tasks for end in _ends(task)])
        self._board.write(Retried(job.number, numbers, attempts), on_disk)
        job.failed -= len(tasks)
        job.recorded -= len(tasks)
        job.whole = None
        job.retried = job.changed = True
        if not job.scheduled:
            self._board.schedule(job)
            job.tail = Tail(0, job.total, closed=True)
            if job.options.each:
                job.tail = Tail(job.total, job.total)
            self._look(job)
        if job.tail.closed and not job.options.each:
            job.tail.count += len(tasks)
        else:
            none = [0] * len(tasks)
            again = Unfinished(job.number, numbers, attempts, none, none, [""] * len(tasks))
            self._board.heads.again(job, again)

    def _done(self, retry: Retry) -> None:
        job = self._board.jobs[retry.job]
        self._under_way.discard(retry.job)
        self._board.matching.release(retry.class_)
        job.busy -= 1
        if job.tail.closed and not job.options.each:
            job.tail.closed = False
            self._board.heads.begun(job)
        retry.then(retry.count)
        self._board.on_unfollowed(job)


def _ends(task: TaskRow) -> list[AttemptEnd]:
    """Return how the last attempt of a failed task ended, if a worker had it."""
    failure = task.outcome
    if not isinstance(failure, Failure) or not task.worker:
        return []
    return [failed_end(task.worker, task.number, task.attempt, task.at, task.time, failure)]


def _nothing() -> None:
    """Nobody waits for a page by itself."""
