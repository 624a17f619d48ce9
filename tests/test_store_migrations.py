"""Databases of earlier schemas: everything in them is there after migrating."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from dc import store_file
from dc.messages_client import Counts, Options
from dc.messages_parts import Blob, Failure
from dc.records import NewJob
from dc.store_file import DATABASE
from dc.store_rows import to_json
from dc.store_sqlite import open_store

BLOB, RESULT = Blob(bytes(range(32)), 1 << 40), Blob(bytes(32), 7)

SCHEMA_1 = """
INSERT INTO incoming VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def make_schema_1(path: Path) -> None:
    """Make a database as the first dc wrote it: four jobs in the states that a job can have."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        store_file._apply(connection, 1, store_file.migrations()[0])
        for row in _rows_1():
            connection.execute(SCHEMA_1, row)


def _rows_1() -> Iterator[tuple[object, ...]]:
    spec = {"type": "demo", "version": "1", "payload": "bytes", "result": "bytes"}
    text = json.dumps(spec | {"options": msgspec.to_builtins(Options(name="n"))})
    for job in (1, 2, 3, 4):
        yield (1, job, None, None, 10.0 * job, None, None, None, text, None)
    piece = msgspec.json.encode(BLOB)
    head = {"ends": [3, 3 + len(piece), 5 + len(piece)], "kinds": "vbv"}
    for job in (1, 2, 3):
        body = b"one" + piece + b"xy"
        yield (2, job, 0, 3, None, None, None, None, json.dumps(head, separators=(",", ":")), body)
    plain = json.dumps({"ends": [1, 2], "kinds": ""}, separators=(",", ":"))
    yield (2, 4, 0, 2, None, None, None, None, plain, b"ab")
    yield (3, 1, None, 3, None, None, None, None, None, None)
    yield from _outcomes_1()
    yield (4, 2, None, None, 123.5, None, None, None, None, None)
    yield (6, 3, None, 3, None, None, "[[1, 2, 1]]", None, None, None)


def _outcomes_1() -> Iterator[tuple[object, ...]]:
    pieces = [b"r", msgspec.json.encode(RESULT), msgspec.json.encode(Failure("error", "no"))]
    ends = [sum(map(len, pieces[: n + 1])) for n in range(3)]
    head = {"worker": "w", "at": 77.5, "attempts": [1, 1, 3], "times": [0.5, 0.5, 0.5]}
    head |= {"ends": ends, "kinds": "vbf"}
    text = json.dumps(head, separators=(",", ":"))
    yield (5, 1, 1, 3, None, 300, "[2, 0, 1]", "[1]", text, b"".join(pieces))
    head = {"worker": "w", "at": 78.5, "attempts": [1], "times": [0.5], "ends": [0], "kinds": ""}
    yield (5, 3, 2, 1, None, 64, "[0]", "[]", json.dumps(head, separators=(",", ":")), b"")


def make_schema_2(path: Path) -> None:
    """Make the same database of schema 2."""
    make_schema_1(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        store_file._apply(connection, 2, store_file.migrations()[1])


def make_schema_3(path: Path) -> None:
    """Make the same database of schema 3."""
    make_schema_2(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        store_file._apply(connection, 3, store_file.migrations()[2])


def make_schema_4(path: Path) -> None:
    """Make the same database of schema 4."""
    make_schema_3(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        store_file._apply(connection, 4, store_file.migrations()[3])


def make_schema_5(path: Path) -> None:
    """Make the same database of schema 5."""
    make_schema_4(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        store_file._apply(connection, 5, store_file.migrations()[4])


EARLIER: dict[int, Callable[[Path], None]] = {
    1: make_schema_1,
    2: make_schema_2,
    3: make_schema_3,
    4: make_schema_4,
    5: make_schema_5,
}


def test_every_earlier_schema_is_tried() -> None:
    assert sorted(EARLIER) == list(range(1, len(store_file.migrations())))


@pytest.mark.parametrize("schema", EARLIER)
async def test_nothing_is_lost_by_migrating(tmp_path: Path, schema: int) -> None:
    EARLIER[schema](tmp_path / DATABASE)
    store = await open_store(tmp_path)
    assert len(await store.identity()) == 32
    assert [row.job for row in await store.jobs(None, 10)] == [4, 3, 2, 1]
    assert [row.job for row in await store.open_jobs()] == [3, 4]
    assert await store.totals() == Counts(total=11, queued=4, done=3, failed=1, cancelled=3)
    assert await store.payloads(1, [0, 1, 2]) == [b"one", BLOB, b"xy"]
    record = (await store.outcomes_after(1, 0, 1000))[0]
    assert record.numbers == [2, 0, 1]
    assert record.outcomes == [b"r", RESULT, Failure("error", "no")]
    left = await store.unfinished(3, 0, 10)
    assert (left.numbers, left.attempts, left.crashes) == ([1, 2], [2, 0], [1, 0])
    assert (left.failures, left.workers) == ([0, 0], ["", ""])
    assert await store.next_ids() == (5, 3)
    await store.commit([NewJob(5, "demo", "1", Options(), "bytes", "bytes", 1.0, key="k")])
    await store.aclose()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as other:
        found = other.execute("SELECT job, finished_at FROM jobs ORDER BY job").fetchall()
        assert found == [(1, 77.5), (2, 123.5), (3, None), (4, None), (5, None)]
        failure = len(msgspec.json.encode(Failure("error", "no")))
        counted = [5 + BLOB.size + 1 + RESULT.size + failure, *[5 + BLOB.size] * 2, 2, 0]
        found = other.execute("SELECT bytes FROM jobs ORDER BY job").fetchall()
        assert [size for (size,) in found] == counted
        uses = other.execute("SELECT digest, job FROM blob_uses ORDER BY digest, job").fetchall()
        assert uses == [(RESULT.name, 1), *((BLOB.name, job) for job in (1, 2, 3))]
        sql = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 2"
        migrated = other.execute(sql).fetchall()
    with closing(sqlite3.connect(":memory:")) as fresh:
        store_file.migrate(fresh, 0)
        assert fresh.execute(sql).fetchall() == migrated


def test_pieces_are_written_as_the_migration_reads_them() -> None:
    assert to_json({"ends": [1], "kinds": ""}).endswith('"kinds":""}')
