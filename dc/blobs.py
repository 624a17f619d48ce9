"""The folder of blobs: files named by their SHA-256, in two levels (`ab/cdef…`), never changed.

A blob comes in through a temporary file and gets its name only once its bytes are known to be right
and on disk: whatever is under a name is whole.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import trio

from dc import limits
from dc.errors import BlobMismatch, StoreError, StoreFull

T = TypeVar("T")

TEMPORARY: Final = "incoming"
"""The folder of temporary files, within the folder of blobs and thus on its disk."""


_REST: Final = re.compile("[0-9a-f]{62}")


class BlobFolder:
    """Blobs on disk. No blob is ever in memory as a whole.

    Args:
        folder: where they are; made if need be. What an earlier process left half done is removed:
            only one process may use the folder, which the store's lock sees to.

    Raises:
        StoreError: the folder cannot be made or written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / TEMPORARY
        self._aging = threading.Lock()
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
            for leftover in self._incoming.iterdir():
                leftover.unlink()
        except OSError as error:
            raise _told_plainly(error, folder) from error

    def path(self, digest: bytes) -> Path | None:
        """Return the file of a blob, or None if it is not there."""
        path = self._place(digest)
        return path if path.is_file() else None

    def size(self, digest: bytes) -> int | None:
        """Return the size of a blob in bytes, or None if it is not there."""
        try:
            return self._place(digest).stat().st_size
        except OSError:
            return None

    def claim(self, digest: bytes) -> int | None:
        """Return the size of a blob in bytes, or None if it is not there.

        From now on it is young: `remove_old` leaves it until it has grown old again.
        """
        place = self._place(digest)
        with self._aging:
            try:
                status = place.stat()
                if time.time() - status.st_mtime > limits.BLOB_TOUCH_SECONDS:
                    os.utime(place)
            except OSError:
                return None
        return status.st_size

    async def part(self, part: int) -> list[bytes]:
        """Return the digests, of those there, whose first byte this is."""
        return await self._in_thread(self._part, part)

    def _part(self, part: int) -> list[bytes]:
        folder = self._folder / f"{part:02x}"
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return [bytes.fromhex(folder.name + name) for name in names if _REST.fullmatch(name)]

    async def remove_old(self, digest: bytes, before: float) -> int | None:
        """Remove a blob that was last put or claimed before this Unix time, in seconds.

        Returns:
            Its size in bytes, or None if it stays or is not there.

        Raises:
            StoreError: it cannot be removed.
        """
        return await self._in_thread(self._remove_old, digest, before)

    def _remove_old(self, digest: bytes, before: float) -> int | None:
        place = self._place(digest)
        with self._aging:
            try:
                status = place.stat()
            except FileNotFoundError:
                return None
            if status.st_mtime >= before:
                return None
            place.unlink()
            return status.st_size

    async def put(self, digest: bytes, size: int | None, pieces: AsyncIterable[bytes]) -> bool:
        """Take a blob in: it is on disk on return.

        A blob that is there already is not read from `pieces` nor written again. When two come in
        at once, one of them gets the name; either is right.

        Args:
            digest: its SHA-256, 32 bytes.
            size: its size in bytes, if known.
            pieces: its bytes; what it raises is raised here, and nothing stays. A generator that
                was not read to its end is closed.

        Returns:
            Whether it was new.

        Raises:
            BlobMismatch: the bytes have another digest or size.
            StoreFull: the disk is full.
            StoreError: it cannot be written for another reason.
        """
        place = self._place(digest)
        if await self._in_thread(self._is_there, place):
            return False
        path = self._incoming / secrets.token_hex(16)
        try:
            await self._receive(path, digest, size, pieces)
            return await self._in_thread(self._publish, path, place)
        except BaseException:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise

    async def _receive(
        self, path: Path, digest: bytes, size: int | None, pieces: AsyncIterable[bytes]
    ) -> None:
        incoming = _Incoming(await self._in_thread(path.open, "xb"))
        try:
            async for piece in pieces:
                if size is not None and incoming.size + incoming.held + len(piece) > size:
                    raise BlobMismatch(f"blob {digest.hex()} is longer than {size} bytes")
                if incoming.hold(piece):
                    await self._in_thread(incoming.write)
            await self._in_thread(incoming.finish)
        finally:
            incoming.close()
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        if size is not None and incoming.size != size:
            raise BlobMismatch(f"blob {digest.hex()} has {incoming.size} bytes, not {size}")
        if incoming.digest() != digest:
            raise BlobMismatch(f"the bytes sent as blob {digest.hex()} have another SHA-256")

    def _is_there(self, place: Path) -> bool:
        found = self.claim(bytes.fromhex(place.parent.name + place.name)) is not None
        if found:
            # The process that renamed it may have been killed before it synced the folders.
            self._sync(place)
        return found

    def _publish(self, path: Path, place: Path) -> bool:
        place.parent.mkdir(exist_ok=True)
        new = not place.exists()
        path.replace(place)
        self._sync(place)
        return new

    def _sync(self, place: Path) -> None:
        _sync_folder(place.parent)
        _sync_folder(self._folder)

    def _place(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._folder / name[:2] / name[2:]

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await trio.to_thread.run_sync(work, *arguments)
        except OSError as error:
            raise _told_plainly(error, self._folder) from error


class _Incoming:
    """A file that is being written: gathers pieces, hashes and counts what it writes."""

    def __init__(self, file: BinaryIO) -> None:
        self.size = 0
        self.held = 0
        self._file = file
        self._hash = hashlib.sha256()
        self._pieces: list[bytes] = []

    def hold(self, piece: bytes) -> bool:
        """Take a piece (its bytes are copied) and tell whether it is time to write."""
        self._pieces.append(bytes(piece))
        self.held += len(piece)
        return self.held >= limits.BLOB_PIECE_BYTES

    def write(self) -> None:
        for piece in self._pieces:
            self._hash.update(piece)
            self._file.write(piece)
        self.size += self.held
        self._pieces.clear()
        self.held = 0

    def finish(self) -> None:
        self.write()
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        # Closing writes what Python still buffers, which on a full disk fails once more.
        with suppress(OSError):
            self._file.close()

    def digest(self) -> bytes:
        return self._hash.digest()


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # Windows cannot sync a folder, and keeps renames in its journal
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _told_plainly(error: OSError, folder: Path) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(f"the disk of {folder} is full: free some space")
    return StoreError(f"cannot write blobs to {folder}: {error.strerror or error}")
