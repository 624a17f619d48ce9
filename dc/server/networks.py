"""Addresses as limits count them."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from dc import limits_guard


@lru_cache(limits_guard.ADDRESSES)
def network_of(host: str) -> str:
    """Return what counts as one address: an IPv4 address as it is, the network of an IPv6 one.

    Args:
        host: an address in numbers, with or without the zone of an IPv6 address; what is none
            stands for itself.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0] if ":" in host else host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        if not address.is_loopback:
            return str(ipaddress.ip_network((int(address), limits_guard.IPV6_PREFIX), strict=False))
    return str(address)


@lru_cache(limits_guard.ADDRESSES)
def is_loopback(host: str) -> bool:
    """Whether this is an address of the computer itself, in numbers."""
    try:
        return ipaddress.ip_address(network_of(host)).is_loopback
    except ValueError:
        return False
