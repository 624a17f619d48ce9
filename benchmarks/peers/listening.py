"""Who listens where: every socket of the processes of a run must be on loopback."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

PROC = Path("/proc")
LISTEN = "0A"
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def foreign(pids: Iterable[int], own_network: bool) -> list[str]:
    """Return the addresses beyond loopback on which processes listen, with who does.

    Args:
        pids: the processes.
        own_network: they are in a network namespace of their own, which has only loopback: then
            it is checked that each of them is in another one than this process.
    """
    if own_network:
        return [f"process {pid} is not in its own network" for pid in pids if not _apart(pid)]
    found = []
    for pid in pids:
        inodes = _sockets(pid)
        for address, port, inode in _listening(pid):
            if inode in inodes and not address.is_loopback:
                found.append(f"{_name(pid)} on {address}:{port}")
    return found


def _apart(pid: int) -> bool:
    try:
        theirs = (PROC / str(pid) / "ns/net").readlink()
    except OSError:
        return True  # it has ended
    return theirs != (PROC / "self/ns/net").readlink()


def _sockets(pid: int) -> set[str]:
    """Return the inodes of a process's sockets."""
    found = set()
    try:
        for path in (PROC / str(pid) / "fd").iterdir():
            target = str(path.readlink())
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:
        pass  # the process, or one of its files, is gone
    return found


def _listening(pid: int) -> Iterator[tuple[Address, int, str]]:
    for name in ("tcp", "tcp6"):
        try:
            lines = (PROC / str(pid) / "net" / name).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == LISTEN:
                yield *_address(fields[1]), fields[9]


def _address(text: str) -> tuple[Address, int]:
    """Read an address as /proc/net/tcp writes it: words of four bytes, the last byte first."""
    words, port = text.split(":")
    raw = b"".join(bytes.fromhex(words[at : at + 8])[::-1] for at in range(0, len(words), 8))
    address = ipaddress.ip_address(raw)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped, int(port, 16)
    return address, int(port, 16)


def _name(pid: int) -> str:
    try:
        return (PROC / str(pid) / "comm").read_text("utf-8").strip()
    except OSError:
        return str(pid)
