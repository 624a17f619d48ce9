"""Copies of the store that are made while it is written to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio

from dc import limits_store as limits
from dc.errors import StoreError, StoreFull
from dc.messages_client import Options
from dc.messages_parts import Blob
from dc.records import NewJob, NewPlugin, NewTasks, Outcomes, TaskCheckpoint, TaskOutput
from dc.server.backup import _blob_names
from dc.store_file import DATABASE
from dc.store_sqlite import SqliteStore, open_store

JOB = NewJob(1, "demo", "1", Options(), "bytes", "bytes", 1.0)


async def filled(folder: Path) -> SqliteStore:
    store = await open_store(folder, wal_bytes=200_000, wal_bytes_most=500_000)
    await store.commit([JOB, *(NewTasks(1, n * 100, [b"x" * 1000] * 100) for n in range(20))])
    return store


@pytest.mark.parametrize("pages", [1, 16, 1 << 20])
async def test_a_copy_under_load_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    monkeypatch.setattr(limits, "BACKUP_PAGES", pages)
    monkeypatch.setattr(limits, "BACKUP_PAUSE_SECONDS", 0.0)
    store = await filled(tmp_path / "data")
    (tmp_path / "copy").mkdir()
    copied = trio.Event()
    commits = 0

    async def write() -> None:
        nonlocal commits
        while not copied.is_set() or commits < 5:
            n = commits
            outcomes = [b"y" * 500] * 10
            record = Outcomes(n + 1, 1, "w", 1.5, list(range(n * 10, n * 10 + 10)), [1] * 10,
                              [0.5] * 10, [*outcomes])  # fmt: skip
            await store.commit([record, NewTasks(1, 2000 + n * 10, [b"z" * 500] * 10)])
            commits += 1
            if commits == 150:  # as many tasks as there are
                break

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        await store.backup(tmp_path / "copy" / DATABASE)
        copied.set()
    identity, whole = await store.identity(), await store.totals()
    await store.aclose()
    assert not list((tmp_path / "copy").glob("*-*")), "the copy is one file"
    copy = await open_store(tmp_path / "copy")
    assert await copy.check() == []
    assert await copy.identity() == identity
    totals = await copy.totals()
    assert totals.total == 2000 + totals.done
    assert totals.done <= whole.done
    await copy.aclose()


async def test_emptying_the_log_does_not_begin_the_copy_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BACKUP_PAGES", 20)
    store = await filled(tmp_path / "data")
    steps = 0

    def pause() -> None:
        nonlocal steps
        steps += 1
        if steps % 5 == 0:
            store._commit([NewTasks(1, 2000 + steps // 5 - 1, [b"z" * 5])])
            store._checkpoints._copy(1.0)

    await trio.to_thread.run_sync(store._writer.backup, tmp_path / "copy", pause)
    with closing(sqlite3.connect(tmp_path / "copy")) as copy:
        (pages,) = copy.execute("PRAGMA page_count").fetchone()
        assert copy.execute("SELECT total FROM jobs").fetchone() == (2000 + steps // 5,)
    assert 10 < steps <= pages / 20 + 2
    await store.aclose()


async def test_a_copy_that_cannot_be_written(tmp_path: Path) -> None:
    store = await filled(tmp_path / "data")
    with pytest.raises(StoreError, match="cannot be opened"):
        await store.backup(tmp_path / "no" / "such" / "folder")
    await store.commit([NewTasks(1, 2000, [b"after"])])
    await store.aclose()


async def test_a_copy_that_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BACKUP_PAGES", 1)
    monkeypatch.setattr(limits, "BACKUP_PAUSE_SECONDS", 0.01)
    store = await filled(tmp_path / "data")
    begin = trio.current_time()
    with trio.move_on_after(0.05):
        await store.backup(tmp_path / "copy")
    assert trio.current_time() - begin < 4.0  # all of it would take five seconds and more
    await store.commit([NewTasks(1, 2000, [b"after"])])
    await store.aclose()


def test_errors_of_a_full_disk_are_store_errors() -> None:
    assert issubclass(StoreFull, StoreError)


async def test_all_blobs_that_a_copy_names_go_with_it(tmp_path: Path) -> None:
    store = await filled(tmp_path / "data")
    payload, saved, whole, archive = (Blob(bytes([n]) * 32, 9) for n in range(4))
    await store.commit(
        [
            NewTasks(1, 2000, [payload] * 2),
            TaskCheckpoint(1, 2000, 1, saved),
            TaskOutput(1, 2001, 1, b"", b"", 9, whole),
            NewPlugin(archive.digest, 9, "p", b"{}", b"[]", 1.0),
        ]
    )
    (tmp_path / "copy").mkdir()
    await store.backup(tmp_path / "copy" / DATABASE)
    used = await store.used_blobs(bytes(32), bytes([255]) * 32)
    await store.aclose()
    names = [name for some in _blob_names(tmp_path / "copy" / DATABASE) for name in some]
    assert names == [one.hex() for one in used]
    assert names == [one.name for one in (payload, saved, whole, archive)]
