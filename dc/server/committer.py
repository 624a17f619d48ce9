"""Records on their way to disk: one commit at a time, of all that has come since the last began.

While a commit is under way the next one gathers, so that the more there is to do, the more each
commit carries, and nobody waits for a timer. A few records are committed without a thread, if the
store says that this takes but a moment: in the very step that brought them if it was quiet before,
else at the end of the loop's turn, with what the others of that turn brought.

A commit that fails (a full disk) is told at once and tried again with the same records until it
succeeds: until then nothing of it is acknowledged.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

import trio

from dc import limits, limits_store
from dc.errors import StoreConflict, StoreError
from dc.record_blobs import named
from dc.records import NewTasks, Outcomes, Record, Retried
from dc.server.histogram import Histogram
from dc.store import Store

log = logging.getLogger("dc.server")

RETRY_SECONDS = 1.0
"""Between two tries of a commit that failed."""

COMMIT_BOUNDS = (0.0001, 0.0005, 0.002, 0.01, 0.05, 0.25, 1.0, 5.0)
"""Seconds of a commit, for the metrics: from one in memory to that of a disk that is overloaded."""


class Committer:
    """Writes records in the order in which they were added.

    Args:
        store: where to.
        on_committed: called with the number of records of each commit once it is on disk.
        on_trouble: called with the reason when a commit fails, once for each new reason, and with
            an empty text when one succeeds again.

    Attributes:
        trouble: why the last try of a commit failed; empty while writing works.
        written: records that are on disk.
        seconds: how long commits took, tries that failed included.
    """

    def __init__(
        self,
        store: Store,
        on_committed: Callable[[int], None],
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._on_committed = on_committed
        self._on_trouble = on_trouble
        self._queue: deque[tuple[Record, int]] = deque()
        self._work = trio.Event()
        self._space = trio.Event()
        self._bytes = 0
        self._added = self.written = 0
        self.seconds = Histogram(COMMIT_BOUNDS)
        self._quiet_since = 0.0
        self._busy = True  # until it runs
        self.trouble = ""

    def add(self, record: Record) -> None:
        """Have a record written; `begin` says when all of an event are there."""
        self._queue.append((record, 0))
        self._added += 1

    def weigh(self, size: int) -> None:
        """Say that the records just added hold about so many bytes."""
        if self._queue:
            record, before = self._queue[-1]
            self._queue[-1] = (record, before + size)
            self._bytes += size

    def begin(self) -> None:
        """Commit what was added: at once, if nothing else is going on and it is little."""
        if self._busy:
            return
        if trio.current_time() - self._quiet_since >= limits_store.COMMIT_NOW_QUIET_SECONDS:
            records, size = self._next_commit()
            began = trio.current_time()
            if self._commit_now(records, size):
                self._done(records, size, began)
        if self._queue:
            self._work.set()

    @property
    def waiting(self) -> int:
        """How many records are not on disk yet."""
        return len(self._queue)

    @property
    def stalled(self) -> bool:
        """Whether clients are not read because too much is not on disk yet."""
        return self._bytes > limits.UNCOMMITTED_BYTES

    async def wait_space(self) -> None:
        """Wait while more than `limits.UNCOMMITTED_BYTES` are not on disk yet."""
        while self.stalled:
            await self._space.wait()

    async def wait_idle(self) -> None:
        """Wait until all that was added is on disk."""
        while self._queue:
            await self._space.wait()

    async def wait_written(self) -> None:
        """Wait until all that was added before now is on disk."""
        added = self._added
        while self.written < added:
            await self._space.wait()

    def named(self) -> set[bytes]:
        """Return the digests of the blobs that what is not on disk yet names."""
        return named(record for record, _ in self._queue)

    async def run(self) -> None:
        """Commit for as long as it is not cancelled."""
        while True:
            await self._wait_work()
            records, size = self._next_commit()
            began = trio.current_time()
            if not self._commit_now(records, size):
                await self._commit(records)
            self._done(records, size, began)
            if self._queue:  # what it brought about: others of this turn may add to it
                await trio.lowlevel.checkpoint()

    async def _wait_work(self) -> None:
        while not self._queue:
            self._work = trio.Event()
            self._busy = False
            await self._work.wait()
        self._busy = True

    def _done(self, records: list[Record], size: int, began: float) -> None:
        for _ in records:
            self._queue.popleft()
        self._bytes -= size
        self.written += len(records)
        self._space.set()
        self._space = trio.Event()
        self._quiet_since = trio.current_time()
        self.seconds.add([self._quiet_since - began])
        self._on_committed(len(records))

    def _next_commit(self) -> tuple[list[Record], int]:
        """Return the oldest records, up to `limits_store.COMMIT_TASKS` tasks, and their bytes."""
        records: list[Record] = []
        tasks = bytes_ = 0
        for record, size in self._queue:
            tasks += _tasks(record)
            if records and tasks > limits_store.COMMIT_TASKS:
                break
            records.append(record)
            bytes_ += size
        return records, bytes_

    def _commit_now(self, records: list[Record], size: int) -> bool:
        """Commit in this very step, if there is little to commit; return whether that was done."""
        if self.trouble or size > limits_store.COMMIT_NOW_BYTES:
            return False
        if sum(map(_tasks, records)) > limits_store.COMMIT_NOW_TASKS:
            return False
        try:
            return self._store.commit_now(records)
        except Exception:
            return False  # tried again, and told, by `_commit`, in the committer's own task

    async def _commit(self, records: list[Record]) -> None:
        while True:
            try:
                await self._store.commit(records)
            except StoreConflict:
                raise
            except StoreError as error:
                self._note_trouble(str(error))
                await trio.sleep(RETRY_SECONDS)
            else:
                self._note_trouble("")
                return

    def _note_trouble(self, text: str) -> None:
        if text == self.trouble:
            return
        self.trouble = text
        if text:
            log.error("nothing is acknowledged until this is mended: %s", text)
        else:
            log.warning("writing works again")
        self._on_trouble(text)


def _tasks(record: Record) -> int:
    if isinstance(record, NewTasks):
        return len(record.payloads)
    return len(record.numbers) if isinstance(record, Outcomes | Retried) else 1
