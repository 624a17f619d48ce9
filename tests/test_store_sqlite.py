"""What only the store on disk can do, or suffer."""

from __future__ import annotations

import importlib
import math
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio

from dc import limits_store as limits
from dc import store_file, store_rows
from dc.errors import StoreConflict, StoreError
from dc.messages_client import Counts, Options
from dc.messages_parts import Blob, Failure, Outcome
from dc.records import JobCancelled, NewJob, NewTasks, Outcomes, Record
from dc.store_file import DATABASE, LOCK
from dc.store_sqlite import SqliteStore, open_store

JOB = NewJob(1, "demo", "1", Options(name="n"), "bytes", "bytes", 1.0)


def tasks(first: int, count: int, size: int = 10) -> NewTasks:
    return NewTasks(1, first, [b"x" * size] * count)


def outcomes(sequence: int, numbers: list[int]) -> Outcomes:
    count = len(numbers)
    results: list[Outcome] = [b"y"] * count
    return Outcomes(sequence, 1, "w", 2.0, numbers, [1] * count, [0.5] * count, results)


async def refusal(folder: Path) -> str:
    with pytest.raises(StoreError) as caught:
        await open_store(folder)
    return str(caught.value)


# --- opening ------------------------------------------------------------------------------------


async def test_the_folder_is_for_one_server(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    text = await refusal(tmp_path)
    assert f"data folder {tmp_path} is in use by another server (pid {os.getpid()})" in text
    await store.aclose()
    await store.aclose()
    await (await open_store(tmp_path)).aclose()


def test_a_killed_server_leaves_no_lock(tmp_path: Path) -> None:
    script = (
        "import os, sys, trio, pathlib; from dc.store_sqlite import open_store\n"
        "trio.run(open_store, pathlib.Path(sys.argv[1])); print('open', flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "open\n", done.stderr
    assert (tmp_path / LOCK).read_text().strip().isdecimal()

    async def again() -> None:
        await (await open_store(tmp_path)).aclose()

    trio.run(again)


async def test_a_folder_is_made(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "a" / "b")
    await store.commit([JOB])
    await store.aclose()
    assert (tmp_path / "a" / "b" / DATABASE).exists()


async def test_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hello")
    assert "is not a folder: choose another --data" in await refusal(tmp_path / "file")
    assert "is not a folder: choose another --data" in await refusal(tmp_path / "file" / "below")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of POSIX")
def test_a_folder_that_may_not_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere, so what the system would say is put into its mouth.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(StoreError, match="cannot be written to: change its permissions"):
        store_file.prepare_folder(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"this is no database" * 500, id="other bytes"),
        pytest.param(lambda data: data[: len(data) // 2], id="cut off"),
        pytest.param(lambda data: data[:4096] + os.urandom(len(data) - 4096), id="scribbled"),
    ],
)
async def test_a_damaged_file_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    store = await open_store(tmp_path)
    await store.commit([JOB, tasks(0, 1000, size=200)])
    await store.aclose()
    path = tmp_path / DATABASE
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    assert f"{path} is damaged" in await refusal(tmp_path)
    assert path.read_bytes() == before
    assert "is damaged" in await refusal(tmp_path)  # not "in use": the lock was let go


async def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
        other.commit()
    before = path.read_bytes()
    assert "belongs to another program" in await refusal(tmp_path)
    assert path.read_bytes() == before


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    await (await open_store(tmp_path)).aclose()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as other:
        other.execute("PRAGMA user_version = 7")
    text = await refusal(tmp_path)
    assert (
        f"was written by a newer dc (schema 7, this one knows {len(store_file.migrations())})"
        in text
    )
    assert "update dc or choose another --data" in text


async def test_migrations_are_applied_in_order_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await open_store(tmp_path)).aclose()
    known = store_file.migrations()
    scripts = [
        *known,
        "CREATE TABLE second (a); INSERT INTO second VALUES (1);",
        "CREATE TABLE third AS SELECT a + 1 AS a FROM second;",
    ]
    monkeypatch.setattr(store_file, "migrations", lambda: scripts)
    for _ in range(2):
        await (await open_store(tmp_path)).aclose()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as other:
        assert other.execute("SELECT a FROM third").fetchall() == [(2,)]
        assert other.execute("PRAGMA user_version").fetchone() == (len(known) + 2,)


async def test_a_failing_migration_leaves_the_version_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = store_file.migrations()
    scripts = [*known, "CREATE TABLE second (a); CREATE TABLE second (b);"]
    monkeypatch.setattr(store_file, "migrations", lambda: scripts)
    assert "second" in await refusal(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (len(known),)
        assert other.execute("SELECT * FROM sqlite_master WHERE name = 'second'").fetchall() == []


# --- keeping ------------------------------------------------------------------------------------


def test_what_was_committed_outlives_a_kill(tmp_path: Path) -> None:
    script = (
        "import os, sys, trio, pathlib\n"
        "from tests.test_store_sqlite import JOB, tasks, outcomes, open_store\n"
        "async def main():\n"
        "    store = await open_store(pathlib.Path(sys.argv[1]))\n"
        "    await store.commit([JOB, tasks(0, 1000)])\n"
        "    await store.commit([outcomes(1, list(range(0, 1000, 2)))])\n"
        "    os.kill(os.getpid(), 9)\n"
        "trio.run(main)"
    )
    root = Path(__file__).parent.parent
    subprocess.run([sys.executable, "-c", script, tmp_path], cwd=root, timeout=60)

    async def look() -> None:
        store = await open_store(tmp_path)
        assert await store.totals() == Counts(total=1000, queued=500, done=500)
        assert (await store.unfinished(1, 0, 10)).numbers == list(range(1, 20, 2))
        await store.aclose()

    trio.run(look)


async def test_the_data_is_open_to_plain_queries(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    blob, failure = Blob(bytes(32), 5), Failure("error", "no")
    await store.commit([JOB, NewTasks(1, 0, [b"zero", blob]), NewTasks(1, 2, [b"", b"three"])])
    record = Outcomes(1, 1, "w", 2.5, [3, 0, 1], [1, 2, 3], [0.1, 0.2, 0.3], [b"", b"r", failure])
    await store.commit([record])
    with closing(sqlite3.connect(tmp_path / DATABASE)) as other:
        other.execute("PRAGMA query_only = 1")
        assert other.execute("SELECT type, version, name FROM jobs").fetchone() == (
            "demo",
            "1",
            "n",
        )
        found = other.execute("SELECT number, kind, payload FROM tasks ORDER BY number").fetchall()
        assert [row[:2] for row in found] == [(0, "v"), (1, "b"), (2, "v"), (3, "v")]
        assert [found[n][2] for n in (0, 2, 3)] == [b"zero", b"", b"three"]
        assert found[1][2].startswith(b'["blob"')
        rows = other.execute("SELECT number, worker, at, attempt, time, kind FROM outcomes")
        assert sorted(rows.fetchall()) == [
            *((0, "w", 2.5, 2, 0.2, "v"), (1, "w", 2.5, 3, 0.3, "f"), (3, "w", 2.5, 1, 0.1, "v")),
        ]
        (text,) = other.execute("SELECT outcome FROM outcomes WHERE kind = 'f'").fetchone()
        assert text == b'["failure","error","no",""]'
    await store.aclose()


async def test_a_full_disk_stops_commits_and_nothing_else(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    await store.commit([JOB])
    connection = store._writer._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 10}")
    record = tasks(0, 1000, size=1000)
    for _ in range(2):
        with pytest.raises(StoreError, match="is full: free some space") as caught:
            await store.commit([record])
        assert not isinstance(caught.value, StoreConflict)
        many = [tasks(n, 1, size=1000) for n in range(limits.COMMIT_ROWS + 1)]
        with pytest.raises(StoreError, match="is full"):
            await store.commit(many)
    assert await store.totals() == Counts()
    connection.execute("PRAGMA max_page_count = 1000000")
    await store.commit([record])
    assert await store.totals() == Counts(total=1000, queued=1000)
    await store.aclose()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
async def test_a_write_that_the_system_cuts_short_leaves_nothing(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    await store.commit([JOB, tasks(0, 10)])
    for room in (0, 100, 5_000, 50_001):
        with largest_file(log_size(tmp_path) + room):
            for _ in range(2):
                with pytest.raises(StoreError, match=r"check its disk|is full") as caught:
                    await store.commit([tasks(10, 1000, size=100)])
                assert not isinstance(caught.value, StoreConflict)
        assert await store.totals() == Counts(total=10, queued=10)
    await store.commit([tasks(10, 1000, size=100)])
    await store.aclose()
    store = await open_store(tmp_path)
    assert await store.totals() == Counts(total=1010, queued=1010)
    await store.aclose()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Have the system refuse what this process writes beyond so many bytes of any file."""
    resource = importlib.import_module("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_cancelled_commit_is_finished_and_told(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    told = False
    with trio.CancelScope() as scope:

        async def cancel() -> None:
            scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel)  # runs once the commit waits for its thread
            await store.commit([JOB, tasks(0, 10_000)])
            told = True
    assert told
    assert scope.cancel_called
    assert (await store.totals()).total == 10_000
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.commit([JobCancelled(1, 1.0)])
    assert (await store.totals()).cancelled == 0  # one that had not begun is not made
    await store.aclose()


async def test_reads_and_commits_go_on_beside_each_other(tmp_path: Path) -> None:
    store = await open_store(tmp_path, wal_bytes=100_000, wal_bytes_most=400_000)
    await store.commit([JOB, tasks(0, 3000)])

    async def read() -> None:
        for first in range(0, 3000, 100):
            assert await store.payloads(1, range(first, first + 100)) == [b"x" * 10] * 100

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(read)
        for n in range(30):
            nursery.start_soon(store.commit, [outcomes(n + 1, list(range(n * 100, n * 100 + 100)))])
    assert await store.totals() == Counts(total=3000, done=3000)
    await store.aclose()
    with pytest.raises(StoreError, match="has been closed"):
        await store.totals()
    with pytest.raises(StoreError, match="has been closed"):
        await store.commit([])


# --- the log ------------------------------------------------------------------------------------


EMPTY_LOG = 20_000
"""Bytes that a log has at most when it has just been begun anew: a few pages."""


def log_size(folder: Path) -> int:
    log = folder / f"{DATABASE}-wal"
    return log.stat().st_size if log.exists() else 0


async def test_the_log_stays_within_its_bound(tmp_path: Path) -> None:
    store = await open_store(tmp_path, wal_bytes=200_000, wal_bytes_most=500_000)
    await store.commit([JOB])
    sizes = []
    for n in range(60):
        await store.commit([tasks(n * 100, 100, size=1000)])
        sizes.append(log_size(tmp_path))
    assert max(sizes) < 500_000 + 300_000  # the bound, and one commit
    assert (tmp_path / DATABASE).stat().st_size > 3_000_000
    await store.aclose()
    assert log_size(tmp_path) == 0


async def test_the_bound_holds_without_the_thread(tmp_path: Path) -> None:
    store = await open_store(tmp_path, wal_bytes=1 << 40, wal_bytes_most=300_000)
    await store.commit([JOB])
    for n in range(20):
        await store.commit([tasks(n * 100, 100, size=1000)])
        assert log_size(tmp_path) < 300_000 + 300_000
    await store.aclose()


async def test_a_log_that_cannot_be_emptied_stops_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STORE_BUSY_SECONDS", 0.05)
    store = await open_store(tmp_path, wal_bytes=1 << 40, wal_bytes_most=50_000)
    await store.commit([JOB, tasks(0, 100, size=1000)])
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM jobs").fetchone()
        with pytest.raises(StoreError, match="another program reads it"):
            await store.commit([tasks(100, 100)])
    await store.commit([tasks(100, 100)])
    assert (await store.totals()).total == 200
    await store.aclose()


async def test_a_foreign_read_does_not_hold_up_each_commit(tmp_path: Path) -> None:
    store = await open_store(tmp_path, wal_bytes=100_000, wal_bytes_most=1 << 40)
    await store.commit([JOB, tasks(0, 100, size=1000)])
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM jobs").fetchone()
        with trio.fail_after(limits.STORE_BUSY_SECONDS):
            for n in range(1, 40):
                await store.commit([tasks(n * 100, 100)])
    await store.aclose()
    assert log_size(tmp_path) == 0


async def test_an_idle_log_is_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WAL_IDLE_SECONDS", 0.01)
    store = await open_store(tmp_path)
    await store.commit([JOB, tasks(0, 100, size=1000)])
    assert log_size(tmp_path) > EMPTY_LOG
    with trio.fail_after(20):
        while log_size(tmp_path) > EMPTY_LOG:  # noqa: ASYNC110  the thread that empties it tells nobody
            await trio.sleep(0.005)
    assert (await store.totals()).total == 100
    await store.aclose()


# --- the SQL ------------------------------------------------------------------------------------


def test_every_query_is_used_and_its_parameters_are_known() -> None:
    folder = Path(str(store_file.__file__)).parent
    source = "".join(
        (folder / f"store{name}.py").read_text()
        for name in ("_sqlite", "_read", "_listed", "_write", "_remove", "_shown", "_access")
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        store_file.migrate(connection, 0)
        for name, sql in store_file.queries().items():
            assert f'"{name}"' in source, f"nobody asks {name}"
            values = dict.fromkeys(re.findall(r":([a-z]\w*)", sql), 1)
            connection.execute(f"EXPLAIN {sql}", values).fetchall()


@pytest.mark.parametrize(
    "text",
    [
        "-- name: one\nSELECT 1;\n",
        "-- name: one\n-- It has no end.\nSELECT 1\n",
        "-- name: one\n-- One.\nSELECT 1;\n\n-- name: one\n-- Two.\nSELECT 2;\n",
    ],
)
def test_a_query_without_description_end_or_own_name(text: str) -> None:
    with pytest.raises(ValueError, match="one"):
        store_file.parse_queries(text)


def test_queries_are_parsed() -> None:
    text = "-- A head.\n\n-- name: a\n-- Says a.\nSELECT 1,\n  2;\n\n-- name: b\n-- B.\nSELECT 3;"
    assert store_file.parse_queries(text) == {"a": "SELECT 1,\n  2;", "b": "SELECT 3;"}


def test_every_row_has_all_columns() -> None:
    records: list[Record] = [JOB, tasks(0, 1), outcomes(1, [0]), JobCancelled(1, 1.0)]
    assert {len(row) for row in store_rows.rows(records)} == {store_rows.COLUMNS}


async def test_open_gives_a_sqlite_store(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    assert isinstance(store, SqliteStore)
    await store.aclose()


async def test_a_commit_does_not_wait_for_others_in_the_loop(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    assert store.commit_now([JOB])
    with store._writer.turn:
        assert not store.commit_now([tasks(0, 1)])
    assert (await store.totals()).total == 0
    store._pace.took(10.0, math.inf)
    assert not store.commit_now([tasks(0, 1)])
    await store.commit([tasks(0, 1)])
    assert (await store.totals()).total == 1
    await store.aclose()
    with pytest.raises(StoreError, match="closed"):
        store.commit_now([tasks(1, 1)])
