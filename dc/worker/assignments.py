"""The part of the worker's reactor that takes attempts in, and stops them."""

from __future__ import annotations

from itertools import groupby
from typing import Any, TypeAlias

from dc._columns import weigh
from dc.messages_parts import Blob, Failure
from dc.messages_worker import Assign, Stop
from dc.worker.board import Board
from dc.worker.executors import Executors
from dc.worker.fetching import Waiting
from dc.worker.identity import Identity
from dc.worker.tasks import Chunk, Job

Columns: TypeAlias = tuple[list[int], list[int], list[Any]]
"""Attempts: numbers of tasks, numbers of attempts, payloads."""


class Assignments:
    """What the server gives and takes back.

    Args:
        board: what the parts of the reactor share.
        executors: what runs.
        identity: of the worker: what it has code of itself.
    """

    def __init__(self, board: Board, executors: Executors, identity: Identity) -> None:
        self._board = board
        self._executors = executors
        self._identity = identity
        board.plugins.takes = identity.takes_plugins
        self._order = 0
        self._unwanted: dict[int, tuple[Job, dict[int, int]]] = {}  # the attempts of each job

    def assign(self, message: Assign, *, leaving: bool, draining: bool = False) -> None:
        """Take attempts in, unless the worker is `leaving`: then they go back when it is gone.

        To return them now would only bring them again, as often as messages can go back and forth.
        Not to one that is `draining`, or rests: the server knows, or will at once, that it takes
        nothing.
        """
        if leaving or draining:
            self._refuse(message, now=not leaving)
            return
        job = self._board.job(message.job, message.type, message.version, message.timeout)
        job.confine(message.limits, message.environment)
        job.plugin = None if self._identity.owns(message.type, message.version) else message.plugin
        job.keep_output = message.keep_output
        job.traceparent, job.traced = message.traceparent, message.traced
        columns = self._to_take(job, (message.numbers, message.attempts, message.payloads))
        job.held.update(zip(columns[0], columns[1], strict=True))
        if variable := self._identity.refused(message.environment):
            self._fail(job, columns, variable)
            return
        if message.inputs and columns[0]:
            self._board.use_inputs(job, message.inputs)
        if message.checkpoints or job.checkpoints:
            columns = _pick(columns, self._take_checkpoints(job, message, *columns))
        self._take_payloads(job, columns, message.resources)

    def _fail(self, job: Job, columns: Columns, variable: str) -> None:
        """Fail attempts that are to run with a variable with which nothing runs here."""
        text = f"this worker was started with --trust, and runs nothing with {variable} set"
        failure = Failure("error", f"{text}: by that, code is loaded that nobody has signed")
        numbers, attempts, _ = columns
        for row in zip(numbers, attempts, strict=True):
            self._board.add_failure(job, *row, 0.0, failure)

    def _to_take(self, job: Job, columns: Columns) -> Columns:
        """Return the attempts that are news, and of which no executor is just being stopped."""
        numbers, attempts, _ = columns
        if len(set(numbers)) < len(numbers) or not job.held.keys().isdisjoint(numbers):
            columns = _pick(columns, self._replace(job, numbers, attempts))
        if self._board.reports.has_returns:
            columns = _pick(columns, self._return_again(job, columns[0], columns[1]))
        if stopped := self._executors.stopped(job):
            pairs = list(zip(columns[0], columns[1], strict=True))
            if not stopped.isdisjoint(pairs):
                columns = _pick(columns, self._return_stopped(job, pairs, stopped))
        return columns

    def _take_payloads(self, job: Job, columns: Columns, resources: dict[str, float]) -> None:
        """Queue attempts whose payloads are here, and have the others fetched."""
        numbers, attempts, payloads = columns
        weight = weigh(payloads)
        if payloads and not (weight.others or job.inputs):
            chunk = Chunk(
                job, self._order, list(numbers), list(attempts), list(payloads), weight.bytes
            )
            chunk.resources = resources
            self._queue(chunk)
            return
        start = 0
        for kind, group in groupby(payloads, type):
            count = sum(1 for _ in group)
            part = slice(start, start + count)
            chunk = Chunk(job, self._order, numbers[part], attempts[part], payloads[part], 0)
            chunk.resources = resources
            self._take_in(kind, chunk)
            start += count

    def _take_checkpoints(
        self,
        job: Job,
        message: Assign,
        numbers: list[int],
        attempts: list[int],
        payloads: list[bytes | Blob],
    ) -> list[int]:
        """Note what attempts are to begin with; return the places of those that may run."""
        rest = []
        for at, number in enumerate(numbers):
            saved = message.checkpoints.get(number)
            before = job.checkpoints.pop(number, None)
            if before is not None:
                self._board.release(job, [before])
            if isinstance(saved, Blob):
                row = number, attempts[at], payloads[at]
                self._admit(job, *row, message.resources, saved)
                continue
            if saved is not None:
                job.checkpoints[number] = saved
            rest.append(at)
        return rest

    def _refuse(self, message: Assign, *, now: bool) -> None:
        """Hand back what was assigned, now or later; what it replaces is let go all the same."""
        job = self._board.job(message.job, message.type, message.version, message.timeout)
        fresh = self._replace(job, message.numbers, message.attempts)
        numbers = [message.numbers[at] for at in fresh]
        attempts = [message.attempts[at] for at in fresh]
        if now:
            self._board.reports.add_returned(job, numbers, attempts)
        else:
            _, unwanted = self._unwanted.setdefault(job.number, (job, {}))
            unwanted.update(zip(numbers, attempts, strict=True))

    def _return_stopped(
        self, job: Job, pairs: list[tuple[int, int]], stopped: set[tuple[int, int]]
    ) -> list[int]:
        """Hand back attempts that an executor is just being stopped for; return the other places.

        A server that has forgotten an attempt may give it out once more, number and all. Nobody
        could tell the two apart; it will come again with a number of its own.
        """
        back = [pair for pair in pairs if pair in stopped]
        numbers, attempts = [number for number, _ in back], [attempt for _, attempt in back]
        self._board.reports.add_returned(job, numbers, attempts)
        return [at for at, pair in enumerate(pairs) if pair not in stopped]

    def _replace(self, job: Job, numbers: list[int], attempts: list[int]) -> list[int]:
        """Let go of attempts that are replaced; return the positions of the ones to take."""
        fresh: dict[int, int] = {}
        again: list[tuple[int, int]] = []
        replaced = False
        for at, (number, attempt) in enumerate(zip(numbers, attempts, strict=True)):
            known = attempts[fresh[number]] if number in fresh else job.held.get(number, -1)
            if attempt > known:
                fresh[number] = at
                replaced = job.held.pop(number, None) is not None or replaced
            elif attempt == known and number not in fresh:
                again.append((number, attempt))
        if replaced:
            self._bury(job)
        if again:
            self._return_reported(job, again)
        return sorted(fresh.values())

    def _return_again(self, job: Job, numbers: list[int], attempts: list[int]) -> list[int]:
        """Hand back attempts that are on their way back already; return the other places."""
        pairs = list(zip(numbers, attempts, strict=True))
        gone = self._board.reports.reported(job.number)
        self._return_reported(job, pairs)
        return [at for at, pair in enumerate(pairs) if pair not in gone]

    def _return_reported(self, job: Job, pairs: list[tuple[int, int]]) -> None:
        """Hand back attempts that were reported already.

        A server that was killed may have forgotten them and give them out once more, number and
        all. If it takes the report, it ignores this; if not, it gives the task another number.
        """
        reported = self._board.reports.reported(job.number)
        back = [pair for pair in pairs if pair in reported]
        numbers, attempts = [number for number, _ in back], [attempt for _, attempt in back]
        self._board.reports.add_returned(job, numbers, attempts)

    def _queue(self, chunk: Chunk) -> None:
        """Queue attempts whose payloads are here; the chunk becomes the queue's."""
        self._order += len(chunk.numbers)
        self._board.enqueue(chunk)

    def _take_in(self, kind: type[bytes | Blob], chunk: Chunk) -> None:
        """Put attempts whose payloads are of one kind where they belong."""
        payloads: list[Any] = chunk.payloads
        if kind is bytes:
            chunk.size = weigh(payloads).bytes
            self._order += len(chunk.numbers)
            self._board.admit(Waiting(chunk))
            return
        for row in zip(chunk.numbers, chunk.attempts, payloads, strict=True):
            self._admit(chunk.job, *row, chunk.resources)

    def _admit(
        self,
        job: Job,
        number: int,
        attempt: int,
        payload: bytes | Blob,
        resources: dict[str, float],
        checkpoint: Blob | None = None,
    ) -> None:
        """Take in an attempt that has blobs of its own."""
        here = payload if isinstance(payload, bytes) else b""
        chunk = Chunk(job, self._order, [number], [attempt], [here], len(here))
        chunk.resources = resources
        self._order += 1
        coming = payload if isinstance(payload, Blob) else None
        self._board.admit(Waiting(chunk, coming, checkpoint))

    def return_unwanted(self) -> None:
        """Hand back what came while the worker was leaving; its Goodbye does the same."""
        for job, attempts in self._unwanted.values():
            self._board.reports.add_returned(job, list(attempts), list(attempts.values()))

    def let_go(self) -> None:
        """Forget what came while the worker was leaving: it was another server's."""
        self._unwanted.clear()

    def stop(self, message: Stop) -> None:
        """Stop attempts that are the worker's no more."""
        _, unwanted = self._unwanted.get(message.job, (None, {}))
        for number, attempt in zip(message.numbers, message.attempts, strict=True):
            if unwanted.get(number) == attempt:
                del unwanted[number]
        job = self._board.jobs.get(message.job)
        if job is None:
            return
        # What was reported stays until it is recorded: nothing of it runs any more.
        reported = self._board.reports.reported(job.number)
        rows = zip(message.numbers, message.attempts, strict=True)
        stopped = [row for row in rows if row not in reported]
        before = len(job.held)
        job.forget([number for number, _ in stopped], [attempt for _, attempt in stopped])
        if len(job.held) < before:
            self._bury(job)

    def _bury(self, job: Job) -> None:
        """Take attempts of a job that are not held any more out of where they are."""
        board = self._board
        files = [*board.queue.drop_dead(job), *board.plugins.drop_dead(job)]
        board.release(job, files)
        board.fetching.bury(job)
        for put in [one for one in board.puts if one.job is job and not one.is_live]:
            board.drop_put(put)
        self._executors.bury(job)
        board.drop_checkpoints(job)
        board.drop_inputs(job)


def _pick(columns: Columns, places: list[int]) -> Columns:
    """Return the attempts at these places only."""
    numbers, attempts, payloads = columns
    return (
        [numbers[at] for at in places],
        [attempts[at] for at in places],
        [payloads[at] for at in places],
    )
