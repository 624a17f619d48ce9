"""One job of the store's twin in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from dc import limits_store as limits
from dc.messages_parts import Blob, Outcome, Payload
from dc.portions import stored_size
from dc.records import (
    AttemptEnd,
    JobChanged,
    JobFigures,
    JobRow,
    NewJob,
    Outcomes,
    PluginRow,
    Retried,
    TaskCheckpoint,
    TaskOutput,
    TaskRow,
    Unfinished,
)
from dc.store_pieces import pack, size_of
from dc.store_rows import NO_TRIES, counts, task_row


class MemoryJob:
    """All of one job."""

    def __init__(self, record: NewJob) -> None:
        self.record = record
        self.payloads: list[Payload] = []
        self.records: list[Outcomes] = []
        self.finished: dict[int, tuple[Outcomes, int]] = {}  # a record, and the place in it
        self.failed: set[int] = set()
        self.attempts: dict[int, tuple[int, int, int]] = {}
        self.leases: dict[int, tuple[int, str]] = {}  # an attempt, and its worker's key
        self.outputs: dict[int, TaskOutput] = {}
        self.checkpoints: dict[int, TaskCheckpoint] = {}
        self.attempt_ends: dict[tuple[int, int], AttemptEnd] = {}  # by number and attempt
        self.figures: JobFigures | None = None
        self.ended = False
        self.cancelled_at: float | None = None
        self.finished_at: float | None = None
        self.removed = False
        self.options = record.options
        self.paused = False
        self.why = ""
        self.retried = 0
        self.bytes = stored_size(list(record.options.inputs.values()))
        self.wholes: set[bytes] = set()  # blobs that outputs are or were in

    def row(self) -> JobRow:
        """Return what Store tells of the job."""
        record = self.record
        total, failed = len(self.payloads), len(self.failed)
        return JobRow(
            job=record.job,
            type=record.type,
            version=record.version,
            options=self.options,
            payload=record.payload,
            result=record.result,
            created=record.created,
            ended=self.ended,
            cancelled_at=self.cancelled_at,
            counts=counts(
                total, len(self.finished) - failed, failed, self.cancelled_at is not None
            ),
            key=record.key,
            paused=self.paused,
            why=self.why,
            retried=self.retried,
            plugin=record.plugin,
            bytes=self.bytes,
            finished_at=self.finished_at,
        )

    def set_finished(self, at: float) -> None:
        """Set when the job reached its end, if it has, and no earlier end is known."""
        whole = self.ended and len(self.finished) == len(self.payloads)
        if self.finished_at is None and whole:
            self.finished_at = max(at, self.record.created)

    def change(self, record: JobChanged) -> Callable[[], None]:
        """Take other options; return what takes them back."""
        before = self.options, self.paused
        self.options, self.paused = record.options, record.paused

        def take_back() -> None:
            self.options, self.paused = before

        return take_back

    def retry(self, record: Retried) -> Callable[[], None]:
        """Set the outcomes of failed tasks aside; return what takes that back."""
        before = dict(self.finished), set(self.failed), dict(self.attempts)
        ends = self.retried, self.finished_at
        for number, attempt in zip(record.numbers, record.attempts, strict=True):
            del self.finished[number]
            self.failed.remove(number)
            self.attempts[number] = (attempt, 0, 0)
        self.retried += len(record.numbers)
        self.finished_at = None

        def take_back() -> None:
            self.finished, self.failed, self.attempts = before
            self.retried, self.finished_at = ends

        return take_back

    def standing(self, record: Outcomes) -> Outcomes | None:
        """Return a record without the outcomes that were set aside; None if that is all."""
        places = [
            at for at, n in enumerate(record.numbers) if self.finished.get(n, (0, 0))[0] is record
        ]
        if len(places) == len(record.numbers):
            return record
        if not places:
            return None
        columns = {
            name: [getattr(record, name)[at] for at in places]
            for name in ("numbers", "attempts", "times", "outcomes")
        }
        return msgspec.structs.replace(record, **columns)

    def blobs(self) -> set[bytes]:
        """Return the digests of the blobs that the job names."""
        pieces: list[Outcome] = [*self.payloads]
        for record in self.records:
            pieces.extend(record.outcomes)
        pieces.extend(saved.data for saved in self.checkpoints.values())
        pieces.extend(self.record.options.inputs.values())
        others = self.wholes | ({self.record.plugin} - {b""})
        return {piece.digest for piece in pieces if isinstance(piece, Blob)} | others

    def count(self, size: int) -> Callable[[], None]:
        """Count more bytes; return what takes that back."""
        self.bytes += size

        def take_back() -> None:
            self.bytes -= size

        return take_back

    def take_back(
        self,
        attempts: dict[int, tuple[int, int, int]],
        leases: dict[int, tuple[int, str]],
    ) -> None:
        """Undo what changed attempts and leases."""
        self.attempts, self.leases = attempts, leases

    def reopen(
        self, ended: bool, cancelled_at: float | None, finished_at: float | None, why: str
    ) -> None:
        """Undo what closed the job."""
        self.ended, self.cancelled_at, self.finished_at = ended, cancelled_at, finished_at
        self.why = why


def superseded(plugins: Iterable[PluginRow], before: float) -> set[bytes]:
    """Return those in whose place another one of the same name came before this Unix time."""
    known = list(plugins)
    return {
        old.digest
        for old in known
        for new in known
        if old.name == new.name
        and (old.added, old.digest) < (new.added, new.digest)
        and new.added < before
    }


def one_task(record: Outcomes, at: int) -> Outcomes:
    """Return the record with the task at this place only."""
    return msgspec.structs.replace(
        record,
        numbers=[record.numbers[at]],
        attempts=[record.attempts[at]],
        times=[record.times[at]],
        outcomes=[record.outcomes[at]],
    )


def bare(record: Outcomes) -> Outcomes:
    """Return the record with empty bytes in the place of each result, if it has nothing else."""
    if not all(isinstance(one, bytes) for one in record.outcomes):
        return record
    return msgspec.structs.replace(record, outcomes=[b""] * len(record.outcomes))


def with_past(job: MemoryJob, numbers: list[int]) -> Unfinished:
    """Return tasks of a job with what is known of them."""
    tries = [job.attempts.get(number, NO_TRIES) for number in numbers]
    return Unfinished(
        job=job.record.job,
        numbers=numbers,
        attempts=[attempts for attempts, _, _ in tries],
        crashes=[crashes for _, crashes, _ in tries],
        failures=[failures for _, _, failures in tries],
        workers=[job.leases.get(number, (0, ""))[1] for number in numbers],
    )


def stored_task(job: MemoryJob, number: int, outcome: bool) -> TaskRow:
    """Return a task of a job, on request with its outcome."""
    finished = one_task(*job.finished[number]) if number in job.finished else None
    tries = job.attempts.get(number, NO_TRIES)
    return task_row(job.record.job, number, size_of(job.payloads[number]), finished, tries, outcome)


def extend(record: Outcomes, other: Outcomes) -> None:
    """Add the tasks of another record to one."""
    record.numbers.extend(other.numbers)
    record.attempts.extend(other.attempts)
    record.times.extend(other.times)
    record.outcomes.extend(other.outcomes)


def up_to(records: list[Outcomes], limit_bytes: int) -> list[Outcomes]:
    """Return the first records, until a limit of bytes is reached."""
    found: list[Outcomes] = []
    for record in records:
        if found and limit_bytes <= 0:
            break
        found.append(record)
        limit_bytes -= _bytes(record.outcomes)
    return found


def _bytes(outcomes: list[Outcome]) -> int:
    return len(pack(outcomes)[2]) + limits.TASK_BYTES * len(outcomes)
