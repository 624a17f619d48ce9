"""What a user may give as bytes: bytes, a path, an open file, an iterator of bytes, a `BlobRef`.

What is small becomes bytes and rides inline. What is large stays where it is, in memory or in a
file, until it is put. The bytes of a stream (an iterator, or an open file that has no path) are in
no place: they are gathered in a temporary file, and hashed on their way. A temporary file goes away
with its FileSource.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
import weakref
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, TypeAlias

import trio
from msgspec import Struct

from dc import limits, limits_http
from dc.errors import PayloadError
from dc.messages_parts import Blob

BLOB_COST: Final = 64
"""Bytes that a Blob takes on the socket."""

TAKEN: Final = "bytes, a Path, an open binary file, an iterator of bytes, or a BlobRef"


class BlobRef(Struct, frozen=True):
    """Bytes that the server has: what `put` returns, to be named as a payload or as an input.

    Attributes:
        digest: their SHA-256, in 64 hexadecimal digits.
        size: how many bytes they are.
    """

    digest: str
    size: int

    @property
    def blob(self) -> Blob:
        """The same as messages have it.

        Raises:
            PayloadError: the digest is none.
        """
        try:
            return Blob(digest_of(self.digest), self.size)
        except ValueError:
            raise PayloadError(f"{self.digest!r} is no SHA-256 in hexadecimal digits") from None


def digest_of(text: str) -> bytes:
    """Return the digest that is written as 64 hexadecimal digits.

    Raises:
        ValueError: it is none.
    """
    digest = bytes.fromhex(text)
    if len(digest) != 32:
        raise ValueError(text)
    return digest


class FileSource:
    """A file whose bytes are to be put.

    Args:
        path: of the file.
        blob: its bytes' digest and size, if they are known.
        temporary: whether the file is ours, to be removed when this goes away.
        passing: whether it has to be put before the next payload is asked for: its owner may
            remove it then.

    Attributes:
        path: as given.
        blob: as given.
        passing: as given.
        name: for people.
        title: how to name it in errors.

    Raises:
        OSError: the file is not there.
    """

    def __init__(
        self,
        path: Path,
        blob: Blob | None = None,
        *,
        temporary: bool = False,
        passing: bool = False,
    ) -> None:
        self.path = path
        self.blob = blob
        self.passing = passing or temporary
        self.name = path.name
        self.title = str(path)
        self._seen = _look(path)
        self._remove = weakref.finalize(self, _unlink, path) if temporary else None

    @property
    def size(self) -> int:
        """How many bytes the file had when it was given."""
        return self._seen[2]

    @property
    def changed(self) -> bool:
        """Whether the file is not the one that it was when it was given."""
        try:
            return _look(self.path) != self._seen
        except OSError:
            return True

    def discard(self) -> None:
        """Remove a temporary file; may be repeated."""
        if self._remove is not None:
            self._remove()


class Stream:
    """Bytes that come in pieces, once.

    Args:
        pieces: an iterable, or an async one.
        title: how to name it in errors.
    """

    def __init__(self, pieces: Iterable[Any] | AsyncIterable[Any], title: str) -> None:
        self.pieces = pieces
        self.title = title


Source: TypeAlias = bytes | FileSource
"""Bytes that can be put."""

Given: TypeAlias = bytes | Blob | FileSource | Stream
"""What has been made of what a user gave."""


def source_of(value: Any) -> Given:
    """Return what a user gave, as bytes if it is small and in memory or in a file.

    Raises:
        TypeError: it stands for no bytes.
        OSError: it is a file that cannot be read.
    """
    if type(value) is bytes:
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    ref = getattr(value, "ref", value)  # a handle has one
    if isinstance(ref, BlobRef):
        return ref.blob
    if isinstance(value, Path):
        return _of_path(value)
    if callable(getattr(value, "read", None)):
        return _of_file(value)
    if isinstance(value, Iterable | AsyncIterable) and not isinstance(value, str | Mapping):
        return Stream(value, "an iterator")
    raise TypeError(f"expected {TAKEN}, got {type(value).__name__}")


def complaint(error: Exception) -> str:
    """Return what is wrong with something that `source_of` did not take."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def held(given: Given) -> int:
    """Return what counts against a batch of something that does not ride in it, in bytes.

    That is what is in memory; and of what has to be put before the next payload is asked for, all
    that fits a batch.
    """
    if isinstance(given, bytes):
        return len(given)
    if isinstance(given, Stream) or (isinstance(given, FileSource) and given.passing):
        return limits.BATCH_BYTES
    return 0


def _of_path(path: Path, *, passing: bool = False) -> Given:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # a pipe, which has no size; a folder fails by its name
        return Stream(_opened(path), str(path))
    if status.st_size <= limits.INLINE_BYTES:
        with path.open("rb") as file:
            data = file.read(limits.INLINE_BYTES + 1)
        if len(data) <= limits.INLINE_BYTES:
            return data
    return FileSource(path, passing=passing)


def _opened(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _pieces(file)


def _of_file(file: Any) -> Given:
    """Return an open file as the file that it is, if that is the same bytes; else as a stream."""
    path = _path_of(file)
    if path is not None:
        return _of_path(path, passing=True)
    return Stream(_pieces(file), str(getattr(file, "name", "an open file")))


def _path_of(file: Any) -> Path | None:
    try:
        if file.writable() or file.tell() != 0:  # what is not flushed is in no file
            return None
        path = Path(file.name)
        return path if os.path.samestat(path.stat(), os.fstat(file.fileno())) else None
    except (AttributeError, OSError, TypeError, ValueError):
        return None


def _pieces(file: Any) -> Iterator[bytes]:
    while piece := file.read(limits_http.FILE_PIECE_BYTES):
        yield piece


# --- streams --------------------------------------------------------------------------------------


def gather(stream: Stream) -> Source:
    """Read a stream to its end.

    Returns:
        Its bytes if they are few, else a temporary file.

    Raises:
        PayloadError: it gave something else than bytes, or an error of its own.
        OSError: the temporary file cannot be written.
    """
    if isinstance(stream.pieces, AsyncIterable):
        raise PayloadError(f"{stream.title}: an async iterator is for dc.AsyncClient alone")
    with Spool(stream.title) as spool:
        try:
            for piece in stream.pieces:
                spool.take(piece)
        except (OSError, PayloadError):
            raise
        except Exception as error:
            raise spool.raised(error) from error
        return spool.finish()


async def gather_async(stream: Stream) -> Source:
    """Read a stream to its end, in a thread, or here if it is async; as `gather` does."""
    if not isinstance(stream.pieces, AsyncIterable):
        return await trio.to_thread.run_sync(gather, stream)
    with Spool(stream.title) as spool:
        try:
            async for piece in stream.pieces:
                await trio.to_thread.run_sync(spool.take, piece)
        except (OSError, PayloadError):
            raise
        except Exception as error:
            raise spool.raised(error) from error
        return await trio.to_thread.run_sync(spool.finish)


class Spool:
    """Gathers pieces: in memory while they are few, in a temporary file beyond that.

    Args:
        title: how to name where they come from in errors.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._memory: io.BytesIO | None = io.BytesIO()
        self._hash = hashlib.sha256()
        self._size = 0
        self._file: BinaryIO | None = None
        self._path: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            _unlink(self._path)

    def raised(self, error: Exception) -> PayloadError:
        """Return the error for one that the iterator raised."""
        return PayloadError(f"{self._title} raised {type(error).__name__}: {error}")

    def take(self, piece: Any) -> None:
        """Add a piece.

        Raises:
            PayloadError: it is none.
            OSError: it cannot be written.
        """
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise PayloadError(f"{self._title} gave {type(piece).__name__} in place of bytes")
        self._hash.update(piece)
        self._size += memoryview(piece).nbytes
        if self._memory is not None:
            self._memory.write(piece)
            if self._size <= limits.INLINE_BYTES:
                return
            piece, self._memory = self._memory.getvalue(), None
        try:
            self._begun().write(piece)
        except OSError as error:  # most often of a full disk; TMPDIR names another one
            raise OSError(error.errno, error.strerror, str(self._path)) from error

    def finish(self) -> Source:
        """Return all that was taken."""
        if self._memory is not None:
            return self._memory.getvalue()
        assert self._file is not None
        assert self._path is not None
        self._file.close()
        blob = Blob(self._hash.digest(), self._size)
        source, self._path = FileSource(self._path, blob, temporary=True), None
        source.name = source.title = self._title
        return source

    def _begun(self) -> BinaryIO:
        if self._file is None:
            handle, name = tempfile.mkstemp(prefix="dc-put-")
            self._file, self._path = os.fdopen(handle, "wb"), Path(name)
        return self._file


def _look(path: Path) -> tuple[int, int, int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _unlink(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
