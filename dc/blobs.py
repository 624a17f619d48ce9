"""The folder of blobs: files named by their SHA-256, in two levels (`ab/cdef…`), never changed.

A blob comes in through a temporary file and gets its name only once its bytes are known to be right
and on disk: whatever is under a name is whole. What has come of an upload that broke off stays for
a while (`blobs_partial.py`); what is read is looked at now and then (`blobs_sound.py`).
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import sys
import threading
import time
from collections.abc import AsyncIterable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import trio

from dc import limits_store as limits
from dc.blobs_incoming import Incoming, Pieces, Sink, Source, fill
from dc.blobs_partial import Partials
from dc.blobs_sound import Soundness
from dc.errors import BlobMismatch, StoreError, StoreFull, WrongOffset

T = TypeVar("T")

TEMPORARY: Final = "incoming"
"""The folder of temporary files, within the folder of blobs and thus on its disk."""

DAMAGED: Final = "damaged"
"""The folder of damaged blobs, likewise."""


_REST: Final = re.compile("[0-9a-f]{62}")


class BlobFolder:
    """Blobs on disk. No blob is ever in memory as a whole.

    Args:
        folder: where they are; made if need be. What an earlier process left half done is removed,
            but for uploads that can be gone on with: only one process may use the folder, which
            the store's lock sees to.

    Attributes:
        taken: new blobs that came in, of `taken_bytes` in all.

    Raises:
        StoreError: the folder cannot be made or written to.
    """

    def __init__(self, folder: Path) -> None:
        self.taken = self.taken_bytes = 0
        self._folder = folder
        self._incoming = folder / TEMPORARY
        self._aging = threading.Lock()
        self._synced: set[str] = set()  # folders whose own names are on disk
        self._soundness = Soundness(folder / DAMAGED)
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
            self._partials = Partials(self._incoming)
            self._sync_young()
        except OSError as error:
            raise _told_plainly(error, folder) from error

    def path(self, digest: bytes) -> Path | None:
        """Return the file of a blob, or None if it is not there."""
        path = self._place(digest)
        return path if path.is_file() else None

    def read(self, digest: bytes) -> Path | None:
        """Return the file of a blob that is about to be read, or None if it is not there.

        `run` looks later whether it is still right, if that was not done for long.
        """
        path = self.path(digest)
        if path is not None:
            self._soundness.read(digest, path)
        return path

    async def is_right(self, digest: bytes) -> bool:
        """Whether a blob is there and has its bytes: it is hashed, unless that was just done.

        A damaged one is moved aside.
        """
        path, seconds = self._place(digest), limits.SOUND_AGAIN_SECONDS
        return await self._soundness.check(digest, path, seconds)

    async def run(self) -> None:
        """Look after the folder, for ever: hash what is read, remove uploads that are too old."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._soundness.run)
            while True:
                await self._sweep()
                await trio.sleep(limits.PARTIAL_SWEEP_SECONDS)

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
        if await self._is_there(digest):
            return False
        incoming = Incoming(self._incoming / secrets.token_hex(16), digest, size)
        reader = source if isinstance(source, Source) else Pieces(source)
        try:
            return await self._take_in(incoming, reader)
        except BaseException:
            await self._forget(incoming)
            raise
        finally:
            if isinstance(reader, Pieces):
                await reader.aclose()

    async def take(self, size: int | None, source: Source) -> tuple[bytes, int, bool]:
        """Take a blob in whose digest is not known: it is on disk on return.

        Args:
            size: its size in bytes, if known.
            source: its bytes; what it raises is raised here, and nothing stays.

        Returns:
            Its digest, its size in bytes, and whether it was new.

        Raises:
            BlobMismatch: the bytes have another size.
            StoreFull, StoreError: as in `put`.
        """
        incoming = Incoming(self._incoming / secrets.token_hex(16), b"", size)
        try:
            new = await self._take_in(incoming, source)
        except BaseException:
            await self._forget(incoming)
            raise
        return incoming.digest, incoming.written, new

    async def receive(self, digest: bytes, size: int, source: Source, start: int = 0) -> bool:
        """Take a blob in, or what is missing of it, as `put` does; what has come stays for a while.

        When two come in at once, the second has a file of its own that does not stay; or takes over
        the first one's, if that brings nothing.

        Args:
            digest: its SHA-256, 32 bytes.
            size: of the whole, in bytes.
            source: the bytes from `start` on.
            start: bytes that are here, see `offset`; 0 begins anew.

        Returns:
            Whether it was new.

        Raises:
            WrongOffset: another number of bytes is here. Or the whole is not right, part of which
                came earlier: nothing stays, and it is to be sent again from its start.
            BlobMismatch, StoreFull, StoreError: as in `put`; nothing stays.
        """
        if await self._is_there(digest):
            return False
        await self._sweep(digest)
        await self._partials.free(digest)
        if await self._is_there(digest):  # it came in meanwhile
            return False
        partial = self._partials.enter(digest, size, start)
        if partial is None:
            return await self.put(digest, size, source)
        with self._partials.writing(partial):
            try:
                return await self._take_in(partial.incoming, source)
            except BlobMismatch as error:
                await self._forget(partial.incoming)
                if start:
                    raise WrongOffset(f"{error}: send it again from its start", offset=0) from error
                raise
            except StoreError:
                await self._forget(partial.incoming)
                raise
        raise AssertionError

    async def offset(self, digest: bytes) -> int | None:
        """Return how many bytes of an upload are here that can be gone on with, or None."""
        return await self._partials.size(digest)

    async def _sweep(self, but: bytes = b"") -> None:
        """Remove uploads that rest and are too old or too many, or take too much of the disk.

        Not the one of this digest, which is about to be gone on with.
        """
        if self._partials:
            free = shutil.disk_usage(self._folder).free
            await self._remove(self._partials.superfluous(time.time(), free, but))

    async def _is_there(self, digest: bytes) -> bool:
        if self.claim(digest) is None:
            return False
        # The process that renamed it may have been killed before it synced the folders.
        await self._in_thread(self._sync, self._place(digest))
        return True

    async def _take_in(self, incoming: Incoming, source: Source) -> bool:
        try:
            await fill(incoming, _Written(source, self._folder))
            new = await self._in_thread(self._publish, incoming)
        except StoreFull:
            await self._remove(self._partials.drop_all())
            raise
        self._soundness.proven(incoming.digest)
        self.taken += new
        self.taken_bytes += incoming.written if new else 0
        return new

    async def _forget(self, incoming: Incoming) -> None:
        """Let nothing stay of an upload."""
        incoming.begin_anew()
        await self._remove([incoming.path])

    async def _remove(self, paths: list[Path]) -> None:
        """Remove files that may be there; a large one takes a while."""
        if paths:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(_remove, paths)

    def _publish(self, incoming: Incoming) -> bool:
        """Give the file its name once its bytes are right and on disk."""
        incoming.finish()
        incoming.close()  # Windows renames no open file
        place = self._place(incoming.digest)
        place.parent.mkdir(exist_ok=True)
        with self._aging:  # an old one of this name that is being removed takes not this one along
            new = not place.exists()
            incoming.path.replace(place)
        self._sync(place)
        return new

    def _sync_young(self) -> None:
        """Have the disk have all names that a process may have given just before it was killed."""
        since = time.time() - limits.BLOB_TOUCH_SECONDS * 10
        for folder in self._folder.glob("??"):
            if folder.stat().st_mtime >= since:
                _sync_folder(folder)
        _sync_folder(self._folder)

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


class _Written:
    """A source, of which what goes wrong with writing is told apart from what does with reading."""

    def __init__(self, source: Source, folder: Path) -> None:
        self._source = source
        self._folder = folder

    async def move_to(self, sink: Sink) -> int:
        """Give some bytes to a sink; return how many, 0 at the end."""

        def write(piece: memoryview) -> None:
            try:
                sink(piece)
            except OSError as error:
                raise _told_plainly(error, self._folder) from error

        return await self._source.move_to(write)


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


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
