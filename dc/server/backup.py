"""A backup of the data folder while the server runs: an archive, made as it is sent.

The archive is a tar file: the database first, copied as it was at one moment, then every blob that
it names. Blobs never change, and none is removed meanwhile, so that the two belong together.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import sqlite3
import tarfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import trio

from dc import limits_http, limits_store
from dc.errors import StoreFull
from dc.http import Response
from dc.log_fields import about
from dc.server.app import ServerApp
from dc.store_file import DATABASE

log = logging.getLogger("dc.server")

COPIES: Final = "backup-*.tmp"
"""The copies of databases in the data folder: what an earlier process left is removed."""

BLOCK: Final = tarfile.BLOCKSIZE

NAMES: Final = """
SELECT digest FROM blob_uses WHERE digest > :last
UNION
SELECT digest FROM checkpoints WHERE digest > :last
UNION
SELECT digest FROM plugins WHERE digest > :last
ORDER BY digest LIMIT 1000
"""
"""The next names of blobs behind one: all that `used_blobs` finds."""


async def backup(app: ServerApp) -> Response:
    """Return the answer whose body is a backup.

    Raises:
        StoreFull: there is not enough space for a copy of the database.
        StoreError: it cannot be copied.
    """
    _check_space(app.settings.data)
    copy = app.settings.data / COPIES.replace("*", secrets.token_hex(8))
    stack = ExitStack()
    try:
        stack.enter_context(app.retention.hold())
        stack.callback(copy.unlink, missing_ok=True)
        await app.store.backup(copy)
    except BaseException:
        stack.close()
        raise
    return Response(200, Archive(app, copy, stack), "application/x-tar")


def _check_space(data: Path) -> None:
    """See to it that the copy of the database will not fill the disk that the server writes to."""
    size = sum(path.stat().st_size for path in data.glob(f"{DATABASE}*"))
    free = shutil.disk_usage(data).free
    if free < size + limits_store.WAL_BYTES_MOST:
        raise StoreFull(
            f"a backup needs {(size + limits_store.WAL_BYTES_MOST) >> 20:,} MiB free on the disk "
            f"of {data} for a while, and {free >> 20:,} are"
        )


def remove_copies(data: Path) -> None:
    """Remove the copies that an earlier process left in its data folder."""
    for copy in data.glob(COPIES):
        copy.unlink(missing_ok=True)


class Archive:
    """The bytes of an archive, in pieces. `stack` is closed behind it."""

    def __init__(self, app: ServerApp, copy: Path, stack: ExitStack) -> None:
        self._app = app
        self._copy = copy
        self._stack = stack
        self._pieces = self._all()

    def __aiter__(self) -> Archive:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """Remove the copy of the database."""
        await self._pieces.aclose()
        self._stack.close()

    async def _all(self) -> AsyncGenerator[bytes, None]:
        async for piece in self._member(DATABASE, self._copy):
            yield piece
        names = _blob_names(self._copy)
        none: list[str] = []
        while digests := await trio.to_thread.run_sync(next, names, none):
            for digest in digests:
                path = self._app.blobs.path(bytes.fromhex(digest))
                if path is None:
                    text = "backup: a blob is missing from the data folder"
                    log.error(text, extra=about(blob=digest))
                    continue
                async for piece in self._member(f"blobs/{digest}", path):
                    yield piece
        yield bytes(2 * BLOCK)

    async def _member(self, name: str, path: Path) -> AsyncGenerator[bytes, None]:
        file = await trio.to_thread.run_sync(path.open, "rb")
        with file:
            status = os.fstat(file.fileno())
            info = tarfile.TarInfo(name)
            info.size, info.mtime = status.st_size, int(status.st_mtime)
            yield info.tobuf(tarfile.GNU_FORMAT)
            async for piece in _contents(file, info.size):
                yield piece
            yield bytes(-info.size % BLOCK)


async def _contents(file: BinaryIO, size: int) -> AsyncGenerator[bytes, None]:
    while size:
        read = partial(file.read, min(size, limits_http.FILE_PIECE_BYTES))
        piece = await trio.to_thread.run_sync(read)
        if not piece:
            raise OSError(f"{file.name} became shorter while it was sent")
        size -= len(piece)
        yield piece


def _blob_names(database: Path) -> Iterator[list[str]]:
    """Yield the names of the blobs that a database names, some at a time, each list sorted."""
    last = ""
    while True:
        with closing(sqlite3.connect(database)) as connection:
            names = [name for (name,) in connection.execute(NAMES, {"last": last})]
        if not names:
            return
        yield names
        last = names[-1]
