"""The writing half of the SQLite store: commits, and the copying of the log. All of it blocks."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path

from dc import limits_store as limits
from dc import store_rows
from dc.errors import StoreConflict, StoreError
from dc.records import Outcomes, Record
from dc.store_file import connect, mark_log, queries, settle
from dc.store_log import log_of
from dc.store_rows import Row, to_json


class Writer:
    """Commits records.

    Attributes:
        turn: held while the database is written to.
        path: the database.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.turn = threading.Lock()
        self.path = path
        self._connection = connection
        self._doubled = queries()["doubled"]
        row = f"({', '.join('?' * store_rows.COLUMNS)})"
        sizes = [1 << power for power in range(limits.COMMIT_ROWS.bit_length())]
        self._inserts = {  # of question marks only
            size: f"INSERT INTO incoming VALUES {', '.join([row] * size)}"  # noqa: S608  # nosec B608
            for size in sizes
        }

    def commit(self, records: Sequence[Record]) -> None:
        """Make the records last, all or none.

        Raises:
            StoreConflict: a record contradicts what is there.
            sqlite3.Error: it cannot be written.
        """
        with self.turn:
            self._commit(records)

    def commit_now(self, records: Sequence[Record]) -> bool:
        """Do the same unless somebody else is writing; return whether it was done."""
        if not self.turn.acquire(blocking=False):
            return False
        try:
            self._commit(records)
        finally:
            self.turn.release()
        return True

    def _commit(self, records: Sequence[Record]) -> None:
        try:
            self._insert(store_rows.rows(records))
        except sqlite3.IntegrityError as error:
            self._undo()
            raise StoreConflict(self._explain(records, error)) from error
        except BaseException:
            self._undo()
            raise

    def execute(self, statement: str, values: Mapping[str, object]) -> sqlite3.Cursor:
        """Execute a statement that is a commit of its own, or a query.

        Raises:
            sqlite3.Error: it cannot be done.
        """
        with self.turn:
            return self._connection.execute(statement, values)

    def backup(self, path: Path, pause: Callable[[], object]) -> None:
        """Copy the database to a new file, letting others write between two steps.

        What is written over this connection meanwhile goes to the copy as well, so that it is the
        state at the end.

        Args:
            path: the file.
            pause: called between two steps; what it raises ends the copying.

        Raises:
            sqlite3.Error: it cannot be written.
            OSError: it cannot be synced.
        """

        def let_others(*_: object) -> None:
            self.turn.release()
            try:
                pause()
            finally:
                self.turn.acquire()

        with closing(connect(path)) as copy:
            copy.execute("PRAGMA synchronous = OFF")
            with self.turn:
                self._connection.backup(copy, pages=limits.BACKUP_PAGES, progress=let_others)
        with closing(connect(path)) as copy:
            copy.execute("PRAGMA journal_mode = DELETE").fetchone()
            mark_log(copy, needed=False)

    def mark_log(self) -> None:
        """Have the database file say that it needs its log, once the log is copied.

        Raises:
            sqlite3.Error: it cannot be written.
        """
        with self.turn:
            mark_log(self._connection, needed=True)

    def settle(self, patience: float) -> None:
        """Copy what is left of the log and begin it anew.

        Args:
            patience: seconds to wait for reads that need the log; they may keep it.

        Raises:
            sqlite3.Error: it cannot be copied.
        """
        with self.turn:
            wait = "PRAGMA busy_timeout = {}"
            self._connection.execute(wait.format(int(patience * 1000))).fetchone()
            try:
                settle(self._connection)
            finally:
                usual = int(limits.STORE_BUSY_SECONDS * 1000)
                self._connection.execute(wait.format(usual)).fetchone()

    def _insert(self, rows: list[Row]) -> None:
        if len(rows) <= limits.COMMIT_ROWS:
            self._insert_some(rows)
            return
        self._connection.execute("BEGIN IMMEDIATE")
        for at in range(0, len(rows), limits.COMMIT_ROWS):
            self._insert_some(rows[at : at + limits.COMMIT_ROWS])
        self._connection.execute("COMMIT")

    def _insert_some(self, rows: list[Row]) -> None:
        # SQLite compiles a statement for each size once: there are few, filled up with NO_ROW.
        if rows:
            size = 1 << (len(rows) - 1).bit_length()
            filled = rows + [store_rows.NO_ROW] * (size - len(rows))
            self._connection.execute(self._inserts[size], list(chain.from_iterable(filled)))

    def _undo(self) -> None:
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.rollback()

    def _explain(self, records: Sequence[Record], error: sqlite3.Error) -> str:
        seen: set[tuple[int, int]] = set()
        for record in records:
            if isinstance(record, Outcomes) and "finished.task" in str(error):
                number = self._twice(record, seen)
                if number is not None:
                    return f"task {number} of job {record.job} has its outcome already"
        kinds = ", ".join(
            f"{type(record).__name__}({getattr(record, 'job', '')})" for record in records[:5]
        )
        return f"{self.path}: {error} (in a commit of {len(records)} records: {kinds}, …)"

    def _twice(self, record: Outcomes, seen: set[tuple[int, int]]) -> int | None:
        for number in record.numbers:
            if (record.job, number) in seen:
                return number
            seen.add((record.job, number))
        values = {"job": record.job, "numbers": to_json(record.numbers)}
        (found,) = self._connection.execute(self._doubled, values).fetchone()
        return None if found is None else int(found)


class Checkpoints:
    """Copies the log into the database, in a thread of its own, and keeps the log's size bounded.

    Args:
        connection: for this alone.
        writer: what writes to the database.
        wal_bytes: bytes of the log after which it is copied beside the commits.
        wal_bytes_most: bytes of the log after which commits wait for that.
    """

    def __init__(
        self, connection: sqlite3.Connection, writer: Writer, wal_bytes: int, wal_bytes_most: int
    ) -> None:
        self._connection = connection
        self._log = log_of(writer.path)
        self._writer = writer
        self._least = self._seen = self._size()
        self._wal_bytes = wal_bytes
        self._due = wal_bytes
        self._wal_bytes_most = wal_bytes_most
        self._copying = threading.Lock()
        self._wake = threading.Event()
        self._stopped = False
        self._active = False
        self._thread = threading.Thread(target=self._run, name="dc-checkpoints", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and copy what is left."""
        self._stopped = True
        self._wake.set()
        self._thread.join()
        with suppress(sqlite3.Error):
            self._copy(limits.WAL_PATIENCE_SECONDS)

    def bound(self) -> None:
        """Wait until the log is within its bound.

        Raises:
            sqlite3.Error: it cannot be copied.
            StoreError: it cannot be emptied.
        """
        # As it was after the last commit: looking costs a trip out of Python's lock and back.
        if self.is_bound:
            self._copy(limits.STORE_BUSY_SECONDS)
            if self._seen > self._wal_bytes_most:
                raise StoreError(f"{self._log} cannot be emptied: another program reads it")

    @property
    def is_bound(self) -> bool:
        """Whether `bound` would have to copy the log first."""
        return self._seen > self._wal_bytes_most

    def after_commit(self) -> None:
        """Have the log copied, if it is time."""
        self._active = True
        self._seen = self._size()
        if self._seen > self._due:
            self._wake.set()

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except FileNotFoundError:
            return 0

    def _run(self) -> None:
        while not self._stopped:
            woken = self._wake.wait(limits.WAL_IDLE_SECONDS)
            self._wake.clear()
            idle, self._active = not self._active, False
            if not self._stopped and (woken or idle) and self._size() > self._least:
                # What fails here (a full disk) fails in `bound` as well, where it is told.
                with suppress(sqlite3.Error):
                    self._copy(limits.WAL_PATIENCE_SECONDS)
                # What could not be emptied now is tried again when it has grown.
                self._due = self._size() + self._wal_bytes

    def _copy(self, patience: float) -> None:
        with self._copying:
            # Only a full disk keeps the mark from being written, and then copying is what helps.
            with suppress(sqlite3.Error):
                self._writer.mark_log()
            # The bulk beside the commits, then what they added meanwhile, and the rest in their
            # turn: only a log that nobody adds to can be emptied.
            for _ in range(2):
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._writer.settle(patience)
            self._least = self._seen = self._size()
