"""Large bytes that are at the server, as the user holds them: to be read when they are wanted.

A handle holds no bytes. `save` and `read` compare the SHA-256 and go on after a cut. What `open`
gives asks for a range at a time, and compares too if it is read from the first byte to the last.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self, cast

import trio

from dc import limits_client as limits
from dc.client.loops import Call
from dc.client.sources import BlobRef
from dc.client.transfers import Transfers
from dc.errors import BlobMismatch
from dc.messages_parts import Blob


class Caller(Protocol):
    """What a handle needs of a plain client."""

    @property
    def call(self) -> Call:
        """Calls an async function in the background thread."""


class AsyncHandle:
    """Bytes at the server, for programs that run under Trio. Good while its client is open.

    Its methods raise UnknownJob once the job was removed, UnknownBlob for bytes that are gone, and
    ConnectionLost if the server cannot be reached for a minute.

    Args:
        transfers: the way to the server.
        path: where the bytes are there.
        blob: what they are.
        name: for people, such as "result of task 3/17".

    Attributes:
        size: how many bytes they are.
        digest: their SHA-256, in hexadecimal digits.
        name: as given.
    """

    def __init__(self, transfers: Transfers, path: str, blob: Blob, name: str) -> None:
        self.size = blob.size
        self.digest = blob.name
        self.name = name
        self._transfers = transfers
        self._path = path
        self._blob = blob

    def __repr__(self) -> str:
        return f"<{self.name}, {self.size:,} bytes>"

    @property
    def ref(self) -> BlobRef:
        """What stands for the bytes in payloads and inputs of other jobs: they are not moved."""
        return BlobRef(self.digest, self.size)

    async def read(self) -> bytes:
        """Return all bytes.

        Raises:
            BlobMismatch: other bytes came.
        """
        return await self._transfers.read(self._path, self._blob, self.name)

    async def save(self, to: str | os.PathLike[str]) -> Path:
        """Write the bytes to a file; what is under its name is whole and right.

        What has come stays in `NAME.part` if the server is lost or this is cancelled, and saving
        again goes on with it; after any other failure nothing stays.

        Args:
            to: the file; what is there is replaced.

        Returns:
            The file.

        Raises:
            BlobMismatch: other bytes came.
            OSError: the file cannot be written.
        """
        path = Path(to)
        await self._transfers.save(self._path, self._blob, path, self.name)
        return path

    def open(self) -> AsyncReader:
        """Return a reader of the bytes, from the first one on."""
        return AsyncReader(self)

    async def span(self, start: int, stop: int) -> bytes:
        """Return some bytes, limits.RANGE_BYTES at most, as they come."""
        return await self._transfers.span(self._path, self._blob, start, stop)


class Handle:
    """Bytes at the server. Good while its client is open; `bytes(handle)` is the same as `read`.

    Its methods raise UnknownJob once the job was removed, UnknownBlob for bytes that are gone, and
    ConnectionLost if the server cannot be reached for a minute.

    Args:
        client: the client.
        handle: the same for Trio.

    Attributes:
        size: how many bytes they are.
        digest: their SHA-256, in hexadecimal digits.
        name: for people.
    """

    def __init__(self, client: Caller, handle: AsyncHandle) -> None:
        self.size = handle.size
        self.digest = handle.digest
        self.name = handle.name
        self._client = client
        self._handle = handle

    def __repr__(self) -> str:
        return repr(self._handle)

    def __bytes__(self) -> bytes:
        return self.read()

    @property
    def ref(self) -> BlobRef:
        """What stands for the bytes in payloads and inputs of other jobs: they are not moved."""
        return self._handle.ref

    def read(self) -> bytes:
        """Return all bytes; see AsyncHandle.read."""
        return cast(bytes, self._client.call(self._handle.read))

    def save(self, to: str | os.PathLike[str]) -> Path:
        """Write the bytes to a file; see AsyncHandle.save."""
        return cast(Path, self._client.call(self._handle.save, to))

    def open(self) -> BinaryIO:
        """Return the bytes as a binary file that can be read and sought."""
        raw = _Ranges(self._client, self._handle)
        return cast(BinaryIO, io.BufferedReader(raw, limits.RANGE_BYTES))


class _Check:
    """Compares what is read from the first byte to the last with what it is to be."""

    def __init__(self, handle: AsyncHandle) -> None:
        self._handle = handle
        self._hash = hashlib.sha256()
        self._seen = 0

    def take(self, start: int, data: bytes) -> None:
        """Look at bytes that were read.

        Raises:
            BlobMismatch: they were the last of others than the server has said.
        """
        if start != self._seen or not data:
            return
        self._hash.update(data)
        self._seen += len(data)
        if self._seen == self._handle.size and self._hash.hexdigest() != self._handle.digest:
            raise BlobMismatch(f"{self._handle.name}: other bytes came than the server has")


class _Position:
    """A place in bytes of a known size."""

    def __init__(self, size: int) -> None:
        self.at = 0
        self._size = size

    def seek(self, offset: int, whence: int) -> int:
        """Move; return where it is then."""
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self._size}
        if whence not in bases:
            raise ValueError(f"whence is 0, 1 or 2, not {whence}")
        if bases[whence] + offset < 0:
            raise ValueError(f"there is no byte {bases[whence] + offset}")
        self.at = bases[whence] + offset
        return self.at

    def span(self, size: int) -> tuple[int, int]:
        """Return the span of the next bytes, so many at most; none behind the end."""
        start = min(self.at, self._size)
        return start, min(start + max(size, 0), self._size)


class _Ranges(io.RawIOBase):
    """A handle as a raw file."""

    def __init__(self, client: Caller, handle: AsyncHandle) -> None:
        super().__init__()
        self.name = handle.name
        self._client = client
        self._handle = handle
        self._check = _Check(handle)
        self._position = _Position(handle.size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._must_be_open()
        return self._position.seek(offset, whence)

    def tell(self) -> int:
        self._must_be_open()
        return self._position.at

    def readinto(self, buffer: Any, /) -> int:
        self._must_be_open()
        view = memoryview(buffer).cast("B")
        start, stop = self._position.span(min(len(view), limits.RANGE_BYTES))
        data = self._client.call(self._handle.span, start, stop)
        self._check.take(start, data)
        view[: len(data)] = data
        self._position.at += len(data)
        return len(data)

    def _must_be_open(self) -> None:
        if self.closed:
            raise ValueError(f"{self.name} is closed")


class AsyncReader:
    """Reads the bytes of a handle, a range at a time; iterating gives them in large pieces.

    Args:
        handle: of the bytes.
    """

    def __init__(self, handle: AsyncHandle) -> None:
        self._handle = handle
        self._check = _Check(handle)
        self._position = _Position(handle.size)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await trio.lowlevel.checkpoint()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._next(limits.RANGE_BYTES):
            yield piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a byte, as of io.IOBase.seek; return which it is."""
        return self._position.seek(offset, whence)

    def tell(self) -> int:
        """Return the number of the next byte."""
        return self._position.at

    async def read(self, size: int = -1) -> bytes:
        """Return the next bytes, so many if there are; all that are left if `size` is negative."""
        wanted = self._handle.size if size < 0 else size
        pieces = []
        while wanted > 0 and (piece := await self._next(min(wanted, limits.RANGE_BYTES))):
            pieces.append(piece)
            wanted -= len(piece)
        return b"".join(pieces)

    async def _next(self, size: int) -> bytes:
        start, stop = self._position.span(size)
        data = await self._handle.span(start, stop)
        self._check.take(start, data)
        self._position.at += len(data)
        return data
