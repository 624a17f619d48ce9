"""What running tasks write, as their workers tell it: in memory, and then on disk.

What is said of an attempt is taken only from the worker that holds it. Once it has ended, or the
attempt is nobody's any more, it is written down, and stays in memory until that is done. Nobody
waits for it: an outcome that comes behind it is a record of its own.
"""

from __future__ import annotations

from functools import partial

from msgspec import Struct

from dc import limits_executor as limits
from dc.captured import Captured
from dc.errors import QuotaExceeded
from dc.messages_parts import Blob
from dc.messages_worker import Output
from dc.records import TaskOutput, output_size
from dc.server.board import Board
from dc.server.events import DropBlob
from dc.server.jobs import Job
from dc.server.leases import Leases
from dc.server.roster import Roster, Worker


class Live(Struct, eq=False):
    """The output of an attempt; `ended` says that it is being written down."""

    attempt: int
    captured: Captured
    job: Job
    ended: bool = False
    whole: Blob | None = None


class Outputs:
    """Keeps the output of running tasks.

    Args:
        board: where jobs and the scheduler are.
        roster: the workers.
        leases: which attempts are whose.
    """

    def __init__(self, board: Board, roster: Roster, leases: Leases) -> None:
        self._board = board
        self._roster = roster
        self._leases = leases
        self._live: dict[tuple[int, int], Live] = {}
        self._bytes = 0

    def take(self, worker: Worker, message: Output, missing: frozenset[Blob] = frozenset()) -> None:
        """Take what a worker tells of the output of an attempt, if that is with it.

        The whole of it is not kept if it is one of the blobs that are `missing` here.
        """
        key = message.job, message.number
        job = self._leases.scheduled(message.job)
        if job is None:
            return
        if not self._roster.holds(worker, *key, message.attempt):
            return
        live = self._live.get(key)
        if live is None or live.ended or live.attempt != message.attempt:
            live = self._begin(key, message.attempt, job)
        captured, before = live.captured, len(live.captured)
        if self._bytes + len(message.data) <= limits.OUTPUT_SERVER_BYTES:
            captured.add(message.start, message.data)
        captured.total = max(captured.total, message.total)
        self._bytes += len(captured) - before
        if message.ended:
            live.whole = message.whole if message.whole not in missing else None
            self._write(key, live)

    def _begin(self, key: tuple[int, int], attempt: int, job: Job) -> Live:
        before = self._live.get(key)
        if before is not None:
            self._bytes -= len(before.captured)
        live = self._live[key] = Live(attempt, Captured(), job)
        return live

    def _write(self, key: tuple[int, int], live: Live) -> None:
        live.ended = True
        captured = live.captured
        pieces = bytes(captured.head), bytes(captured.tail)
        record = TaskOutput(*key, live.attempt, *pieces, captured.total, live.whole)
        if not self._fits(live.job, record):  # that there was some is kept
            record = TaskOutput(*key, live.attempt, b"", b"", captured.total)
            if live.whole is not None:
                self._board.out.append(DropBlob(live.whole.digest))
        self._board.usage.count(live.job, output_size(record))
        self._board.write(record, partial(self._written, key, live))

    def _fits(self, job: Job, record: TaskOutput) -> bool:
        size = output_size(record)
        try:
            self._board.usage.check_one(size)
            self._board.usage.check_more(job, size)
        except QuotaExceeded:
            return False
        return True

    def _written(self, key: tuple[int, int], live: Live) -> None:
        if self._live.get(key) is live:
            del self._live[key]
            self._bytes -= len(live.captured)

    def tick(self) -> None:
        """Write down what was heard of attempts that are nobody's any more."""
        for key, live in list(self._live.items()):
            if not live.ended and not self._is_held(*key, live.attempt):
                self._write(key, live)

    def _is_held(self, job: int, number: int, attempt: int) -> bool:
        if self._leases.scheduled(job) is None:
            return False
        state = self._board.scheduler.state(job, number)
        return state is not None and state[1] == attempt and state[3] in self._roster.by_id

    def get(self, job: int, number: int) -> Live | None:
        """Return the output of a task that is not on disk yet."""
        return self._live.get((job, number))

    def validate(self) -> None:
        """Check that what is in memory is counted."""
        assert self._bytes == sum(len(live.captured) for live in self._live.values())
