"""When the attempts that run began, and how those ended whose tasks are tried again.

The first is in memory alone, of what workers have reported as running. The second goes to disk when
a task goes back to the queue, which is rare, and is read when somebody looks at that task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from dc import limits_shown
from dc._core import RUNNING
from dc.messages_parts import Failure
from dc.records import AttemptEnd, AttemptEnds
from dc.server.board import Board


class Begun(Struct, frozen=True):
    """Since when, in Unix time, an attempt runs, and on which worker of the scheduler."""

    attempt: int
    worker: int
    at: float


class AttemptNotes:
    """Notes beginnings and ends of attempts.

    Args:
        board: where jobs and the scheduler are.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._begun: dict[int, dict[int, Begun]] = {}
        self._count = 0
        self._sweep_at = limits_shown.BEGUN_TASKS // 100
        self._sweeping: list[tuple[int, int]] = []  # what is still to be looked at of a sweep

    # --- beginnings -----------------------------------------------------------------------------

    def running(self, worker: int, job: int, number: int, attempt: int, elapsed: float) -> None:
        """Note that an attempt has been running for `elapsed` seconds."""
        if self._count >= limits_shown.BEGUN_TASKS:
            return
        mine = self._begun.setdefault(job, {})
        before = len(mine)
        mine[number] = Begun(attempt, worker, self._board.wall - elapsed)
        self._count += len(mine) - before

    def began(self, job: int, number: int) -> float | None:
        """Return when the attempt of a task that runs began, in Unix time, if that is known."""
        noted = self._begun.get(job, {}).get(number)
        return noted.at if noted is not None and self._is_current(job, number, noted) else None

    def all_running(self, job: int) -> Iterator[tuple[int, Begun]]:
        """Go through the tasks of a job that run, as far as that was reported."""
        for number, noted in self._begun.get(job, {}).items():
            if self._is_current(job, number, noted):
                yield number, noted

    def began_of(self, job: int, most: int = limits_shown.BEGUN_LOOKED) -> list[float]:
        """Return when the attempts of a job that run began, in Unix time.

        Args:
            job: whose.
            most: so many are looked at; of more, one stands for several.
        """
        mine = self._begun.get(job, {})
        each = -(-len(mine) // most)
        looked = islice(mine.items(), 0, None, each or None)
        found = [one.at for number, one in looked if self._is_current(job, number, one)]
        return found * each if each > 1 else found

    def _is_current(self, number: int, task: int, noted: Begun) -> bool:
        job = self._board.jobs.get(number)
        if job is None or not job.scheduled or job.cancelled:
            return False
        state = self._board.scheduler.state(number, task)
        if state is None or state[0] != RUNNING:
            return False
        return (state[1], state[3]) == (noted.attempt, noted.worker)

    def tick(self) -> None:
        """Forget what runs no more, once that may be half of what is known: some at each tick."""
        if self._count < self._sweep_at:
            return
        if not self._sweeping:
            self._sweeping = [(job, number) for job, mine in self._begun.items() for number in mine]
        some = self._sweeping[-limits_shown.BEGUN_SWEPT :]
        del self._sweeping[-limits_shown.BEGUN_SWEPT :]
        for job, number in some:
            mine = self._begun.get(job, {})
            noted = mine.get(number)
            if noted is not None and not self._is_current(job, number, noted):
                del mine[number]
                self._count -= 1
                if not mine:
                    del self._begun[job]
        if not self._sweeping:
            most = min(2 * self._count, limits_shown.BEGUN_TASKS)
            self._sweep_at = max(limits_shown.BEGUN_TASKS // 100, most)

    # --- ends -----------------------------------------------------------------------------------

    def failed(
        self, worker: str, job: int, number: int, attempt: int, seconds: float, failure: Failure
    ) -> None:
        """Write down that an attempt has failed after so many seconds, and is tried again."""
        now = self._board.wall
        self.write(job, [failed_end(worker, number, attempt, now, seconds, failure)])

    def back(self, worker: str, job: int, rows: Iterable[Sequence[int]], end: str) -> None:
        """Write down that attempts have come back from a worker: they were `lost` or `returned`.

        Args:
            worker: its name.
            job: their job.
            rows: number and attempt of each, and whatever follows.
            end: which of the two.
        """
        begun, now = self._begun.get(job, {}), self._board.wall
        ends = []
        for number, attempt, *_ in rows:
            noted = begun.get(number)
            began = noted.at if noted is not None and noted.attempt == attempt else None
            ends.append(AttemptEnd(number, attempt, worker, end, now, began))
        self.write(job, ends)

    def write(self, job: int, ends: list[AttemptEnd]) -> None:
        """Write down how attempts ended."""
        if ends:
            self._board.write(AttemptEnds(job, ends), lambda: None)

    def validate(self) -> None:
        """Check that what is in memory is counted."""
        assert self._count == sum(map(len, self._begun.values())), "begun attempts are miscounted"
        assert self._count <= limits_shown.BEGUN_TASKS, "too many begun attempts are kept"


def failed_end(
    worker: str, number: int, attempt: int, at: float, seconds: float, failure: Failure
) -> AttemptEnd:
    """Return how an attempt ended that failed at a Unix time, after so many seconds."""
    error = failure.error[: limits_shown.ATTEMPT_ERROR_CHARS]
    traceback = failure.traceback[-limits_shown.ATTEMPT_TRACEBACK_CHARS :]
    began = at - seconds
    return AttemptEnd(number, attempt, worker, failure.kind, at, began, seconds, error, traceback)
