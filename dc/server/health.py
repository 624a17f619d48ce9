"""Which workers are sick: tasks fail on them that succeed elsewhere.

Theory of operation
-------------------
A failed task says little: the task may be bad, or the worker. So a worker is judged only by tasks
that failed on it and then succeeded on another one. For each worker the tasks are remembered that
failed on it since its last success: as long as it is not known how they end they are `open`, those
that succeed elsewhere are `proven`. A worker with enough of both is *sick*: it gets nothing. After
a pause it is on *trial*, with one slot: a success makes it well, a failure makes it sick again, for
twice as long.

What is judged is a process of a worker: one that was started again may have been mended.

A task that fails in the end speaks for nobody and against nobody, and leaves what is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from dc import limits

Process: TypeAlias = tuple[str, str]
"""A worker's key and run."""

WELL, SICK, TRIAL = "well", "sick", "trial"

ERROR_CHARS = 200
"""Of the last error, in the reason that is shown."""


class Record(Struct, eq=False):
    """What is held against a worker; `until` is when a sick one is tried again."""

    state: str = WELL
    tasks: int = 0
    proven: int = 0
    open: set[tuple[int, int]] = set()
    times: int = 0
    until: float = 0.0
    error: str = ""
    reason: str = ""


class Health:
    """Judges workers, named by key and run."""

    def __init__(self) -> None:
        self._records: dict[Process, Record] = {}
        self._open: dict[int, dict[int, set[Process]]] = {}

    # --- what happens ---------------------------------------------------------------------------

    def failed(self, key: Process, job: int, number: int, error: str, now: float) -> bool:
        """Take a failed attempt; return whether the worker is sick from now on."""
        record = self._record(key)
        record.error = error[:ERROR_CHARS]
        if record.state == TRIAL:
            self._set_aside(key, record, now)
            return True
        known = (job, number) in record.open or len(record.open) >= limits.SICK_OPEN_TASKS
        if record.state == SICK or known:
            return False
        record.tasks += 1
        record.open.add((job, number))
        self._open.setdefault(job, {}).setdefault(number, set()).add(key)
        return self._judge(key, record, now)

    def well(self, key: Process) -> bool:
        """Take a success of a worker: nothing is held against it; return whether it was sick."""
        record = self._records.pop(key, None)
        if record is None:
            return False
        self._close(key, record)
        return record.state != WELL

    def succeeded(
        self, key: Process, job: int, numbers: Sequence[int], now: float
    ) -> list[Process]:
        """Take tasks that succeeded on a worker; return the others that are sick from now on."""
        wanted = self._open.get(job)
        if wanted is None:
            return []
        sick = []
        for number in [number for number in numbers if number in wanted]:
            if number not in wanted:
                continue  # it was open for a worker alone that is sick by now
            for other in self._end(job, number):
                record = self._records[other]
                record.proven += other != key
                if self._judge(other, record, now):
                    sick.append(other)
        return sick

    def failed_for_good(self, job: int, number: int) -> None:
        """Take a task that has failed in the end."""
        if number in self._open.get(job, ()):
            self._end(job, number)

    def job_gone(self, job: int) -> None:
        """Forget a job's tasks: it has finished, or was cancelled."""
        for number in list(self._open.get(job, ())):
            self._end(job, number)

    def due(self, now: float) -> list[Process]:
        """Put sick workers on trial whose pause is over; return them."""
        due = [k for k, r in self._records.items() if r.state == SICK and r.until <= now]
        for key in due:
            self._records[key].state = TRIAL
        return due

    # --- what follows from it -------------------------------------------------------------------

    def slots(self, key: Process, slots: int) -> int:
        """Return how many of its slots a worker is to use."""
        state = self.state(key)
        if state == SICK:
            return 0
        return min(slots, 1) if state == TRIAL else slots

    def state(self, key: Process) -> str:
        """Return `well`, `sick` or `trial`."""
        record = self._records.get(key)
        return record.state if record is not None else WELL

    def reason(self, key: Process) -> str:
        """Return why a worker is sick or on trial; nothing if it is well."""
        record = self._records.get(key)
        return record.reason if record is not None and record.state != WELL else ""

    def until(self, key: Process) -> float:
        """Return when a sick worker is tried again."""
        record = self._records.get(key)
        return record.until if record is not None else 0.0

    def unwell(self) -> list[Process]:
        """Return those that are sick or on trial."""
        return [key for key, record in self._records.items() if record.state != WELL]

    def count(self) -> int:
        """Return how many workers are sick or on trial."""
        return sum(record.state != WELL for record in self._records.values())

    # --- inside ---------------------------------------------------------------------------------

    def _record(self, key: Process) -> Record:
        while key not in self._records and len(self._records) >= limits.SICK_WORKERS:
            self.well(next(iter(self._records)))
        return self._records.setdefault(key, Record())

    def _judge(self, key: Process, record: Record, now: float) -> bool:
        enough = record.tasks >= limits.SICK_TASKS and record.proven >= limits.SICK_PROOFS
        if record.state != WELL or not enough:
            return False
        record.reason = (
            f"{record.tasks} different tasks failed on it one after the other, and "
            f"{record.proven} of them then succeeded on other workers; the last error: "
            f"{record.error}"
        )
        self._set_aside(key, record, now)
        return True

    def _set_aside(self, key: Process, record: Record, now: float) -> None:
        pause = limits.SICK_SECONDS * 2.0 ** min(record.times, 30)
        record.state = SICK
        record.until = now + min(pause, limits.SICK_SECONDS_MOST)
        record.times += 1
        self._close(key, record)

    def _close(self, key: Process, record: Record) -> None:
        """Wait no longer for the ends of the tasks that failed on a worker."""
        for job, number in record.open:
            keys = self._open[job][number]
            keys.discard(key)
            if not keys:
                self._forget(job, number)
        record.open = set()

    def _end(self, job: int, number: int) -> set[Process]:
        """Close a task for all workers on which it failed; return them."""
        keys = self._open[job][number]
        for key in keys:
            self._records[key].open.discard((job, number))
        self._forget(job, number)
        return keys

    def _forget(self, job: int, number: int) -> None:
        del self._open[job][number]
        if not self._open[job]:
            del self._open[job]

    def validate(self) -> None:
        """Check that both sides know of the same open tasks."""
        mine = {(key, task) for key, record in self._records.items() for task in record.open}
        theirs = {
            (key, (job, number))
            for job, numbers in self._open.items()
            for number, keys in numbers.items()
            for key in keys
        }
        assert mine == theirs, "the open tasks of workers and jobs differ"
