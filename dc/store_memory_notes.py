"""Outputs, checkpoints, ends of attempts and figures in the store's twin in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dc import limits_shown
from dc.records import (
    AttemptEnd,
    AttemptEnds,
    JobFigures,
    TaskCheckpoint,
    TaskOutput,
    output_size,
)
from dc.store_memory_job import MemoryJob


def add_note(
    job: MemoryJob | None,
    record: TaskOutput | TaskCheckpoint | AttemptEnds | JobFigures,
    undo: list[Callable[[], object]],
) -> None:
    """Take in what is known of a task or a job beside; what is too late is passed over."""
    if isinstance(record, AttemptEnds | JobFigures):
        if job is not None:
            _add_shown(job, record, undo)
        return
    if job is None or record.number >= len(job.payloads):
        return
    if isinstance(record, TaskOutput):
        undo.append(partial(setattr, job, "outputs", dict(job.outputs)))
        undo.append(partial(setattr, job, "wholes", set(job.wholes)))
        undo.append(job.count(output_size(record)))
        job.outputs[record.number] = record
        job.wholes |= {record.whole.digest} if record.whole is not None else set()
    elif record.number not in job.finished and job.cancelled_at is None:
        undo.append(partial(setattr, job, "checkpoints", dict(job.checkpoints)))
        job.checkpoints[record.number] = record


def _add_shown(
    job: MemoryJob, record: AttemptEnds | JobFigures, undo: list[Callable[[], object]]
) -> None:
    if isinstance(record, JobFigures):
        undo.append(partial(setattr, job, "figures", job.figures))
        job.figures = record
        return
    undo.append(partial(setattr, job, "attempt_ends", job.attempt_ends))
    if len(job.attempt_ends) >= limits_shown.JOB_ATTEMPT_ENDS:
        return
    kept = dict(job.attempt_ends)
    for end in record.ends:
        for number, attempt in list(kept):
            old = attempt == end.attempt or attempt <= end.attempt - limits_shown.ATTEMPT_ENDS
            if number == end.number and old:
                del kept[number, attempt]
    for end in record.ends:
        kept.setdefault((end.number, end.attempt), end)
    job.attempt_ends = kept


def ends_from(job: MemoryJob | None, first: int, limit: int) -> list[AttemptEnd]:
    """Return ends of attempts of the tasks from a number on, in their order."""
    ends = job.attempt_ends if job is not None else {}
    return [end for key, end in sorted(ends.items()) if key[0] >= first][:limit]


def drop_checkpoints(
    job: MemoryJob, numbers: list[int] | None, undo: list[Callable[[], object]]
) -> None:
    """Forget the checkpoints of tasks, or of all of the job."""
    undo.append(partial(setattr, job, "checkpoints", dict(job.checkpoints)))
    for number in list(job.checkpoints) if numbers is None else numbers:
        job.checkpoints.pop(number, None)
