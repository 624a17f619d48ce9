"""A lock on a folder, held by one process until it ends, however it ends."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Final

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK: Final = "lock"

_TAKEN: Final = errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK
"""What systems say of a lock that another process has; all else says that there are no locks."""


class FolderInUse(Exception):
    """Another process has the folder; the text names it, where it is known."""


class FolderLock:
    """Keeps other processes out of a folder, until `release` or the end of the process.

    Args:
        folder: an existing folder.

    Raises:
        FolderInUse: another process has it.
        OSError: the lock's file cannot be made, or the disk has no locks.
    """

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _take(self._file)
        except OSError as error:
            owner = os.read(self._file, 32).decode(errors="replace").strip()
            self.release()
            if error.errno not in _TAKEN:
                raise
            raise FolderInUse(f"pid {owner or 'unknown'}") from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let others use the folder. The file stays: removing it would race with the next one."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def lock_file(path: Path) -> int | None:
    """Lock a file that is removed when its lock is given up; it is made if need be.

    Returns:
        The open file, whose closing gives the lock up; None if another process has it.

    Raises:
        OSError: the file cannot be made, or the disk has no locks.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(file)
        if path.stat().st_ino == os.fstat(file).st_ino:
            return file
    except FileNotFoundError:  # it was removed this moment
        pass
    except OSError as error:
        if error.errno not in _TAKEN:
            os.close(file)
            raise
    os.close(file)
    return None


def _take(file: int) -> None:
    if sys.platform == "win32":
        # Windows lets nobody read a locked byte: lock one far behind the pid.
        os.lseek(file, 1 << 20, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(file, 0, os.SEEK_SET)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
