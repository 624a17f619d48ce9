"""The networks that this computer is in: whom to ask for servers in each.

All of a network, for that is where a server mostly is; and the gateway alone, for from inside a
virtual machine or a container that is often the computer they run on, and what is for all is lost
on the way there.
"""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import ifaddr
from msgspec import Struct

from dc.broadcasts import network_of

LOOPBACK: Final = "127.0.0.1"

_ROUTES: Final = Path("/proc/net/route")
_SECONDS: Final = 2.0
# Where a question goes to, not where one is awaited.
_ALL_ON_WINDOWS: Final = ["0.0.0.0", "0.0.0.0"]  # noqa: S104  # nosec B104


class Asked(Struct, frozen=True):
    """Somebody to ask: an address, and the one of this computer to ask from; empty for any."""

    target: str
    source: str = ""


def all_asked() -> list[Asked]:
    """Return whom to ask, this computer first."""
    found = [Asked(LOOPBACK)]
    for adapter in ifaddr.get_adapters():
        for one in adapter.ips:
            found += of_address(one.ip, one.network_prefix, adapter.index)
    found += map(Asked, gateways())
    return list(dict.fromkeys(found))


def of_address(
    address: str | tuple[str, int, int], prefix: int, index: int | None
) -> Iterator[Asked]:
    """Yield whom to ask from an address of this computer, an IPv6 address being a tuple.

    Args:
        address: as ifaddr has it.
        prefix: bits of it that all of its network share.
        index: of its network card.
    """
    text = address if isinstance(address, str) else address[0]
    with suppress(ValueError):
        ip = ipaddress.ip_address(text)
        if ip.is_loopback:
            return
        if found := network_of(text, prefix):
            yield Asked(found.broadcast, found.address)
        elif ip.version == 6 and ip.is_link_local and index is not None:
            yield Asked(f"ff02::1%{index}")  # all computers of the network


def gateways() -> list[str]:
    """Return the IPv4 addresses of the computers that lead out of this one's networks."""
    if sys.platform == "linux":
        with suppress(OSError):
            return gateways_of_linux(_ROUTES.read_text("ascii", errors="replace"))
        return []
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["netstat", "-rn"], capture_output=True, timeout=_SECONDS, check=False, text=True
        )
        return gateways_of_netstat(done.stdout)
    return []


def gateways_of_linux(routes: str) -> list[str]:
    """Return the gateways in the text of /proc/net/route: addresses as little-endian numbers."""
    found = []
    for line in routes.splitlines()[1:]:
        fields = line.split()
        with suppress(ValueError, IndexError):
            gateway = int(fields[2], 16)
            if int(fields[1], 16) == 0 and gateway:
                found.append(str(ipaddress.IPv4Address(gateway.to_bytes(4, "little"))))
    return list(dict.fromkeys(found))


def gateways_of_netstat(text: str) -> list[str]:
    """Return the gateways in what `netstat -rn` writes, on macOS and on Windows."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        at = 1 if fields[:1] == ["default"] else 2 if fields[:2] == _ALL_ON_WINDOWS else 0
        with suppress(ValueError, IndexError):
            if at:
                found.append(str(ipaddress.IPv4Address(fields[at])))
    return list(dict.fromkeys(found))
