"""Uploads that were broken off: what has come of each stays for a while, to be gone on with.

Each is a file named by the blob's digest. One connection at a time writes to it. What it holds is
not known to be right before the whole is hashed: after a power cut it may have holes.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import trio

from dc import limits_store as limits
from dc.blobs_incoming import Incoming
from dc.errors import WrongOffset

_NAME: Final = re.compile("[0-9a-f]{64}")


class Partial:
    """What has come of one upload.

    Args:
        incoming: its file.
        used: the Unix time at which it was last written to, in seconds.

    Attributes:
        incoming: as given.
        used: as given.
        writer: what a connection does that writes to it, None for none.
        left: no connection writes to it any more.
    """

    def __init__(self, incoming: Incoming, used: float) -> None:
        self.incoming = incoming
        self.used = used
        self.writer: trio.CancelScope | None = None
        self.left = trio.Event()


class Partials:
    """The broken off uploads of a folder.

    Args:
        folder: where their files are; those of an earlier process are taken up, all else that is
            there is removed.

    Raises:
        OSError: the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: dict[bytes, Partial] = {}
        for path in sorted(folder.iterdir(), key=_age):
            size = path.stat().st_size
            if _NAME.fullmatch(path.name) and size:
                digest = bytes.fromhex(path.name)
                incoming = Incoming(path, digest, None, size)
                self._all[digest] = Partial(incoming, path.stat().st_mtime)
            else:
                path.unlink()

    async def size(self, digest: bytes) -> int | None:
        """Return how many bytes have come of an upload that can be gone on with, or None."""
        await self.free(digest)
        partial = self._all.get(digest)
        if partial is None or partial.writer is not None:
            return None
        return partial.incoming.written

    def enter(self, digest: bytes, size: int, start: int) -> Partial | None:
        """Return the upload that is to be gone on with, or a new one; it is the caller's.

        Args:
            digest: of the blob.
            size: of the blob, in bytes.
            start: the first byte that is to come; 0 begins anew.

        Returns:
            None if somebody else is at it, and this one begins anew: it needs a file of its own.

        Raises:
            WrongOffset: `start` is not where it can go on.
        """
        partial = self._all.get(digest)
        if partial is not None and partial.writer is not None:
            if start:
                raise WrongOffset(f"another connection brings blob {digest.hex()}")
            return None
        have = partial.incoming.written if partial is not None else 0
        if start and (start != have or have > size):
            offset = have if have <= size else 0
            raise WrongOffset(f"{have} bytes of blob {digest.hex()} are here", offset=offset)
        if partial is None or partial.incoming.expected != size:
            incoming = Incoming(self._folder / digest.hex(), digest, size, have)
            partial = self._all[digest] = Partial(incoming, time.time())
        if not start:
            partial.incoming.begin_anew()
        partial.writer, partial.left = trio.CancelScope(), trio.Event()
        return partial

    @contextmanager
    def writing(self, partial: Partial) -> Iterator[None]:
        """Write to an upload that was entered; afterwards it is left.

        Raises:
            WrongOffset: another connection has taken it over.
        """
        incoming, writer = partial.incoming, partial.writer
        assert writer is not None
        try:
            with writer:
                yield
        finally:
            incoming.close()
            partial.writer, partial.used = None, time.time()
            if not incoming.written or not incoming.path.exists():
                self._all.pop(incoming.digest, None)
                incoming.path.unlink(missing_ok=True)
            else:
                self._all[incoming.digest] = self._all.pop(incoming.digest, partial)  # the newest
            partial.left.set()
        if writer.cancelled_caught:
            raise WrongOffset("another connection goes on with this upload")

    async def free(self, digest: bytes) -> None:
        """Wait for an upload whose connection has just been cut; end one that brings nothing.

        That is, within limits.TAKE_OVER_SECONDS; one that brings something is waited for so often.
        One that has brought all is waited for to its end: what is left to be done is ours.
        """
        partial = self._all.get(digest)
        if partial is None:
            return
        for _ in range(limits.TAKE_OVER_TRIES):
            if (writer := partial.writer) is None:
                return
            before = partial.incoming.written
            with trio.move_on_after(limits.TAKE_OVER_SECONDS):
                await partial.left.wait()
            if partial.writer is writer and partial.incoming.written == before:
                if before != partial.incoming.expected:
                    writer.cancel()
                await partial.left.wait()

    def __len__(self) -> int:
        return len(self._all)

    def superfluous(self, now: float, free: int, but: bytes = b"") -> list[Path]:
        """Forget uploads that rest and are too old or too many; return their files, to be removed.

        Args:
            now: the Unix time, in seconds.
            free: bytes of the disk; what rests takes no more than is free beside it.
            but: the digest of one that stays.
        """
        idle = [(k, one) for k, one in self._all.items() if one.writer is None and k != but]
        count, size = len(idle), sum(one.incoming.written for _, one in idle)
        gone = []
        for digest, one in idle:
            old = now - one.used > limits.PARTIAL_SECONDS
            if not (old or count > limits.PARTIALS or size > min(limits.PARTIAL_BYTES, free)):
                break
            count, size = count - 1, size - one.incoming.written
            free += one.incoming.written
            gone.append(self._set_aside(digest))
        return gone

    def drop_all(self) -> list[Path]:
        """Forget all uploads that rest; return their files, to be removed: the disk is full."""
        idle = [key for key, one in self._all.items() if one.writer is None]
        return [self._set_aside(key) for key in idle]

    def _set_aside(self, digest: bytes) -> Path:
        """Forget an upload; return its file, under another name: it may begin anew at once."""
        path = self._all.pop(digest).incoming.path
        with suppress(OSError):
            return path.rename(self._folder / secrets.token_hex(16))
        return path


def _age(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
