"""A blob on its way in: a temporary file that is hashed as it is written."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeAlias, TypeVar, TypeVarTuple, runtime_checkable

import trio

from dc import limits_http, limits_store
from dc.errors import BlobMismatch, StoreError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Sink: TypeAlias = Callable[[memoryview], object]
"""Takes bytes that come in, in a thread; they are gone when it returns."""

Told: TypeAlias = Callable[[int], None]
"""Is told how many bytes of a blob have been moved by now."""

_hashers: Final = trio.lowlevel.RunVar[trio.CapacityLimiter]("hashers of blobs")
"""Which threads may hash, of the Trio run."""


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

    What is small is hashed as it is written, while it is in the processor's cache. Of what is large
    the hash is made beside the writing by another thread, which reads the bytes back: both take
    about the same time, and neither waits for the other.

    Args:
        path: of the file; made by the first bytes, or by `check`.
        digest: of the blob; empty if it is not known before all of it has come.
        expected: its size in bytes, if known.
        kept: bytes of it that the file has already.
        lasting: it is to be on disk in the end, with `finish`; the disk is asked to begin early.

    Attributes:
        path: as given.
        digest: as given; if it was not, what it is found to be in the end.
        expected: as given.
        written: bytes of it that the file has.
        hashes_itself: `take` hashes what it gets.
    """

    def __init__(
        self,
        path: Path,
        digest: bytes,
        expected: int | None,
        kept: int = 0,
        *,
        lasting: bool = True,
    ) -> None:
        self.path = path
        self.digest = digest
        self.expected = expected
        self.written = kept
        self.hashes_itself = expected is not None and expected <= limits_store.HASH_BESIDE_BYTES
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._lasting = lasting and sys.platform == "linux"
        self._asked = kept  # bytes that the disk was asked to write

    def take(self, piece: memoryview) -> None:
        """Write bytes behind those that are there.

        Raises:
            BlobMismatch: there are more than were expected.
            OSError: they cannot be written.
        """
        file, size = self._open(), len(piece)
        if self.expected is not None and self.written + size > self.expected:
            raise self._mismatch(f"is longer than {self.expected} bytes")
        if self.hashes_itself and self._hashed == self.written:
            self._hash.update(piece)
            self._hashed += size
        while piece:
            piece = piece[file.write(piece) :]
        self.written += size
        self._begin_writeback(file.fileno())

    def hash_on(self) -> bool:
        """Hash some of what is written and is not hashed; return whether there was any.

        Raises:
            OSError: it cannot be read.
        """
        until = min(self.written, self._hashed + limits_store.HASH_BYTES)
        if self._hashed == until:
            return False
        buffer = memoryview(bytearray(min(until - self._hashed, limits_http.HAND_ON_BYTES)))
        with self.path.open("rb", buffering=0) as file:
            file.seek(self._hashed)
            while self._hashed < until:
                got = file.readinto(buffer[: until - self._hashed])
                if not got:
                    raise OSError(f"{self.path} became shorter")
                self._hash.update(buffer[:got])
                self._hashed += got
        return True

    def check(self) -> None:
        """See to it that all is right.

        Raises:
            BlobMismatch: the bytes have another digest or size.
            OSError: they cannot be read back.
        """
        if self.expected is not None and self.written != self.expected:
            raise self._mismatch(f"has {self.written} bytes, not {self.expected}")
        while self.hash_on():
            pass
        self.digest = self.digest or self._hash.digest()
        if self._hash.digest() != self.digest:
            raise self._mismatch("was sent with bytes of another SHA-256")
        self._open()

    def finish(self) -> None:
        """See to it that all is right and on disk.

        Raises:
            BlobMismatch: the bytes have another digest or size.
            OSError: they cannot be written.
        """
        self.check()
        sync(self._open().fileno())

    def begin_anew(self) -> None:
        """Forget all bytes."""
        self.close()
        self.written = self._hashed = self._asked = 0
        self._hash = hashlib.sha256()

    def close(self) -> None:
        """Close the file; `take` opens it again."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = self.path.open("r+b" if self.written else "wb", buffering=0)
            if self.written:
                self._file.truncate(self.written)
                self._file.seek(self.written)
        return self._file

    def _begin_writeback(self, descriptor: int) -> None:
        """Have the disk begin with what was written, so that the sync at the end is short.

        On Linux this is what the advice does to bytes that are not on disk: it starts to write
        them, and forgets none of them.
        """
        size = self.written - self._asked
        if sys.platform == "linux" and size >= limits_store.BLOB_WRITEBACK_BYTES and self._lasting:
            os.posix_fadvise(descriptor, self._asked, size, os.POSIX_FADV_DONTNEED)
            self._asked = self.written

    def _mismatch(self, what: str) -> BlobMismatch:
        return BlobMismatch(f"blob {self.digest.hex()} {what}")


class _Hasher:
    """Hashes what is written of a file, beside the writing."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._more = trio.Event()
        self._ended = False
        self.failure: OSError | None = None

    def more(self, *, ended: bool = False) -> None:
        """Note that there is more to hash, or that this was all."""
        self._ended = ended
        self._more.set()
        self._more = trio.Event()

    async def run(self) -> None:
        """Hash to the end."""
        try:
            while True:
                more, ended = self._more, self._ended
                if not await in_hashers(self._incoming.hash_on):
                    if ended:
                        return
                    await more.wait()
        except OSError as error:
            self.failure = error


async def fill(incoming: Incoming, source: Source, told: Told | None = None) -> None:
    """Move all of a source into a file.

    Args:
        incoming: the file.
        source: where the bytes come from; what it raises is raised here.
        told: is told how many bytes the file has by now.

    Raises:
        BlobMismatch: there are more bytes than were expected.
        OSError: they cannot be written.
        StoreError: they cannot be read back.
    """
    tell = told or _nobody
    if incoming.hashes_itself:
        while await source.move_to(incoming.take):
            tell(incoming.written)
        return
    hasher, failure = _Hasher(incoming), None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hasher.run)
        try:
            while await source.move_to(incoming.take):
                hasher.more()
                tell(incoming.written)
        except Exception as error:
            failure = error
            nursery.cancel_scope.cancel()
        hasher.more(ended=True)
    if failure is not None:
        raise failure
    if hasher.failure is not None:
        raise StoreError(f"cannot read back {incoming.path}: {hasher.failure}")


def _nobody(size: int) -> None:
    """Nobody wants to know."""


def hash_file(path: Path) -> tuple[bytes, int]:
    """Return the SHA-256 of a file, and its size in bytes. For a thread."""
    found, size = hashlib.sha256(), 0
    buffer = memoryview(bytearray(limits_http.HAND_ON_BYTES))
    with path.open("rb", buffering=0) as file:
        while got := file.readinto(buffer):
            found.update(buffer[:got])
            size += got
    return found.digest(), size


async def in_hashers(work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """Have a thread of those that hash do some work: there are as many as may use a processor."""
    try:
        limiter = _hashers.get()
    except LookupError:
        limiter = trio.CapacityLimiter(limits_store.HASHERS)
        _hashers.set(limiter)
    return await trio.to_thread.run_sync(work, *arguments, limiter=limiter)


def sync(descriptor: int) -> None:
    """Have the disk have a file's bytes and its size; times and the like do not count."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)
