"""A computer's cache of blobs: files that workers have fetched, for all who need them again.

    ab/cdef…                  a blob, by its SHA-256
    incoming/SHA256.part      what was fetched of one so far; it is gone on with
    incoming/SHA256.lock      held by the process that fetches it
    in-use/RUN/SHA256         a second name of a blob that a process uses, locked by that process

Theory of operation
-------------------
The folder may be shared by several workers of a computer, and holds no index: what is true of a
blob is true of its file. It was verified when it came in, and got a time of change that nobody else
gives it, so a file that was written to since is known, and is removed. Its time of access is when
it was used last, set on each use.

A process that uses a blob gives it a second name (a hard link). A blob with two names is in use, by
whomever, and stays; one with a single name may go, the least recently used first. Where it goes
although somebody uses it, because somebody has removed the folder's files, the second name remains.
The names of a process that has died are removed by the next one that starts: its lock is free.

Where a disk has no hard links, the file itself is used, and only this process knows that it is.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from dc import limits_worker as limits
from dc.folder_lock import FolderInUse, FolderLock, lock_file
from dc.messages_parts import Blob

INCOMING: Final = "incoming"
IN_USE: Final = "in-use"
LOCK: Final = ".lock"

_FOLDER: Final = re.compile("[0-9a-f]{2}")
_REST: Final = re.compile("[0-9a-f]{62}")
_COMING: Final = re.compile(r"[0-9a-f]{64}(\.part|\.lock)?")
_RUN: Final = re.compile("[0-9a-f]{16}")


class Entry(Struct, order=True):
    """A blob of the cache: when it was used last, its file, size, and whether it is in use."""

    used: float
    path: str
    size: int
    in_use: bool

    @property
    def digest(self) -> bytes:
        """Its SHA-256."""
        path = Path(self.path)
        return bytes.fromhex(path.parent.name + path.name)


class CacheFolder:
    """The cache as one process uses it. All methods block, and may be called in any thread.

    Args:
        folder: where it is; made if need be.
        most: bytes that it may have, beyond what is in use.
        own: the folder for the names of what is used, which the caller removes; without one, a
            process has its own in the cache.

    Raises:
        OSError: the folder cannot be made or written to.
    """

    def __init__(self, folder: Path, most: int, own: Path | None = None) -> None:
        self._folder = folder
        self._most = most
        self._lock = threading.Lock()
        self._tidying = threading.Lock()  # nobody else waits for it: that may take a while
        self._size = 0  # about, of what is not in use; what others do is seen by looking through
        self._plain: set[Path] = set()  # used under their only names
        self._incoming = folder / INCOMING
        self._held: FolderLock | None = None
        if own is not None:
            self._own = own
            return
        for part in (folder / IN_USE, self._incoming):  # the first tells what the folder is
            part.mkdir(parents=True, exist_ok=True)
        self._remove_stale()
        self._own, self._held = self._new_use(folder / IN_USE)

    def close(self) -> None:
        """Use nothing of it any more."""
        if self._held is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            self._held.release()

    # --- use ------------------------------------------------------------------------------------

    def use(self, blob: Blob) -> Path | None:
        """Return a file with a blob, which stays until it is let go; None if it is not here.

        Raises:
            OSError: it cannot be given a second name.
        """
        place, own = self._place(blob.digest), self._own / blob.name
        with self._lock:
            if _is_right(own, blob.size):
                return own
            own.unlink(missing_ok=True)
            if not _is_right(place, blob.size):
                place.unlink(missing_ok=True)
                return None
            with suppress(FileNotFoundError):  # removed this moment
                os.utime(place, (time.time(), limits.CACHED_TIME))
                return self._second_name(place, own)
            return None

    def _second_name(self, place: Path, own: Path) -> Path:
        own.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(place, own)
        except FileNotFoundError:
            raise
        except OSError:
            self._plain.add(place)
            return place
        return own

    def let_go(self, digest: bytes) -> None:
        """Take note that a blob is not used any more by this process."""
        own, place = self._own / digest.hex(), self._place(digest)
        with self._lock, suppress(OSError):
            self._plain.discard(place)
            own.unlink(missing_ok=True)
            self._size += place.stat().st_size

    # --- what comes in --------------------------------------------------------------------------

    def incoming(self, digest: bytes) -> Path:
        """Return the name under which a blob is to be fetched."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        return self._incoming / digest.hex()

    def try_lock(self, digest: bytes) -> BlobLock | None:
        """Lock a blob for being fetched; None if another process fetches it. Raises OSError."""
        path = self.incoming(digest).with_suffix(LOCK)
        file = lock_file(path)
        return BlobLock(file, path) if file is not None else None

    def enter(self, blob: Blob, file: Path) -> Path:
        """Take a fetched file in, whose bytes are known to be right; return it as `use` does.

        Raises:
            OSError: it cannot be.
        """
        place = self._place(blob.digest)
        file.chmod(0o444)
        os.utime(file, (time.time(), limits.CACHED_TIME))
        with self._lock:
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
        path = self.use(blob)
        if path is None:
            raise FileNotFoundError(f"{place} was removed")
        return path

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._folder

    @property
    def is_full(self) -> bool:
        """Whether it may have more than it is to have, and nobody makes room at present."""
        return self._size > self._most and not self._tidying.locked()

    # --- room -----------------------------------------------------------------------------------

    def make_room(self, wanted: int = 0, *, look: bool = False) -> list[bytes]:
        """Remove what was used least recently, as long as there is too much.

        Args:
            look: look through the folder in any case: others may have put something in.
            wanted: bytes that are to come in, for which the disk has no room: so much goes in any
                case, as far as it is not in use, and all that has come of what nobody fetches now.

        Returns:
            The digests of what has gone.
        """
        with self._tidying:
            if self._size <= self._most and not (wanted or look):
                return []
            self._sweep(time.time() - (0.0 if wanted else limits.CACHE_STALE_SECONDS))
            spare = sorted(one for one in self.entries() if not one.in_use)
            self._size = size = sum(one.size for one in spare)
            keep = self._most
            if size > self._most or wanted:
                keep = min(int(self._most * limits.CACHE_KEEP), max(0, size - wanted))
            gone: list[bytes] = []
            for one in spare:
                if self._size <= keep:
                    break
                if self._remove(one):
                    gone.append(one.digest)
            return gone

    def _remove(self, entry: Entry) -> bool:
        path = Path(entry.path)
        with self._lock:
            if path in self._plain:  # from now on
                return False
            try:
                path.unlink()
            except OSError:
                return False
            self._size -= entry.size
        return True

    def entries(self) -> Iterator[Entry]:
        """Yield the blobs that are here, damaged ones left out."""
        with suppress(OSError):
            for folder in self._folder.iterdir():
                if _FOLDER.fullmatch(folder.name):
                    yield from self._entries(folder)

    def _entries(self, folder: Path) -> Iterator[Entry]:
        with suppress(OSError), os.scandir(folder) as found:
            for one in found:
                if _REST.fullmatch(one.name):
                    status = one.stat()
                    in_use = status.st_nlink > 1 or Path(one.path) in self._plain
                    yield Entry(status.st_atime, one.path, status.st_size, in_use)

    def _place(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._folder / name[:2] / name[2:]

    # --- the start ------------------------------------------------------------------------------

    def _remove_stale(self) -> None:
        """Remove what nobody goes on with, and the names of processes that have died."""
        self._sweep(time.time() - limits.CACHE_STALE_SECONDS)
        for folder in (self._folder / IN_USE).iterdir():
            with suppress(FolderInUse, OSError):
                if not _RUN.fullmatch(folder.name):
                    continue
                lock = FolderLock(folder)
                shutil.rmtree(folder, ignore_errors=True)
                lock.release()

    def _sweep(self, before: float) -> None:
        """Remove what has come of blobs that nobody fetches, and that nothing came of since."""
        for path in self._incoming.iterdir() if self._incoming.is_dir() else ():
            with suppress(OSError):
                if not _COMING.fullmatch(path.name) or path.lstat().st_mtime > before:
                    continue
                if (lock := self.try_lock(bytes.fromhex(path.name[:64]))) is not None:
                    if path.suffix != LOCK:
                        path.unlink(missing_ok=True)
                    lock.release()

    def _new_use(self, parent: Path) -> tuple[Path, FolderLock]:
        """Make this process's folder of names, and lock it before another takes it for a dead's."""
        while True:
            folder = parent / os.urandom(8).hex()
            folder.mkdir(parents=True)
            with suppress(FolderInUse, FileNotFoundError):
                lock = FolderLock(folder)
                if folder.is_dir():
                    return folder, lock
                lock.release()


class BlobLock:
    """Held by who fetches a blob, until `release`, or the end of the process."""

    def __init__(self, file: int, path: Path) -> None:
        self._file = file
        self._path = path

    def release(self) -> None:
        """Let others fetch it."""
        with suppress(OSError):
            self._path.unlink()  # while it is held: who has opened it looks whether it is still so
        os.close(self._file)


def default_size(folder: Path) -> int:
    """Return how many bytes the cache of a worker may have that was not told. Raises OSError."""
    return min(limits.CACHE_BYTES, int(shutil.disk_usage(folder).total * limits.CACHE_SHARE))


def _is_right(path: Path, size: int) -> bool:
    """Whether a file is there and nobody has written to it."""
    try:
        status = path.lstat()
    except OSError:
        return False
    regular = stat.S_ISREG(status.st_mode)
    return regular and status.st_size == size and status.st_mtime == limits.CACHED_TIME
