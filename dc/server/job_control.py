"""Jobs in hand: paused, changed, tried again, cancelled by tasks; held by others and the clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import structs

from dc import limits
from dc.errors import NotPossible
from dc.messages_parts import Failure
from dc.records import JobChanged, Outcomes, SubmitterChanged
from dc.server.board import Board, utc
from dc.server.calendar import Calendar
from dc.server.clients import ClientSide
from dc.server.commands import Then
from dc.server.dependencies import Dependencies
from dc.server.endings import Endings, Range
from dc.server.event_log import OPERATOR
from dc.server.jobs import Job
from dc.server.pairs import Pairs
from dc.server.retrying import Retrying
from dc.server.tallies import Tallies
from dc.server.workers import WorkerSide

OVERDUE_SECONDS = 1.0
"""After which a job whose deadline has passed is looked at again for tasks that came since."""


class JobControl:
    """Does with jobs what operators, the clock, and other jobs have it do.

    Args:
        board: what all share.
        clients: who has the jobs.
        workers: who has their tasks.
    """

    def __init__(self, board: Board, clients: ClientSide, workers: WorkerSide) -> None:
        self._board = board
        self._clients = clients
        self._workers = workers
        known = clients.submissions.looked_up
        self._calendar = Calendar()
        self._endings = Endings(board, workers.roster)
        self._retrying = Retrying(board, workers.attempts, self._look)
        self.dependencies = Dependencies(board, clients.find, clients.cancel, known)
        self.tallies = Tallies(board)
        self._retrying.on_retried = self.tallies.retried
        self._pairs = Pairs(board, self._endings, self.dependencies)
        self.dependencies.on_settled = self._pairs.settled
        board.on_submitted = partial(self._added, new=True)
        board.on_stored = self._stored

    # --- what happens to jobs -------------------------------------------------------------------

    def recovered(self, job: Job) -> None:
        """Take in an unfinished job that was found at the start."""
        self._added(job, new=False)
        self.tallies.recovered(job)
        if job.options.each:
            self._pairs.stored(job, 0)

    def _added(self, job: Job, *, new: bool) -> None:
        self.dependencies.added(job, new=new)
        job.tail.closed = job.options.each
        if job.options.not_before or job.options.deadline:
            self._look(job)

    def _stored(self, job: Job, first: int) -> None:
        if job.options.each:
            self._pairs.stored(job, first)

    def recorded(self, job: Job, record: Outcomes) -> None:
        """Note outcomes of a job that have come to the disk."""
        self.tallies.recorded(job, record)
        if self.dependencies.behind(job.number):
            self._pairs.recorded(job, record)

    def finished(self, job: Job) -> None:
        """Note that a job has finished."""
        self.tallies.finished(job)
        self._calendar.set(job.number, math.inf)
        self.dependencies.finished(job)
        self._pairs.finished(job)

    # --- the clock ------------------------------------------------------------------------------

    def next_time(self) -> float:
        """Return the next Unix time at which something of a job is due."""
        return self._calendar.next()

    def tick(self) -> None:
        """Do what the time has brought."""
        for number in self._calendar.due(self._board.wall):
            job = self._board.jobs.get(number)
            if job is not None and job.scheduled and not job.cancelled:
                self._look(job)

    def _look(self, job: Job) -> None:
        """Bring what depends on the clock up to it, and note when that will be again."""
        options, wall = job.options, self._board.wall
        job.holds.not_before = options.not_before if options.not_before > wall else 0.0
        job.holds.overdue = 0 < options.deadline <= wall
        self._board.hold(job)
        times = [time for time in (options.not_before, options.deadline) if time > wall]
        self._calendar.set(job.number, min(times, default=math.inf))
        if job.holds.overdue:
            text = f"not finished by its deadline, {utc(options.deadline)}"
            then = partial(self._look_again, job.number)
            self._endings.begin(job, [(0, limits.MAX_NUMBER)], Failure("deadline", text), then)

    def _look_again(self, number: int, _: int) -> None:
        """Look again later at a job whose deadline has passed, if more may come of it."""
        job = self._board.jobs.get(number)
        if job is not None and job.scheduled and not job.cancelled:
            self._calendar.set(number, self._board.wall + OVERDUE_SECONDS)

    # --- operators ------------------------------------------------------------------------------

    def pause(self, job: Job, *, now: bool, then: Then) -> None:
        """Hand nothing of a job out any more; what runs goes on, or (`now`) is given back.

        Raises:
            NotPossible: the job has finished.
        """
        _check_unfinished(job)
        self._change(job, then, paused=True)
        if now:
            self._take_back(job)

    def resume(self, job: Job, then: Then) -> None:
        """Hand a paused job out again.

        Raises:
            NotPossible: the job has finished.
        """
        _check_unfinished(job)
        self._change(job, then, paused=False)

    def _take_back(self, job: Job) -> None:
        for worker in list(self._workers.roster.by_id.values()):
            if job.number in self._board.scheduler.jobs_of(worker.id):
                back = self._workers.leases.take_back(worker, job.number, blame=False)
                numbers, attempts = [number for number, _ in back], [attempt for _, attempt in back]
                self._workers.stop(worker.id, job.number, numbers, attempts)

    def change(self, job: Job, changes: dict[str, object], then: Then) -> None:
        """Change options of a job: `name`, `priority`, `weight`, `not_before`, `deadline`.

        Raises:
            NotPossible: the job has finished, and more is to be changed than its name, and its
                deadline for tasks that are tried again; or it was cancelled.
        """
        if changes.keys() - ({"name"} if job.cancelled else {"name", "deadline"}):
            _check_unfinished(job)
        self._change(job, then, paused=job.holds.paused, **changes)

    def _change(self, job: Job, then: Then, *, paused: bool, **changes: object) -> None:
        options = structs.replace(job.options, **changes)
        if job.scheduled and not job.cancelled:
            self._board.scheduler.set_priority(job.number, options.priority)
            self._board.scheduler.set_weight(job.number, options.weight)
        job.row = structs.replace(job.row, options=options, paused=paused)
        job.holds.paused = paused
        self._board.hold(job)
        if job.scheduled and not job.cancelled and not changes.keys().isdisjoint(TIMES):
            self._look(job)
        job.busy += 1
        self._board.write(
            JobChanged(job.number, options, paused), partial(self._changed, job, then)
        )

    def _changed(self, job: Job, then: Then) -> None:
        job.busy -= 1
        then(None)
        self._board.on_unfollowed(job)

    def retry(self, job: Job, ranges: list[Range] | None, then: Callable[[int], None]) -> None:
        """Queue failed tasks again; see Retrying.begin."""
        self._retrying.begin(job, ranges, then)

    def cancel_tasks(self, job: Job, ranges: Sequence[Range], then: Callable[[int], None]) -> None:
        """Cancel some tasks of a job; see Endings.begin.

        Raises:
            NotPossible: too many single tasks of a long queue were cancelled.
        """
        if job.tail.gaps.runs + len(ranges) > limits.TAIL_GAPS:
            text = f"more than {limits.TAIL_GAPS:,} separate runs of tasks of job {job.number}"
            raise NotPossible(f"{text} would be out of its queue: cancel the job, or wait")
        failure = Failure("cancelled", "it was cancelled")
        self._endings.begin(job, ranges, failure, then)

    def cancel_jobs(self, type_: str, version: str, submitter: str, then: Then) -> None:
        """Cancel the unfinished jobs of a type (in one version or all), or of a submitter.

        The answer is their numbers.
        """
        chosen = [
            job
            for job in self._board.jobs.values()
            if job.scheduled
            and not job.cancelled
            and type_ in ("", job.row.type)
            and version in ("", job.row.version)
            and submitter in ("", job.options.submitter)
        ]
        numbers = sorted(job.number for job in chosen)
        for job in chosen:
            self._clients.cancel(job, _nothing, who=OPERATOR)
        self._board.after_writes(partial(then, numbers))

    def set_weight(self, submitter: str, weight: float, then: Then) -> None:
        """Give a submitter a weight.

        Raises:
            NotPossible: too many have weights of their own.
        """
        self._board.submitters.set_weight(submitter, weight)
        self._board.write(SubmitterChanged(submitter, weight), partial(then, None))


TIMES = ("not_before", "deadline")


def _check_unfinished(job: Job) -> None:
    if job.cancelled or job.finished:
        state = "was cancelled" if job.cancelled else "has finished"
        raise NotPossible(f"job {job.number} {state}")


def _nothing() -> None:
    """Nobody waits for one of them alone."""
