"""Databases that are damaged, incomplete or not ours: told apart, and left as they are.

A folder copied while its store is open is what a killed server leaves.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dc import limits_store as limits
from dc.errors import StoreDamaged, StoreError, StoreLogMissing, StoreNewer
from dc.messages_client import Counts, Options
from dc.records import NewJob, NewTasks, Outcomes
from dc.store_file import DATABASE
from dc.store_sqlite import open_store

JOB = NewJob(1, "demo", "1", Options(), "bytes", "bytes", 1.0)
JOB_2 = NewJob(2, "demo", "1", Options(), "bytes", "bytes", 1.0)
LOG = f"{DATABASE}-wal"

Damage = Callable[[bytes], bytes]


def tasks(first: int, count: int) -> NewTasks:
    return NewTasks(1, first, [b"x" * 1000] * count)


def copy(folder: Path, to: Path) -> Path:
    to.mkdir()
    for name in (DATABASE, LOG):
        if (folder / name).exists():
            shutil.copyfile(folder / name, to / name)
    return to


async def killed(tmp_path: Path) -> Path:
    """Return the folder of a killed server: 100 tasks are in the database, 900 in its log."""
    store = await open_store(tmp_path / "first")
    await store.commit([JOB, tasks(0, 100)])
    await store.aclose()
    store = await open_store(tmp_path / "first")
    for first in range(100, 1000, 100):
        await store.commit([tasks(first, 100)])
    folder = copy(tmp_path / "first", tmp_path / "killed")
    await store.aclose()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def refusal(folder: Path, kind: type[StoreError]) -> str:
    """Return why the store is refused, twice alike and leaving all files as they are."""
    before = contents(folder)
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            await open_store(folder)
        assert type(caught.value) is kind, caught.value
    for name, data in before.items():
        # The database may have taken what is whole of its log.
        assert (folder / name).stat().st_size >= len(data)
        assert name == DATABASE or (folder / name).read_bytes() == data
    return str(caught.value)


async def count(folder: Path, *, accept_loss: bool = False) -> int:
    store = await open_store(folder, accept_loss=accept_loss)
    totals: Counts = await store.totals()
    await store.aclose()
    return totals.total


def scribble(data: bytes, at: int) -> bytes:
    return data[:at] + bytes(255 - byte for byte in data[at : at + 100]) + data[at + 100 :]


async def test_what_a_killed_server_leaves_is_whole(tmp_path: Path) -> None:
    assert await count(await killed(tmp_path)) == 1000


LOST: dict[str, Damage | None] = {
    "removed": None,
    "emptied": lambda data: b"",
    "a short rest": lambda data: data[:20],
    "zeros": lambda data: bytes(len(data)),
    "a scribbled head": lambda data: scribble(data, 8),
}


@pytest.mark.parametrize("case", LOST)
async def test_a_missing_log(tmp_path: Path, case: str) -> None:
    folder, damage = await killed(tmp_path), LOST[case]
    data = (folder / LOG).read_bytes()
    if damage is None:
        (folder / LOG).unlink()
    else:
        (folder / LOG).write_bytes(damage(data))
    text = await refusal(folder, StoreLogMissing)
    assert ("is missing" if case in ("removed", "emptied") else "is damaged") in text
    assert "put that file back; or start with --accept-loss" in text
    other = copy(folder, tmp_path / "other")
    (other / LOG).write_bytes(data)
    assert await count(other) == 1000
    assert await count(folder, accept_loss=True) == 100
    left = folder / f"{LOG}.lost"
    assert left.exists() == (case not in ("removed", "emptied"))
    assert await count(folder) == 100


@pytest.mark.parametrize("at", [0.1, 0.5, 0.8])
async def test_a_log_that_was_scribbled_on(tmp_path: Path, at: float) -> None:
    folder = await killed(tmp_path)
    data = (folder / LOG).read_bytes()
    (folder / LOG).write_bytes(scribble(data, int(len(data) * at)))
    assert f"{LOG} is damaged (from its frame" in await refusal(folder, StoreDamaged)
    assert 100 <= await count(folder, accept_loss=True) < 1000


async def test_a_commit_that_a_power_failure_cut_off(tmp_path: Path) -> None:
    folder = await killed(tmp_path)
    data = (folder / LOG).read_bytes()
    for number, cut in enumerate((data[:-1], data[:-5000], scribble(data, len(data) - 6000))):
        other = copy(folder, tmp_path / str(number))
        (other / LOG).write_bytes(cut)
        assert await count(other) == 900


async def test_a_log_that_another_program_has_copied(tmp_path: Path) -> None:
    folder = await killed(tmp_path)
    with closing(sqlite3.connect(folder / DATABASE)) as other:
        assert other.execute("SELECT total FROM jobs").fetchone() == (1000,)
    assert not (folder / LOG).exists()
    assert await count(folder) == 1000


@pytest.mark.parametrize("closing_down", [False, True])
async def test_a_kill_at_any_step_of_emptying_the_log(tmp_path: Path, closing_down: bool) -> None:
    store = await open_store(tmp_path / "first")
    await store.commit([JOB, tasks(0, 500)])
    taken: list[Path] = []

    def note(statement: str) -> None:
        if "UPDATE folder" in statement or "checkpoint" in statement:
            taken.append(copy(tmp_path / "first", tmp_path / str(len(taken))))

    store._writer._connection.set_trace_callback(note)
    if not closing_down:
        store._checkpoints._copy(1.0)
        await store.commit([JOB_2])
        store._writer._connection.set_trace_callback(None)
        taken.append(copy(tmp_path / "first", tmp_path / "end"))
    await store.aclose()
    assert len(taken) >= 6
    for folder in taken:
        assert await count(folder) == 500
    left = copy(tmp_path / "first", tmp_path / "left")
    assert not (left / LOG).exists()
    assert await count(left) == 500


async def test_the_log_is_missed_from_the_first_commit_on(tmp_path: Path) -> None:
    for number in range(3):
        store = await open_store(tmp_path / "first")
        for at in range(number):
            await store.commit([NewJob(10 * number + at, "demo", "1", Options(), "", "", 1.0)])
        if number == 2:
            store._checkpoints._copy(1.0)
        folder = copy(tmp_path / "first", tmp_path / str(number))
        (folder / LOG).unlink()
        await refusal(folder, StoreLogMissing)
        await store.aclose()


CUT: dict[str, Damage] = {
    "cut off": lambda data: data[: len(data) // 2],
    "cut off in a page": lambda data: data[:-100],
    "a head alone": lambda data: data[:4096],
    "a part of the head": lambda data: data[:50],
    "other bytes": lambda data: b"this is no database" * 500,
    "scribbled on": lambda data: data[:4096] + os.urandom(len(data) - 4096),
}


@pytest.mark.parametrize("case", CUT)
@pytest.mark.parametrize("with_log", [False, True])
async def test_a_damaged_database(tmp_path: Path, case: str, with_log: bool) -> None:
    folder = await killed(tmp_path) if with_log else tmp_path / "killed"
    if not with_log:
        store = await open_store(folder)
        await store.commit([JOB, tasks(0, 1000)])
        await store.aclose()
    path = folder / DATABASE
    path.write_bytes(CUT[case](path.read_bytes()))
    with pytest.raises(StoreDamaged, match=f"{DATABASE} is damaged"):
        await open_store(folder)


async def test_damage_is_looked_for_after_an_unclean_end_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = await killed(tmp_path)
    path = folder / DATABASE
    data = path.read_bytes()
    path.write_bytes(data[:-40_000] + bytes(20_000) + data[-20_000:])
    other = copy(folder, tmp_path / "other")
    with pytest.raises(StoreDamaged):
        await open_store(folder)
    monkeypatch.setattr(limits, "CHECK_BYTES", 1000)
    assert await count(other) == 1000


WRONG = {
    "UPDATE jobs SET total = total + 1": "do not hold its tasks",
    "UPDATE batches SET task = task + 1 WHERE task & 0xffffffff = 900": "without gaps",
    "UPDATE jobs SET done = done + 1": "counts are not those",
    "UPDATE finished SET sequence = 9": "not those of its records",
    "UPDATE jobs SET finished_at = 1.0": "says that it has not",
    "INSERT INTO leases SELECT task, 1, 'w' FROM finished": "still with a worker",
    "DELETE FROM jobs": "belong to no job",
    "UPDATE records SET numbers = '[1'": "cannot be read",
    "DROP TABLE failures": "cannot be read",
}


@pytest.mark.parametrize("damage", WRONG)
async def test_a_check_finds_what_contradicts_itself(tmp_path: Path, damage: str) -> None:
    folder = await killed(tmp_path)
    store = await open_store(folder)
    await store.commit([Outcomes(1, 1, "w", 1.5, [5], [1], [0.5], [b""])])
    assert await store.check() == []
    await store.aclose()
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as other:
        other.execute(damage)
    store = await open_store(folder)
    assert WRONG[damage] in "; ".join(await store.check())
    await store.aclose()


async def test_a_check_finds_scribbled_pages(tmp_path: Path) -> None:
    await killed(tmp_path)
    path = tmp_path / "first" / DATABASE
    data = path.read_bytes()
    path.write_bytes(data[:-40_000] + bytes(20_000) + data[-20_000:])
    store = await open_store(tmp_path / "first")
    assert await store.check()
    await store.aclose()


@pytest.mark.parametrize("sign", [LOG, "blobs/ab/cdef"])
async def test_a_database_that_is_missing(tmp_path: Path, sign: str) -> None:
    (tmp_path / sign).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / sign).write_text("something")
    for _ in range(2):
        with pytest.raises(StoreDamaged, match="is missing or empty, but"):
            await open_store(tmp_path)
        (tmp_path / DATABASE).touch()


async def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    folder = await killed(tmp_path)
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as other:
        other.execute("PRAGMA user_version = 70")
    assert "update dc" in await refusal(folder, StoreNewer)
