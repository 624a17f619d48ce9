"""What a user may give as bytes, and what is told where it is none."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from dc import limits
from dc.client.sources import BlobRef, FileSource, Stream, gather, gather_async, held, source_of
from dc.errors import PayloadError
from dc.messages_parts import Blob

BIG = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(BIG).digest()


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def file_of(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "data.bin"
    path.write_bytes(data)
    return path


def test_what_is_in_memory_stays_there() -> None:
    for value in (b"abc", bytearray(b"abc"), memoryview(b"abc")):
        assert source_of(value) == b"abc"
    assert source_of(BIG) is BIG
    assert held(BIG) == len(BIG)


def test_a_reference_stands_for_what_the_server_has() -> None:
    ref = BlobRef(DIGEST.hex(), 7)
    assert source_of(ref) == Blob(DIGEST, 7)
    assert held(Blob(DIGEST, 7)) == 0
    for wrong in ("abc", "00" * 31, "x" * 64):
        with pytest.raises(PayloadError, match="is no SHA-256"):
            source_of(BlobRef(wrong, 1))


def test_a_small_file_is_its_bytes_and_a_large_one_stays_where_it_is(tmp_path: Path) -> None:
    assert source_of(file_of(tmp_path, b"x" * limits.INLINE_BYTES)) == b"x" * limits.INLINE_BYTES
    source = source_of(file_of(tmp_path, BIG))
    assert isinstance(source, FileSource)
    assert (source.path, source.blob, source.passing) == (tmp_path / "data.bin", None, False)
    assert not source.changed
    source.discard()
    assert source.path.exists()
    source.path.write_bytes(BIG + b"more")
    assert source.changed
    source.path.unlink()
    assert source.changed


def test_a_file_that_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        source_of(tmp_path / "nothing")
    folder = source_of(tmp_path)
    assert isinstance(folder, Stream)
    with pytest.raises(IsADirectoryError):
        gather(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
def test_a_pipe_is_read_as_it_comes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY)
    os.write(writer, b"through a pipe")
    given = source_of(pipe)
    assert isinstance(given, Stream)
    pieces = iter(given.pieces)  # type: ignore[arg-type]
    opened = os.fdopen(reader, "rb")
    os.close(writer)
    assert opened.read() == b"through a pipe"
    opened.close()
    del pieces


def test_an_open_file_is_the_file_that_it_is(tmp_path: Path) -> None:
    path = file_of(tmp_path, BIG)
    with path.open("rb") as file:
        source = source_of(file)
        assert isinstance(source, FileSource)
        assert source.path == path
        assert held(source) == limits.BATCH_BYTES  # who gave it may close and remove it
        file.seek(10)
        rest = source_of(file)
        assert isinstance(rest, Stream)
        gathered = gather(rest)
        assert isinstance(gathered, FileSource)
        assert gathered.path.read_bytes() == BIG[10:]
        gathered.discard()
    with path.open("r+b") as file:
        assert isinstance(source_of(file), Stream)  # what is written may not be in the file yet
    assert gather(source_of(io.BytesIO(b"ab"))) == b"ab"  # type: ignore[arg-type]


def test_few_bytes_of_a_stream_stay_in_memory(temporary: Path) -> None:
    given = source_of(iter([b"a", bytearray(b"b"), memoryview(b"c")]))
    assert isinstance(given, Stream)
    assert held(given) == limits.BATCH_BYTES
    assert gather(given) == b"abc"
    assert not list(temporary.iterdir())


def test_many_are_gathered_in_a_file_that_goes_with_its_source(temporary: Path) -> None:
    source = gather(Stream([BIG[:100], BIG[100:90_000], BIG[90_000:]], "pieces"))
    assert isinstance(source, FileSource)
    assert source.blob == Blob(DIGEST, len(BIG))
    assert source.passing
    assert source.path.read_bytes() == BIG
    assert list(temporary.iterdir()) == [source.path]
    del source
    assert not list(temporary.iterdir())


def failing(error: Exception) -> Iterator[bytes]:
    yield BIG
    raise error


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (failing(ValueError("no more")), "pieces raised ValueError: no more"),
        ([BIG, "text"], "pieces gave str in place of bytes"),
        ([1, 2], "pieces gave int in place of bytes"),
    ],
)
def test_a_stream_that_fails_leaves_nothing(pieces: Any, said: str, temporary: Path) -> None:
    with pytest.raises(PayloadError, match=said):
        gather(Stream(pieces, "pieces"))
    assert not list(temporary.iterdir())


def test_a_full_disk_is_told_by_the_name_of_the_file(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    def full(handle: int, mode: str) -> Full:
        os.close(handle)
        return Full()

    monkeypatch.setattr("os.fdopen", full)
    with pytest.raises(OSError, match="No space left") as caught:
        gather(Stream([BIG], "pieces"))
    assert caught.value.filename.startswith(str(temporary))
    assert not list(temporary.iterdir())


async def test_async_streams(temporary: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield BIG[:7]
        yield BIG[7:]

    async def bad() -> AsyncIterator[bytes]:
        yield BIG
        raise RuntimeError("lost")

    source = await gather_async(Stream(pieces(), "pieces"))
    assert isinstance(source, FileSource)
    assert source.path.read_bytes() == BIG
    source.discard()
    with pytest.raises(PayloadError, match="pieces raised RuntimeError: lost"):
        await gather_async(Stream(bad(), "pieces"))
    with pytest.raises(PayloadError, match=r"for dc\.AsyncClient alone"):
        gather(Stream(pieces(), "pieces"))
    assert not os.listdir(temporary)  # noqa: PTH208  # a look at a folder of a test


@pytest.mark.parametrize("value", ["text", 5, None, {"a": 1}])
def test_what_stands_for_no_bytes(value: Any) -> None:
    with pytest.raises(TypeError, match="expected bytes, a Path, an open binary file"):
        source_of(value)
