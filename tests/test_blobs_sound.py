"""Damaged blobs are found, and never served again."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from dc import blobs_incoming
from dc import limits_store as limits
from dc.blobs import DAMAGED, BlobFolder
from tests.test_blobs_partial import Bytes

DATA = b"all of this" * 1000
DIGEST = hashlib.sha256(DATA).digest()


async def damaged(folder: Path) -> BlobFolder:
    """Return a folder of a new process, with a blob of which a byte is wrong."""
    blobs = BlobFolder(folder)
    await blobs.receive(DIGEST, len(DATA), Bytes(DATA))
    path = blobs.path(DIGEST)
    assert path is not None
    path.write_bytes(b"x" + DATA[1:])
    return BlobFolder(folder)


async def looked_after(blobs: BlobFolder) -> None:
    """Let it hash what was read."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blobs.run)
        with trio.fail_after(10):
            while blobs.path(DIGEST) is not None:
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


async def test_what_is_read_is_looked_at(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blobs = await damaged(tmp_path)
    path = blobs.read(DIGEST)
    assert path is not None
    await looked_after(blobs)
    assert blobs.read(DIGEST) is None
    assert (tmp_path / DAMAGED / DIGEST.hex()).read_bytes()[:1] == b"x"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert [record.__dict__["blob"] for record in caplog.records] == [DIGEST.hex()]
    assert "another SHA-256" in caplog.text
    assert await blobs.receive(DIGEST, len(DATA), Bytes(DATA))  # it may come again
    assert blobs.size(DIGEST) == len(DATA)


async def test_what_was_put_again_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = await damaged(tmp_path)

    def hash_file(path: Path) -> tuple[bytes, int]:
        found = blobs_incoming.hash_file(path)
        path.rename(tmp_path / "aside")  # by another check
        trio.from_thread.run(blobs.receive, DIGEST, len(DATA), Bytes(DATA))
        return found

    monkeypatch.setattr("dc.blobs_sound.hash_file", hash_file)
    assert await blobs.is_right(DIGEST)
    path = blobs.path(DIGEST)
    assert path is not None
    assert path.read_bytes() == DATA
    assert not (tmp_path / DAMAGED).exists()


async def test_who_has_other_bytes_has_it_looked_at(tmp_path: Path) -> None:
    blobs = await damaged(tmp_path)
    assert not await blobs.is_right(DIGEST)
    assert blobs.path(DIGEST) is None
    assert not await blobs.is_right(DIGEST)  # not there
    await blobs.receive(DIGEST, len(DATA), Bytes(DATA))
    assert await blobs.is_right(DIGEST)


async def test_what_has_just_been_right_is_not_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SOUND_BLOBS", 1)
    blobs = BlobFolder(tmp_path)
    await blobs.receive(DIGEST, len(DATA), Bytes(DATA))
    path = blobs.read(DIGEST)
    assert path is not None
    path.write_bytes(b"x")
    assert await blobs.is_right(DIGEST)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blobs.run)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert blobs.path(DIGEST) is not None
    other = hashlib.sha256(b"").digest()
    await blobs.receive(other, 0, Bytes(b""))  # it is remembered in the first one's place
    blobs.read(DIGEST)
    await looked_after(blobs)


async def test_only_some_damaged_ones_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DAMAGED_BLOBS", 0)
    blobs = await damaged(tmp_path)
    assert not await blobs.is_right(DIGEST)
    assert list((tmp_path / DAMAGED).iterdir()) == []
