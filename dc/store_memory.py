"""The store's twin in memory: the same port, no disk and no threads, for tests under any clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import trio

from dc import limits_store as limits
from dc.errors import StoreConflict, StoreError, UnknownTask
from dc.messages_client import Counts
from dc.messages_parts import Payload
from dc.records import (
    AttemptEnd,
    AttemptEnds,
    Attempts,
    JobChanged,
    JobFigures,
    JobFilter,
    JobNumbers,
    JobRow,
    Leases,
    NewJob,
    NewPlugin,
    NewTasks,
    Outcomes,
    Place,
    PluginRow,
    Record,
    Removed,
    Retried,
    SubmitterChanged,
    TaskCheckpoint,
    TaskEnd,
    TaskOutput,
    TaskRow,
    Unfinished,
    WorkerRow,
    Workers,
    WorkRecord,
)
from dc.records_access import AccessRecord
from dc.records_shown import Events, History, Presences, SettingChanged
from dc.store_memory_access import MemoryAccess
from dc.store_memory_changes import add_attempts, add_leases, add_outcomes, add_tasks, close, retry
from dc.store_memory_job import (
    MemoryJob,
    bare,
    extend,
    one_task,
    stored_task,
    superseded,
    up_to,
    with_past,
)
from dc.store_memory_listed import page_of, tasks_in
from dc.store_memory_notes import add_note, ends_from
from dc.store_memory_shown import MemoryShown


class MemoryStore(MemoryShown, MemoryAccess):
    """A dc.store.Store in memory.

    Args:
        identity: its name; given, so that what it is used in can be repeated exactly.

    Attributes:
        fail: raised by the next commits, where set, before they change anything: a full disk.
    """

    def __init__(self, identity: str = "5e" * 16) -> None:
        MemoryShown.__init__(self)
        MemoryAccess.__init__(self)
        self.fail: StoreError | None = None
        self._jobs: dict[int, MemoryJob] = {}
        self._sequences: set[int] = set()
        self._identity = identity
        self._next = (1, 1)
        self._workers: dict[str, WorkerRow] = {}
        self._weights: dict[str, float] = {}
        self._plugins: dict[bytes, PluginRow] = {}

    def commit_now(self, records: Sequence[Record]) -> bool:
        """See Store."""
        if self.fail is not None:
            raise self.fail
        self.apply(records)
        return True

    async def commit(self, records: Sequence[Record]) -> None:
        """See Store."""
        await trio.lowlevel.checkpoint()
        if self.fail is not None:
            raise self.fail
        self.apply(records)

    def apply(self, records: Sequence[Record]) -> None:
        """Take in records, all or none of them, at once.

        Raises:
            StoreConflict: a record contradicts what is there.
        """
        undo: list[Callable[[], object]] = []
        try:
            for record in records:
                if isinstance(record, History | Presences | Events | SettingChanged):
                    self._show(record, undo)
                elif isinstance(record, AccessRecord):
                    self._admit(record, undo)
                else:
                    self._apply(record, undo)
        except BaseException:
            for step in reversed(undo):
                step()
            raise

    def _apply(self, record: WorkRecord, undo: list[Callable[[], object]]) -> None:
        if isinstance(record, NewJob):
            if record.job in self._jobs:
                raise StoreConflict(f"job {record.job} is there already")
            self._jobs[record.job] = MemoryJob(record)
            undo.append(lambda: self._jobs.pop(record.job))
            return
        if isinstance(record, JobNumbers):
            undo.append(partial(setattr, self, "_next", self._next))
            self._next = (record.job, self._next[1])
            return
        if isinstance(record, Workers):
            undo.append(partial(setattr, self, "_workers", self._workers))
            kept = {k: row for k, row in self._workers.items() if k not in record.forgotten}
            self._workers = kept | {row.key: row for row in record.rows}
            return
        if isinstance(record, SubmitterChanged):
            undo.append(partial(setattr, self, "_weights", self._weights))
            others = {n: weight for n, weight in self._weights.items() if n != record.name}
            mine = {record.name: record.weight} if record.weight != 1 else {}
            self._weights = others | mine
            return
        if isinstance(record, NewPlugin):
            undo.append(partial(setattr, self, "_plugins", self._plugins))
            self._plugins = self._plugins | {record.digest: record}
            return
        job = self._known(record.job)
        if isinstance(record, NewTasks):
            add_tasks(job, record, undo)
        elif isinstance(record, Outcomes):
            add_outcomes(job, record, self._sequences, undo)
        elif isinstance(record, Attempts):
            add_attempts(job, record, undo)
        elif isinstance(record, Leases):
            add_leases(job, record, undo)
        elif isinstance(record, JobChanged):
            if job is None:
                raise StoreConflict("there is no such job")
            undo.append(job.change(record))
        elif isinstance(record, Retried):
            retry(job, record, undo)
        elif isinstance(record, TaskOutput | TaskCheckpoint | AttemptEnds | JobFigures):
            add_note(job, record, undo)
        else:
            close(job, record, undo)

    def _known(self, job: int) -> MemoryJob | None:
        found = self._jobs.get(job)
        return None if found is None or found.removed else found

    async def payloads(self, job: int, numbers: Sequence[int]) -> list[Payload]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._jobs[job].payloads if job in self._jobs else []
        for number in numbers:
            if not 0 <= number < len(known):
                raise UnknownTask(f"job {job} has no task {number}")
        return [known[number] for number in numbers]

    async def outcomes_after(self, job: int, after: int, limit_bytes: int) -> list[Outcomes]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        if job not in self._jobs:
            return []
        found, records = self._jobs[job], self._jobs[job].records
        waiting = [record for record in records if record.sequence > after]
        while waiting:
            page = up_to(waiting[: limits.READ_RECORDS], limit_bytes)
            if standing := [part for record in page if (part := found.standing(record))]:
                return standing
            waiting = waiting[len(page) :]
        return []

    async def outcomes_from(
        self, job: int, first: int, limit_bytes: int, limit_tasks: int
    ) -> list[Outcomes]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        finished = self._jobs[job].finished if job in self._jobs else {}
        found: list[Outcomes] = []
        for number in range(first, first + max(limit_tasks, 1)):
            if number not in finished:
                break
            task = one_task(*finished[number])
            if found and found[-1].sequence == task.sequence:
                extend(found[-1], task)
            else:
                found.append(task)
        return up_to(found, limit_bytes)

    async def identity(self) -> str:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return self._identity

    async def next_ids(self) -> tuple[int, int]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return (
            max(self._next[0], max(self._jobs, default=0) + 1),
            max(self._next[1], max(self._sequences, default=0) + 1),
        )

    async def workers(self) -> list[WorkerRow]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return sorted(self._workers.values(), key=lambda row: (row.seen, row.key.encode()))

    async def open_jobs(self) -> list[JobRow]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return [job.row() for _, job in sorted(self._jobs.items()) if job.finished_at is None]

    async def unfinished(self, job: int, first: int, limit: int) -> Unfinished:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._known(job)
        if known is None:
            return Unfinished(job, [], [], [], [], [])
        numbers = [n for n in range(first, len(known.payloads)) if n not in known.finished][:limit]
        return with_past(known, numbers)

    async def leased(self) -> list[Unfinished]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return [
            with_past(known, sorted(known.leases))
            for _, known in sorted(self._jobs.items())
            if known.leases
        ]

    async def job(self, job: int) -> JobRow | None:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._known(job)
        return None if known is None else known.row()

    async def job_of_key(self, key: str) -> JobRow | None:
        """See Store."""
        await trio.lowlevel.checkpoint()
        rows = [j.row() for j in self._jobs.values() if j.record.key == key and not j.removed]
        return max(rows, key=lambda row: row.job) if rows and key else None

    async def submitters(self) -> dict[str, float]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return dict(sorted(self._weights.items()))

    async def usage(self) -> dict[str, int]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        found: dict[str, int] = {}
        for job in self._jobs.values():
            name = job.record.options.submitter
            found[name] = found.get(name, 0) + job.bytes
        return dict(sorted(found.items(), key=lambda item: item[0].encode()))

    async def plugins(self) -> list[PluginRow]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        newest = sorted(self._plugins.values(), key=lambda p: (p.added, p.digest), reverse=True)
        return sorted(newest, key=lambda plugin: plugin.name.encode())

    async def drop_plugins(self, before: float) -> list[bytes]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        if self.fail is not None:
            raise self.fail
        dropped = superseded(self._plugins.values(), before) - self._named_by_jobs()
        self._plugins = {d: plugin for d, plugin in self._plugins.items() if d not in dropped}
        return sorted(dropped)

    def _named_by_jobs(self) -> set[bytes]:
        return {digest for job in self._jobs.values() for digest in job.blobs()}

    async def settled(self, job: int, numbers: Sequence[int]) -> tuple[list[int], list[int]]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        found = self._jobs.get(job)
        finished = sorted(found.finished.keys() & set(numbers)) if found is not None else []
        failed = found.failed if found is not None else set()
        return [n for n in finished if n not in failed], [n for n in finished if n in failed]

    async def jobs(self, before: int | None, limit: int, submitter: str = "") -> list[JobRow]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        numbers = sorted(
            (
                number
                for number, job in self._jobs.items()
                if not job.removed and submitter in ("", job.options.submitter)
            ),
            reverse=True,
        )
        return [self._jobs[n].row() for n in numbers if before is None or n < before][:limit]

    async def listed(
        self, wanted: JobFilter, after: Place | None, limit: int
    ) -> tuple[list[JobRow], Place | None]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return page_of(self._jobs.values(), wanted, after, limit)

    async def tasks_in(
        self, job: int, state: TaskEnd, first: int, limit: int
    ) -> tuple[list[TaskRow], int | None]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._known(job)
        return ([], None) if known is None else tasks_in(known, state, first, limit)

    async def tasks(self, job: int, first: int, limit: int, failed: bool = False) -> list[TaskRow]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._known(job)
        if known is None or first < 0:
            return []
        numbers = [n for n in range(first, len(known.payloads)) if not failed or n in known.failed]
        return [stored_task(known, number, False) for number in numbers[: max(limit, 0)]]

    async def task(self, job: int, number: int, outcome: bool = False) -> TaskRow | None:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._known(job)
        if known is None or not 0 <= number < len(known.payloads):
            return None
        return stored_task(known, number, outcome)

    async def output(self, job: int, number: int) -> TaskOutput | None:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._known(job)
        return None if known is None else known.outputs.get(number)

    async def attempt_ends(self, job: int, first: int, limit: int) -> list[AttemptEnd]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return ends_from(self._known(job), first, limit)

    async def figures(self, job: int) -> JobFigures | None:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._known(job)
        return None if known is None else known.figures

    async def bare_outcomes(self, job: int, after: int, limit_bytes: int) -> list[Outcomes]:
        """See Store."""
        return [bare(record) for record in await self.outcomes_after(job, after, limit_bytes)]

    async def checkpoints(self, job: int, numbers: Sequence[int]) -> dict[int, Payload]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._jobs[job].checkpoints if job in self._jobs else {}
        return {number: known[number].data for number in numbers if number in known}

    async def checkpointed(self) -> list[tuple[int, int]]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return sorted((job, n) for job, known in self._jobs.items() for n in known.checkpoints)

    async def totals(self) -> Counts:
        """See Store."""
        await trio.lowlevel.checkpoint()
        rows = [job.row().counts for job in self._jobs.values() if not job.removed]
        return Counts(
            total=sum(row.total for row in rows),
            queued=sum(row.queued for row in rows),
            done=sum(row.done for row in rows),
            failed=sum(row.failed for row in rows),
            cancelled=sum(row.cancelled for row in rows),
        )

    async def removable(self, before: float, keep: int, limit: int) -> list[int]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        hidden = sorted(number for number, job in self._jobs.items() if job.removed)
        found = sorted(
            (job.finished_at, number)
            for number, job in self._jobs.items()
            if job.finished_at is not None and not job.removed
        )
        old = sum(finished_at < before for finished_at, _ in found)
        return (hidden + [n for _, n in found[: max(old, len(found) - keep if keep else 0)]])[
            :limit
        ]

    async def remove(self, job: int, limit: int) -> Removed:  # noqa: ARG002  one step is all
        """See Store. The second step removes all."""
        await trio.lowlevel.checkpoint()
        if self.fail is not None:
            raise self.fail
        found = self._jobs.get(job)
        if found is None:
            return Removed(more=False, blobs=[])
        if found.finished_at is None:
            raise StoreConflict(f"job {job} has not finished: it cannot be removed")
        if not found.removed:
            self._next = await self.next_ids()
            found.removed = True
            return Removed(more=True, blobs=[])
        del self._jobs[job]
        self._sequences -= {record.sequence for record in found.records}
        others = self._named_by_jobs() | self._plugins.keys()
        submitter = found.record.options.submitter
        return Removed(False, sorted(found.blobs() - others), submitter, found.bytes)

    async def used_blobs(self, first: bytes, last: bytes) -> list[bytes]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        used = self._named_by_jobs() | self._plugins.keys()
        return sorted(digest for digest in used if first <= digest <= last)

    async def backup(self, path: Path) -> None:
        """Raise StoreError: there is no file to copy."""
        await trio.lowlevel.checkpoint()
        raise StoreError(f"a store in memory cannot be copied to {path}")

    async def check(self) -> list[str]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return []

    async def aclose(self) -> None:
        """Do nothing: what is stored stays, as on a disk, for who still has this object."""
        await trio.lowlevel.checkpoint()
