"""What the server's program does with a data folder when it does not serve it."""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import IO, Final

import trio

from dc import limits, limits_http
from dc.blobs import BlobFolder
from dc.errors import BlobMismatch, StoreDamaged, StoreError
from dc.store import Store
from dc.store_file import DATABASE, renew_identity, told_plainly
from dc.store_sqlite import open_store

BLOBS: Final = "blobs"

_BLOB: Final = re.compile(r"blobs/([0-9a-f]{64})")

FIRST, LAST = bytes(32), bytes([255]) * 32


async def check(data: Path, *, accept_loss: bool = False) -> list[str]:
    """Read all of a data folder that no server uses; return what is wrong with it, a line each.

    Raises:
        StoreError: it cannot be opened, which says what is wrong as well.
    """
    if not (data / DATABASE).exists():
        raise StoreError(f"{data} is no data folder: there is no {DATABASE} in it")
    store = await open_store(data, accept_loss=accept_loss)
    try:
        return [*await store.check(), *await _check_blobs(store, BlobFolder(data / BLOBS))]
    finally:
        with trio.CancelScope(shield=True):
            await store.aclose()


async def _check_blobs(store: Store, blobs: BlobFolder) -> list[str]:
    found = []
    for part in range(256):
        first, last = (bytes([part]) + bytes([rest]) * 31 for rest in (0, 255))
        for digest in await store.used_blobs(first, last):
            path = blobs.path(digest)
            if path is None:
                found.append(f"blob {digest.hex()}: it is missing")
            elif await trio.to_thread.run_sync(_digest, path) != digest:
                found.append(f"blob {digest.hex()}: {path} has other bytes")
    return found


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


async def restore(archive: Path, data: Path) -> int:
    """Make a data folder of a backup; return how many jobs are in it. All of it is checked.

    Args:
        archive: what `python -m dc backup` wrote.
        data: a folder that is empty or not there.

    Raises:
        StoreError: the folder is not empty, or the archive is damaged or cannot be read.
    """
    with told_plainly(archive):
        part = _new_folder(data) / f"{DATABASE}.part"
        await _unpack(archive, part, BlobFolder(data / BLOBS))
        await trio.to_thread.run_sync(renew_identity, part)
        await trio.to_thread.run_sync(_publish, part, data / DATABASE)
    wrong = await check(data)
    if wrong:
        raise StoreDamaged(f"{archive} is damaged, and so is {data} now: {wrong[0]}")
    store = await open_store(data)
    try:
        return len(await store.jobs(None, limits.MAX_JOB))
    finally:
        await store.aclose()


def _new_folder(data: Path) -> Path:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(data.iterdir()):
        raise StoreError(f"{data} is not empty: restore to a new folder")
    return data


async def _unpack(archive: Path, part: Path, blobs: BlobFolder) -> None:
    found = False
    try:
        with await trio.to_thread.run_sync(partial(tarfile.open, archive, "r:")) as tar:
            while (info := await trio.to_thread.run_sync(tar.next)) is not None:
                blob, file = _BLOB.fullmatch(info.name), tar.extractfile(info)
                if file is None or not (blob or info.name == DATABASE):
                    raise StoreDamaged(f"{archive} is no backup of dc: it holds {info.name}")
                if blob is None:
                    found = True
                    await trio.to_thread.run_sync(_copy, file, part)
                else:
                    await blobs.put(bytes.fromhex(blob[1]), info.size, _pieces(file))
    except (tarfile.TarError, EOFError, BlobMismatch) as error:
        raise StoreDamaged(f"{archive} is damaged: {error}") from error
    if not found:
        raise StoreDamaged(f"{archive} is damaged, or no backup of dc: {DATABASE} is not in it")


async def _pieces(file: IO[bytes]) -> AsyncGenerator[bytes, None]:
    while piece := await trio.to_thread.run_sync(file.read, limits_http.FILE_PIECE_BYTES):
        yield piece


def _copy(file: IO[bytes], to: Path) -> None:
    with to.open("xb") as copy:
        while piece := file.read(limits_http.FILE_PIECE_BYTES):
            copy.write(piece)
        copy.flush()
        os.fsync(copy.fileno())


def _publish(part: Path, database: Path) -> None:
    part.replace(database)
    if os.name != "nt":
        handle = os.open(database.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
