"""Outputs and checkpoints in the store's twin in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dc.records import TaskCheckpoint, TaskOutput, output_size
from dc.store_memory_job import MemoryJob


def add_note(
    job: MemoryJob | None, record: TaskOutput | TaskCheckpoint, undo: list[Callable[[], object]]
) -> None:
    """Take in what a task tells of itself; what is too late is passed over."""
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


def drop_checkpoints(
    job: MemoryJob, numbers: list[int] | None, undo: list[Callable[[], object]]
) -> None:
    """Forget the checkpoints of tasks, or of all of the job."""
    undo.append(partial(setattr, job, "checkpoints", dict(job.checkpoints)))
    for number in list(job.checkpoints) if numbers is None else numbers:
        job.checkpoints.pop(number, None)
