"""The folder of blobs: files named by their SHA-256, in two levels (`ab/cdef…`), never changed.

A blob comes in through a temporary file and gets its name only once its bytes are known to be right
and on disk: whatever is under a name is whole.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import AsyncIterable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import trio

from dc import limits
from dc.blobs_incoming import Incoming, Pieces, Source
from dc.errors import StoreError, StoreFull

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
        self._synced: set[str] = set()  # folders whose own names are on disk
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

    async def put(
        self, digest: bytes, size: int | None, source: Source | AsyncIterable[bytes]
    ) -> bool:
        """Take a blob in: it is on disk on return.

        A blob that is there already is not read from `source` nor written again. When two come in
        at once, one of them gets the name; either is right.

        Args:
            digest: its SHA-256, 32 bytes.
            size: its size in bytes, if known.
            source: its bytes, or pieces of them; what it raises is raised here, and nothing stays.
                A generator that was not read to its end is closed.

        Returns:
            Whether it was new.

        Raises:
            BlobMismatch: the bytes have another digest or size.
            StoreFull: the disk is full.
            StoreError: it cannot be written for another reason.
        """
        place = self._place(digest)
        if self.claim(digest) is not None:
            # The process that renamed it may have been killed before it synced the folders.
            await self._in_thread(self._sync, place)
            return False
        incoming = Incoming(self._incoming / secrets.token_hex(16), digest, size)
        reader = source if isinstance(source, Source) else Pieces(source)
        try:
            while await reader.move_to(partial(self._take, incoming)):
                pass
            return await self._in_thread(self._publish, incoming, place)
        finally:
            incoming.close()
            with suppress(OSError):
                incoming.path.unlink()
            if isinstance(reader, Pieces):
                await reader.aclose()

    def _take(self, incoming: Incoming, piece: memoryview) -> None:
        try:
            incoming.take(piece)
        except OSError as error:  # told apart from one of the source
            raise _told_plainly(error, self._folder) from error

    def _publish(self, incoming: Incoming, place: Path) -> bool:
        """Give the file its name once its bytes are right and on disk."""
        incoming.finish()
        incoming.close()  # Windows renames no open file
        place.parent.mkdir(exist_ok=True)
        new = not place.exists()
        incoming.path.replace(place)
        self._sync(place)
        return new

    def _sync(self, place: Path) -> None:
        _sync_folder(place.parent)
        if place.parent.name not in self._synced:
            _sync_folder(self._folder)
            self._synced.add(place.parent.name)

    def _place(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._folder / name[:2] / name[2:]

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await trio.to_thread.run_sync(work, *arguments)
        except OSError as error:
            raise _told_plainly(error, self._folder) from error


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
