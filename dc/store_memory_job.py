"""One job of the store's twin in memory."""

from __future__ import annotations

import msgspec

from dc.messages import Blob, Outcome, Payload
from dc.records import JobRow, NewJob, Outcomes, TaskCheckpoint, TaskOutput
from dc.store_rows import counts


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
        self.ended = False
        self.cancelled_at: float | None = None
        self.finished_at: float | None = None
        self.removed = False

    def row(self) -> JobRow:
        """Return what Store tells of the job."""
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

    def set_finished(self, at: float) -> None:
        """Set when the job reached its end, if it has, and no earlier end is known."""
        whole = self.ended and len(self.finished) == len(self.payloads)
        if self.finished_at is None and whole:
            self.finished_at = max(at, self.record.created)

    def blobs(self) -> set[bytes]:
        """Return the digests of the blobs that the job names."""
        pieces: list[Outcome] = [*self.payloads]
        for record in self.records:
            pieces.extend(record.outcomes)
        pieces.extend(saved.data for saved in self.checkpoints.values())
        return {piece.digest for piece in pieces if isinstance(piece, Blob)}

    def take_back(
        self,
        attempts: dict[int, tuple[int, int, int]],
        leases: dict[int, tuple[int, str]],
    ) -> None:
        """Undo what changed attempts and leases."""
        self.attempts, self.leases = attempts, leases

    def reopen(self, ended: bool, cancelled_at: float | None, finished_at: float | None) -> None:
        """Undo what closed the job."""
        self.ended, self.cancelled_at, self.finished_at = ended, cancelled_at, finished_at


def one_task(record: Outcomes, at: int) -> Outcomes:
    """Return the record with the task at this place only."""
    return msgspec.structs.replace(
        record,
        numbers=[record.numbers[at]],
        attempts=[record.attempts[at]],
        times=[record.times[at]],
        outcomes=[record.outcomes[at]],
    )
