"""What workers report of their attempts, and what is recorded of it.

The fast path is that of a whole batch of results whose attempts are all with the worker that brings
them: one call of the scheduler, one record. Only what the scheduler turns down is looked at one by
one: it may have lapsed and be nobody else's yet, and then it counts; all else is refused, which is
counted by reason. What is refused is acknowledged all the same, so that the worker forgets it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from dc import limits
from dc._core import FAILED, RETRY, RUNNING
from dc.errors import QuotaExceeded, UnknownBlob
from dc.messages import check_columns
from dc.messages_parts import Blob, Failure, Outcome
from dc.messages_worker import Done, Failed, Recorded, Returned, Running
from dc.portions import stored_size
from dc.server import retries
from dc.server.attempts import AttemptNotes
from dc.server.board import Board
from dc.server.event_log import SERVER
from dc.server.events import DropBlob
from dc.server.health import Health
from dc.server.jobs import Job
from dc.server.leases import Leases
from dc.server.room import Room
from dc.server.roster import Roster, Worker

NEVER_AGAIN: Final = ("payload", "quota")
"""Kinds of failure of which another try would be the same, and no worker is to blame."""


class Reports:
    """Takes the reports of workers.

    Args:
        board: where jobs and the scheduler are.
        roster: the workers.
        leases: which attempts are whose.
        health: how well the workers are.
        room: how much of it they have.
        attempts: where it is noted what becomes of them.
    """

    def __init__(
        self,
        board: Board,
        roster: Roster,
        leases: Leases,
        health: Health,
        room: Room,
        attempts: AttemptNotes,
    ) -> None:
        self._board = board
        self._scheduler = board.scheduler
        self._roster = roster
        self._leases = leases
        self._health = health
        self._room = room
        self._attempts = attempts

    # --- acknowledging --------------------------------------------------------------------------

    def _acknowledge(self, worker: Worker, sequence: int) -> None:
        """Acknowledge a report once all that is to be written now is on disk.

        That is said on the connection on which the report came: another process of this worker
        would take it for one of its own.
        """
        peer = worker.peer
        worker.taken = max(worker.taken, sequence)
        self._board.after_writes(lambda: self._recorded(peer, sequence))

    def _recorded(self, peer: int, sequence: int) -> None:
        if peer in self._roster.by_peer:
            self._board.send(peer, Recorded(sequence))

    # --- results --------------------------------------------------------------------------------

    def done(self, worker: Worker, message: Done, missing: frozenset[Blob]) -> None:
        """Take results; those that are `missing` are not here, and their tasks are to run again."""
        check_columns(message)
        job = self._leases.scheduled(message.job)
        if job is None:
            for number, attempt in zip(message.numbers, message.attempts, strict=True):
                self._refuse(worker, message, number, attempt)
        else:
            if missing:
                message = self._without(worker, job, message, missing)
            if message.numbers:
                self._on_results(worker, job, message)
        self._acknowledge(worker, message.sequence)

    def _without(self, worker: Worker, job: Job, message: Done, missing: frozenset[Blob]) -> Done:
        """Queue the tasks again whose results are missing; return the other results."""
        kept, lost = [], []
        for at, result in enumerate(message.results):
            number, attempt = message.numbers[at], message.attempts[at]
            if result not in missing:
                kept.append(at)
            elif self._is_its_own(worker, job, number, attempt):
                lost.append((number, attempt))
                self._board.refuse(UnknownBlob.code)
            else:
                self._refuse(worker, message, number, attempt)
        self._release(worker, job, lost)
        return Done(
            message.sequence,
            job.number,
            [message.numbers[at] for at in kept],
            [message.attempts[at] for at in kept],
            [message.times[at] for at in kept],
            [message.results[at] for at in kept],
        )

    def _on_results(self, worker: Worker, job: Job, message: Done) -> None:
        numbers, attempts = message.numbers, message.attempts
        times: list[float] = message.times
        results: Sequence[Outcome] = message.results
        rejected = self._scheduler.finish(worker.id, job.number, numbers, attempts)
        if rejected:
            kept = self._second_look(worker, job, message, rejected)
            numbers, attempts = [numbers[at] for at in kept], [attempts[at] for at in kept]
            times, results = [times[at] for at in kept], [results[at] for at in kept]
        if not numbers:
            return
        worker.done += len(numbers)
        worker.tally.done(len(numbers), self._board.now)
        self._scheduler.set_cost(job.number, job.learn(times))
        self._find_well(worker, job, numbers)
        fitting = self._fitting(job, list(results))
        self._board.record(job, worker.name, numbers, attempts, times, fitting)

    def _fitting(self, job: Job, results: list[Outcome]) -> list[Outcome]:
        """Return results with a failure in the place of each that is beyond a quota."""
        usage = self._board.usage
        try:
            usage.check(job, results)
        except QuotaExceeded:
            return self._one_by_one(job, results)
        return results

    def _one_by_one(self, job: Job, results: list[Outcome]) -> list[Outcome]:
        usage, size = self._board.usage, 0
        for at, result in enumerate(results):
            more = stored_size([result])
            try:
                usage.check_one(more)
                usage.check_more(job, size + more)
                size += more
            except QuotaExceeded as error:
                results[at] = Failure("quota", f"its result is not kept: {error}")
                if isinstance(result, Blob):
                    self._board.out.append(DropBlob(result.digest))
        return results

    def _second_look(
        self, worker: Worker, job: Job, message: Done, rejected: list[int]
    ) -> list[int]:
        """Take what has lapsed and is nobody else's; return the places of all that is taken."""
        numbers, attempts = message.numbers, message.attempts
        claimed = []
        for at in rejected:
            if self._leases.claim(worker, job, numbers[at], attempts[at]):
                claimed.append(at)
            else:
                self._refuse(worker, message, numbers[at], attempts[at])
        if claimed:
            mine = [numbers[at] for at in claimed], [attempts[at] for at in claimed]
            self._scheduler.finish(worker.id, job.number, *mine)
        return sorted(set(range(len(numbers))).difference(rejected).union(claimed))

    def _refuse(self, worker: Worker, message: Done | Failed, number: int, attempt: int) -> None:
        """Count an answer that is not taken.

        Not if the worker only brings it again, because it did not hear that it was recorded: what
        was to be counted of it was, when it first came.
        """
        worker.doubts.pop((message.job, number, attempt), None)
        if message.sequence > worker.again:
            self._board.refuse(self._leases.refusal(worker, message.job, number, attempt))

    # --- health ---------------------------------------------------------------------------------

    def _find_well(self, worker: Worker, job: Job, numbers: Sequence[int]) -> None:
        if self._health.well(worker.process):
            self._room.look(worker)
            self._note("worker.well", worker, f"worker {worker.name} is well again")
        now = self._board.now
        for process in self._health.succeeded(worker.process, job.number, numbers, now):
            sick = self._roster.by_key.get(process[0])
            if sick is not None and sick.process == process:
                self._set_aside(sick)

    def _set_aside(self, worker: Worker) -> None:
        """Give a sick worker nothing more; what it has not begun goes to others."""
        self._room.look(worker)
        why = self._health.reason(worker.process)
        self._note("worker.sick", worker, f"worker {worker.name} is set aside: {why}")
        waiting: dict[int, list[int]] = {}
        for job, number, _ in self._scheduler.held(worker.id):
            state = self._scheduler.state(job, number)
            if state is not None and state[0] != RUNNING:
                waiting.setdefault(job, []).append(number)
        for job, numbers in waiting.items():
            back = self._leases.take_back(worker, job, blame=False, numbers=numbers)
            self._roster.stop(worker.id, job, [n for n, _ in back], [a for _, a in back])

    def _note(self, kind: str, worker: Worker, text: str) -> None:
        self._board.log.note(kind, SERVER, lambda: text, worker=worker.name)

    def try_again(self) -> None:
        """Give sick workers whose pause is over one slot to show that they are well."""
        for process in self._health.due(self._board.now):
            worker = self._roster.by_key.get(process[0])
            if worker is not None and worker.process == process:
                self._room.look(worker)

    # --- failures -------------------------------------------------------------------------------

    def failed(self, worker: Worker, message: Failed) -> None:
        """Take the failure of one attempt.

        If it may be on disk from before the server restarted, it is not counted a second time.
        """
        job = self._leases.scheduled(message.job)
        number, attempt = message.number, message.attempt
        if job is not None and self._is_its_own(worker, job, number, attempt):
            if (job.number, number, attempt) in worker.judged:
                worker.judged.discard((job.number, number, attempt))
                self._release(worker, job, [(number, attempt)])
            else:
                self._fail(worker, job, number, attempt, message.time, message.failure)
        else:
            self._refuse(worker, message, number, attempt)
        self._acknowledge(worker, message.sequence)

    def _is_its_own(self, worker: Worker, job: Job, number: int, attempt: int) -> bool:
        if self._roster.holds(worker, job.number, number, attempt):
            return True
        return self._leases.claim(worker, job, number, attempt)

    def _fail(
        self,
        worker: Worker,
        job: Job,
        number: int,
        attempt: int,
        time: float,
        failure: Failure,
    ) -> None:
        """Decide what becomes of a failed attempt: another try, or a recorded failure."""
        worker.failed += 1
        worker.tally.failed()
        job.changed = True
        verdict = self._verdict(worker, job, number, attempt, failure.kind)
        state = self._scheduler.state(job.number, number) if verdict == RETRY else None
        if state is not None:
            self._board.counters.try_again(failure.kind)
            self._board.note_attempts(job.number, [(number, attempt, state[2], state[4])])
            self._attempts.failed(worker.name, job.number, number, attempt, time, failure)
            self._board.on_retry(worker.key, job.number, number, attempt)
        else:
            self._board.record(job, worker.name, [number], [attempt], [time], [failure])
        self._find_sick(worker, job, number, failure)
        if state is None:
            self._health.failed_for_good(job.number, number)

    def _verdict(self, worker: Worker, job: Job, number: int, attempt: int, kind: str) -> int:
        """Tell the scheduler of a failed attempt; return RETRY or FAILED."""
        if kind == "crashed":
            return self._scheduler.crash(worker.id, job.number, number, attempt)
        if kind in NEVER_AGAIN:
            self._scheduler.cancel(job.number, number)
            return FAILED
        state = self._scheduler.state(job.number, number)
        failures = state[4] if state is not None else 0
        pause = retries.pause(job.options, failures, job.number, number, attempt)
        return self._scheduler.fail(
            worker.id,
            job.number,
            number,
            attempt,
            self._board.now + pause,
            retries.is_tried_again(job.options, kind),
        )

    def _find_sick(self, worker: Worker, job: Job, number: int, failure: Failure) -> None:
        if failure.kind not in NEVER_AGAIN:
            error, now = failure.error, self._board.now
            if self._health.failed(worker.process, job.number, number, error, now):
                self._set_aside(worker)

    # --- tasks that run or come back ------------------------------------------------------------

    def running(self, worker: Worker, message: Running) -> None:
        """Take word of what has been running for a while, and write down that it is with it."""
        check_columns(message)
        job = self._leases.scheduled(message.job)
        if job is None:
            return
        job.changed = True
        fresh = []
        for number, attempt, elapsed in zip(
            message.numbers, message.attempts, message.elapsed, strict=True
        ):
            state = self._scheduler.state(job.number, number)
            deadline = self._deadline(job, elapsed)
            mine = self._scheduler.start(worker.id, job.number, number, attempt, deadline)
            if mine:
                self._attempts.running(worker.id, job.number, number, attempt, elapsed)
            if mine and state is not None and state[0] != RUNNING:
                fresh.append((number, attempt))
        if fresh:
            self._leases.note(worker, job.number, fresh)

    def _deadline(self, job: Job, elapsed: float) -> float:
        timeout = job.options.timeout
        left = max(0.0, timeout - elapsed) + limits.DEADLINE_GRACE_SECONDS
        return self._board.now + left if timeout else math.inf

    def returned(self, worker: Worker, message: Returned) -> None:
        """Take attempts back that were not started, or were stopped.

        What the worker does not hold is passed over, and not counted as refused: it is what comes
        back of attempts that it was told to stop.
        """
        check_columns(message)
        job = self._leases.scheduled(message.job)
        if job is not None:
            mine = [
                (number, attempt)
                for number, attempt in zip(message.numbers, message.attempts, strict=True)
                if self._is_its_own(worker, job, number, attempt)
            ]
            self._release(worker, job, mine)
        self._acknowledge(worker, message.sequence)

    def _release(self, worker: Worker, job: Job, rows: list[tuple[int, int]]) -> None:
        """Queue attempts again; of those that were said to run, the disk is told."""
        notes = []
        for number, attempt in rows:
            state = self._scheduler.state(job.number, number)
            if state is not None and state[0] == RUNNING:
                notes.append((number, attempt, state[2], state[4]))
        numbers, attempts = [number for number, _ in rows], [attempt for _, attempt in rows]
        self._scheduler.release(worker.id, job.number, numbers, attempts)
        job.changed = True
        if notes:
            self._board.note_attempts(job.number, notes)
            self._attempts.back(worker.name, job.number, notes, "returned")

    # --- time limits ----------------------------------------------------------------------------

    def overdue(self, id_: int, number: int, task: int, attempt: int, *, patient: bool) -> None:
        """End an attempt that its worker should have ended by its time limit.

        Not while the worker cannot say what became of it, because it is away or (`patient`) because
        the server itself stood still; nor while it rests, and its tasks may stand still: then the
        attempt is looked at again later.
        """
        worker, job = self._roster.by_id.get(id_), self._board.jobs.get(number)
        if worker is None or job is None or job.cancelled:
            return
        if patient or worker.resting or not worker.ready:
            again = self._board.now + limits.DEADLINE_GRACE_SECONDS
            self._scheduler.start(id_, number, task, attempt, again)
            return
        timeout = job.options.timeout
        failure = Failure("timeout", f"ran longer than {timeout:g} s; its worker did not stop it")
        self._roster.stop(id_, number, [task], [attempt])
        self._fail(worker, job, task, attempt, timeout, failure)
