"""The addresses by which other computers may reach this one."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Final, TypeAlias

import trio

from dc import invites, limits_access

OwnAddresses: TypeAlias = Callable[[], Awaitable[list[str]]]
"""Gives them, the likeliest first."""

ELSEWHERE: Final = (
    (socket.AF_INET, "192.0.2.1"),
    (socket.AF_INET6, "2001:db8::1"),
)
"""Addresses that nobody has: the way to them is that to all that is far away."""

ANY_PORT: Final = 9


async def own_addresses() -> list[str]:
    """Return this computer's addresses in numbers, none of which is a loopback's or a link's."""
    names: list[str] = []
    with trio.move_on_after(limits_access.NAMES_SECONDS):
        names = await trio.to_thread.run_sync(_of_names, abandon_on_cancel=True)
    found = dict.fromkeys([*_of_routes(), *names])
    return [one for one in found if _is_for_others(one)][: invites.MOST_ADDRESSES]


def _of_routes() -> Iterator[str]:
    """Give the addresses that what is sent far away comes from; nothing is sent."""
    for family, far in ELSEWHERE:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, ANY_PORT))
            yield str(probe.getsockname()[0])


def _of_names() -> list[str]:
    """Return the addresses that this computer's name stands for; somebody far away may be asked."""
    with suppress(OSError, UnicodeError):
        found = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
        return [str(entry[4][0]) for entry in found]
    return []


def _is_for_others(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


async def reached_at(host: str, own: OwnAddresses) -> list[str]:
    """Return by which hosts a server is reached that listens at one: that, or all of its own."""
    try:
        everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        everywhere = not host
    if not everywhere:
        return [host]
    return await own() or ["127.0.0.1"]
