"""What records change of a job in the store's twin in memory.

Each function takes the job, if there is one, and a record of it. It appends to `undo` what takes
its change back, and raises StoreConflict, with nothing changed, if the record contradicts the job.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dc.errors import StoreConflict
from dc.messages_parts import Failure
from dc.portions import stored_size
from dc.records import (
    Attempts,
    JobCancelled,
    JobEnded,
    Leases,
    NewTasks,
    Outcomes,
    Retried,
)
from dc.store_memory_job import MemoryJob
from dc.store_memory_notes import drop_checkpoints
from dc.store_rows import NO_TRIES


def add_tasks(job: MemoryJob | None, record: NewTasks, undo: list[Callable[[], object]]) -> None:
    """Add the next tasks of an open job."""
    if not record.payloads:
        return
    if job is None or len(job.payloads) != record.first or job.ended:
        raise StoreConflict("the tasks do not follow the last one of an open job")
    undo.append(job.count(stored_size(record.payloads)))
    job.payloads.extend(record.payloads)
    undo.append(lambda: job.payloads.__delitem__(slice(record.first, None)))


def add_outcomes(
    job: MemoryJob | None,
    record: Outcomes,
    sequences: set[int],
    undo: list[Callable[[], object]],
) -> None:
    """Give tasks their outcomes; the record's sequence joins those that are used."""
    if not record.numbers:
        return
    if job is None or max(record.numbers) >= len(job.payloads):
        raise StoreConflict("the job has no such task")
    if record.sequence in sequences:
        raise StoreConflict(f"sequence {record.sequence} is there already")
    seen: set[int] = set()
    for number in record.numbers:
        if number in job.finished or number in seen:
            raise StoreConflict(f"task {number} of job {record.job} has its outcome already")
        seen.add(number)
    failed = {
        number
        for number, outcome in zip(record.numbers, record.outcomes, strict=True)
        if isinstance(outcome, Failure)
    }
    undo.append(job.count(stored_size(record.outcomes)))
    sequences.add(record.sequence)
    job.records.append(record)
    job.records.sort(key=lambda each: each.sequence)
    job.finished.update((n, (record, place)) for place, n in enumerate(record.numbers))
    job.failed |= failed
    leases, finished_at = dict(job.leases), job.finished_at
    for number in record.numbers:
        job.leases.pop(number, None)
    drop_checkpoints(job, record.numbers, undo)
    job.set_finished(record.at)

    def take_back() -> None:
        sequences.remove(record.sequence)
        job.records.remove(record)
        job.failed -= failed
        job.leases, job.finished_at = leases, finished_at
        for number in record.numbers:
            del job.finished[number]

    undo.append(take_back)


def add_attempts(job: MemoryJob | None, record: Attempts, undo: list[Callable[[], object]]) -> None:
    """Note what came of tries, and that the tasks are with nobody."""
    if not record.numbers:
        return
    if job is None or max(record.numbers) >= len(job.payloads):
        raise StoreConflict("the job has no such task")
    attempts, leases = dict(job.attempts), dict(job.leases)
    tries = zip(record.attempts, record.crashes, record.failures, strict=True)
    job.attempts.update(zip(record.numbers, tries, strict=True))
    for number in record.numbers:
        job.leases.pop(number, None)
    undo.append(lambda: job.take_back(attempts, leases))


def add_leases(job: MemoryJob | None, record: Leases, undo: list[Callable[[], object]]) -> None:
    """Note whose the attempts are."""
    if not record.numbers:
        return
    if job is None or max(record.numbers) >= len(job.payloads):
        raise StoreConflict("the job has no such task")
    attempts, leases = dict(job.attempts), dict(job.leases)
    for number, attempt in zip(record.numbers, record.attempts, strict=True):
        if number not in job.finished and job.cancelled_at is None:
            job.leases[number] = (attempt, record.worker)
        job.attempts[number] = (attempt, *job.attempts.get(number, NO_TRIES)[1:])
    undo.append(lambda: job.take_back(attempts, leases))


def retry(job: MemoryJob | None, record: Retried, undo: list[Callable[[], object]]) -> None:
    """Set the outcomes of failed tasks aside."""
    numbers = set(record.numbers)
    if not numbers:
        return
    whole = job is not None and len(numbers & job.failed) == len(record.numbers)
    if job is None or job.cancelled_at is not None or not whole:
        raise StoreConflict("the job has no such failed task")
    undo.append(job.retry(record))


def close(
    job: MemoryJob | None,
    record: JobEnded | JobCancelled,
    undo: list[Callable[[], object]],
) -> None:
    """End a job's submission, or cancel the job."""
    if isinstance(record, JobEnded):
        if job is None or record.count != len(job.payloads):
            raise StoreConflict("the job does not have so many tasks")
        undo.append(partial(job.reopen, job.ended, job.cancelled_at, job.finished_at, job.why))
        job.ended = True
        job.set_finished(record.at)
        return
    if job is None:
        raise StoreConflict("there is no such job")
    undo.append(partial(job.reopen, job.ended, job.cancelled_at, job.finished_at, job.why))
    undo.append(partial(job.take_back, job.attempts, job.leases))
    job.leases = {}
    drop_checkpoints(job, None, undo)
    if job.cancelled_at is None:
        job.cancelled_at = record.at
        job.why = record.why
    if job.finished_at is None:
        job.finished_at = record.at
