"""The data folder: its lock, its database file, the schema and the queries."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import Final

from dc import limits_store as limits
from dc import store_pieces
from dc.errors import StoreError, StoreFull
from dc.store_log import APPLICATION_ID, damaged

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

DATABASE: Final = "dc.sqlite3"
LOCK: Final = "lock"

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_QUERY = re.compile(r"(?:-- .*\n)+(?P<sql>(?!--)[^;]+;)\s*")


class FolderLock:
    """Keeps a second server out of a data folder, until `release` or the end of the process.

    Args:
        folder: the data folder, which exists.

    Raises:
        StoreError: another server uses the folder.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._take()
        except OSError:
            owner = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise StoreError(
                f"data folder {folder} is in use by another server (pid {owner}): "
                "stop that one or choose another --data"
            ) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def _take(self) -> None:
        if sys.platform == "win32":
            # Windows lets nobody read a locked byte: lock one far behind the pid.
            os.lseek(self._file, 1 << 20, os.SEEK_SET)
            try:
                msvcrt.locking(self._file, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(self._file, 0, os.SEEK_SET)
        else:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Let others use the folder. The file stays: removing it would race with the next one."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def prepare_folder(folder: Path) -> None:
    """Make the data folder, if it is not there; nobody but its user reads what is in it.

    Raises:
        StoreError: it cannot be made or written to; the message says what to do.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise StoreError(f"data folder {folder} is not a folder: choose another --data") from None
    except OSError as error:
        raise StoreError(f"cannot make data folder {folder}: {error.strerror}") from None
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise StoreError(
            f"data folder {folder} cannot be written to: "
            "change its permissions or choose another --data"
        )


def connect(path: Path, statements: int = limits.STATEMENTS) -> sqlite3.Connection:
    """Open a connection that any one thread at a time may use, and that begins no transaction by
    itself.

    Args:
        path: the database.
        statements: how many compiled statements it keeps.

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    return sqlite3.connect(
        path,
        timeout=limits.STORE_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=statements,
    )


def make_durable(connection: sqlite3.Connection) -> None:
    """Set how the connection writes: to a log, synced with each commit, copied on request only."""
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")


@contextmanager
def told_plainly(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the system into StoreErrors that say what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise _plainly(path, error) from error
    except OSError as error:
        kind = StoreFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
        help_ = "free some space" if kind is StoreFull else "mend that, or choose another --data"
        raise kind(f"{error.filename or path}: {error.strerror}: {help_}") from error


def _plainly(path: Path, error: sqlite3.Error) -> StoreError:
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return damaged(path, text)
    if "is full" in text:
        return StoreFull(f"the disk of {path} is full: free some space")
    if "unable to open" in text or "readonly" in text:
        return StoreError(
            f"{path} cannot be opened for writing ({text}): check its permissions and its disk"
        )
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_IOERR"):
        return StoreError(f"{path} cannot be read or written ({name}): check its disk")
    return StoreError(f"{path}: {text}")


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the database from this version to the newest, one at a time.

    Raises:
        sqlite3.Error: it cannot be written; every finished step stays.
    """
    for number, script in enumerate(migrations()[version:], version + 1):
        _apply(connection, number, script)


def _apply(connection: sqlite3.Connection, number: int, script: str) -> None:
    connection.create_function("blob_name", 1, store_pieces.blob_name, deterministic=True)
    marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\n{marks}\nCOMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.rollback()
        raise


def settle(connection: sqlite3.Connection) -> None:
    """Copy the log into the database and begin it anew; see dc.store_log for the marks.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    mark_log(connection, needed=False)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    mark_log(connection, needed=True)
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    mark_log(connection, needed=False)


def mark_log(connection: sqlite3.Connection, *, needed: bool) -> None:
    """Write down whether the database file needs its log, once this has been copied into it.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    connection.execute("UPDATE folder SET log_needed = ?", (int(needed),))


def renew_identity(path: Path) -> None:
    """Give a copy of a database a name of its own.

    Numbers of jobs that were given out after the copy was made will be given out again by whoever
    serves it, and what workers still have of the first must not be taken for that.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as copy:
        copy.execute("UPDATE folder SET identity = lower(hex(randomblob(16)))")


def migrations() -> list[str]:
    """Return the scripts of dc/sql/migrations: the first makes schema 1, and so on."""
    folder = resources.files("dc") / "sql" / "migrations"
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    return [entry.read_text(encoding="utf-8") for entry in files]


def queries() -> Mapping[str, str]:
    """Return the queries of dc/sql/queries.sql by name."""
    return parse_queries((resources.files("dc") / "sql" / "queries.sql").read_text("utf-8"))


def parse_queries(text: str) -> Mapping[str, str]:
    """Return the queries of a text by name.

    Each is a line `-- name: NAME`, at least one line of comment that describes it, and the SQL,
    which has one semicolon, at its end.

    Raises:
        ValueError: a query has no description or no end, or two have one name.
    """
    found: dict[str, str] = {}
    _, *parts = _NAME.split(text)
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        query = _QUERY.fullmatch(body)
        if query is None or name in found:
            raise ValueError(f"query {name} is not well formed, or there twice")
        found[name] = query["sql"]
    return found
