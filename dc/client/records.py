"""What the client hands to its user: finished tasks and states of jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from dc.client.session import FINAL_STATES
from dc.errors import TaskFailed
from dc.messages_client import Status


class Finished(Struct, frozen=True):
    """A finished task.

    Attributes:
        number: within its job, from 0.
        result: what it returned, large bytes as a handle; None if it failed.
        error: why it failed; None if it did not.
        attempt: the attempt that this is the outcome of, from 1.
        worker: the name of the worker it ran on.
        finished_at: when the server recorded it, in UTC.
        time: how long it ran, in seconds.
    """

    number: int
    result: Any
    error: TaskFailed | None
    attempt: int
    worker: str
    finished_at: datetime
    time: float

    @property
    def failed(self) -> bool:
        """Whether the task failed."""
        return self.error is not None


class JobStatus(Struct, frozen=True):
    """A job's state, and its tasks by theirs.

    Attributes:
        job: its number.
        type: the name of its task type.
        version: of its task type.
        state: `open` (more tasks may come), `waiting` (for another job or a time), `paused`,
            `queued`, `running`, `done`, `failed`, `cancelled`.
        total: tasks so far; final unless the state is `open`.
        queued: tasks that wait for a worker.
        assigned: tasks that are with a worker and have not been running for long.
        running: tasks that a worker reported as running.
        done: tasks with a result.
        failed: tasks that failed on every try they had.
        cancelled: tasks that will not be run because the job was cancelled.
        note: why nothing runs or is recorded, in a sentence, where the server knows it.
    """

    job: int
    type: str
    version: str
    state: str
    total: int
    queued: int
    assigned: int
    running: int
    done: int
    failed: int
    cancelled: int
    note: str

    @property
    def finished(self) -> bool:
        """Whether the job has reached its last state."""
        return self.state in FINAL_STATES

    @property
    def ended(self) -> int:
        """Tasks that have an outcome."""
        return self.done + self.failed


def job_status(status: Status, trouble: str = "") -> JobStatus:
    """Return a state as the user sees it; the server's `trouble` goes before other notes."""
    counts = status.counts
    return JobStatus(
        job=status.job,
        type=status.type,
        version=status.version,
        state=status.state,
        total=counts.total,
        queued=counts.queued,
        assigned=counts.assigned,
        running=counts.running,
        done=counts.done,
        failed=counts.failed,
        cancelled=counts.cancelled,
        note=trouble or status.note,
    )
