"""The store: what must outlive the process. A port: what the server needs of one.

`store_sqlite.py` keeps it in a file, `store_memory.py` in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from dc.messages_client import Counts
from dc.messages_parts import Payload
from dc.records import (
    AttemptEnd,
    JobFigures,
    JobFilter,
    JobRow,
    Outcomes,
    Place,
    PluginRow,
    Record,
    Removed,
    TaskEnd,
    TaskOutput,
    TaskRow,
    Unfinished,
    WorkerRow,
)
from dc.records_access import AccessRows, AuditFilter, AuditRow
from dc.records_shown import EventFilter, HistoryStep, PresenceRow
from dc.view_server import EventView


class Store(Protocol):
    """What the server needs of a store. Jobs and tasks are named by their numbers."""

    async def commit(self, records: Sequence[Record]) -> None:
        """Make the records last: all of them, on disk on return, or none.

        Cancelling does not interrupt a commit that has begun. The caller sees to it that there
        are at most limits_store.COMMIT_TASKS tasks in them.

        Raises:
            StoreConflict: a record contradicts what is there: a task has its outcome already,
                tasks do not follow the last one, a job or task is unknown.
            StoreError: it cannot be written (a full disk); the same records may be tried again.
        """

    def commit_now(self, records: Sequence[Record]) -> bool:
        """Do the same without waiting, if it is expected to take no longer than a moment.

        Only while no other commit is under way, and for few records: a thread costs such a commit
        more than its work does.

        Returns:
            Whether the records are on disk; if not, nothing of them is.

        Raises:
            StoreConflict, StoreError: as `commit`.
        """

    async def payloads(self, job: int, numbers: Sequence[int]) -> list[Payload]:
        """Return the payloads of these tasks, in the order of the numbers.

        Raises:
            UnknownTask: the job or a task is not there.
        """

    async def outcomes_after(self, job: int, after: int, limit_bytes: int) -> list[Outcomes]:
        """Return the first records of a job whose sequences are above `after`, ascending.

        The last one returned may pass the limit; there is at least one if there is any. Outcomes
        that were set aside, because their tasks run again, are not among them.
        """

    async def outcomes_from(
        self, job: int, first: int, limit_bytes: int, limit_tasks: int
    ) -> list[Outcomes]:
        """Return the outcomes of the tasks `first`, `first + 1`, … up to one that has none.

        Each element has consecutive tasks of one record, and its sequence. A limit ends the list
        early, but not before one task.
        """

    async def identity(self) -> str:
        """Return the name of the data folder: 32 hexadecimal digits, the same for good."""

    async def next_ids(self) -> tuple[int, int]:
        """Return the number for the next job and the sequence for the next Outcomes, from 1.

        They never go back, whatever is removed.
        """

    async def workers(self) -> list[WorkerRow]:
        """Return the workers that are remembered, those first that were here longest ago."""

    async def open_jobs(self) -> list[JobRow]:
        """Return the jobs that are neither cancelled nor finished, the oldest first."""

    async def unfinished(self, job: int, first: int, limit: int) -> Unfinished:
        """Return the first `limit` tasks from `first` on that have no outcome, ascending."""

    async def leased(self) -> list[Unfinished]:
        """Return all tasks that are with a worker, for each job those of it, ascending."""

    async def job(self, job: int) -> JobRow | None:
        """Return a job, or None."""

    async def job_of_key(self, key: str) -> JobRow | None:
        """Return the newest job that was submitted under this key, or None."""

    async def jobs(self, before: int | None, limit: int, submitter: str = "") -> list[JobRow]:
        """Return the newest jobs, of those below `before`, the newest first.

        Args:
            before: only jobs with lower numbers.
            limit: so many at most.
            submitter: only those of this one, if it is not empty.
        """

    async def listed(
        self, wanted: JobFilter, after: Place | None, limit: int
    ) -> tuple[list[JobRow], Place | None]:
        """Return jobs as they are listed, and where to go on, None at the end.

        Args:
            wanted: which ones, and in which order.
            after: where the page before ended; None for the first one.
            limit: so many at most.
        """

    async def submitters(self) -> dict[str, float]:
        """Return the weights of the submitters of whom one was set."""

    async def usage(self) -> dict[str, int]:
        """Return how many bytes are counted of the jobs of each submitter.

        Jobs whose removal has begun count until it has ended.
        """

    async def plugins(self) -> list[PluginRow]:
        """Return the plugins by their names, of each name the newest first."""

    async def drop_plugins(self, before: float) -> list[bytes]:
        """Forget plugins that are of no use, and return their digests.

        They are those that no job runs, and in whose place another one of the same name came before
        this Unix time.

        Raises:
            StoreError: it cannot be written.
        """

    async def settled(self, job: int, numbers: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return which of these tasks have a result, and which have failed, ascending."""

    async def tasks(self, job: int, first: int, limit: int, failed: bool = False) -> list[TaskRow]:
        """Return the tasks of a job from `first` on, ascending; on request only failed ones."""

    async def tasks_in(
        self, job: int, state: TaskEnd, first: int, limit: int
    ) -> tuple[list[TaskRow], int | None]:
        """Return tasks of a job in a state, ascending, and where to go on, None at the end.

        A page may have fewer tasks than `limit` though there are more: no more than
        limits_store.LOOKED_TASKS are looked at.

        Args:
            job: whose tasks.
            state: `failed`, `done`, `finished` (either), or `unfinished`.
            first: tasks numbered from here on.
            limit: so many at most.
        """

    async def task(self, job: int, number: int, outcome: bool = False) -> TaskRow | None:
        """Return a task, on request with its outcome, or None."""

    async def output(self, job: int, number: int) -> TaskOutput | None:
        """Return what a task has written, or None."""

    async def attempt_ends(self, job: int, first: int, limit: int) -> list[AttemptEnd]:
        """Return how attempts ended whose outcomes do not stand.

        Args:
            job: of this job.
            first: of its tasks from this one on, in their order, and that of the attempts.
            limit: so many at most.
        """

    async def figures(self, job: int) -> JobFigures | None:
        """Return the figures of a job that were written last, or None."""

    async def bare_outcomes(self, job: int, after: int, limit_bytes: int) -> list[Outcomes]:
        """Return the same as `outcomes_after`, with empty bytes in the place of results.

        Only records with nothing but inline results are bare; they cost much less. What counts
        for the limit is the same.
        """

    async def checkpoints(self, job: int, numbers: Sequence[int]) -> dict[int, Payload]:
        """Return the checkpoints of these tasks, by number, where there is one."""

    async def checkpointed(self) -> list[tuple[int, int]]:
        """Return all tasks that have a checkpoint, as job and number, ascending."""

    async def totals(self) -> Counts:
        """Return the counts of the tasks of all jobs."""

    async def removable(self, before: float, keep: int, limit: int) -> list[int]:
        """Return the jobs that are to be removed, those already being removed first.

        Args:
            before: finished jobs go that finished before this Unix time; 0 for none of them.
            keep: finished jobs go beyond so many, the newest; 0 for none of them.
            limit: so many jobs at most.
        """

    async def remove(self, job: int, limit: int) -> Removed:
        """Do one step of removing a finished job, of about `limit` rows; the first one hides it.

        A hidden job is not found any more; who has its number can still read its outcomes until
        they are removed.

        Raises:
            StoreConflict: the job has not finished.
            StoreError: it cannot be written.
        """

    async def history(self, step: int, since: float, until: float) -> list[HistoryStep]:
        """Return the server's history from one time to before another, in steps of so many seconds.

        Args:
            step: one of limits_shown.HISTORY_KEPT.
            since: no step is given that began before this Unix time.
            until: nor one that began then, or later.
        """

    async def presence(self, key: str) -> list[PresenceRow]:
        """Return when the worker of a key was here, the newest first."""

    async def events(
        self, wanted: EventFilter, after: int, before: int, limit: int
    ) -> list[EventView]:
        """Return events, the newest first.

        Args:
            wanted: what has to be true of them.
            after: only those of higher numbers.
            before: only those of lower numbers.
            limit: so many at most.
        """

    async def next_event(self) -> int:
        """Return the number for the next event, from 1."""

    async def settings(self) -> dict[str, str]:
        """Return what operators have set, by name."""

    async def access(self) -> AccessRows:
        """Return all that is kept of who is let in, but for the audit log."""

    async def next_audit(self) -> int:
        """Return the number for the next entry of the audit log, from 1."""

    async def audit(self, wanted: AuditFilter, before: int, limit: int) -> list[AuditRow]:
        """Return entries of the audit log, the newest first.

        Args:
            wanted: what has to be true of them.
            before: only those of lower numbers.
            limit: so many at most.
        """

    async def used_blobs(self, first: bytes, last: bytes) -> list[bytes]:
        """Return the digests of blobs from `first` to `last` that something names, ascending."""

    async def backup(self, path: Path) -> None:
        """Copy the store, as it is at one moment, to a new file; commits go on meanwhile.

        Raises:
            StoreError: it cannot be written.
        """

    async def check(self) -> list[str]:
        """Read everything, and return what is wrong with it, a line each."""

    async def aclose(self) -> None:
        """Close the store. Nothing may be called afterwards, but this again."""
