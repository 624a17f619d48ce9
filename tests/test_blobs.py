"""The folder of blobs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
import trio.testing

from dc import limits_http as limits
from dc.blobs import TEMPORARY, BlobFolder
from dc.errors import BlobMismatch, StoreError, StoreFull

DATA = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(DATA).digest()


async def pieces(data: bytes = DATA, each: int = 100_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), each):
        await trio.lowlevel.checkpoint()
        yield data[at : at + each]


def temporary(folder: Path) -> list[str]:
    return [path.name for path in (folder / TEMPORARY).iterdir()]


async def test_a_blob_is_kept_under_its_name(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path / "new" / "blobs")
    assert blobs.path(DIGEST) is None
    assert blobs.size(DIGEST) is None
    assert await blobs.put(DIGEST, len(DATA), pieces())
    name = DIGEST.hex()
    assert blobs.path(DIGEST) == tmp_path / "new" / "blobs" / name[:2] / name[2:]
    assert blobs.size(DIGEST) == len(DATA)
    assert (blobs.path(DIGEST) or tmp_path).read_bytes() == DATA
    again = BlobFolder(tmp_path / "new" / "blobs")
    assert again.size(DIGEST) == len(DATA)
    assert temporary(tmp_path / "new" / "blobs") == []


@pytest.mark.parametrize("each", [1000, limits.HAND_ON_BYTES, len(DATA)])
@pytest.mark.parametrize("size", [None, len(DATA)])
async def test_pieces_of_any_size(tmp_path: Path, each: int, size: int | None) -> None:
    blobs = BlobFolder(tmp_path)
    assert await blobs.put(DIGEST, size, pieces(each=each))
    assert (blobs.path(DIGEST) or tmp_path).read_bytes() == DATA


async def test_an_empty_blob(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    digest = hashlib.sha256(b"").digest()
    assert await blobs.put(digest, 0, pieces(b""))
    assert blobs.size(digest) == 0


async def test_a_blob_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    await blobs.put(DIGEST, None, pieces())
    before = (blobs.path(DIGEST) or tmp_path).stat()

    async def nothing() -> AsyncIterator[bytes]:
        raise AssertionError("read although it is there")
        yield b""

    assert not await blobs.put(DIGEST, len(DATA), nothing())
    after = (blobs.path(DIGEST) or tmp_path).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    ("data", "size", "text"),
    [
        (DATA[:-1] + b"\x00", None, "another SHA-256"),
        (DATA[:-1], None, "another SHA-256"),
        (DATA[:-1], len(DATA), "has 1048575 bytes, not 1048576"),
        (DATA + b"\x00", len(DATA), "is longer than 1048576 bytes"),
    ],
)
async def test_wrong_bytes_leave_nothing(
    tmp_path: Path, data: bytes, size: int | None, text: str
) -> None:
    blobs = BlobFolder(tmp_path)
    with pytest.raises(BlobMismatch, match=text):
        await blobs.put(DIGEST, size, pieces(data))
    assert blobs.path(DIGEST) is None
    assert temporary(tmp_path) == []


async def test_a_cut_upload_leaves_nothing(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)

    async def cut() -> AsyncIterator[bytes]:
        yield DATA[: limits.HAND_ON_BYTES]
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        await blobs.put(DIGEST, len(DATA), cut())
    assert temporary(tmp_path) == []

    async def stuck() -> AsyncIterator[bytes]:
        yield DATA[: limits.HAND_ON_BYTES]
        scope.cancel()
        await trio.sleep_forever()

    with trio.CancelScope() as scope:
        await blobs.put(DIGEST, len(DATA), stuck())
    assert scope.cancelled_caught
    assert temporary(tmp_path) == []
    assert await blobs.put(DIGEST, len(DATA), pieces())


async def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    await blobs.put(DIGEST, None, pieces())
    (tmp_path / TEMPORARY / "0123").write_bytes(b"half")
    assert BlobFolder(tmp_path).size(DIGEST) == len(DATA)
    assert temporary(tmp_path) == []


async def test_the_same_blob_from_many_at_once(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    new = []

    async def put(sequence: int) -> None:
        new.append(await blobs.put(DIGEST, len(DATA), pieces(each=50_000 + sequence)))

    async with trio.open_nursery() as nursery:
        for sequence in range(5):
            nursery.start_soon(put, sequence)
    assert True in new
    assert (blobs.path(DIGEST) or tmp_path).read_bytes() == DATA
    assert temporary(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
async def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = BlobFolder(tmp_path)
    real = Path.open
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, mode, **how: real(Path("/dev/full"), "wb", **how))
        with pytest.raises(StoreFull, match="is full: free some space"):
            await blobs.put(DIGEST, len(DATA), pieces())
    assert blobs.path(DIGEST) is None
    assert temporary(tmp_path) == []
    assert await blobs.put(DIGEST, len(DATA), pieces())


def test_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write blobs"):
        BlobFolder(tmp_path / "file")
