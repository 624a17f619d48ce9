"""Blobs on their way to a worker: a disk that is full, tries that count, what is in the cache."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from dc import limits, limits_worker
from dc.blobs_incoming import Incoming
from dc.cache import CacheFolder
from dc.errors import BlobMismatch, ConnectionLost, HttpError, ProtocolError
from dc.messages_parts import Blob
from dc.messages_worker import Cached, Failed
from dc.worker.carrying import is_final, text_of
from tests.worker.fake_server import BIG, done_numbers, scene

LARGE = limits.CACHED_LEAST_BYTES


def incoming_files(folder: Path) -> list[Path]:
    (incoming,) = folder.rglob("incoming")
    return list(incoming.iterdir())


def test_which_failures_count() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    counting = [HttpError("no such blob", status=404), full, BlobMismatch("other bytes")]
    counting += [ProtocolError("no HTTP"), trio.TooSlowError()]
    assert all(map(is_final, counting))
    passing = [HttpError("full", status=507), ConnectionLost("it broke")]
    assert not any(map(is_final, passing))
    assert text_of(full) == "No space left on device"
    assert text_of(trio.TooSlowError()) == "it took too long"


async def test_a_full_disk_makes_the_cache_give_way(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter, make_room = CacheFolder.enter, CacheFolder.make_room
    wanted: list[int] = []

    def full(cache: CacheFolder, blob: Blob, file: Path) -> Path:
        if len(wanted) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return enter(cache, blob, file)

    def room(cache: CacheFolder, size: int = 0, *, look: bool = False) -> list[bytes]:
        wanted.extend([size] if size else [])
        return make_room(cache, size, look=look)

    monkeypatch.setattr(CacheFolder, "enter", full)
    monkeypatch.setattr(CacheFolder, "make_room", room)
    async with scene(tmp_path) as one:
        await one.server.assign(1, size=BIG)
        await one.server.wait_for(lambda: done_numbers(one.server) == [1])
    assert wanted == [BIG] * 3


async def test_a_disk_that_stays_full_fails_the_task(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(CacheFolder, "enter", full)
    async with scene(tmp_path) as one:
        await one.server.assign(1, size=BIG)
        await one.server.wait_for(lambda: one.server.of(Failed))
        (failed,) = one.server.of(Failed)
        assert failed.failure.error == "could not fetch payload: No space left on device"


async def test_a_disk_that_fills_in_the_middle_is_given_free_again(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Incoming.take

    def full(incoming: Incoming, piece: memoryview) -> None:
        take(incoming, piece[: len(piece) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Incoming, "take", full)
    async with scene(tmp_path) as one:
        await one.server.assign(1, size=BIG)
        await one.server.wait_for(lambda: one.server.of(Failed))
        assert incoming_files(tmp_path) == []


async def test_what_is_larger_than_the_cache_leaves_it_after_its_task(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_worker, "CACHE_BYTES", 1)
    async with scene(tmp_path) as one:
        await one.server.assign(1, 2, 3, size=BIG)
        await one.server.wait_for(lambda: len(done_numbers(one.server)) == 3)
        while list(CacheFolder(tmp_path / "cache", 1, own=tmp_path).entries()):  # noqa: ASYNC110
            await trio.sleep(0.1)


async def test_the_server_is_told_what_is_in_the_cache(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as one:
        await one.server.assign(1, size=LARGE)
        await one.server.assign(2, size=LARGE - 1)
        await one.server.wait_for(lambda: len(done_numbers(one.server)) == 2)
        (told,) = one.server.of(Cached)
        assert (len(told.added), told.dropped) == (1, [])
        one.server.heard.clear()
        await one.server.cut()
        await one.server.wait_for(lambda: one.server.of(Cached))
        assert one.server.of(Cached) == [told], "told anew"
    async with scene(tmp_path) as one:
        await one.server.wait_for(lambda: one.server.of(Cached))
        assert one.server.of(Cached) == [told], "it outlives the process"
