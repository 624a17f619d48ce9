"""Writes PNG files: eight bits of red, green and blue, row by row as they come."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
CHANNELS: Final = 3
NONE, LEFT, UP = b"\0", b"\1", b"\2"  # what a row's bytes are differences to


def png_of(width: int, height: int, rows: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the parts of a file.

    Args:
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        rows: each of `3 * width` bytes.
    """
    yield SIGNATURE
    yield _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    packer = zlib.compressobj(9)
    above = bytes(CHANNELS * width)
    for row in rows:
        if data := packer.compress(_filtered(row, above)):
            yield _chunk(b"IDAT", data)
        above = row
    yield _chunk(b"IDAT", packer.flush())
    yield _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered(row: bytes, above: bytes) -> bytes:
    """Return a row in the form that is likely to become the smallest."""
    left = bytes(CHANNELS) + row[:-CHANNELS]
    forms = [NONE + row, LEFT + _difference(row, left), UP + _difference(row, above)]
    return min(forms, key=_weight)


def _difference(row: bytes, other: bytes) -> bytes:
    return bytes([(one - two) & 255 for one, two in zip(row, other, strict=True)])


def _weight(form: bytes) -> int:
    """Return how far from zero a row's bytes are: what is near to it packs well."""
    return sum(one if one < 128 else 256 - one for one in form)
