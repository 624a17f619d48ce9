"""Small jobs that have just finished: who asks for their results now need not wait for the disk.

A client subscribes once its job is on disk, and by then a short job may be over. Its results are
one small record, which is at hand when it is written: so the job stays in memory for a moment more.
"""

from __future__ import annotations

from collections.abc import Iterable

from dc import limits
from dc.server.jobs import Job


class Recent:
    """The newest jobs that were let go of, for limits.RECENT_SECONDS each."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[float, Job]] = {}

    def keep(self, job: Job, now: float) -> None:
        """Keep a job; one that is kept already is kept no longer for that."""
        self._kept.setdefault(job.number, (now + limits.RECENT_SECONDS, job))
        if len(self._kept) > limits.RECENT_JOBS:
            del self._kept[next(iter(self._kept))]

    def get(self, number: int) -> Job | None:
        """Return a job that is kept."""
        kept = self._kept.get(number)
        return kept[1] if kept is not None else None

    def expire(self, now: float) -> None:
        """Forget the jobs whose time is over."""
        while self._kept:
            number, (until, _) = next(iter(self._kept.items()))
            if until > now:
                break
            del self._kept[number]

    def numbers(self) -> Iterable[int]:
        """Return the numbers of the jobs that are kept."""
        return self._kept.keys()
