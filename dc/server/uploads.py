"""Blobs that are put: whether there may be, and is room for, so many bytes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import trio

from dc import limits_http as limits
from dc.blobs_incoming import Sink, Source
from dc.errors import StoreFull
from dc.requirements import bytes_text
from dc.server.quotas import Usage, reserve_of


class Uploads:
    """Lets blobs in.

    Args:
        folder: the data folder.
        reserve: gives the bytes of its disk that are left to the database; None for the usual.
        usage: gives what is counted, and the quotas.
    """

    def __init__(
        self, folder: Path, reserve: Callable[[], int | None], usage: Callable[[], Usage]
    ) -> None:
        self._folder = folder
        self._reserve = reserve
        self._usage = usage

    def check(self, size: int, here: int = 0) -> None:
        """Check that a blob of so many bytes may come in. What comes in meanwhile is not known of.

        Args:
            size: of the whole, in bytes.
            here: bytes of it that are on the disk already.

        Raises:
            QuotaExceeded: nothing may name so many bytes.
            StoreFull: there is no room for them.
        """
        self._usage().check_upload(size)
        try:
            disk = shutil.disk_usage(self._folder)
        except OSError:  # what is wrong is found out by writing
            return
        free, reserve = disk.free, reserve_of(self._reserve(), disk.total)
        missing = max(0, size - here)
        if free - missing < reserve:
            kept = f", of which {bytes_text(reserve)} are kept (--reserve)"
            raise StoreFull(
                f"{self._folder} has no room for {bytes_text(missing)}: {bytes_text(free)} of its "
                f"disk are free{kept if reserve else ''}; free some space, and try again"
            )

    def bounded(self, source: Source) -> Source:
        """Return a body whose size is not known, which ends with an error once it is too large."""
        return _Bounded(source, self.check)


class _Bounded:
    """A body whose size is not known."""

    def __init__(self, source: Source, check: Callable[[int, int], None]) -> None:
        self._source = source
        self._check = check
        self._size = self._checked = 0

    async def move_to(self, sink: Sink) -> int:
        """Give some bytes to a sink; return how many, 0 at the end."""
        moved = await self._source.move_to(sink)
        self._size += moved
        if self._size - self._checked >= limits.MOVE_BYTES:
            self._checked = self._size
            self._check(self._size, self._size)
            await trio.lowlevel.checkpoint()
        return moved
