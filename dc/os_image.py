"""The configuration in an image: found by its first line, read, and written in place.

An image is an ISO, a stick that one was written to, or what a boot loader loads by itself. Nothing
of it but these AREA_BYTES is changed, and nothing is mounted.
"""

from __future__ import annotations

import errno
import os
import re
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from dc import boot_words, limits_image
from dc.boot_words import MAGIC, Word
from dc.errors import OptionsError, StartError

_VOLUME_AT: Final = 16 * 2048
_VOLUME_MARK: Final = b"\x01CD001"
"""Of ISO 9660: where its description is, and what that begins with."""

_MOUNTS: Final = Path("/proc/self/mounts")
_OF_MEDIUM: Final = (errno.EROFS, errno.EACCES, errno.EPERM)


def show(path: Path) -> list[Word]:
    """Return what an image is configured to do.

    Raises:
        StartError: it is no image, or cannot be read.
    """
    with _opened(path, "rb") as file:
        return _read(path, file, find(path, file))


def configure(path: Path, words: list[Word], mounts: Path = _MOUNTS) -> None:
    """Write a configuration into an image, in place of what is there.

    Args:
        path: of the image or stick.
        words: all there are to be.
        mounts: where the system says what is mounted.

    Raises:
        OptionsError: they do not fit.
        StartError: it is no image, cannot be written, or is in use.
    """
    data = boot_words.area(words)
    _check_unused(path, mounts)
    with _opened(path, "r+b") as file:
        at = find(path, file)
        _read(path, file, at)
        file.seek(at)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        if sys.platform == "linux":  # so that it is read from the medium, and not from memory
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with _opened(path, "rb") as file:
        file.seek(at)
        if file.read(len(data)) != data:
            raise StartError(f"{path}: what was written is not there: is the medium worn out?")


def find(path: Path, file: BinaryIO) -> int:
    """Return where the configuration begins, in bytes.

    Args:
        path: of the image, for what is said of it.
        file: the same, open.

    Raises:
        StartError: there is none in it, or more than one.
    """
    found = list(_places(file, _bound(path, file)))
    if not found:
        raise StartError(f"{path}: no place for a configuration is in it: is it an image of dc?")
    if len(found) > 1:
        raise StartError(f"{path}: {len(found)} configurations are in it: write the image anew")
    return found[0]


def _places(file: BinaryIO, most: int) -> Iterator[int]:
    """Give where the first line of a configuration is, also across pieces."""
    file.seek(0)
    begin, held = 0, b""
    while begin + len(held) < most:
        size = min(limits_image.PIECE_BYTES, most - begin - len(held))
        piece = file.read(size)
        if not piece:
            return
        data, at = held + piece, -1
        while (at := data.find(MAGIC, at + 1)) >= 0:
            yield begin + at
        held = data[len(data) - min(len(data), len(MAGIC) - 1) :]
        begin += len(data) - len(held)


def _bound(path: Path, file: BinaryIO) -> int:
    """Return how many bytes the image has: behind it a stick may have what was there before.

    Raises:
        StartError: it is a disk without an image on it.
    """
    file.seek(_VOLUME_AT)
    head = file.read(84)
    if head.startswith(_VOLUME_MARK) and len(head) == 84:
        blocks: int = struct.unpack_from("<I", head, 80)[0]
        return min(blocks * 2048, limits_image.SEARCHED_BYTES)
    if not path.is_file():
        raise StartError(f"{path}: no image of dc is on it: write one to it first")
    return limits_image.SEARCHED_BYTES


def _read(path: Path, file: BinaryIO, at: int) -> list[Word]:
    file.seek(at)
    try:
        return boot_words.read_area(file.read(limits_image.AREA_BYTES))
    except OptionsError as error:
        raise StartError(f"{path}: {error}: write the image anew") from None


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[BinaryIO]:
    """Open an image; StartError, with what to do, if it cannot be read or written."""
    try:
        if path.is_dir():
            raise StartError(f"{path} is a folder: give the image in it, as {path / 'worker.iso'}")
        with path.open(mode) as file:
            yield cast("BinaryIO", file)
    except FileNotFoundError:
        raise StartError(f"{path}: there is no such file or device") from None
    except OSError as error:
        if error.errno not in _OF_MEDIUM:
            raise StartError(f"{path}: {error.strerror or error}") from None
        raise StartError(_not_let(path, mode, error)) from None


def _not_let(path: Path, mode: str, error: OSError) -> str:
    """Return what to do about an image that must not be read or written."""
    if error.errno == errno.EROFS:
        return f"{path} is read-only: copy the image to where it can be written, or unlock the card"
    does = "read" if mode == "rb" else "write"
    if path.is_block_device():
        return f"{path}: no permission to {does} this device: put sudo before the command"
    return f"{path}: no permission to {does} this file: chmod u+{does[0]}, or make a copy"


def _check_unused(path: Path, mounts: Path) -> None:
    """See to it that no system uses a stick; StartError with what to do if one does."""
    if sys.platform != "linux" or not path.is_block_device():
        return
    parts = re.compile(re.escape(str(path.resolve())) + r"(p?\d+)?")
    with mounts.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            source, where = line.split(" ")[:2]
            if parts.fullmatch(source):
                raise StartError(f"{path} is mounted at {where}: unmount it first (umount {where})")
