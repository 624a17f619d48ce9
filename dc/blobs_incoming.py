"""A blob on its way in: a temporary file that is hashed as it is written."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias, runtime_checkable

import trio

from dc import limits
from dc.errors import BlobMismatch

Sink: TypeAlias = Callable[[memoryview], object]
"""Takes bytes that come in, in a thread; they are gone when it returns."""


@runtime_checkable
class Source(Protocol):
    """Where the bytes of a blob come from."""

    async def move_to(self, sink: Sink) -> int:
        """Give some bytes to a sink; return how many, 0 at the end."""


class Pieces:
    """Pieces of a blob as a source.

    Args:
        pieces: none of them empty.
    """

    def __init__(self, pieces: AsyncIterable[bytes]) -> None:
        self._pieces = pieces
        self._next = aiter(pieces)

    async def move_to(self, sink: Sink) -> int:
        """Give some bytes to a sink; return how many, 0 at the end."""
        piece = await anext(self._next, b"")
        if piece:
            await trio.to_thread.run_sync(sink, memoryview(piece))
        return len(piece)

    async def aclose(self) -> None:
        """Close the generator that the pieces come from, if it is one."""
        if isinstance(self._pieces, AsyncGenerator):
            await self._pieces.aclose()


class Incoming:
    """A file that is being written, and what is known of its bytes. Its methods are for threads.

    Args:
        path: of the file; made by the first bytes, or by `finish`.
        digest: of the blob.
        expected: its size in bytes, if known.

    Attributes:
        path: as given.
        digest: as given.
    """

    def __init__(self, path: Path, digest: bytes, expected: int | None) -> None:
        self.path = path
        self.digest = digest
        self._expected = expected
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._size = 0
        self._asked = 0  # bytes that the disk was asked to write

    def take(self, piece: memoryview) -> None:
        """Hash and write bytes.

        Raises:
            BlobMismatch: there are more than were expected.
            OSError: they cannot be written.
        """
        file = self._open()
        self._size += len(piece)
        if self._expected is not None and self._size > self._expected:
            raise self._mismatch(f"is longer than {self._expected} bytes")
        self._hash.update(piece)
        while piece:
            piece = piece[file.write(piece) :]
        self._begin_writeback(file.fileno())

    def finish(self) -> None:
        """See to it that all is right and on disk.

        Raises:
            BlobMismatch: the bytes have another digest or size.
            OSError: they cannot be written.
        """
        if self._expected is not None and self._size != self._expected:
            raise self._mismatch(f"has {self._size} bytes, not {self._expected}")
        if self._hash.digest() != self.digest:
            raise self._mismatch("was sent with bytes of another SHA-256")
        sync(self._open().fileno())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = self.path.open("xb", buffering=0)
        return self._file

    def _begin_writeback(self, descriptor: int) -> None:
        """Have the disk begin with what was written, so that the sync at the end is short.

        On Linux this is what the advice does to bytes that are not on disk: it starts to write
        them, and forgets none of them.
        """
        size = self._size - self._asked
        if size >= limits.BLOB_WRITEBACK_BYTES and sys.platform == "linux":
            os.posix_fadvise(descriptor, self._asked, size, os.POSIX_FADV_DONTNEED)
            self._asked = self._size

    def _mismatch(self, what: str) -> BlobMismatch:
        return BlobMismatch(f"blob {self.digest.hex()} {what}")


def sync(descriptor: int) -> None:
    """Have the disk have a file's bytes and its size; times and the like do not count."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)
