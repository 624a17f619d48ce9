"""The store in one SQLite file, with its threads.

Theory of operation
-------------------
Python's threads share one lock, which a thread that comes out of SQLite must get back; beside a
busy event loop that takes milliseconds each time. So whatever costs one trip into SQLite for each
row starves (measured in docs/store.md), and everything here makes few trips:

- a commit is one INSERT of many rows into the view `incoming`, whose triggers spread it, outside
  transactions: SQLite begins, writes, syncs and ends within one step;
- a read is a few queries, each of which returns one row of JSON lists and joined blobs;
- a commit of a few records is done in the event loop itself, as long as the disk takes those in a
  fraction of a millisecond: handing it to a thread and back takes longer (store_pace.py);
- each connection has a thread of its own, and while a call is under way, the event loop lets go of
  the lock for a moment each millisecond (store_thread.py).

The log (write-ahead log) is copied into the database by a thread of its own with a connection of
its own. It does the bulk beside the commits; then it takes their turn for the rest and empties the
log. Only when the log passes `wal_bytes_most` do commits wait for it, or do it themselves.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import trio

from dc import limits, limits_store
from dc.errors import StoreError
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
from dc.store_file import (
    DATABASE,
    FolderLock,
    connect,
    make_durable,
    prepare_folder,
    told_plainly,
)
from dc.store_open import open_database
from dc.store_pace import Pace
from dc.store_read import Reader
from dc.store_remove import Remover
from dc.store_thread import StoreThread
from dc.store_write import Checkpoints, Writer
from dc.view_server import EventView

T = TypeVar("T")


class SqliteStore:
    """A dc.store.Store in one SQLite file; made by `open_store`."""

    def __init__(
        self, folder: Path, wal_bytes: int, wal_bytes_most: int, accept_loss: bool = False
    ) -> None:
        self._path = folder / DATABASE
        self._closed = False
        self._reading = trio.CapacityLimiter(limits_store.READERS)
        self._backing_up = trio.CapacityLimiter(1)
        with ExitStack() as stack:
            stack.enter_context(told_plainly(self._path))
            prepare_folder(folder)
            stack.callback(FolderLock(folder).release)
            first, second, *others = self._connect(stack, accept_loss)
            self._writer = Writer(first, self._path)
            self._pace = Pace()
            self._remover = Remover(self._writer)
            self._checkpoints = Checkpoints(second, self._writer, wal_bytes, wal_bytes_most)
            self._checkpoints.start()
            stack.callback(self._checkpoints.stop)
            self._readers = [
                (Reader(other, self._path), self._start("dc-reader", stack)) for other in others
            ]
            self._thread = self._start("dc-writer", stack)
            self._stack = stack.pop_all()

    def _connect(self, stack: ExitStack, accept_loss: bool) -> list[sqlite3.Connection]:
        connections = [open_database(self._path, accept_loss=accept_loss)]
        stack.callback(connections[0].close)
        for _ in range(1 + limits_store.READERS):
            connection = connect(self._path)
            stack.callback(connection.close)
            make_durable(connection)
            connections.append(connection)
        return connections

    def _start(self, name: str, stack: ExitStack) -> StoreThread:
        thread = StoreThread(name)
        stack.callback(thread.stop)
        return thread

    async def commit(self, records: Sequence[Record]) -> None:
        """See Store."""
        await self._write(self._commit, records)

    def _commit(self, records: Sequence[Record]) -> None:
        with told_plainly(self._path):
            self._checkpoints.bound()
            self._writer.commit(records)
            self._checkpoints.after_commit()

    def commit_now(self, records: Sequence[Record]) -> bool:
        """See Store."""
        self._check_open()
        began = time.monotonic()
        if not self._pace.allows(began) or self._checkpoints.is_bound:
            return False
        try:
            with told_plainly(self._path):
                if not self._writer.commit_now(records):
                    return False
                self._checkpoints.after_commit()
                return True
        finally:
            now = time.monotonic()
            self._pace.took(now - began, now)

    async def _write(self, work: Callable[..., T], *arguments: object) -> T:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        return await self._thread.run(work, *arguments)

    async def _read(self, ask: Callable[[Reader], T]) -> T:
        async with self._reading:
            self._check_open()
            reader, thread = self._readers.pop()
            try:
                return await thread.run(reader.ask, ask)
            finally:
                self._readers.append((reader, thread))

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self._path} has been closed")

    async def payloads(self, job: int, numbers: Sequence[int]) -> list[Payload]:
        """See Store."""
        return await self._read(lambda reader: reader.payloads(job, numbers))

    async def outcomes_after(self, job: int, after: int, limit_bytes: int) -> list[Outcomes]:
        """See Store."""
        return await self._read(lambda reader: reader.outcomes_after(job, after, limit_bytes))

    async def outcomes_from(
        self, job: int, first: int, limit_bytes: int, limit_tasks: int
    ) -> list[Outcomes]:
        """See Store."""
        return await self._read(
            lambda reader: reader.outcomes_from(job, first, limit_bytes, limit_tasks)
        )

    async def identity(self) -> str:
        """See Store."""
        return await self._read(lambda reader: reader.identity())

    async def next_ids(self) -> tuple[int, int]:
        """See Store."""
        return await self._read(lambda reader: reader.next_ids())

    async def workers(self) -> list[WorkerRow]:
        """See Store."""
        return await self._read(lambda reader: reader.workers())

    async def open_jobs(self) -> list[JobRow]:
        """See Store."""
        return await self._read(lambda reader: reader.jobs("open_jobs"))

    async def unfinished(self, job: int, first: int, limit: int) -> Unfinished:
        """See Store."""
        return await self._read(lambda reader: reader.unfinished(job, first, limit))

    async def leased(self) -> list[Unfinished]:
        """See Store."""
        return await self._read(lambda reader: reader.leased())

    async def job(self, job: int) -> JobRow | None:
        """See Store."""
        found = await self._read(lambda reader: reader.jobs("job", job=job))
        return found[0] if found else None

    async def job_of_key(self, key: str) -> JobRow | None:
        """See Store."""
        found = await self._read(lambda reader: reader.jobs("job_of_key", key=key))
        return found[0] if found else None

    async def jobs(self, before: int | None, limit: int, submitter: str = "") -> list[JobRow]:
        """See Store."""
        below = limits.MAX_JOB + 1 if before is None else before
        return await self._read(
            lambda reader: reader.jobs("jobs", before=below, limit=limit, submitter=submitter)
        )

    async def listed(
        self, wanted: JobFilter, after: Place | None, limit: int
    ) -> tuple[list[JobRow], Place | None]:
        """See Store."""
        return await self._read(lambda reader: reader.listed(wanted, after, limit))

    async def submitters(self) -> dict[str, float]:
        """See Store."""
        return await self._read(lambda reader: reader.submitters())

    async def usage(self) -> dict[str, int]:
        """See Store."""
        return await self._read(lambda reader: reader.usage())

    async def plugins(self) -> list[PluginRow]:
        """See Store."""
        return await self._read(lambda reader: reader.plugins())

    async def drop_plugins(self, before: float) -> list[bytes]:
        """See Store."""
        return await self._write(self._remove_with, lambda r: r.drop_plugins(before))

    async def settled(self, job: int, numbers: Sequence[int]) -> tuple[list[int], list[int]]:
        """See Store."""
        return await self._read(lambda reader: reader.settled(job, numbers))

    async def tasks(self, job: int, first: int, limit: int, failed: bool = False) -> list[TaskRow]:
        """See Store."""
        return await self._read(lambda reader: reader.tasks(job, first, limit, failed))

    async def tasks_in(
        self, job: int, state: TaskEnd, first: int, limit: int
    ) -> tuple[list[TaskRow], int | None]:
        """See Store."""
        return await self._read(lambda reader: reader.tasks_in(job, state, first, limit))

    async def task(self, job: int, number: int, outcome: bool = False) -> TaskRow | None:
        """See Store."""
        found = await self._read(lambda reader: reader.tasks(job, number, 1, False, outcome))
        return found[0] if found else None

    async def output(self, job: int, number: int) -> TaskOutput | None:
        """See Store."""
        return await self._read(lambda reader: reader.output(job, number))

    async def attempt_ends(self, job: int, first: int, limit: int) -> list[AttemptEnd]:
        """See Store."""
        return await self._read(lambda reader: reader.attempt_ends(job, first, limit))

    async def figures(self, job: int) -> JobFigures | None:
        """See Store."""
        return await self._read(lambda reader: reader.figures(job))

    async def bare_outcomes(self, job: int, after: int, limit_bytes: int) -> list[Outcomes]:
        """See Store."""
        return await self._read(
            lambda reader: reader.outcomes_after(job, after, limit_bytes, bare=True)
        )

    async def checkpoints(self, job: int, numbers: Sequence[int]) -> dict[int, Payload]:
        """See Store."""
        return await self._read(lambda reader: reader.checkpoints(job, numbers))

    async def checkpointed(self) -> list[tuple[int, int]]:
        """See Store."""
        return await self._read(lambda reader: reader.checkpointed())

    async def totals(self) -> Counts:
        """See Store."""
        return await self._read(lambda reader: reader.totals())

    async def removable(self, before: float, keep: int, limit: int) -> list[int]:
        """See Store."""
        return await self._read(lambda reader: reader.removable(before, keep, limit))

    async def remove(self, job: int, limit: int) -> Removed:
        """See Store."""
        return await self._write(self._remove_with, lambda r: r.remove(job, limit))

    def _remove_with(self, work: Callable[[Remover], T]) -> T:
        with told_plainly(self._path):
            self._checkpoints.bound()
            removed = work(self._remover)
            self._checkpoints.after_commit()
            return removed

    async def history(self, step: int, since: float, until: float) -> list[HistoryStep]:
        """See Store."""
        return await self._read(lambda reader: reader.shown.history(step, since, until))

    async def presence(self, key: str) -> list[PresenceRow]:
        """See Store."""
        return await self._read(lambda reader: reader.shown.presence(key))

    async def events(
        self, wanted: EventFilter, after: int, before: int, limit: int
    ) -> list[EventView]:
        """See Store."""
        return await self._read(lambda reader: reader.shown.events(wanted, after, before, limit))

    async def next_event(self) -> int:
        """See Store."""
        return await self._read(lambda reader: reader.shown.next_event())

    async def settings(self) -> dict[str, str]:
        """See Store."""
        return await self._read(lambda reader: reader.shown.settings())

    async def access(self) -> AccessRows:
        """See Store."""
        return await self._read(lambda reader: reader.admitted.access())

    async def next_audit(self) -> int:
        """See Store."""
        return await self._read(lambda reader: reader.admitted.next_audit())

    async def audit(self, wanted: AuditFilter, before: int, limit: int) -> list[AuditRow]:
        """See Store."""
        return await self._read(lambda reader: reader.admitted.audit(wanted, before, limit))

    async def used_blobs(self, first: bytes, last: bytes) -> list[bytes]:
        """See Store."""
        return await self._read(lambda reader: reader.used_blobs(first, last))

    async def backup(self, path: Path) -> None:
        """See Store."""
        async with self._backing_up:
            self._check_open()
            await trio.to_thread.run_sync(self._backup, path)

    def _backup(self, path: Path) -> None:
        with told_plainly(path):
            self._writer.backup(path, _pause)

    async def check(self) -> list[str]:
        """See Store."""
        return await self._read(lambda reader: reader.check())

    async def aclose(self) -> None:
        """Wait for what is under way, copy the log into the database, let go of the folder."""
        if self._closed:
            await trio.lowlevel.checkpoint()
            return
        self._closed = True
        with trio.CancelScope(shield=True):
            owners = [object() for _ in self._readers]
            for owner in owners:
                await self._reading.acquire_on_behalf_of(owner)
            async with self._backing_up:
                await trio.to_thread.run_sync(self._stack.close)
            for owner in owners:
                self._reading.release_on_behalf_of(owner)


async def open_store(
    folder: Path,
    wal_bytes: int = limits_store.WAL_BYTES,
    wal_bytes_most: int = limits_store.WAL_BYTES_MOST,
    accept_loss: bool = False,
) -> SqliteStore:
    """Open the store in a data folder, which is made if need be; close it with `aclose`.

    Args:
        folder: the data folder.
        wal_bytes: bytes of the log after which it is copied into the database.
        wal_bytes_most: bytes of the log after which commits wait for that.
        accept_loss: go on with what is left when the log is missing or damaged.

    Raises:
        StoreDamaged: the database is cut off, scribbled on, or none.
        StoreNewer: it is of a newer dc.
        StoreLogMissing: it needs its log, which is not there.
        StoreError: the folder is in use, of another program, or cannot be written to.
    """
    return await trio.to_thread.run_sync(
        SqliteStore, folder, wal_bytes, wal_bytes_most, accept_loss
    )


def _pause() -> None:
    trio.from_thread.check_cancelled()
    time.sleep(limits_store.BACKUP_PAUSE_SECONDS)
