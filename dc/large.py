"""Large bytes as a task gets and gives them: files, views of files, and pieces one after the other.

On the wire all of them are bytes. What a task type declares says only how its function has them:

    bytes             in memory, whole
    pathlib.Path      a file; one that is given back is moved and not read
    memoryview        a view of a file that is mapped into memory: only what is looked at is read
    Iterator[bytes]   a result that is written piece by piece as the function yields it
"""

from __future__ import annotations

import collections.abc
import mmap
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

BytesLike: TypeAlias = bytes | bytearray | memoryview

_PIECES: Final = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
)


class WrongForm(TypeError):
    """What a function has returned is not what it declares."""


def is_bytes(kind: Any, *, pieces: bool) -> bool:
    """Whether a declared type stands for bytes as they are.

    Args:
        kind: the type, as in an annotation.
        pieces: whether it may be an iterator of bytes.
    """
    return kind in (bytes, Path, memoryview) or (pieces and is_pieces(kind))


def is_pieces(kind: Any) -> bool:
    """Whether a declared type is an iterator, an iterable or a generator of bytes."""
    return typing.get_origin(kind) in _PIECES and typing.get_args(kind)[:1] == (bytes,)


def pieces_of(value: Any) -> Iterator[BytesLike]:
    """Yield the pieces that a function has returned; WrongForm for what is none."""
    if isinstance(value, bytes | bytearray | memoryview | str) or not isinstance(value, Iterable):
        raise WrongForm(f"expected an iterator of bytes, got {type(value).__name__}")
    for piece in value:
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise WrongForm(f"expected pieces of bytes, got {type(piece).__name__}")
        yield piece


def whole(kind: Any, value: Any) -> bytes:
    """Return the bytes that a value of such a type stands for; WrongForm if it does not fit.

    A file is read; OSError if it cannot be. What an iterator raises is raised here.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if kind is Path and isinstance(value, Path):
        return value.read_bytes()
    if is_pieces(kind):
        return b"".join(pieces_of(value))
    wanted = "a pathlib.Path" if kind is Path else "bytes"
    raise WrongForm(f"expected {wanted}, got {type(value).__name__}")


def as_file(source: bytes | Path, folder: Path) -> Path:
    """Return a file with these bytes, which is read-only and in the folder if it is made here."""
    if isinstance(source, Path):
        return source
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "payload"
    path.write_bytes(source)
    path.chmod(0o444)
    return path


def as_view(source: bytes | Path) -> memoryview:
    """Return a read-only view of bytes, or of a file that is mapped as long as the view is kept."""
    if isinstance(source, bytes):
        return memoryview(source)
    with source.open("rb") as file:
        if not source.stat().st_size:  # nothing cannot be mapped
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
