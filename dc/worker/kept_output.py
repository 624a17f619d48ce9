"""All that the tasks of an executor write, where their jobs keep it: in a file, then at the server.

While a task runs it is not known whose the output is that comes: its mark tells, behind it. So all
is written to a file, and the mark decides whether the file goes to the server or away. What comes
behind the mark, the outcome as well, waits until the file is there: a task that has its outcome has
its output. Meanwhile the executor's pipe is not read, and who writes to it waits. Executors whose
jobs keep nothing have nothing of this.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import trio

from dc import limits_executor, limits_worker
from dc.errors import BlobMismatch, DcError, HttpError, ProtocolError
from dc.http_blobs import BlobTransport
from dc.http_client import HttpClient
from dc.messages_parts import Blob
from dc.pipe import Run, Wrote

log: Final = logging.getLogger("dc.worker")

Put = Callable[[Blob, Path], Awaitable[bool]]
"""Puts a blob that is in a file; returns whether it is at the server."""


class KeptOutput:
    """The output of one executor.

    Args:
        path: of the file.
        put: brings it to the server.

    Attributes:
        turn: held while something of the executor is told, once anything is kept.
    """

    def __init__(self, path: Path, put: Put) -> None:
        self.turn = trio.Lock()
        self._put = put
        self._jobs: dict[int, bool] = {}  # the last ones, and whether they keep their output
        self._path = path
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._size = self._count = 0
        self._broken = False

    @property
    def is_on(self) -> bool:
        """Whether any job keeps its output whose tasks the executor has had of late."""
        return any(self._jobs.values())

    def expect(self, run: Run) -> None:
        """Take note of tasks that the executor is given."""
        self._jobs.pop(run.job, None)
        self._jobs[run.job] = run.keep_output
        while len(self._jobs) > limits_executor.KEPT_JOBS:
            del self._jobs[next(iter(self._jobs))]

    async def take(self, wrote: Wrote) -> Blob | None:
        """Take what was written next; return the whole of a task's output, where that ends here."""
        if wrote.data and not self._broken:
            self._write(wrote.data)
        if wrote.owner is None:
            return None
        return await self.end(kept=self._jobs.get(wrote.owner[0], False))

    def _write(self, data: bytes) -> None:
        try:
            if self._file is None:
                self._file = self._path.open("wb", buffering=0)
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            self._broken = True
            log.warning("the output of a task cannot be kept: %s", error.strerror)
            return
        self._hash.update(data)
        self._size += len(data)

    async def end(self, *, kept: bool = True) -> Blob | None:
        """Begin anew; return what there was, if it is `kept`, once the server has it."""
        file, size, digest = self._file, self._size, self._hash.digest()
        whole = kept and not self._broken
        self._file, self._size, self._hash, self._broken = None, 0, hashlib.sha256(), False
        if file is None:
            return None
        file.close()
        self._count += 1
        path = self._path.rename(f"{self._path}-{self._count}")
        blob = Blob(digest, size)
        try:
            return blob if whole and await self._put(blob, path) else None
        finally:
            path.unlink(missing_ok=True)


class KeptOutputs:
    """The output of all executors of a worker.

    Args:
        folder: for files.
        http: the way to the server, for this alone.
    """

    def __init__(self, folder: Path, http: HttpClient) -> None:
        self._folder = folder
        self._put = partial(put_output, BlobTransport(http))

    def of(self, index: int) -> KeptOutput:
        """Return what is to keep the output of the next executor of a slot."""
        return KeptOutput(self._folder / f"output-of-{index}", self._put)


async def put_output(transport: BlobTransport, blob: Blob, path: Path) -> bool:
    """Put a task's output, again and again while the server is away; return whether it took it.

    What is wrong with the file, or with what the server answers, is tried a few times.
    """
    pause, failures = limits_worker.RECONNECT_SECONDS, 0
    while True:
        try:
            with trio.fail_after(
                limits_worker.TRANSFER_SECONDS + blob.size / limits_worker.TRANSFER_BYTES_PER_SECOND
            ):
                await transport.upload(blob, path)
            return True
        except (OSError, DcError, trio.TooSlowError) as error:
            failures += isinstance(error, OSError | BlobMismatch | ProtocolError)
            refused = isinstance(error, HttpError) and 400 <= error.status < 500
            if refused or failures >= limits_worker.TRANSFER_TRIES:
                log.warning("the output of a task is not kept: %s", error)
                return False
        await trio.sleep(pause)
        pause = min(2 * pause, limits_worker.RECONNECT_SECONDS_MOST)
