"""Large results and checkpoints, as files that the executor makes, and what a task gave them as.

What a task returns as a file is moved to where the agent takes it, if it is the task's own: in its
scratch folder or its working folder, and with no other name. Any other file is copied. Files are
read once, for their digest, in small pieces.
"""

from __future__ import annotations

import hashlib
import stat
import threading
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from dc import limits, limits_http
from dc.large import BytesLike, WrongForm, is_pieces, pieces_of
from dc.pipe import InFile
from dc.tasktypes import TaskType


def into_file(path: Path, data: BytesLike) -> InFile:
    """Write bytes to a file; nothing stays of it when that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    hashing = threading.Thread(target=digest.update, args=(data,))
    try:
        hashing.start()
    except RuntimeError:  # no further thread may be started here
        digest.update(data)
    try:
        path.write_bytes(data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        if hashing.ident is not None:
            hashing.join()
    return InFile(path=str(path), size=len(data), digest=digest.digest())


def result_of(task_type: TaskType, value: Any, to: Path, own: Sequence[Path]) -> bytes | InFile:
    """Return the result of a task of large bytes, in memory only if it is small.

    Args:
        task_type: the task's type.
        value: what its function has returned.
        to: the file for a result that is large.
        own: folders of the task: files in them are moved.

    Raises:
        PluginError: the value does not have the declared type.
        OSError: a file cannot be read or written.
        BaseException: whatever an iterator raises that the function has returned.
    """
    kind = task_type.result_type
    try:
        if is_pieces(kind):
            return _written(to, pieces_of(value))
        if kind is Path:
            return _taken(to, value, own)
    except WrongForm as error:
        raise task_type.wrong_result(error) from None
    if isinstance(value, bytearray | memoryview) and memoryview(value).nbytes > limits.INLINE_BYTES:
        return into_file(to, memoryview(value).cast("B"))
    data = task_type.encode_result(value)
    return data if len(data) <= limits.INLINE_BYTES else into_file(to, data)


def _written(to: Path, pieces: Iterable[BytesLike]) -> bytes | InFile:
    """Write pieces one after the other to a file, once they are more than a message takes."""
    held = bytearray()
    rest = iter(pieces)
    for piece in rest:
        held += piece
        if len(held) > limits.INLINE_BYTES:
            return _stream(to, chain((held,), rest))
    return bytes(held)


def _stream(to: Path, pieces: Iterable[BytesLike]) -> InFile:
    digest, size = hashlib.sha256(), 0
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        with to.open("wb", buffering=limits_http.FILE_PIECE_BYTES) as file:
            for piece in pieces:
                view = memoryview(piece).cast("B") if isinstance(piece, memoryview) else piece
                file.write(view)
                digest.update(view)
                size += len(view)
    except BaseException:
        to.unlink(missing_ok=True)
        raise
    return InFile(str(to), size, digest.digest())


def _taken(to: Path, value: Any, own: Sequence[Path]) -> bytes | InFile:
    """Take a file that a task has returned."""
    if not isinstance(value, Path):
        raise WrongForm(f"expected a pathlib.Path, got {type(value).__name__}")
    status = value.lstat()
    if not stat.S_ISREG(value.stat().st_mode):
        raise WrongForm(f"{value} is no file")
    if value.stat().st_size <= limits.INLINE_BYTES:
        return value.read_bytes()
    to.parent.mkdir(parents=True, exist_ok=True)
    its_own = stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and _is_in(value, own)
    if its_own and _move(value, to):
        with to.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        return InFile(str(to), to.stat().st_size, digest)
    with value.open("rb") as source:
        return _stream(to, _pieces(source))


def _move(path: Path, to: Path) -> bool:
    """Give a file another name; False if that is on another disk."""
    try:
        path.replace(to)
    except OSError:
        return False
    return True


def _is_in(path: Path, folders: Sequence[Path]) -> bool:
    parent = path.parent.resolve()
    return any(parent.is_relative_to(folder.resolve()) for folder in folders)


def _pieces(source: BinaryIO) -> Iterable[bytes]:
    return iter(lambda: source.read(limits_http.FILE_PIECE_BYTES), b"")
