"""Retention: what goes, what stays, and when, over a clock that nobody waits for."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from dc import limits_store as limits
from dc.blobs import BlobFolder
from dc.errors import StoreError, StoreFull
from dc.messages_client import Options
from dc.messages_parts import Blob
from dc.records import JobCancelled, JobEnded, NewJob, NewPlugin, NewTasks, Outcomes
from dc.server.keep import Keep
from dc.server.retention import Retention
from dc.store_memory import MemoryStore

pytestmark = pytest.mark.usefixtures("autojump_clock")

DAY = 86400.0


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have blocking work done at once: a clock that jumps would not wait for a thread."""

    async def run_sync(work: Callable[..., Any], *arguments: object) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)


class Kept:
    """A retention over a store in memory, at a time that follows Trio's clock."""

    def __init__(self, folder: Path, keep: Keep) -> None:
        self.store = MemoryStore()
        self.blobs = BlobFolder(folder)
        self.followed: set[int] = set()
        self.begin = time.time() - trio.current_time()
        self.retention = Retention(
            self.store, self.blobs, lambda: self.followed, keep, lambda: self.now
        )

    @property
    def now(self) -> float:
        return self.begin + trio.current_time()

    async def job(self, job: int, *, at: float, payload: bytes | Blob = b"") -> None:
        options = Options()
        await self.store.commit(
            [
                NewJob(job, "demo", "1", options, "bytes", "bytes", at),
                *(NewTasks(job, 0, [payload]), JobEnded(job, 1, at)),
                Outcomes(job, job, "w", at, [0], [1], [0.1], [b""]),
            ]
        )

    async def left(self) -> list[int]:
        return [row.job for row in await self.store.jobs(None, 100)]


async def test_jobs_go_by_age_and_by_number(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Keep(days=3, jobs=4))
    for job in range(1, 8):
        await kept.job(job, at=kept.now - (8 - job) * DAY)
    await kept.store.commit([NewJob(8, "demo", "1", Options(), "", "", 1.0)])
    await kept.store.commit([NewJob(9, "demo", "1", Options(), "", "", 1.0)])
    await kept.store.commit([JobCancelled(9, kept.now)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        await trio.sleep(limits.RETENTION_SECONDS * 1.5)
        # 5 is older than three days by now, and 8 has not finished.
        assert await kept.left() == [9, 8, 7, 6]
        assert kept.retention.view()["removed_jobs"] == 5
        await trio.sleep(DAY)
        assert await kept.left() == [9, 8, 7]
        nursery.cancel_scope.cancel()
    assert await kept.store.next_ids() == (10, 8)


@pytest.mark.parametrize(
    ("keep", "left"),
    [(Keep(0, 0), [3, 2, 1]), (Keep(0, 2), [3, 2]), (Keep(2.5, 0), [3, 2]), (Keep(1, 1), [])],
)
async def test_no_limit(tmp_path: Path, keep: Keep, left: list[int]) -> None:
    kept = Kept(tmp_path, keep)
    for job in (1, 2, 3):
        await kept.job(job, at=kept.now - (4 - job) * DAY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        await trio.sleep(limits.RETENTION_SECONDS * 1.5)
        assert await kept.left() == left
        nursery.cancel_scope.cancel()


async def test_a_followed_job_is_left_for_later(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Keep(days=1, jobs=0))
    for job in (1, 2):
        await kept.job(job, at=kept.now - 2 * DAY)
    kept.followed = {1}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        await trio.sleep(limits.RETENTION_SECONDS * 1.5)
        assert await kept.left() == [1]
        kept.followed = set()
        await trio.sleep(limits.RETENTION_SECONDS)
        assert await kept.left() == []
        nursery.cancel_scope.cancel()


async def test_who_found_a_job_reads_it_to_its_end(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Keep(days=1, jobs=0))
    await kept.job(1, at=kept.now - 2 * DAY)
    await kept.store.remove(1, 1)  # it is hidden; now somebody turns out to follow it
    kept.followed = {1}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        await trio.sleep(limits.RETENTION_SECONDS * 2.5)
        assert len(await kept.store.outcomes_after(1, 0, 100)) == 1
        kept.followed = set()
        await trio.sleep(limits.RETENTION_SECONDS)
        assert await kept.store.outcomes_after(1, 0, 100) == []
        nursery.cancel_scope.cancel()


async def test_a_full_disk_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept(tmp_path, Keep(days=1, jobs=0))
    await kept.job(1, at=kept.now - 2 * DAY)
    kept.store.fail = StoreFull("the disk is full")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        await trio.sleep(limits.RETENTION_SECONDS * 5.5)
        kept.store.fail = None
        await trio.sleep(limits.RETENTION_SECONDS)
        assert await kept.left() == []
        nursery.cancel_scope.cancel()
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


async def put(kept: Kept, data: bytes, age: float) -> Blob:
    async def pieces() -> AsyncIterator[bytes]:
        await trio.lowlevel.checkpoint()
        yield data

    digest = hashlib.sha256(data).digest()
    await kept.blobs.put(digest, len(data), pieces())
    path = kept.blobs.path(digest)
    assert path is not None
    os.utime(path, (kept.now - age,) * 2)
    return Blob(digest, len(data))


async def test_blobs_go_when_nobody_names_them(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Keep(days=1, jobs=0))
    old, long = 2 * DAY, limits.BLOB_KEEP_SECONDS + 1
    shared, own = await put(kept, b"shared", long), await put(kept, b"own", long)
    young, unused = await put(kept, b"young", 0.0), await put(kept, b"unused", long)
    for job, payload in enumerate((shared, own, young), 1):
        await kept.job(job, at=kept.now - old, payload=payload)
    await kept.job(4, at=kept.now + 365 * DAY, payload=shared)

    def there() -> list[Blob]:
        return [b for b in (shared, own, young, unused) if kept.blobs.size(b.digest) is not None]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        with kept.retention.hold():
            await trio.sleep(limits.RETENTION_SECONDS * 1.5)
            assert await kept.left() == [4]
            assert there() == [shared, own, young, unused]
        await trio.sleep(limits.BLOB_SWEEP_SECONDS)
        assert there() == [shared]
        await trio.sleep(limits.BLOB_KEEP_SECONDS)
        assert there() == [shared]
        nursery.cancel_scope.cancel()
    view = kept.retention.view()
    assert (view["removed_blobs"], view["removed_blob_bytes"]) == (3, 3 + 6 + 5)


async def test_a_blob_that_does_not_go_keeps_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(tmp_path, Keep(days=1, jobs=0))
    bad, good = await put(kept, b"bad", DAY), await put(kept, b"good", DAY)
    for job, blob in ((1, bad), (2, good)):
        await kept.job(job, at=kept.now - 2 * DAY, payload=blob)
    remove_old = BlobFolder.remove_old

    async def stuck(folder: BlobFolder, digest: bytes, before: float) -> int | None:
        if digest == bad.digest:
            raise StoreError("cannot write blobs: no")
        return await remove_old(folder, digest, before)

    monkeypatch.setattr(BlobFolder, "remove_old", stuck)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        await trio.sleep(limits.RETENTION_SECONDS * 1.5)
        assert await kept.left() == []
        assert kept.blobs.size(good.digest) is None
        await trio.sleep(limits.BLOB_YOUNG_SECONDS + limits.BLOB_SWEEP_SECONDS * 2)
        assert [one.levelname for one in caplog.records if "cannot" in one.message] == ["ERROR"]
        monkeypatch.setattr(BlobFolder, "remove_old", remove_old)
        await trio.sleep(limits.BLOB_KEEP_SECONDS + limits.BLOB_SWEEP_SECONDS)
        assert kept.blobs.size(bad.digest) is None
        nursery.cancel_scope.cancel()


async def test_blobs_of_replaced_checkpoints_go_soon(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Keep())
    gone, named = await put(kept, b"gone", 9.0), await put(kept, b"named", 9.0)
    await kept.job(1, at=kept.now, payload=named)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        for blob in (gone, named):
            kept.retention.drop(blob.digest)
        await trio.sleep(limits.BLOB_YOUNG_SECONDS - 1)
        assert kept.blobs.size(gone.digest) is not None
        await trio.sleep(2 * limits.RETENTION_SECONDS)
        assert kept.blobs.size(gone.digest) is None
        assert kept.blobs.size(named.digest) is not None
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("keep", "text"),
    [
        (Keep(30, 10000), " (finished jobs are kept for 30 days, at most the newest 10,000)"),
        (Keep(0.5, 0), " (finished jobs are kept for 0.5 days)"),
        (Keep(0, 5), " (finished jobs are kept at most the newest 5)"),
        (Keep(0, 0), ""),
    ],
)
def test_what_is_told_of_a_job_that_is_gone(keep: Keep, text: str) -> None:
    assert keep.text == text


async def test_the_job_that_is_being_removed_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(tmp_path, Keep(days=1, jobs=0))
    await kept.job(5, at=kept.now - 3 * DAY)
    seen: list[int] = []
    remove = kept.store.remove

    async def watched(job: int, limit: int) -> Any:
        seen.append(kept.retention.removing)
        return await remove(job, limit)

    monkeypatch.setattr(kept.store, "remove", watched)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        await trio.sleep(2 * limits.RETENTION_SECONDS)
        nursery.cancel_scope.cancel()
    assert set(seen) == {5}
    assert kept.retention.removing == 0
    assert await kept.left() == []


async def test_a_blob_that_was_just_asked_for_goes_later(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Keep(days=1, jobs=0))
    blob = await put(kept, b"asked for", 9.0)
    put_alone = await put(kept, b"put alone", 9.0)
    await kept.job(1, at=kept.now - 2 * DAY, payload=blob)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        await trio.sleep(limits.RETENTION_SECONDS * 1.5)
        assert await kept.left() == []
        assert kept.blobs.size(blob.digest) is not None
        await trio.sleep(limits.BLOB_YOUNG_SECONDS)
        assert kept.blobs.size(blob.digest) is None
        await trio.sleep(limits.BLOB_KEEP_SECONDS - limits.BLOB_SWEEP_SECONDS)
        assert kept.blobs.size(put_alone.digest) is not None
        await trio.sleep(2 * limits.BLOB_SWEEP_SECONDS)
        assert kept.blobs.size(put_alone.digest) is None
        nursery.cancel_scope.cancel()


async def test_a_blob_stays_that_something_on_its_way_to_the_store_names(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Keep(days=1, jobs=0))
    long = limits.BLOB_KEEP_SECONDS + 1
    last, dropped, swept = [await put(kept, data, long) for data in (b"1", b"2", b"3")]
    blobs = {blob.digest for blob in (last, dropped, swept)}
    await kept.job(1, at=kept.now - 2 * DAY, payload=last)
    kept.retention.named = lambda: blobs
    kept.retention.drop(dropped.digest)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        await trio.sleep(2 * limits.BLOB_SWEEP_SECONDS)
        assert await kept.left() == []
        assert all(kept.blobs.size(digest) is not None for digest in blobs)
        kept.retention.named = set
        await trio.sleep(limits.BLOB_SWEEP_SECONDS)
        assert not any(kept.blobs.size(digest) is not None for digest in blobs)
        nursery.cancel_scope.cancel()


async def test_who_had_a_removed_job_is_told_of_its_bytes(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Keep(days=1, jobs=0))
    told: list[tuple[str, int]] = []
    kept.retention.freed = lambda *freed: told.append(freed)
    await kept.job(1, at=kept.now - 2 * DAY, payload=b"12345")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        await trio.sleep(limits.RETENTION_SECONDS * 1.5)
        assert told == [("", 5)]
        nursery.cancel_scope.cancel()


async def test_a_plugin_goes_with_its_archive(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Keep())
    old, new = await put(kept, b"old", DAY), await put(kept, b"new", DAY)
    forgotten: list[bytes] = []
    kept.retention.forget_plugin = forgotten.append
    for blob, added in ((old, kept.now - 2), (new, kept.now - 1)):
        await kept.store.commit([NewPlugin(blob.digest, 3, "demo", b"{}", b"[]", added)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.retention.run)
        await trio.sleep(limits.PLUGIN_KEEP_SECONDS - limits.RETENTION_SECONDS)
        assert forgotten == []
        await trio.sleep(2 * limits.RETENTION_SECONDS)
        assert forgotten == [old.digest]
        await trio.sleep(limits.BLOB_YOUNG_SECONDS + limits.RETENTION_SECONDS)
        assert kept.blobs.size(old.digest) is None
        assert kept.blobs.size(new.digest) == 3
        nursery.cancel_scope.cancel()
