"""The workers' side of the reactor: who is here, what each holds, and what each reports."""

from __future__ import annotations

import math
from collections import defaultdict

from msgspec import Struct

from dc import limits
from dc._core import FAILED, RETRY, RUNNING
from dc.errors import DuplicateName, ProtocolError
from dc.messages import (
    About,
    Assign,
    Done,
    Failed,
    Failure,
    Goodbye,
    Heartbeat,
    Held,
    Message,
    Payload,
    Recorded,
    Returned,
    Running,
    Stop,
    check_columns,
)
from dc.portions import portions
from dc.server.board import Board
from dc.server.events import LoadPayloads
from dc.server.jobs import Job


class Worker(Struct):
    """A connected worker; `id` is the scheduler's."""

    peer: int
    id: int
    about: About
    address: str
    since: float
    done: int = 0
    failed: int = 0
    recorded: int = 0
    ready: bool = False


class WorkerSide:
    """Keeps the workers, gives them tasks, takes their reports."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._scheduler = board.scheduler
        self.by_peer: dict[int, Worker] = {}
        self.by_name: dict[str, Worker] = {}
        self._by_id: dict[int, Worker] = {}

    # --- coming and going -----------------------------------------------------------------------

    def join(self, peer: int, address: str, about: About) -> int | None:
        """Take a worker in; return the peer that it replaces, if it was here before.

        It gets no task before it has said what it holds, or it would get back its own tasks as
        new attempts.

        Raises:
            DuplicateName: another worker has this name.
        """
        old = self.by_name.get(about.name)
        if old is not None and old.about.key != about.key:
            text = (
                f"a worker named {about.name} is connected from {old.address}: choose another name"
            )
            raise DuplicateName(text)
        if old is not None:
            self.leave(old.peer, blame=False)
        group = self._board.matching.group_of(about)
        worker = Worker(
            peer, self._scheduler.add_worker(group, 0), about, address, self._board.wall
        )
        self._board.matching.joined(worker.id, about)
        self.by_peer[peer] = self.by_name[about.name] = self._by_id[worker.id] = worker
        return old.peer if old is not None else None

    def leave(self, peer: int, *, blame: bool) -> None:
        """Give a worker's tasks to others; with blame, each counts a crash."""
        worker = self.by_peer.pop(peer)
        del self.by_name[worker.about.name], self._by_id[worker.id]
        self._board.matching.left(worker.id)
        held = self._scheduler.held(worker.id)
        poisoned = self._scheduler.remove_worker(worker.id, blame)
        for job, number, attempt in poisoned:
            text = f"its worker was lost or its executor crashed {limits.CRASH_LIMIT} times"
            self._record_failure(worker, job, number, attempt, 0.0, Failure("crashed", text))
        if blame:
            self._note(held)

    def _note(self, held: list[tuple[int, int, int]]) -> None:
        tries: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for job, number, attempt in held:
            state = self._scheduler.state(job, number)
            if state is not None:
                tries[job].append((number, attempt, state[2]))
        for job, rows in tries.items():
            self._board.note_attempts(job, rows)

    # --- giving tasks ---------------------------------------------------------------------------

    def assign(self) -> None:
        """Give queued tasks to workers that have room, until one of the two runs out."""
        while (given := self._scheduler.assign()) is not None:
            worker = self._by_id[given[0]]
            for number, numbers, attempts in given[1]:
                job = self._board.jobs[number]
                job.changed = True
                payloads, missing = job.take(numbers)
                self._board.heads.assigned(job)
                if missing:
                    self._load(worker, number, numbers, attempts, missing)
                    for at in reversed(missing):
                        del numbers[at], attempts[at], payloads[at]
                if numbers:
                    self._send_tasks(worker, job, numbers, attempts, payloads)

    def _load(
        self, worker: Worker, job: int, numbers: list[int], attempts: list[int], missing: list[int]
    ) -> None:
        rows = [numbers[at] for at in missing], [attempts[at] for at in missing]
        self._board.out.append(LoadPayloads(worker.peer, job, *rows))

    def loaded(
        self,
        peer: int,
        number: int,
        numbers: list[int],
        attempts: list[int],
        payloads: list[Payload],
    ) -> None:
        """Send tasks whose payloads came from the store, if they are still the worker's."""
        worker = self.by_peer.get(peer)
        job = self._board.jobs.get(number)
        if worker is None or job is None or not job.scheduled:
            return
        mine = [
            at
            for at, (task, attempt) in enumerate(zip(numbers, attempts, strict=True))
            if self._holds(worker, number, task, attempt)
        ]
        if mine:
            self._send_tasks(
                worker,
                job,
                [numbers[at] for at in mine],
                [attempts[at] for at in mine],
                [payloads[at] for at in mine],
            )

    def _holds(self, worker: Worker, job: int, number: int, attempt: int) -> bool:
        state = self._scheduler.state(job, number)
        return state is not None and state[1] == attempt and state[3] == worker.id

    def _send_tasks(
        self,
        worker: Worker,
        job: Job,
        numbers: list[int],
        attempts: list[int],
        payloads: list[Payload],
    ) -> None:
        row = job.row
        start = 0
        sizes = (len(p) if isinstance(p, bytes) else 64 for p in payloads)
        for stop, size in portions(sizes):
            message = Assign(
                job.number,
                row.type,
                row.version,
                row.options.timeout,
                numbers[start:stop],
                attempts[start:stop],
                payloads[start:stop],
            )
            self._board.send(worker.peer, message, size)
            start = stop

    def stop(self, id_: int, job: int, numbers: list[int], attempts: list[int]) -> None:
        """Tell a worker that attempts are no longer its own."""
        if (worker := self._by_id.get(id_)) is not None:
            for start in range(0, len(numbers), limits.BATCH_TASKS):
                part = slice(start, start + limits.BATCH_TASKS)
                self._board.send(worker.peer, Stop(job, numbers[part], attempts[part]))

    # --- reports --------------------------------------------------------------------------------

    def received(self, worker: Worker, message: Message) -> None:
        """Take one message of a worker.

        Raises:
            ProtocolError: the message is not one that a worker sends.
        """
        if not worker.ready and not isinstance(message, Held):
            worker.ready = True
            self._scheduler.set_slots(worker.id, worker.about.slots)
        match message:
            case Done():
                self._on_done(worker, message)
            case Running():
                self._on_running(worker, message)
            case Failed():
                self._on_failed(worker, message)
            case Returned():
                self._on_returned(worker, message)
            case Held():
                self._on_held(worker, message)
            case Goodbye():
                self.leave(worker.peer, blame=False)
            case Heartbeat():
                pass
            case _:
                raise ProtocolError(f"a worker does not send {type(message).__name__}")

    def _acknowledge(self, worker: Worker, sequence: int) -> None:
        self._board.after_writes(lambda: self._recorded(worker, sequence))

    def _recorded(self, worker: Worker, sequence: int) -> None:
        worker.recorded = sequence
        if self.by_peer.get(worker.peer) is worker:
            self._board.send(worker.peer, Recorded(sequence))

    def _on_done(self, worker: Worker, message: Done) -> None:
        check_columns(message)
        numbers, attempts = message.numbers, message.attempts
        times, results = message.times, message.results
        job = self._board.jobs.get(message.job)
        if job is None or not job.scheduled or job.cancelled or not numbers:
            self._acknowledge(worker, message.sequence)
            return
        rejected, taken_over = self._scheduler.finish(worker.id, job.number, numbers, attempts)
        for id_, number, attempt in taken_over:
            self.stop(id_, job.number, [number], [attempt])
        if rejected:
            kept = sorted(set(range(len(numbers))).difference(rejected))
            numbers, attempts = [numbers[at] for at in kept], [attempts[at] for at in kept]
            times, results = [times[at] for at in kept], [results[at] for at in kept]
        if not numbers:
            self._acknowledge(worker, message.sequence)
            return
        worker.done += len(numbers)
        self._scheduler.set_cost(job.number, job.learn(times))
        self._board.record(
            job,
            worker.about.name,
            numbers,
            attempts,
            times,
            list(results),
            lambda: self._recorded(worker, message.sequence),
        )

    def _on_running(self, worker: Worker, message: Running) -> None:
        check_columns(message)
        job = self._board.jobs.get(message.job)
        if job is None or not job.scheduled:
            return
        timeout = job.options.timeout
        for number, attempt, elapsed in zip(
            message.numbers, message.attempts, message.elapsed, strict=True
        ):
            left = max(0.0, timeout - elapsed) + limits.DEADLINE_GRACE_SECONDS
            deadline = self._board.now + left if timeout else math.inf
            self._scheduler.start(worker.id, job.number, number, attempt, deadline)
        job.changed = True

    def _on_failed(self, worker: Worker, message: Failed) -> None:
        job = self._board.jobs.get(message.job)
        if job is not None and job.scheduled:
            self.fail(worker, job, message.number, message.attempt, message.time, message.failure)
        self._acknowledge(worker, message.sequence)

    def fail(
        self,
        worker: Worker,
        job: Job,
        number: int,
        attempt: int,
        time: float,
        failure: Failure,
    ) -> None:
        """Decide what becomes of a failed attempt: another try, or a recorded failure."""
        if not self._holds(worker, job.number, number, attempt):
            return
        worker.failed += 1
        verdict = FAILED
        if failure.kind == "crashed":
            verdict = self._scheduler.crash(worker.id, job.number, number, attempt)
        elif failure.kind == "payload":
            self._scheduler.cancel(job.number, number)
        else:
            at = self._board.now + retry_pause(attempt)
            verdict = self._scheduler.fail(worker.id, job.number, number, attempt, at)
        job.changed = True
        if verdict == FAILED:
            self._record_failure(worker, job.number, number, attempt, time, failure)
        elif verdict == RETRY:
            state = self._scheduler.state(job.number, number)
            self._board.note_attempts(job.number, [(number, attempt, state[2] if state else 0)])

    def _record_failure(
        self, worker: Worker, number: int, task: int, attempt: int, time: float, failure: Failure
    ) -> None:
        job = self._board.jobs[number]
        self._board.record(
            job, worker.about.name, [task], [attempt], [time], [failure], lambda: None
        )

    def _on_returned(self, worker: Worker, message: Returned) -> None:
        check_columns(message)
        job = self._board.jobs.get(message.job)
        if job is not None and job.scheduled:
            self._scheduler.release(worker.id, job.number, message.numbers, message.attempts)
            job.changed = True
        self._acknowledge(worker, message.sequence)

    def _on_held(self, worker: Worker, message: Held) -> None:
        check_columns(message)
        numbers, attempts = self._not_its_own(
            worker, message.job, message.numbers, message.attempts
        )
        if numbers:
            self.stop(worker.id, message.job, numbers, attempts)

    def _not_its_own(
        self, worker: Worker, number: int, numbers: list[int], attempts: list[int]
    ) -> tuple[list[int], list[int]]:
        job = self._board.jobs.get(number)
        if job is None or not job.scheduled:
            return numbers, attempts
        pairs = [
            (task, attempt)
            for task, attempt in zip(numbers, attempts, strict=True)
            if not self._holds(worker, number, task, attempt)
            and not self._scheduler.adopt(worker.id, number, task, attempt)
        ]
        self._note_kept(number, set(numbers) - {task for task, _ in pairs})
        return [task for task, _ in pairs], [attempt for _, attempt in pairs]

    def _note_kept(self, number: int, tasks: set[int]) -> None:
        """Write down that a worker is back with these tasks: its loss no longer counts."""
        states = [(task, self._scheduler.state(number, task)) for task in sorted(tasks)]
        rows = [(task, state[1], state[2]) for task, state in states if state is not None]
        if rows:
            self._board.note_attempts(number, rows)

    def overdue(self, id_: int, number: int, task: int, attempt: int) -> None:
        """End an attempt that its worker should have ended by its time limit."""
        worker, job = self._by_id.get(id_), self._board.jobs.get(number)
        if worker is None or job is None:
            return
        timeout = job.options.timeout
        failure = Failure("timeout", f"ran longer than {timeout:g} s; its worker did not stop it")
        self.stop(id_, number, [task], [attempt])
        self.fail(worker, job, task, attempt, timeout, failure)

    # --- looking --------------------------------------------------------------------------------

    def tasks_of(self, worker: Worker, limit: int) -> list[tuple[int, int, int, bool]]:
        """Return up to `limit` of (job, number, attempt, reported as running) that it holds."""
        rows = []
        for job, number, attempt in self._scheduler.held(worker.id)[:limit]:
            state = self._scheduler.state(job, number)
            rows.append((job, number, attempt, state is not None and state[0] == RUNNING))
        return rows

    def name_of(self, id_: int) -> str:
        """Return the name of a worker of the scheduler."""
        worker = self._by_id.get(id_)
        return worker.about.name if worker is not None else ""


def retry_pause(attempt: int) -> float:
    """Return the seconds before the next try of a task whose attempt has failed."""
    return min(limits.RETRY_SECONDS * 2.0 ** min(attempt - 1, 30), limits.RETRY_SECONDS_MOST)
