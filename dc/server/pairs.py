"""Jobs of which each task waits for one task of another job: chains of maps that work side by side.

Theory of operation
-------------------
All tasks of such a job are in its tail, which is `closed`: they are let in one by one. Task n is
let in once task n of the job before has a result; if that failed, it gets the failure `cancelled`,
or is let in all the same, as the job's options say. Tasks for which the job before has none are
let in once that job is done.

Two things tell. Outcomes of the job before that come to the disk now are looked at as they come.
For what was there before, a *sweep* reads the job's tasks and asks the store which of their
counterparts are settled: of each batch of tasks, once it is on disk, of the whole job after a
restart, and again when the job before has finished. So nothing falls between the two: an outcome
that a sweep has not seen comes to the disk after it began. A task that both have found is let in
once.

After a restart the server may hear of a task from its worker before the sweep has let it in. It is
told to stop, and the task runs again. That is little: what takes long is on disk as the worker's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from dc import limits
from dc.messages_parts import Failure
from dc.records import Outcomes, Unfinished
from dc.server.board import Board
from dc.server.dependencies import Dependencies
from dc.server.endings import Endings
from dc.server.events import LoadSettled, LoadUnfinished
from dc.server.jobs import Job


class Pairs:
    """Lets tasks in as their counterparts finish.

    Args:
        board: where jobs are.
        endings: ends tasks whose counterparts failed.
        dependencies: which jobs come after which.
    """

    def __init__(self, board: Board, endings: Endings, dependencies: Dependencies) -> None:
        self._board = board
        self._endings = endings
        self._dependencies = dependencies

    # --- what has happened ------------------------------------------------------------------------

    def recorded(self, former: Job, record: Outcomes) -> None:
        """Look at outcomes of a job that have just come to the disk."""
        for job in self._behind(former):
            first, last = min(record.numbers), max(record.numbers)
            if former.retried or first < job.tail.recovered:
                # One of them may have had an outcome before, or its counterpart here has one.
                self._sweep(job, first, last)
                continue
            failed = {
                number
                for number, outcome in zip(record.numbers, record.outcomes, strict=True)
                if isinstance(outcome, Failure)
            }
            numbers = sorted(number for number in record.numbers if number < job.total)
            none = [0] * len(numbers)
            rows = Unfinished(job.number, numbers, none, none, none, [""] * len(numbers))
            self._settle(job, rows, set(numbers) - failed, failed)

    def stored(self, job: Job, first: int) -> None:
        """Look at the tasks of a job from `first` on, which are on disk now."""
        former = self._board.jobs.get(job.options.after[0])
        if former is None or former.recorded or former.finished:
            self._sweep(job, first)

    def settled(self, job: Job) -> None:
        """Look at all tasks of a job: the one before is known to have finished."""
        self._sweep(job, 0)

    def finished(self, former: Job) -> None:
        """Look again at all tasks that wait for those of a job that has finished."""
        for job in self._behind(former):
            self._sweep(job, 0)

    def _behind(self, former: Job) -> list[Job]:
        numbers = self._dependencies.behind(former.number)
        jobs = [self._board.jobs.get(number) for number in numbers]
        return [job for job in jobs if job is not None and job.tail.closed and job.options.each]

    # --- sweeping -------------------------------------------------------------------------------

    def _sweep(self, job: Job, first: int, last: int = limits.MAX_NUMBER) -> None:
        page = partial(self._page, job.number, last)
        self._board.out.append(LoadUnfinished(job.number, first, limits.END_TASKS, page))

    def _page(self, number: int, last: int, tasks: Unfinished) -> None:
        job = self._waiting(number)
        if job is not None and tasks.numbers:
            then = partial(self._settled, number, last, tasks)
            self._board.out.append(LoadSettled(job.options.after[0], tasks.numbers, then))

    def _settled(
        self,
        number: int,
        last: int,
        tasks: Unfinished,
        found: tuple[Sequence[int], Sequence[int]],
    ) -> None:
        job = self._waiting(number)
        if job is None:
            return
        done, failed = set(found[0]), set(found[1])
        state = self._dependencies.state(job, job.options.after[0])
        if state == "done":
            done.update(set(tasks.numbers) - failed)
        elif state:
            failed.update(set(tasks.numbers) - done)
        self._settle(job, tasks, done, failed)
        if len(tasks.numbers) == limits.END_TASKS and tasks.numbers[-1] < last:
            self._sweep(job, tasks.numbers[-1] + 1, last)

    def _waiting(self, number: int) -> Job | None:
        job = self._board.jobs.get(number)
        going_on = job is not None and job.scheduled and not job.cancelled
        return job if going_on else None

    # --- letting in -----------------------------------------------------------------------------

    def _settle(self, job: Job, tasks: Unfinished, done: set[int], failed: set[int]) -> None:
        """Let tasks in whose counterparts are done; end, or let in, those whose have failed."""
        if job.options.after_what == "finished":
            done, failed = done | failed, set()
        self._let_in(job, tasks, done)
        rows = [
            (number, attempt)
            for number, attempt in zip(tasks.numbers, tasks.attempts, strict=True)
            if number in failed and job.tail.has(number)
        ]
        if rows:
            text = f"the task of job {job.options.after[0]} that it came after has no result"
            self._endings.end(job, rows, Failure("cancelled", text))

    def _let_in(self, job: Job, tasks: Unfinished, ready: set[int]) -> None:
        places = [
            place
            for place, number in enumerate(tasks.numbers)
            if number in ready and job.tail.has(number)
        ]
        if places:
            job.changed = True
            rows = Unfinished(
                job.number,
                [tasks.numbers[place] for place in places],
                [tasks.attempts[place] for place in places],
                [tasks.crashes[place] for place in places],
                [tasks.failures[place] for place in places],
                [""] * len(places),
            )
            self._board.heads.restored(job, rows)
