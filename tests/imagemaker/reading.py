"""Reads archives of cpio (newc) as the kernel does, for tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Read:
    """One entry, as it was read."""

    mode: int
    uid: int
    gid: int
    mtime: int
    device: tuple[int, int]
    data: bytes


def entries(archive: bytes) -> dict[str, Read]:
    """Return the entries in their order, without the one that ends the archive."""
    found: dict[str, Read] = {}
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * one : at + 14 + 8 * one], 16) for one in range(13)]
        size, length = fields[6], fields[11]
        name = archive[at + 110 : at + 110 + length]
        assert name.endswith(b"\0")
        start = -(-(at + 110 + length) // 4) * 4
        if name == b"TRAILER!!!\0":
            assert not archive[start:].strip(b"\0")
            return found
        found[name[:-1].decode()] = Read(
            mode=fields[1],
            uid=fields[2],
            gid=fields[3],
            mtime=fields[5],
            device=(fields[9], fields[10]),
            data=archive[start : start + size],
        )
        at = -(-(start + size) // 4) * 4
