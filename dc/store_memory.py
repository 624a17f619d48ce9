"""The store's twin in memory: the same port, no disk and no threads, for tests under any clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import trio

from dc import limits
from dc.errors import StoreConflict, StoreError, UnknownTask
from dc.messages import Counts, Failure, Outcome, Payload
from dc.records import (
    Attempts,
    JobCancelled,
    JobEnded,
    JobRow,
    NewJob,
    NewTasks,
    Outcomes,
    Record,
    TaskRow,
    Unfinished,
)
from dc.store_rows import counts, pack, task_row


class _Job:
    """All of one job."""

    def __init__(self, record: NewJob) -> None:
        self.record = record
        self.payloads: list[Payload] = []
        self.records: list[Outcomes] = []
        self.finished: dict[int, tuple[Outcomes, int]] = {}  # a record, and the place in it
        self.failed: set[int] = set()
        self.attempts: dict[int, tuple[int, int]] = {}
        self.ended = False
        self.cancelled_at: float | None = None

    def row(self) -> JobRow:
        record = self.record
        total, failed = len(self.payloads), len(self.failed)
        return JobRow(
            job=record.job,
            type=record.type,
            version=record.version,
            options=record.options,
            payload=record.payload,
            result=record.result,
            created=record.created,
            ended=self.ended,
            cancelled_at=self.cancelled_at,
            counts=counts(
                total, len(self.finished) - failed, failed, self.cancelled_at is not None
            ),
            key=record.key,
        )


class MemoryStore:
    """A dc.store.Store in memory.

    Attributes:
        fail: raised by the next commits, where set, before they change anything: a full disk.
    """

    def __init__(self) -> None:
        self.fail: StoreError | None = None
        self._jobs: dict[int, _Job] = {}
        self._sequences: set[int] = set()

    async def commit(self, records: Sequence[Record]) -> None:
        """See Store."""
        await trio.lowlevel.checkpoint()
        if self.fail is not None:
            raise self.fail
        undo: list[Callable[[], object]] = []
        try:
            for record in records:
                self._apply(record, undo)
        except BaseException:
            for step in reversed(undo):
                step()
            raise

    def _apply(self, record: Record, undo: list[Callable[[], object]]) -> None:
        if isinstance(record, NewJob):
            if record.job in self._jobs:
                raise StoreConflict(f"job {record.job} is there already")
            self._jobs[record.job] = _Job(record)
            undo.append(lambda: self._jobs.pop(record.job))
            return
        job = self._jobs.get(record.job)
        if isinstance(record, NewTasks):
            self._add_tasks(job, record, undo)
        elif isinstance(record, Outcomes):
            self._add_outcomes(job, record, undo)
        elif isinstance(record, Attempts):
            self._add_attempts(job, record, undo)
        else:
            self._close(job, record, undo)

    def _add_tasks(
        self, job: _Job | None, record: NewTasks, undo: list[Callable[[], object]]
    ) -> None:
        if not record.payloads:
            return
        if job is None or len(job.payloads) != record.first or job.ended:
            raise StoreConflict("the tasks do not follow the last one of an open job")
        job.payloads.extend(record.payloads)
        undo.append(lambda: job.payloads.__delitem__(slice(record.first, None)))

    def _add_outcomes(
        self, job: _Job | None, record: Outcomes, undo: list[Callable[[], object]]
    ) -> None:
        if not record.numbers:
            return
        if job is None or max(record.numbers) >= len(job.payloads):
            raise StoreConflict("the job has no such task")
        if record.sequence in self._sequences:
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
        self._sequences.add(record.sequence)
        job.records.append(record)
        job.records.sort(key=lambda each: each.sequence)
        job.finished.update((n, (record, place)) for place, n in enumerate(record.numbers))
        job.failed |= failed

        def take_back() -> None:
            self._sequences.remove(record.sequence)
            job.records.remove(record)
            job.failed -= failed
            for number in record.numbers:
                del job.finished[number]

        undo.append(take_back)

    def _add_attempts(
        self, job: _Job | None, record: Attempts, undo: list[Callable[[], object]]
    ) -> None:
        if not record.numbers:
            return
        if job is None or max(record.numbers) >= len(job.payloads):
            raise StoreConflict("the job has no such task")
        before = dict(job.attempts)
        pairs = zip(record.attempts, record.crashes, strict=True)
        job.attempts.update(zip(record.numbers, pairs, strict=True))
        undo.append(lambda: setattr(job, "attempts", before))

    def _close(
        self, job: _Job | None, record: JobEnded | JobCancelled, undo: list[Callable[[], object]]
    ) -> None:
        if isinstance(record, JobEnded):
            if job is None or record.count != len(job.payloads):
                raise StoreConflict("the job does not have so many tasks")
            before = job.ended
            job.ended = True
            undo.append(lambda: setattr(job, "ended", before))
            return
        if job is None:
            raise StoreConflict("there is no such job")
        if job.cancelled_at is None:
            job.cancelled_at = record.at
            undo.append(lambda: setattr(job, "cancelled_at", None))

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
        records = self._jobs[job].records if job in self._jobs else []
        waiting = [record for record in records if record.sequence > after]
        return _up_to(waiting[: limits.READ_RECORDS], limit_bytes)

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
            task = _one_task(*finished[number])
            if found and found[-1].sequence == task.sequence:
                _extend(found[-1], task)
            else:
                found.append(task)
        return _up_to(found, limit_bytes)

    async def next_ids(self) -> tuple[int, int]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return max(self._jobs, default=0) + 1, max(self._sequences, default=0) + 1

    async def open_jobs(self) -> list[JobRow]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        rows = [job.row() for _, job in sorted(self._jobs.items())]
        return [
            row for row in rows if row.cancelled_at is None and (row.counts.queued or not row.ended)
        ]

    async def unfinished(self, job: int, first: int, limit: int) -> Unfinished:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._jobs.get(job)
        if known is None:
            return Unfinished(job, [], [], [])
        numbers = [n for n in range(first, len(known.payloads)) if n not in known.finished][:limit]
        pairs = [known.attempts.get(number, (0, 0)) for number in numbers]
        return Unfinished(job, numbers, [a for a, _ in pairs], [c for _, c in pairs])

    async def job(self, job: int) -> JobRow | None:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return self._jobs[job].row() if job in self._jobs else None

    async def job_of_key(self, key: str) -> JobRow | None:
        """See Store."""
        await trio.lowlevel.checkpoint()
        found = [job for job in self._jobs.values() if job.record.key == key]
        return found[-1].row() if found else None

    async def jobs(self, before: int | None, limit: int) -> list[JobRow]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        numbers = sorted(self._jobs, reverse=True)
        return [self._jobs[n].row() for n in numbers if before is None or n < before][:limit]

    async def tasks(self, job: int, first: int, limit: int, failed: bool = False) -> list[TaskRow]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._jobs.get(job)
        if known is None or first < 0:
            return []
        numbers = [n for n in range(first, len(known.payloads)) if not failed or n in known.failed]
        return [_row(known, number, False) for number in numbers[: max(limit, 0)]]

    async def task(self, job: int, number: int, outcome: bool = False) -> TaskRow | None:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._jobs.get(job)
        if known is None or not 0 <= number < len(known.payloads):
            return None
        return _row(known, number, outcome)

    async def totals(self) -> Counts:
        """See Store."""
        await trio.lowlevel.checkpoint()
        rows = [job.row().counts for job in self._jobs.values()]
        return Counts(
            total=sum(row.total for row in rows),
            queued=sum(row.queued for row in rows),
            done=sum(row.done for row in rows),
            failed=sum(row.failed for row in rows),
            cancelled=sum(row.cancelled for row in rows),
        )

    async def aclose(self) -> None:
        """Do nothing: what is stored stays, as on a disk, for who still has this object."""
        await trio.lowlevel.checkpoint()


def _row(job: _Job, number: int, outcome: bool) -> TaskRow:
    finished = _one_task(*job.finished[number]) if number in job.finished else None
    attempts = job.attempts.get(number, (0, 0))
    return task_row(job.record.job, number, job.payloads[number], finished, attempts, outcome)


def _one_task(record: Outcomes, at: int) -> Outcomes:
    return msgspec.structs.replace(
        record,
        numbers=[record.numbers[at]],
        attempts=[record.attempts[at]],
        times=[record.times[at]],
        outcomes=[record.outcomes[at]],
    )


def _extend(record: Outcomes, other: Outcomes) -> None:
    record.numbers.extend(other.numbers)
    record.attempts.extend(other.attempts)
    record.times.extend(other.times)
    record.outcomes.extend(other.outcomes)


def _up_to(records: list[Outcomes], limit_bytes: int) -> list[Outcomes]:
    found: list[Outcomes] = []
    for record in records:
        if found and limit_bytes <= 0:
            break
        found.append(record)
        limit_bytes -= _bytes(record.outcomes)
    return found


def _bytes(outcomes: list[Outcome]) -> int:
    return len(pack(outcomes)[2]) + limits.TASK_BYTES * len(outcomes)
