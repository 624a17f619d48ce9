"""Blobs compressed on their way (zstd, RFC 8878): whether that pays, there, and back in bounds.

Only what is sent is compressed; what is kept is not, so that any part of it can be read.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import trio

from dc import limits_http, limits_store
from dc.blobs_incoming import Sink, Source, Told, in_hashers
from dc.errors import BlobMismatch

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_READING: dict[int, int] = {
    zstd.DecompressionParameter.window_log_max: limits_store.ZSTD_WINDOW_LOG
}


async def pays(path: Path, size: int) -> bool:
    """Whether a file is worth compressing: some of its beginning, middle and end is tried.

    Raises:
        OSError: it cannot be read.
    """
    return size >= limits_store.ZSTD_SAMPLE_BYTES and await in_hashers(_pays, path, size)


def _pays(path: Path, size: int) -> bool:
    each, whole, small = limits_store.ZSTD_SAMPLE_BYTES, 0, 0
    with path.open("rb", buffering=0) as file:
        for start in (0, max(0, (size - each) // 2), max(0, size - each)):
            file.seek(start)
            piece = file.read(each)
            whole += len(piece)
            small += len(zstd.compress(piece, limits_store.ZSTD_LEVEL))
    return small < whole * limits_store.ZSTD_PAYS


class Compressed:
    """The compressed bytes of a file, in pieces.

    Args:
        path: of the file.
        told: is told how many bytes of the file have been compressed by now.
    """

    def __init__(self, path: Path, told: Told | None = None) -> None:
        self._path = path
        self._told = told

    async def __aiter__(self) -> AsyncIterator[bytes]:
        coder, size = zstd.ZstdCompressor(level=limits_store.ZSTD_LEVEL), 0
        file = await trio.to_thread.run_sync(self._path.open, "rb", 0)
        with file:
            while piece := await in_hashers(file.read, limits_store.ZSTD_PIECE_BYTES):
                size += len(piece)
                if packed := await in_hashers(coder.compress, piece):
                    yield packed
                if self._told is not None:
                    self._told(size)
        yield coder.flush()


class Decompressed:
    """A compressed source, decompressed; no step makes more than a small piece of it.

    How much comes out in all, whoever takes it bounds.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._coder = zstd.ZstdDecompressor(options=_READING)

    async def move_to(self, sink: Sink) -> int:
        """Give some bytes to a sink; return how many came in, 0 at the end.

        Raises:
            BlobMismatch: they are no zstd, need too much memory, or go on behind the end.
        """
        got = await self._source.move_to(lambda piece: self._decompress(piece, sink))
        if not got and not self._coder.eof:
            raise BlobMismatch("the compressed body ends too early")
        return got

    def _decompress(self, piece: memoryview, sink: Sink) -> None:
        data: bytes | memoryview = piece
        while len(data) or not self._coder.needs_input:
            if self._coder.eof:
                raise BlobMismatch("something is behind the end of the compressed body")
            try:
                got = self._coder.decompress(data, limits_http.HAND_ON_BYTES)
            except zstd.ZstdError as error:
                raise BlobMismatch(f"the body cannot be decompressed: {error}") from error
            if got:
                sink(memoryview(got))
            if self._coder.eof:
                if self._coder.unused_data:
                    raise BlobMismatch("something is behind the end of the compressed body")
                return
            data = b""
