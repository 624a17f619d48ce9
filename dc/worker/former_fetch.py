"""In an executor: brings results of other jobs, for dc/worker/former.py. Blocking, no Trio.

A small result is taken as it comes. A large one goes through the computer's cache: whoever comes
first fetches it, piece by piece into a file, and the others wait for that. A server that is away,
because it restarts, is asked again for a minute; what was fetched by then is gone on with.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import msgspec

from dc import limits, limits_client, limits_http, limits_worker
from dc.cache import CacheFolder
from dc.errors import BlobMismatch, ConnectionLost, UnknownTask
from dc.messages_parts import Blob
from dc.plain_get import Answer
from dc.worker.executor_variables import CACHE_VARIABLE, SERVER_VARIABLE

T = TypeVar("T")


def value(job: int, number: int) -> Any:
    """Return the result of a task: bytes as they are, any other value plain."""
    with TemporaryDirectory(prefix="dc-result-") as folder:
        about = patient(lambda: _about(job))
        found = patient(lambda: _fetch(job, number, Path(folder)))
        data = found if isinstance(found, bytes) else found.read_bytes()
    return data if about["result"] == "bytes" else msgspec.msgpack.decode(data)


def file(job: int, number: int, to: Path) -> Path:
    """Make a file with the bytes of a result, and return it."""
    if to.exists():
        return to
    found = patient(lambda: _fetch(job, number, to.parent))
    if isinstance(found, bytes):
        to.write_bytes(found)
    elif found.parent == to.parent:
        found.replace(to)
    else:  # it has no second name there: it is on another disk, and may leave it any time
        _copy(found, to)
    return to


def patient(work: Callable[[], T]) -> T:
    """Do something that asks the server, again and again for a minute if it cannot be reached.

    Raises:
        ConnectionLost: a minute is over.
    """
    until = time.monotonic() + limits_client.FOLLOW_SECONDS
    while True:
        try:
            return work()
        except (ConnectionError, TimeoutError, BlobMismatch) as error:
            if time.monotonic() > until:
                server = os.environ.get(SERVER_VARIABLE, "")
                raise ConnectionLost(f"no result from {server}: {error}") from None
            time.sleep(limits_client.FOLLOW_PAUSE_SECONDS)


def _copy(path: Path, to: Path) -> None:
    part = to.with_name(f"{to.name}.part")
    try:
        shutil.copyfile(path, part)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


def _about(job: int) -> Any:
    with Answer(os.environ.get(SERVER_VARIABLE, ""), f"/api/jobs/{job}") as answer:
        _raise_for_status(answer)
        return msgspec.json.decode(answer.read(limits_http.ANSWER_BYTES))


class _Told(msgspec.Struct):
    detail: str = ""


def _raise_for_status(answer: Answer) -> None:
    if answer.status >= 500:
        raise ConnectionError(f"the server answers {answer.status}")
    if answer.status not in (200, 206):
        raise UnknownTask(_told(answer.read(limits.ERROR_CHARS)) or f"{answer.status}")


def _told(body: bytes) -> str:
    """Return what the server says of a refusal, and what may be wrong at this end."""
    try:
        text = msgspec.json.decode(body, type=_Told).detail
    except msgspec.MsgspecError:
        text = body.decode("utf-8", "replace")
    return (
        f"{text}; a server with TLS gives a task results of jobs alone that its own comes `after`"
    )


def _fetch(job: int, number: int, own: Path) -> bytes | Path:
    """Return a result, in memory if it is small, or else a file, for now in the folder `own`."""
    path = f"/jobs/{job}/tasks/{number}/result"
    beginning = {"Range": f"bytes=0-{limits.INLINE_BYTES - 1}"}
    with Answer(os.environ.get(SERVER_VARIABLE, ""), path, beginning) as answer:
        if answer.status == 416:  # it is empty, and has no beginning
            return b""
        _raise_for_status(answer)
        if answer.whole <= limits.INLINE_BYTES:
            return answer.read(limits.INLINE_BYTES)
        cache = _cache(own)
        if (digest := answer.digest) is None:
            return _take_nameless(cache, answer)
    return _through_cache(cache, path, Blob(digest, answer.whole))


def _cache(own: Path) -> CacheFolder:
    """Return the computer's cache; without an agent, one that is gone with the task."""
    size, _, folder = os.environ.get(CACHE_VARIABLE, f"0:{own}").partition(":")
    return CacheFolder(Path(folder), int(size), own=own)


def _take_nameless(cache: CacheFolder, answer: Answer) -> Path:
    """Take what is not known by its digest yet.

    Raises:
        UnknownTask: only a part of it came.
    """
    if answer.status != 200:
        raise UnknownTask("the server gives a part of a result, and no name for it")
    to = cache.incoming(os.urandom(32)).with_suffix(".part")
    digest = hashlib.sha256()
    try:
        with to.open("wb") as file:
            for piece in answer:
                file.write(piece)
                digest.update(piece)
        return _enter(cache, Blob(digest.digest(), answer.size), to)
    finally:
        to.unlink(missing_ok=True)


def _through_cache(cache: CacheFolder, path: str, blob: Blob) -> Path:
    """Return a blob's file; fetch it, unless it is there or another process is at it."""
    while True:
        if (found := cache.use(blob)) is not None:
            return found
        lock = cache.try_lock(blob.digest)
        if lock is not None:
            try:
                return cache.use(blob) or _download(cache, path, blob)
            finally:
                lock.release()
        time.sleep(limits_worker.CACHE_LOCK_SECONDS)


def _download(cache: CacheFolder, path: str, blob: Blob) -> Path:
    """Fetch a blob, from where it was broken off before.

    Raises:
        BlobMismatch: what came are other bytes; nothing is left of them.
        ConnectionError: the connection broke; what came is kept.
        OSError: it cannot be written; nothing is left of it.
    """
    part = cache.incoming(blob.digest).with_suffix(".part")
    try:
        _fill(part, path, blob)
    except (ConnectionError, TimeoutError):
        raise
    except OSError:
        part.unlink(missing_ok=True)
        cache.make_room(blob.size)
        raise
    return _enter(cache, blob, part)


def _fill(part: Path, path: str, blob: Blob) -> None:
    """Fetch what is missing in a file, and compare the whole."""
    digest, have = hashlib.sha256(), 0
    with part.open("ab+") as file:
        file.seek(0)
        while piece := file.read(limits_http.FILE_PIECE_BYTES):
            digest.update(piece)
            have += len(piece)
        resume = {"Range": f"bytes={have}-", "If-Range": f'"{blob.name}"'} if have else {}
        with Answer(os.environ.get(SERVER_VARIABLE, ""), path, resume) as answer:
            if answer.status != 416:  # all of it is here
                _raise_for_status(answer)
                if answer.status == 200 and have:
                    digest = hashlib.sha256()
                    file.truncate(0)
                for piece in answer:
                    file.write(piece)
                    digest.update(piece)
    if digest.digest() != blob.digest:
        part.unlink()
        raise BlobMismatch(f"{path} gave other bytes than their name says")


def _enter(cache: CacheFolder, blob: Blob, file: Path) -> Path:
    found = cache.enter(blob, file)
    cache.make_room(look=True)
    return found
