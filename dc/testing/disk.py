"""Disks of a simulation: the server's store, whose commits take time and fail, and folders.

A commit that is under way when its server is killed has happened or not; the seed says which. What
a worker has written to a file and not synced may be lost when its computer loses its power.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, BinaryIO
from unittest import mock

import trio

from dc.errors import StoreError
from dc.records import Record
from dc.store_memory import MemoryStore
from dc.testing.process import Process, here


class SimStore(MemoryStore):
    """A store in memory that outlives servers.

    Args:
        random: decides what a crash leaves.
        delay: gives the seconds that the next commit takes.
        on_commit: called with what has been made to last.

    Attributes:
        trouble: why commits fail at present; empty if they do not.
    """

    def __init__(
        self,
        random: Random,
        delay: Callable[[], float],
        on_commit: Callable[[Sequence[Record]], None],
    ) -> None:
        super().__init__()
        self.trouble = ""
        self._random = random
        self._delay = delay
        self._on_commit = on_commit
        self._under_way: tuple[Process, Sequence[Record]] | None = None

    def commit_now(self, records: Sequence[Record]) -> bool:
        """See Store: done if the disk is quick at present, and the seed likes."""
        process = here()
        if process is None or not process.is_alive or self._delay() or self._random.random() < 0.5:
            return False
        self._make_last(list(records))
        return True

    async def commit(self, records: Sequence[Record]) -> None:
        """See Store."""
        await trio.lowlevel.checkpoint()
        process = here()
        assert process is not None
        if not process.is_alive:
            await trio.sleep_forever()
        records = list(records)
        self._under_way = process, records
        try:
            if delay := self._delay():
                await trio.sleep(delay)
            if process.is_alive:
                self._make_last(records)
        finally:
            if self._under_way is not None and self._under_way[0] is process:
                self._under_way = None

    def crash(self, process: Process) -> None:
        """Decide what becomes of the commit under way: its server has been killed."""
        if self._under_way is None or self._under_way[0] is not process:
            return
        records, self._under_way = self._under_way[1], None
        if not self.trouble and self._random.random() < 0.5:
            self._make_last(records)

    def _make_last(self, records: Sequence[Record]) -> None:
        if self.trouble:
            raise StoreError(self.trouble)
        self.apply(records)
        self._on_commit(records)


class SyncedFiles:
    """Knows how much of each file in a folder has been synced, and loses the rest on request.

    It stands in for os.fsync and os.fdatasync, which it does not call.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._synced: dict[int, int] = {}  # by the number of the file on its disk

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Be told of each sync in this block, and let killed processes write no more."""
        with (
            mock.patch.object(os, "fsync", self.fsync),
            mock.patch.object(os, "fdatasync", self.fsync, create=True),
            mock.patch.object(os, "write", _unless_killed(os.write, len)),
            mock.patch.object(os, "ftruncate", _unless_killed(os.ftruncate, int)),
        ):
            yield

    def fsync(self, file: int | BinaryIO) -> None:
        """Note a file as synced up to its present size."""
        status = os.fstat(file if isinstance(file, int) else file.fileno())
        self._synced[status.st_ino] = status.st_size

    def lose(self, folder: Path) -> None:
        """Cut each file of a folder to what was synced, or to more: the seed says how much."""
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                status = path.stat()
                synced = min(status.st_size, self._synced.get(status.st_ino, 0))
                os.truncate(path, self._random.randint(synced, status.st_size))


def _unless_killed(
    do: Callable[[int, Any], Any], instead: Callable[[Any], Any]
) -> Callable[[int, Any], Any]:
    def guarded(file: int, what: Any) -> Any:
        process = here()
        if process is not None and not process.is_alive:
            return instead(what)
        return do(file, what)

    return guarded
