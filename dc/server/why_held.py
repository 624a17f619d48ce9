"""What keeps a whole job from being handed out, in one sentence."""

from __future__ import annotations

from dc.server.board import Board, named_jobs, utc
from dc.server.jobs import Job
from dc.server.reason import Reason


def why_held(board: Board, job: Job) -> Reason | None:
    """Return why nothing of a job is handed out, whatever workers there are; None if it is.

    Args:
        board: what the parts of the reactor share.
        job: a job in memory.
    """
    holds = job.holds
    if holds.paused:
        return Reason("paused", f"paused; go on with it: python -m dc resume {job.number}")
    if holds.after:
        jobs = list(holds.after)
        return Reason("after", f"waits for {named_jobs(jobs)}", {"jobs": jobs})
    if holds.not_before:
        at = holds.not_before
        return Reason("not_before", f"waits until {utc(at)}", {"at": at})
    if holds.overdue and not job.finished:
        return Reason("deadline", "its deadline has passed: what is left of it is about to fail")
    if holds.unsure:
        return Reason("unsure", "its job is not on disk yet")
    if waiting_singly(job) and not _queued(board, job):
        jobs = list(job.options.after)
        return Reason("each", f"waits, task by task, for {named_jobs(jobs)}", {"jobs": jobs})
    return None


def why_task_held(job: Job, number: int) -> Reason | None:
    """Return for which single task one of a job waits; None if it does not wait so."""
    if not (job.tail.closed and job.tail.has(number)):
        return None
    former = job.options.after[0]
    return Reason("task", f"waits for task {former}/{number}", {"job": former, "task": number})


def waiting_singly(job: Job) -> int:
    """Return how many tasks of a job wait, each for its own task of another job."""
    return job.tail.count if job.tail.closed else 0


def _queued(board: Board, job: Job) -> int:
    """Return how many tasks of a job may be handed out."""
    return board.scheduler.job_counts(job.number)[0] if job.scheduled else 0
