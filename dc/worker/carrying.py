"""Blobs on their way by HTTP: into the computer's cache, and results and checkpoints to the server.

A few transfers go at one time, each over a connection of its own. One that breaks is told as
failed, and goes on from where it stood when it is tried again.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from dc import limits, limits_worker
from dc.cache import BlobLock, CacheFolder
from dc.errors import BlobMismatch, DcError, HttpError, ProtocolError
from dc.http_blobs import BlobTransport
from dc.http_client import HttpClient
from dc.messages_parts import Blob
from dc.pipe import InFile
from dc.worker.events import (
    BlobPut,
    BlobPutFailed,
    CacheChanged,
    CheckpointPut,
    Event,
    Fetch,
    Fetched,
    FetchFailed,
    PutBlob,
    PutCheckpoint,
)

_FULL = errno.ENOSPC, errno.EDQUOT


class Lines:
    """Connections to the server, each for one transfer at a time.

    Args:
        make: makes a client, which has no connection yet.
    """

    def __init__(self, make: Callable[[], HttpClient]) -> None:
        self._all = [make() for _ in range(limits_worker.TRANSFERS_AT_ONCE)]
        self._free = list(self._all)
        self._turn = trio.Semaphore(len(self._all))

    @asynccontextmanager
    async def one(self) -> AsyncIterator[BlobTransport]:
        """Have a connection, the one that was used last if it is free."""
        async with self._turn:
            http = self._free.pop()
            try:
                yield BlobTransport(http)
            finally:
                self._free.append(http)

    async def aclose(self) -> None:
        """Close all connections; the next transfers open others."""
        for http in self._all:
            await http.aclose()


class Carrier:
    """Carries blobs between the server and this computer.

    Args:
        make: makes a client of the server, which has no connection yet.
        cache: where blobs are that were fetched.
        tell: takes the end of each transfer, an event.
    """

    def __init__(
        self, make: Callable[[], HttpClient], cache: CacheFolder, tell: Callable[[Event], None]
    ) -> None:
        self._lines = Lines(make)
        self._cache = cache
        self._tell = tell
        self._given_up = 0  # how often all transfers were

    async def tell_all(self) -> None:
        """Tell what is in the cache, of what is large."""
        digests = await trio.to_thread.run_sync(self._listed)
        if digests:
            self._tell(CacheChanged(digests))

    def _listed(self) -> list[bytes]:
        self._cache.make_room(look=True)
        large = (one for one in self._cache.entries() if one.size >= limits.CACHED_LEAST_BYTES)
        newest = sorted(large, reverse=True)[: limits.CACHED_TOLD]
        return [one.digest for one in newest]

    # --- from the server ------------------------------------------------------------------------

    async def fetch(self, action: Fetch) -> None:
        """Have a blob in a file, from the cache if it is there."""
        blob, before = action.blob, self._given_up
        try:
            path = await trio.to_thread.run_sync(self._cache.use, blob)
            if path is None:
                path = await self._fetch(blob)
        except (OSError, DcError, trio.TooSlowError) as error:
            if self._given_up == before:
                self._tell(FetchFailed(blob.digest, text_of(error), is_final(error)))
            return
        if self._given_up > before:
            self._cache.let_go(blob.digest)
        else:
            self._tell(Fetched(InFile(str(path), blob.size, blob.digest)))

    async def _fetch(self, blob: Blob) -> Path:
        """Fetch a blob, unless another process of the computer does, which is waited for."""
        while (lock := await self._try_lock(blob)) is None:
            await trio.sleep(limits_worker.CACHE_LOCK_SECONDS)
            path = await trio.to_thread.run_sync(self._cache.use, blob)
            if path is not None:
                return path
        try:
            path = await trio.to_thread.run_sync(self._cache.use, blob)
            return path or await self._download(blob)
        finally:
            lock.release()

    async def _try_lock(self, blob: Blob) -> BlobLock | None:
        return await trio.to_thread.run_sync(self._cache.try_lock, blob.digest)

    async def _download(self, blob: Blob) -> Path:
        to = self._cache.incoming(blob.digest)
        try:
            async with self._lines.one() as transport:
                with trio.fail_after(_transfer_seconds(blob.size)):
                    await transport.download(f"/blobs/{blob.name}", blob, to)
            path = await trio.to_thread.run_sync(self._cache.enter, blob, to)
        except OSError as error:
            if error.errno in _FULL:
                for one in (to, to.with_name(f"{to.name}.part")):
                    one.unlink(missing_ok=True)
                await self.make_room(blob.size)
            raise
        if blob.size >= limits.CACHED_LEAST_BYTES:
            self._tell(CacheChanged([blob.digest]))
        await self.make_room()
        return path

    async def make_room(self, wanted: int = 0) -> None:
        """Remove what is too much in the cache, or in the way of so many bytes."""
        gone = await trio.to_thread.run_sync(self._cache.make_room, wanted)
        if gone:
            self._tell(CacheChanged([], gone))

    # --- to the server --------------------------------------------------------------------------

    async def put(self, action: PutBlob | PutCheckpoint) -> None:
        """Put a result, or a checkpoint."""
        key, file = (action.job, action.number, action.attempt), action.file
        before = self._given_up
        is_result = isinstance(action, PutBlob)
        end: Event = BlobPut(*key) if is_result else CheckpointPut(*key)
        try:
            async with self._lines.one() as transport:
                blob = Blob(file.digest, file.size)
                with trio.fail_after(_transfer_seconds(file.size)):
                    await transport.upload(blob, Path(file.path))
        except (OSError, DcError, trio.TooSlowError) as error:
            failed = BlobPutFailed if is_result else CheckpointPut
            end = failed(*key, text_of(error), is_final(error))
        if self._given_up == before:
            self._tell(end)

    def give_up(self) -> None:
        """Tell nothing any more of what is under way: it was for another server."""
        self._given_up += 1

    async def aclose(self) -> None:
        """Close the connections; the next transfers open others."""
        await self._lines.aclose()


def _transfer_seconds(size: int) -> float:
    return limits_worker.TRANSFER_SECONDS + size / limits_worker.TRANSFER_BYTES_PER_SECOND


def is_final(error: BaseException) -> bool:
    """Whether trying again hardly helps: the server will not, or gives other bytes, or none that
    make sense, or a drop at a time, or a file here cannot be used.

    A server that fails (5xx) and a connection that breaks may be well again soon.
    """
    if isinstance(error, HttpError):
        return 400 <= error.status < 500
    return isinstance(error, OSError | BlobMismatch | ProtocolError | trio.TooSlowError)


def text_of(error: BaseException) -> str:
    """Return what went wrong; of several attempts to connect, what was wrong with the last."""
    if isinstance(error.__cause__, BaseExceptionGroup):
        return text_of(error.__cause__.exceptions[-1])
    if isinstance(error, trio.TooSlowError):
        return "it took too long"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
