"""Disks of a simulation: the server's store, whose commits take time and fail, and folders.

A commit that is under way when its server is killed has happened or not; the seed says which. What
a worker has written to a file and not synced may be lost when its computer loses its power.
"""

from __future__ import annotations

import os
import shutil
import stat
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


class Killed(BaseException):
    """The process was killed: nothing that it does from now on has any effect."""


class BlobDisk(SyncedFiles):
    """A folder whose names, too, are lost unless they were synced, and in which a process dies.

    Each call that changes what others see of the folder is a step; a process may be killed before
    any of them. A loss of power takes bytes and names that were not synced, or leaves them: the
    seed says which. A name that was removed, and that not synced, may come back.

    Args:
        random: decides what is lost.
        shadow: a folder on the same disk, for files whose names may come back.

    Attributes:
        left: steps until the process is killed; negative for never.
    """

    def __init__(self, random: Random, shadow: Path) -> None:
        super().__init__(random)
        self.left = -1
        self._shadow = shadow
        self._names: dict[int, dict[str, int]] = {}  # of each folder, as synced

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Be told of each step in this block."""
        with (
            mock.patch.object(os, "fsync", self.fsync),
            mock.patch.object(os, "fdatasync", self.fsync, create=True),
            mock.patch.object(os, "utime", self._step(os.utime)),
            mock.patch.object(Path, "replace", self._step(Path.replace)),
            mock.patch.object(Path, "unlink", self._step(Path.unlink)),
            mock.patch.object(Path, "mkdir", self._step(Path.mkdir)),
        ):
            yield

    def _step(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            self.take_step()
            return do(*arguments, **options)

        return step

    def take_step(self) -> None:
        """Go on, unless the process is killed here.

        Raises:
            Killed: it is.
        """
        if self.left == 0:
            raise Killed
        self.left -= self.left > 0

    def fsync(self, file: int | BinaryIO) -> None:
        """Note a file's bytes, or a folder's names, as synced."""
        self.take_step()
        descriptor = file if isinstance(file, int) else file.fileno()
        status = os.fstat(descriptor)
        if not stat.S_ISDIR(status.st_mode):
            super().fsync(file)
            return
        names = self._names[status.st_ino] = {}
        for name in os.listdir(descriptor):  # noqa: PTH208  there is no path
            found = os.stat(name, dir_fd=descriptor)
            names[name] = found.st_ino
            kept = self._shadow / str(found.st_ino)
            if stat.S_ISREG(found.st_mode) and not kept.exists():
                os.link(name, kept, src_dir_fd=descriptor)

    def lose(self, folder: Path) -> None:
        """Lose the power: what was not synced in a folder and below is there, or is not."""
        folders = [folder, *(path for path in sorted(folder.rglob("*")) if path.is_dir())]
        for place in reversed(folders):
            synced = self._names.get(place.stat().st_ino, {})
            for path in sorted(place.iterdir()):
                if synced.get(path.name) != path.stat().st_ino and self._random.random() < 0.5:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            for name, number in synced.items():
                kept, path = self._shadow / str(number), place / name
                gone = not path.exists() and kept.exists()
                if gone and self._random.random() < 0.5:
                    os.link(kept, path)
        super().lose(folder)
