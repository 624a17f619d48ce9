"""Writes archives that the kernel unpacks into memory when it starts (cpio, format "newc").

Owners, dates and numbers are the same whoever writes them, and devices need no privilege.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

END: Final = "TRAILER!!!"
BLOCK: Final = 512
"""The archive's length is a multiple of this many bytes, so that another one may follow."""


@dataclass(frozen=True)
class Entry:
    """One file, folder, link or device.

    Attributes:
        name: its path, without a slash before it.
        mode: kind and permissions, as `stat` has them.
        data: a file's content, or where a link leads to.
        device: major and minor number of a device.
    """

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def folder(name: str, mode: int = 0o755) -> Entry:
    """Return an entry for a folder."""
    return Entry(name, stat.S_IFDIR | mode)


def file(name: str, data: bytes, mode: int = 0o644) -> Entry:
    """Return an entry for a file."""
    return Entry(name, stat.S_IFREG | mode, data)


def link(name: str, target: str) -> Entry:
    """Return an entry for a symbolic link."""
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def device(name: str, major: int, minor: int, mode: int = 0o600) -> Entry:
    """Return an entry for a character device."""
    return Entry(name, stat.S_IFCHR | mode, device=(major, minor))


def archive(entries: Iterable[Entry], epoch: int) -> bytes:
    """Return an archive, sorted by name.

    Args:
        entries: what is in it; folders that lead to them are added.
        epoch: the date of everything, in Unix seconds.

    Raises:
        ValueError: two have the same name, or a name is not one from the root.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        parts = entry.name.split("/")
        if {"", ".", ".."} & set(parts) or "\0" in entry.name or entry.name == END:
            raise ValueError(f"no name of a file in an archive: {entry.name!r}")
        if entry.name in found:
            raise ValueError(f"twice in an archive: {entry.name}")
        found[entry.name] = entry
    for name in [*found]:
        for above in _above(name):
            if not stat.S_ISDIR(found.setdefault(above, folder(above)).mode):
                raise ValueError(f"{name} is below {above}, which is no folder")
    # A folder's name is the beginning of those in it, so it comes before them.
    ordered = [found[name] for name in sorted(found)]
    pieces = [_written(entry, at, epoch) for at, entry in enumerate(ordered, 1)]
    data = b"".join([*pieces, _written(Entry(END, 0), 0, 0)])
    return data + bytes(-len(data) % BLOCK)


def _above(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _written(entry: Entry, number: int, epoch: int) -> bytes:
    name = entry.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (
        *(number, entry.mode, 0, 0, links, epoch, len(entry.data)),
        *(0, 0, *entry.device, len(name), 0),
    )
    head = b"070701" + b"".join(b"%08X" % one for one in fields) + name
    return _padded(head) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
