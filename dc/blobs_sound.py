"""Which blobs are known to be right, which are to be looked at, and what becomes of damaged ones.

A blob is right when it comes in. Disks lose bytes later: so a blob that is read is hashed the first
time since the server has started, and again after limits.SOUND_SECONDS, by one thread beside all
else. Nobody waits for that: who receives a blob compares the SHA-256 in any case. What is found to
be damaged is moved aside at once, and is as if it had never been there.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from pathlib import Path
from typing import Final

import trio

from dc import limits_store as limits
from dc.blobs_incoming import hash_file, in_hashers
from dc.log_fields import about

log: Final = logging.getLogger("dc.blobs")


class Soundness:
    """What is known of the blobs of a folder.

    Args:
        damaged: where damaged ones are put, on the same disk.
    """

    def __init__(self, damaged: Path) -> None:
        self._damaged = damaged
        self._seen: dict[bytes, float] = {}  # when each was right, in Trio's time
        self._unproven: deque[tuple[bytes, Path]] = deque(maxlen=limits.UNPROVEN_BLOBS)
        self._more = trio.Event()

    def proven(self, digest: bytes) -> None:
        """Note that a blob is right: its bytes have just been hashed."""
        self._seen.pop(digest, None)
        self._seen[digest] = time.monotonic()
        if len(self._seen) > limits.SOUND_BLOBS:
            del self._seen[next(iter(self._seen))]

    def read(self, digest: bytes, path: Path) -> None:
        """Note that a blob is being read."""
        if not self._is_proven(digest, limits.SOUND_SECONDS):
            self._unproven.append((digest, path))
            self._more.set()

    async def run(self) -> None:
        """Hash what was read and has not been for long, one after the other, for ever."""
        while True:
            while self._unproven:
                await self.check(*self._unproven.popleft(), limits.SOUND_SECONDS)
            self._more = trio.Event()
            await self._more.wait()

    async def check(self, digest: bytes, path: Path, seconds: float) -> bool:
        """Hash a blob unless that was done within so many seconds; return whether it is right.

        A damaged one is moved aside. One that cannot be read stays where it is, and is not right.
        Meanwhile another check may have moved it aside, and whoever has it may have put it again:
        what is there then stays.
        """
        if self._is_proven(digest, seconds):
            return True
        try:
            file, found, size = await in_hashers(_looked_at, path)
        except FileNotFoundError:
            return False
        except OSError as error:
            why = error.strerror or error
            log.error("blob cannot be read: %s", why, extra=about(blob=digest.hex()))
            return False
        if found == digest:
            self.proven(digest)
            return True
        if not await trio.to_thread.run_sync(self._move_aside, digest, path, file):
            return self._is_proven(digest, seconds)
        log.error(
            "blob is damaged: its %d bytes have another SHA-256; it is moved to %s. "
            "Look at the disk; whoever has the blob may put it again",
            *(size, self._damaged),
            extra=about(blob=digest.hex()),
        )
        return False

    def _is_proven(self, digest: bytes, seconds: float) -> bool:
        seen = self._seen.get(digest)
        return seen is not None and time.monotonic() - seen < seconds

    def _move_aside(self, digest: bytes, path: Path, file: int) -> bool:
        """Move a damaged file aside; return whether it was there: it may have come anew."""
        try:
            if path.stat().st_ino != file:
                return False
            self._damaged.mkdir(exist_ok=True)
            if len(list(self._damaged.iterdir())) < limits.DAMAGED_BLOBS:
                path.replace(self._damaged / digest.hex())
            else:
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            return False
        except OSError as error:
            why = error.strerror or error
            log.error("blob cannot be moved aside: %s", why, extra=about(blob=digest.hex()))
        return True


def _looked_at(path: Path) -> tuple[int, bytes, int]:
    """Return which file of the disk it is, its SHA-256, and its size in bytes."""
    return path.stat().st_ino, *hash_file(path)
