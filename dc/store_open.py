"""Opening a database: what it may be, told apart before anything in it is changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from dc import limits_store as limits
from dc import store_file
from dc.errors import StoreDamaged, StoreError, StoreLogMissing, StoreNewer
from dc.store_file import connect, make_durable, migrate, settle
from dc.store_log import (
    APPLICATION_ID,
    check_frames,
    check_length,
    damaged,
    is_whole,
    log_of,
    read_head,
    set_aside,
)

BLOBS = "blobs"
"""The folder beside the database that dc.blobs keeps; here, a sign that there was a database."""

HAS_FOLDER_ROW = 2
"""The first schema whose database says whether it needs its log."""


def open_database(path: Path, *, accept_loss: bool = False) -> sqlite3.Connection:
    """Return a connection to a database of the newest schema, whose log is empty; make a new one.

    Args:
        path: the database.
        accept_loss: go on with what is left when its log is missing or damaged.

    Raises:
        StoreDamaged, StoreNewer, StoreLogMissing, StoreError: it cannot be used; the message says
            what to do. It is left as it was.
        sqlite3.Error, OSError: it cannot be read or written.
    """
    with_log = check_files(path, accept_loss=accept_loss)
    connection = connect(path, limits.WRITER_STATEMENTS)
    try:
        version = schema_version(connection, path)
        make_durable(connection)
        _take_log(connection, path, with_log and not accept_loss)
        if accept_loss or (with_log and path.stat().st_size <= limits.CHECK_BYTES):
            quick_check(connection, path)
        migrate(connection, version)
        settle(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def check_files(path: Path, *, accept_loss: bool) -> bool:
    """Look at the files of a database before SQLite does; return whether there is a log to take.

    A damaged log whose loss is accepted gets another name.

    Raises:
        StoreError: as `open_database` says.
    """
    head, log = read_head(path), log_of(path)
    if head is None:
        _check_new(path, log)
        return False
    if head.application not in (0, APPLICATION_ID):
        raise _foreign(path)
    _check_version(path, head.version)
    with_log = is_whole(log)
    check_length(path, head, with_log=with_log)
    if not with_log and head.version >= HAS_FOLDER_ROW and needs_log(path):
        if not accept_loss:
            raise _log_missing(path, log)
        set_aside(path)
    return with_log


def _check_new(path: Path, log: Path) -> None:
    blobs = path.parent / BLOBS
    for sign in (log, *blobs.glob("??/*")):
        if sign.exists() and sign.stat().st_size:
            raise StoreDamaged(
                f"{path} is missing or empty, but {sign} is there: restore it from a backup, or "
                "choose another --data"
            )


def _log_missing(path: Path, log: Path) -> StoreLogMissing:
    how = "damaged" if log.exists() and log.stat().st_size else "missing"
    return StoreLogMissing(
        f"{path} was in use when its server ended, and {log.name} beside it, which holds what was "
        f"acknowledged last, is {how}: put that file back; or start with --accept-loss to go on "
        "with what is left"
    )


def _foreign(path: Path) -> StoreError:
    return StoreError(f"{path} belongs to another program: choose another --data")


def _check_version(path: Path, version: int) -> None:
    known = len(store_file.migrations())
    if version > known:
        raise StoreNewer(
            f"{path} was written by a newer dc (schema {version}, this one knows {known}): "
            "update dc or choose another --data"
        )


def needs_log(path: Path) -> bool:
    """Return whether the database file, without its log, lacks something.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as alone:
        (needed,) = alone.execute("SELECT log_needed FROM folder").fetchone()
        return bool(needed)


def schema_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the database's schema, 0 for an empty one. Changes nothing.

    Raises:
        StoreError: it is not a database of dc.
        StoreNewer: it is one of a newer dc.
        sqlite3.Error: it cannot be read.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (marked,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (tables or version) and marked != APPLICATION_ID:
        raise _foreign(path)
    _check_version(path, version)
    return int(version)


def _take_log(connection: sqlite3.Connection, path: Path, check: bool) -> None:
    """Copy the log into the database and empty it, if nothing in it is damaged."""
    _, taken, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if check:
        try:
            check_frames(path, taken)
        except StoreDamaged:
            _close_and_keep_log(connection, path)
            raise
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _close_and_keep_log(connection: sqlite3.Connection, path: Path) -> None:
    """Close the last connection; SQLite removes the log then, which is put back."""
    log = log_of(path)
    kept = log.with_name(log.name + ".kept")
    kept.unlink(missing_ok=True)
    kept.hardlink_to(log)
    connection.close()
    kept.replace(log)


def quick_check(connection: sqlite3.Connection, path: Path) -> None:
    """Look through the whole database for damage.

    Raises:
        StoreDamaged: there is some.
    """
    try:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise damaged(path, found.strip().replace("\n", "; "))
