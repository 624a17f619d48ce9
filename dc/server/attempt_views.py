"""What is shown of the attempts of a task: those before, and the one that is its last so far."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from dc.records import AttemptEnd
from dc.view_jobs import AttemptView, FailureView, TaskView


def with_attempts(task: TaskView, ends: Iterable[AttemptEnd], began: float | None) -> TaskView:
    """Return a task with its attempts.

    Args:
        task: what is shown of it else.
        ends: how earlier ones ended, in their order; what is said there of the last one, which a
            worker came back with, counts no more.
        began: when the one that runs began, in Unix time, if one runs and that is known.
    """
    last = _last(task, began)
    shown = [_ended(end) for end in ends if last is None or end.attempt < last.attempt]
    return replace(task, began=began, attempts=shown + ([] if last is None else [last]))


def _last(task: TaskView, began: float | None) -> AttemptView | None:
    """Return the attempt that is the outcome's, or that a worker has."""
    end = task.state if task.failure is None else task.failure.kind
    if task.finished_at is not None and task.time is not None and task.worker:
        return AttemptView(
            attempt=task.attempt,
            worker=task.worker,
            end=end,
            began=task.finished_at - task.time,
            ended=task.finished_at,
            seconds=task.time,
            failure=task.failure,
        )
    if task.state in ("running", "assigned"):
        return AttemptView(attempt=task.attempt, worker=task.worker, end=end, began=began)
    return None


def _ended(end: AttemptEnd) -> AttemptView:
    failure = FailureView(end.end, end.error, end.traceback) if end.error else None
    return AttemptView(
        attempt=end.attempt,
        worker=end.worker,
        end=end.end,
        began=end.began,
        ended=end.ended,
        seconds=end.seconds,
        failure=failure,
    )
