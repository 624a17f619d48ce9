"""Large bytes on their way to the server and back, over connections of their own.

A transfer that is cut off goes on where it stopped, as long as the server comes back within
limits_client.FOLLOW_SECONDS; whoever follows it sees how far it is. Nothing here holds more than a
piece of what it moves, but for `read`, whose caller wants all of it.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio

from dc import limits_client, limits_worker
from dc.client.patience import Patience, named
from dc.client.sources import FileSource, Source, digest_of
from dc.errors import (
    BlobMismatch,
    ConnectionLost,
    DcError,
    HttpError,
    PayloadError,
    ProtocolError,
    StoreError,
)
from dc.http_blobs import BlobTransport, blob_of
from dc.http_client import HttpClient
from dc.messages_parts import Blob

T = TypeVar("T")


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

    def told(self, moved: int) -> None:
        """Note how many bytes have been moved."""
        self.moved = moved


class Transfers:
    """Moves bytes. Its methods are to be called from Trio's thread, by any number of tasks.

    Args:
        make_http: makes a connection to the server.
    """

    def __init__(self, make_http: Callable[[], HttpClient]) -> None:
        self._make_http = make_http
        self._idle: list[HttpClient] = []
        self._room = trio.Semaphore(limits_client.CLIENT_TRANSFERS)
        self._closed = False
        self._going: dict[int, Transfer] = {}

    @property
    def going(self) -> list[Transfer]:
        """What is under way, the oldest first; may be asked from any thread."""
        return list(self._going.values())

    # --- up -------------------------------------------------------------------------------------

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
        except ConnectionLost:
            raise
        except (OSError, DcError) as error:
            if not isinstance(source, FileSource) or not source.changed:
                raise
            text = f"{source.title} was changed or removed while it was sent"
            raise PayloadError(text) from error
        finally:
            if isinstance(source, FileSource):
                source.discard()

    async def _put(self, source: Source, name: str) -> Blob:
        if isinstance(source, FileSource):
            place: Path | bytes = source.path
            known, name, size = source.blob, name or source.name, source.size
        else:
            place, known, size = source, None, len(source)
        with self._followed(Transfer(name or "bytes", size, upwards=True)) as transfer:
            blob = known or await blob_of(place)

            async def send(http: HttpClient) -> bool:
                return await BlobTransport(http).upload(blob, place, transfer.told)

            await self._persist(transfer, send)
        return blob

    # --- down -----------------------------------------------------------------------------------

    async def save(self, path: str, blob: Blob, to: Path, name: str) -> None:
        """Write bytes of the server to a file, which is then whole and right.

        What has come stays beside the file, with `.part` behind the name, if the server is lost,
        and a later call goes on with it; after any other failure nothing stays.

        Args:
            path: of the server.
            blob: what is there.
            to: the file.
            name: of it, for people.

        Raises:
            ConnectionLost: the server could not be reached for too long.
            BlobMismatch: what came is not what is to be there.
            DcError: it is not there any more.
            OSError: the file cannot be written.
        """
        with self._followed(Transfer(name, blob.size, upwards=False)) as transfer:

            async def fetch(http: HttpClient) -> None:
                await BlobTransport(http).download(path, blob, to, transfer.told)

            try:
                await self._persist(transfer, fetch)
            except ConnectionLost:
                raise
            except Exception:
                part = to.with_name(f"{to.name}.part")
                await trio.to_thread.run_sync(partial(part.unlink, missing_ok=True))
                raise

    async def read(self, path: str, blob: Blob, name: str) -> bytes:
        """Return bytes of the server, all of them; raises as `save`.

        What is large comes by way of a temporary file, so that it goes on after a cut.
        """
        if blob.size <= limits_client.RANGE_BYTES:
            data = await self.span(path, blob, 0, blob.size)
            if await blob_of(data) != blob:
                raise BlobMismatch(f"{name}: other bytes came than the server has")
            return data
        with tempfile.TemporaryDirectory(prefix="dc-get-") as folder:
            file = Path(folder) / blob.name
            await self.save(path, blob, file, name)
            return await trio.to_thread.run_sync(file.read_bytes)

    async def span(self, path: str, blob: Blob, start: int, stop: int) -> bytes:
        """Return some of the bytes of the server, as they come: nothing is compared.

        Args:
            path: of the server.
            blob: what is there.
            start: the first byte.
            stop: the one behind the last, at most limits_client.RANGE_BYTES on.

        Raises:
            ConnectionLost: the server could not be reached for too long.
            DcError: it is not there any more.
        """
        if start >= stop:
            return b""
        headers = [("Range", f"bytes={start}-{stop - 1}"), ("If-Match", f'"{blob.name}"')]

        async def ask(http: HttpClient) -> bytes:
            with _bounded():
                async with http.exchange("GET", path, headers) as answer:
                    return await answer.body(stop - start)

        data = await self._persist(Transfer("", 0, upwards=False), ask)
        if len(data) != stop - start:
            raise ProtocolError(f"the server sent {len(data)} bytes of {stop - start} at {path}")
        return data

    async def look(self, path: str) -> Blob:
        """Return what is at a path of the server.

        Raises:
            DcError: nothing.
            ProtocolError: the server does not say what.
        """

        async def ask(http: HttpClient) -> Blob:
            with _bounded():
                async with http.exchange("HEAD", path, accepted=(404,)) as answer:
                    found, said = answer.status != 404, answer.headers
                if not found:  # an answer to GET says what is missing
                    await http.get(path, 0)
            try:
                digest = digest_of(said.get("etag", "").strip('"'))
                return Blob(digest, int(said.get("content-length", "")))
            except ValueError:
                raise ProtocolError(f"the server does not say what is at {path}") from None

        return await self._persist(Transfer("", 0, upwards=False), ask)

    # --- over connections -----------------------------------------------------------------------

    async def aclose(self) -> None:
        """Close what is open and idle; the rest ends with the tasks that use it, and none begin."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()

    @contextmanager
    def _followed(self, transfer: Transfer) -> Iterator[Transfer]:
        self._going[id(transfer)] = transfer
        try:
            yield transfer
        finally:
            del self._going[id(transfer)]

    async def _persist(self, transfer: Transfer, move: Callable[[HttpClient], Awaitable[T]]) -> T:
        """Move bytes over as many connections as it takes."""
        patience, before = Patience(), 0
        while True:
            try:
                async with self._line() as http:
                    return await move(http)
            except ConnectionLost as error:
                if transfer.moved > before:  # it gets on, however often it is cut
                    patience, before = Patience(), transfer.moved
                await patience.pause(error)
            except HttpError as error:
                if not _may_pass(error):
                    raise named(error) from error
                await trio.sleep(limits_client.PUT_RETRY_SECONDS)

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[HttpClient]:
        """Give a connection that nobody else uses."""
        async with self._room:
            if self._closed:
                raise RuntimeError("this client is closed: use it inside its with block")
            http = self._idle.pop() if self._idle else self._make_http()
            try:
                yield http
            finally:
                if self._closed:
                    await http.aclose()
                else:
                    self._idle.append(http)  # what failed on it has closed its connection


def _may_pass(error: HttpError) -> bool:
    """Whether the server cannot do it now, as with a full disk, and perhaps can later."""
    if error.status not in (503, 507):
        return False
    said = named(error)
    return said is error or isinstance(said, StoreError)


@contextmanager
def _bounded() -> Iterator[None]:
    """Give up a small exchange that takes too long: its connection is dead."""
    try:
        with trio.fail_after(limits_worker.TRANSFER_SECONDS):
            yield
    except trio.TooSlowError:
        text = f"the server did not answer within {limits_worker.TRANSFER_SECONDS:.0f} seconds"
        raise ConnectionLost(text) from None
