"""The addresses by which other computers may reach this one."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, TypeAlias

from dc import invites

OwnAddresses: TypeAlias = Callable[[], list[str]]
"""Gives them, the likeliest first."""

ELSEWHERE: Final = (
    (socket.AF_INET, "192.0.2.1"),
    (socket.AF_INET6, "2001:db8::1"),
)
"""Addresses that nobody has: the way to them is that to all that is far away."""

ANY_PORT: Final = 9


def own_addresses() -> list[str]:
    """Return this computer's addresses in numbers, none of which is a loopback's or a link's."""
    found = dict.fromkeys([*_of_routes(), *_of_names()])
    return [one for one in found if _is_for_others(one)][: invites.MOST_ADDRESSES]


def _of_routes() -> Iterator[str]:
    """Give the addresses that what is sent far away comes from; nothing is sent."""
    for family, far in ELSEWHERE:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, ANY_PORT))
            yield str(probe.getsockname()[0])


def _of_names() -> Iterator[str]:
    """Give the addresses that this computer's name stands for."""
    with suppress(OSError, UnicodeError):
        for entry in socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM):
            yield str(entry[4][0])


def _is_for_others(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


def reached_at(host: str, own: OwnAddresses) -> list[str]:
    """Return by which hosts a server is reached that listens at one: that, or all of its own."""
    try:
        everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        everywhere = not host
    if not everywhere:
        return [host]
    return own() or ["127.0.0.1"]
