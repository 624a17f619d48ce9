"""The IPv4 networks that this computer is in, and how all computers of each are reached at once."""

from __future__ import annotations

import ipaddress
from contextlib import suppress

import ifaddr
from msgspec import Struct


class Network(Struct, frozen=True):
    """A network: the address of all in it, and this computer's own there, to send from."""

    broadcast: str
    address: str


def networks() -> list[Network]:
    """Return the networks that this computer is in; asks the system, which may take a while."""
    found = [
        network_of(one.ip, one.network_prefix)
        for adapter in ifaddr.get_adapters()
        for one in adapter.ips
        if isinstance(one.ip, str)
    ]
    return list(dict.fromkeys(one for one in found if one is not None))


def network_of(address: str, prefix: int) -> Network | None:
    """Return the network of an IPv4 address; None if that has nobody else in it, or is another.

    Args:
        address: of this computer.
        prefix: bits of it that all of the network share.
    """
    with suppress(ValueError):
        ip = ipaddress.IPv4Address(address)
        if not ip.is_loopback and prefix < 31:
            network = ipaddress.IPv4Network((address, prefix), strict=False)
            return Network(str(network.broadcast_address), address)
    return None
