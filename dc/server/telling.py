"""What tasks tell of themselves: their progress, in memory alone, and checkpoints, on disk.

Both are taken only from the worker that holds the task's newest attempt. A checkpoint may still be
on its way when its attempt has failed or its worker is taken for lost: it counts for as long as
nobody else has got the task since.

A checkpoint is in memory until it is on disk; from then on it is only known that there is one, and
it is read when the next attempt is handed out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

from msgspec import Struct

from dc import limits, limits_executor
from dc.messages_parts import Blob, Payload
from dc.messages_worker import Checkpoint, Progress
from dc.records import TaskCheckpoint
from dc.server.board import Board
from dc.server.events import DropBlob
from dc.server.leases import Leases
from dc.server.roster import Roster, Worker
from dc.view_jobs import ProgressView

Task: TypeAlias = tuple[int, int]
"""A job and a number."""


class Told(Struct, frozen=True):
    """How far an attempt says that it is, and when it said so, in Unix time."""

    attempt: int
    fraction: float
    text: str
    at: float


class Telling:
    """Keeps what tasks tell of themselves.

    Args:
        board: where jobs and the scheduler are.
        roster: the workers.
        leases: which attempts are whose.
    """

    def __init__(self, board: Board, roster: Roster, leases: Leases) -> None:
        self._board = board
        self._roster = roster
        self._leases = leases
        self._progress: dict[Task, Told] = {}
        self._unstored: dict[Task, TaskCheckpoint] = {}
        self._unstored_bytes = 0
        self._blobs: dict[Task, bytes] = {}  # the last checkpoint's, by its digest
        self._failed: dict[Task, tuple[str, int]] = {}  # a worker's key and an attempt
        board.on_retry = self._note_failed

    # --- progress -------------------------------------------------------------------------------

    def progressed(self, worker: Worker, message: Progress) -> None:
        """Take how far an attempt is."""
        key = message.job, message.number
        if not self._is_its_own(worker, *key, message.attempt):
            return
        if key in self._progress or len(self._progress) < limits_executor.PROGRESS_TASKS:
            fraction, at = message.fraction, self._board.wall
            self._progress[key] = Told(message.attempt, fraction, message.text, at)

    def _is_its_own(self, worker: Worker, job: int, number: int, attempt: int) -> bool:
        if self._leases.scheduled(job) is None:
            return False
        return self._roster.holds(worker, job, number, attempt)

    def shown(self, job: int, number: int) -> ProgressView | None:
        """Return how far a task says that it is, as it is shown."""
        told = self.progress(job, number)
        return None if told is None else ProgressView(told.fraction, told.text, told.at)

    def progress(self, job: int, number: int) -> Told | None:
        """Return how far a task is, if it has said so and still runs."""
        told = self._progress.get((job, number))
        return told if told is not None and self._is_current((job, number), told) else None

    def _is_current(self, key: Task, told: Told) -> bool:
        if self._leases.scheduled(key[0]) is None:
            return False
        state = self._board.scheduler.state(*key)
        return state is not None and state[1] == told.attempt and state[3] in self._roster.by_id

    def tick(self) -> None:
        """Forget the progress of what runs no more, and blobs of what needs them no more."""
        for key, told in list(self._progress.items()):
            if not self._is_current(key, told):
                del self._progress[key]
        for key in list(self._blobs):
            if key[1] not in self._board.checkpointed.get(key[0], ()):
                self._drop_blob(key)

    # --- checkpoints ----------------------------------------------------------------------------

    def saved(self, worker: Worker, message: Checkpoint, missing: frozenset[Blob]) -> None:
        """Take a checkpoint, unless it is one of the blobs that are `missing` here."""
        key, data = (message.job, message.number), message.data
        if not self._counts(worker, *key, message.attempt) or data in missing:
            return
        before = self._unstored.get(key)
        size = _size(data) - (_size(before.data) if before is not None else 0)
        if self._unstored_bytes + size > limits_executor.CHECKPOINT_UNSTORED_BYTES:
            return
        record = self._unstored[key] = TaskCheckpoint(*key, message.attempt, data)
        self._unstored_bytes += size
        self._board.checkpointed.setdefault(key[0], set()).add(key[1])
        self._board.write(record, partial(self._stored, key, record))

    def _counts(self, worker: Worker, job: int, number: int, attempt: int) -> bool:
        if self._is_its_own(worker, job, number, attempt):
            return True
        if self._leases.scheduled(job) is None:
            return False
        state = self._board.scheduler.state(job, number)
        if state is None or state[1] != attempt or state[3] in self._roster.by_id:
            return False
        failed = self._failed.get((job, number)) == (worker.key, attempt)
        return failed or self._leases.lapsed.has(worker.key, job, number, attempt)

    def _note_failed(self, key: str, job: int, number: int, attempt: int) -> None:
        self._failed.pop((job, number), None)
        self._failed[job, number] = key, attempt
        if len(self._failed) > limits_executor.CHECKPOINT_HOLDERS:
            del self._failed[next(iter(self._failed))]

    def _stored(self, key: Task, record: TaskCheckpoint) -> None:
        if self._unstored.get(key) is record:
            del self._unstored[key]
            self._unstored_bytes -= _size(record.data)
        digest = record.data.digest if isinstance(record.data, Blob) else b""
        self._drop_blob(key, digest)
        if digest and len(self._blobs) < limits_executor.CHECKPOINT_BLOBS:
            self._blobs[key] = digest

    def _drop_blob(self, key: Task, but: bytes = b"") -> None:
        """Have the blob of an earlier checkpoint removed."""
        before = self._blobs.pop(key, but)
        if before != but:
            self._board.out.append(DropBlob(before))

    def recovered(self, tasks: Sequence[Task]) -> None:
        """Take note of the tasks that have a checkpoint on disk."""
        for job, number in tasks:
            if job in self._board.jobs:
                self._board.checkpointed.setdefault(job, set()).add(number)

    def having(self, job: int, numbers: Sequence[int]) -> list[int]:
        """Return the places of the tasks that have a checkpoint."""
        known = self._board.checkpointed.get(job, ())
        return [at for at, number in enumerate(numbers) if number in known]

    def at_hand(self, job: int, number: int) -> Payload | None:
        """Return the checkpoint of a task if it is not on disk yet."""
        record = self._unstored.get((job, number))
        return None if record is None else record.data

    def validate(self) -> None:
        """Check that what is in memory is counted, and named."""
        assert self._unstored_bytes == sum(_size(one.data) for one in self._unstored.values())
        assert all(self._board.checkpointed.values()), "a job without checkpoints is named"


def _size(data: Payload) -> int:
    return len(data) if isinstance(data, bytes) else limits.BLOB_PAYLOAD_BYTES
