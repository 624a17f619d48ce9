"""A blob on its way in: a temporary file that is hashed as it is written."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import suppress
from typing import BinaryIO, Protocol, runtime_checkable

from dc import limits
from dc.errors import BlobMismatch


@runtime_checkable
class Source(Protocol):
    """Where the bytes of a blob come from."""

    async def read_into(self, view: memoryview) -> int:
        """Read some bytes into a buffer of any size; return how many, 0 at the end."""


class Pieces:
    """Pieces of a blob as a source.

    Args:
        pieces: none of them empty.
    """

    def __init__(self, pieces: AsyncIterable[bytes]) -> None:
        self._pieces = pieces
        self._next = aiter(pieces)
        self._rest = memoryview(b"")

    async def read_into(self, view: memoryview) -> int:
        """Read some bytes into a buffer; return how many, 0 at the end."""
        if not self._rest:
            self._rest = memoryview(await anext(self._next, b""))
        got = min(len(view), len(self._rest))
        view[:got] = self._rest[:got]
        self._rest = self._rest[got:]
        return got

    async def aclose(self) -> None:
        """Close the generator that the pieces come from, if it is one."""
        if isinstance(self._pieces, AsyncGenerator):
            await self._pieces.aclose()


class Incoming:
    """A file that is being written, and what is known of its bytes.

    `hash` and `write` may run in two threads at once.

    Args:
        file: new, without a buffer of its own; closed by `close`.
        digest: of the blob.
        expected: its size in bytes, if known.

    Attributes:
        digest: as given.
        expected: as given.
        last: the last piece, which `finish` writes.
        failure: of a write.
    """

    def __init__(self, file: BinaryIO, digest: bytes, expected: int | None) -> None:
        self.digest = digest
        self.expected = expected
        self.last = memoryview(b"")
        self.failure: OSError | None = None
        self._file = file
        self._hash = hashlib.sha256()
        self._read = 0
        self._written = 0
        self._asked = 0  # bytes that the disk was asked to write

    async def fill(self, source: Source, view: memoryview) -> memoryview:
        """Read into a buffer until it is full or the blob ends; return what was read.

        Raises:
            BlobMismatch: there is more than was expected.
        """
        at = 0
        while at < len(view) and (got := await source.read_into(view[at:])):
            at += got
            self._read += got
            if self.expected is not None and self._read > self.expected:
                raise self._mismatch(f"is longer than {self.expected} bytes")
        return view[:at]

    def hash(self, piece: memoryview) -> None:
        """Hash a piece."""
        self._hash.update(piece)

    def write(self, piece: memoryview) -> None:
        """Write a piece; what goes wrong is kept in `failure`."""
        try:
            while len(piece):
                done = self._file.write(piece)
                piece = piece[done:]
                self._written += done
            self._begin_writeback()
        except OSError as error:
            self.failure = error

    def finish(self) -> None:
        """Write the last piece and see to it that all is right and on disk.

        Raises:
            BlobMismatch: the bytes have another digest or size.
            OSError: they cannot be written.
        """
        self.hash(self.last)
        if self.expected is not None and self._read != self.expected:
            raise self._mismatch(f"has {self._read} bytes, not {self.expected}")
        if self._hash.digest() != self.digest:
            raise self._mismatch("was sent with bytes of another SHA-256")
        self.write(self.last)
        if self.failure is not None:
            raise self.failure
        sync(self._file.fileno())

    def _begin_writeback(self) -> None:
        """Have the disk begin with what was written, so that the sync at the end is short.

        On Linux this is what the advice does to bytes that are not on disk: it starts to write
        them, and forgets none of them.
        """
        size = self._written - self._asked
        if size >= limits.BLOB_WRITEBACK_BYTES and sys.platform == "linux":
            os.posix_fadvise(self._file.fileno(), self._asked, size, os.POSIX_FADV_DONTNEED)
            self._asked = self._written

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self._file.close()

    def _mismatch(self, what: str) -> BlobMismatch:
        return BlobMismatch(f"blob {self.digest.hex()} {what}")


sync = getattr(os, "fdatasync", os.fsync)
"""Has the disk have a file's bytes and its size; times and the like do not count."""
