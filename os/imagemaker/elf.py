"""Which libraries a program needs: as it says itself, in the dynamic section of its file (ELF)."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

MAGIC: Final = b"\x7fELF"
LITTLE_64: Final = b"\x02\x01"
"""64 bits, lowest byte first: all computers that the image is for."""

LOAD: Final = 1
DYNAMIC: Final = 2
NEEDED: Final = 1
STRINGS: Final = 5
"""Numbers of segments and of entries, as the format has them."""


def needed(data: bytes) -> list[str]:
    """Return the names of the libraries that a file needs; none if it is no program.

    Args:
        data: the whole file.
    """
    if data[:4] != MAGIC or data[4:6] != LITTLE_64:
        return []
    start, size, count = _program_headers(data)
    loads, dynamic = [], None
    for at in range(start, start + size * count, size):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", data, at)
        if kind == LOAD:
            loads.append((address, offset, length))
        elif kind == DYNAMIC:
            dynamic = (offset, length)
    if dynamic is None:
        return []
    pairs = list(struct.iter_unpack("<qQ", data[dynamic[0] : sum(dynamic)]))
    strings = next((value for tag, value in pairs if tag == STRINGS), 0)
    table = next((strings - at + offset for at, offset, n in loads if at <= strings < at + n), 0)
    return [_text(data, table + value) for tag, value in pairs if tag == NEEDED]


def _program_headers(data: bytes) -> tuple[int, int, int]:
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    return start, size, count


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("ascii")


def missing(root: Path) -> dict[str, list[str]]:
    """Return the libraries that are needed and not there, with who needs them.

    Args:
        root: of the image's files.
    """
    there = set()
    wanted: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*")):
        if ".so" in path.name:
            there.add(path.name)
        if path.is_file() and not path.is_symlink() and path.suffix not in {".ko", ".py", ".pyc"}:
            for name in needed(path.read_bytes()):
                wanted.setdefault(name, []).append(path.relative_to(root).as_posix())
    return {name: who for name, who in sorted(wanted.items()) if name not in there}
