"""What becomes of a failed attempt, as the options of its job say."""

from __future__ import annotations

from dc import limits
from dc.messages_client import Options

KINDS = ("error", "timeout", "memory", "crashed")
"""The kinds of failure that a job may have tried again. Any other word of a worker counts as an
error, but `payload`: a payload that does not fit never will."""


def is_tried_again(options: Options, kind: str) -> bool:
    """Whether a task that failed in this way is to be tried again, as long as tries are left."""
    return (kind if kind in KINDS else "error") in options.retry_on


def crash_limit(options: Options) -> int:
    """Return the crash, counted from 1, by which a task fails."""
    return options.crashes if "crashed" in options.retry_on else 1


def pause(options: Options, failures: int, job: int, number: int, attempt: int) -> float:
    """Return the seconds before the next try of a task.

    They double with each failure. Tasks that failed together do not come back together: each pause
    is cut by up to a half, by how much is hashed from what names the attempt.

    Args:
        options: those of the job.
        failures: how many tries had failed before this one.
        job: the job's number.
        number: the task's number.
        attempt: the attempt that has failed.
    """
    whole = min(options.retry_seconds * 2.0 ** min(failures, 30), limits.RETRY_SECONDS_MOST)
    return whole * (0.5 + 0.5 * _fraction(job, number, attempt))


def _fraction(job: int, number: int, attempt: int) -> float:
    """Return a number from 0 to 1 that looks random, the same for the same attempt."""
    mixed = ((job << 32 | number) ^ (attempt * 0x9E3779B97F4A7C15)) & 0xFFFFFFFFFFFFFFFF
    for factor in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
        mixed = ((mixed ^ (mixed >> 30)) * factor) & 0xFFFFFFFFFFFFFFFF
    return (mixed >> 11) / 2.0**53
