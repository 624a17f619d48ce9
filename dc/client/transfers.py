"""Large bytes on their way to the server and back, over connections of their own.

A transfer that is cut off goes on where it stopped, as long as the server comes back within
limits.FOLLOW_SECONDS; whoever follows it sees how far it is. Nothing here holds more than a piece
of what it moves.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

import trio

from dc import limits
from dc.client.patience import Patience, named
from dc.client.sources import FileSource, Source
from dc.errors import BlobMismatch, ConnectionLost, DcError, HttpError, PayloadError, StoreError
from dc.http_client import HttpClient
from dc.messages import Blob

T = TypeVar("T")

HASH_IN_THREAD_BYTES = 256 * limits.KIB  # above, hashing would stop the loop for a millisecond


class Transfer:
    """A transfer that is under way. Any thread may read it.

    Args:
        name: of what is moved, for people.
        size: its bytes.
        upwards: whether they go to the server.

    Attributes:
        name: as given.
        size: as given.
        upwards: as given.
        moved: how many bytes have been.
    """

    def __init__(self, name: str, size: int, *, upwards: bool) -> None:
        self.name = name
        self.size = size
        self.upwards = upwards
        self.moved = 0


class Transfers:
    """Moves bytes. Its methods are to be called from Trio's thread, by any number of tasks.

    Args:
        make_http: makes a connection to the server.
    """

    def __init__(self, make_http: Callable[[], HttpClient]) -> None:
        self._make_http = make_http
        self._idle: list[HttpClient] = []
        self._room = trio.Semaphore(limits.CLIENT_TRANSFERS)
        self._going: dict[int, Transfer] = {}

    @property
    def going(self) -> list[Transfer]:
        """What is under way, the oldest first; may be asked from any thread."""
        return list(self._going.values())

    async def put(self, source: Source, name: str = "") -> Blob:
        """Have the server have some bytes; they are on its disk on return.

        Bytes that it has are not sent again. A temporary file is removed, whatever happens.

        Args:
            source: of the bytes.
            name: for people; of a file, its own if empty.

        Raises:
            ConnectionLost: the server could not be reached for too long.
            PayloadError: the file is not what it was when it was given.
            OSError: the file cannot be read.
        """
        try:
            return await self._put(source, name)
        except (OSError, BlobMismatch) as error:
            if not isinstance(source, FileSource) or not source.changed:
                raise
            text = f"{source.title} was changed or removed while it was sent"
            raise PayloadError(text) from error
        finally:
            if isinstance(source, FileSource):
                source.discard()

    async def _put(self, source: Source, name: str) -> Blob:
        blob = await _blob_of(source)
        if isinstance(source, FileSource):
            place: Path | bytes = source.path
            name = name or source.path.name
        else:
            place = source

        async def send(transport: BlobTransport, told: Callable[[int], None]) -> None:
            await transport.upload(blob, place, told)

        with self._followed(Transfer(name or blob.name[:12], blob.size, upwards=True)) as transfer:
            await self._persist(transfer, send)
        return blob

    async def aclose(self) -> None:
        """Close what is open and idle; the rest ends with the tasks that use it."""
        while self._idle:
            await self._idle.pop().aclose()

    @contextmanager
    def _followed(self, transfer: Transfer) -> Iterator[Transfer]:
        self._going[id(transfer)] = transfer
        try:
            yield transfer
        finally:
            del self._going[id(transfer)]

    async def _persist(
        self,
        transfer: Transfer,
        move: Callable[[BlobTransport, Callable[[int], None]], Awaitable[T]],
    ) -> T:
        """Move bytes over as many connections as it takes."""
        patience, before = Patience(), 0
        while True:
            try:
                async with self._line() as http:
                    with _watched(transfer) as told:
                        return await move(BlobTransport(http), told)
            except ConnectionLost as error:
                if transfer.moved > before:  # it gets on, however often it is cut
                    patience, before = Patience(), transfer.moved
                await patience.pause(error)
            except HttpError as error:
                if not _may_pass(error):
                    raise named(error) from error
                await trio.sleep(limits.PUT_RETRY_SECONDS)

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[HttpClient]:
        """Give a connection that nobody else uses."""
        async with self._room:
            http = self._idle.pop() if self._idle else self._make_http()
            try:
                yield http
            finally:
                self._idle.append(http)  # what failed on it has closed its connection


def _may_pass(error: HttpError) -> bool:
    """Whether the server cannot do it now, as with a full disk, and perhaps can later."""
    if error.status not in (503, 507):
        return False
    said = named(error)
    return said is error or isinstance(said, StoreError)


@contextmanager
def _watched(transfer: Transfer) -> Iterator[Callable[[int], None]]:
    """Give up a transfer that does not get on: nothing else tells that the server is gone."""
    # A side is silent while it hashes what was there before, and while its disk writes the last.
    seconds = limits.TRANSFER_SECONDS + transfer.size / limits.SILENT_BYTES_PER_SECOND
    with trio.move_on_after(seconds) as scope:

        def told(moved: int) -> None:
            transfer.moved = moved
            scope.deadline = trio.current_time() + seconds

        yield told
    if scope.cancelled_caught:
        raise ConnectionLost(f"{transfer.name}: the server took no more for {seconds:.0f} seconds")


async def _blob_of(source: Source) -> Blob:
    if isinstance(source, bytes):
        small = len(source) <= HASH_IN_THREAD_BYTES
        digest = _sha256(source) if small else await trio.to_thread.run_sync(_sha256, source)
        return Blob(digest, len(source))
    return source.blob or await blob_of(source.path)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# In the place of dc/http_blobs.py.


class BlobTransport:
    """Moves blobs."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def upload(self, blob: Blob, source: Path | bytes, told: Callable[[int], None]) -> bool:
        """Put a blob."""
        try:
            await self._http.upload(f"/blobs/{blob.name}", source)
        except HttpError as error:
            raised: DcError = named(error)
            if isinstance(raised, BlobMismatch):
                raise raised from error
            raise
        told(blob.size)
        return True


async def blob_of(path: Path) -> Blob:
    """Return what a file's bytes are named."""

    def work() -> Blob:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            return Blob(digest, file.tell())

    return await trio.to_thread.run_sync(work)
