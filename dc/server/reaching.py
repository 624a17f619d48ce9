"""How other computers are told to reach this server: the addresses and the pin of a join code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from dc import invites, limits
from dc.http import Request
from dc.server.made_invites import Address, Place, read_addresses
from dc.server.networks import is_loopback
from dc.server.own_addresses import OwnAddresses, reached_at
from dc.server.started import Settings

PORTS: Final[Mapping[str, int]] = MappingProxyType({"http": 80, "https": 443})
"""Of URLs that name none."""


async def place_of(
    settings: Settings, texts: Sequence[str], own: OwnAddresses, *, public: bool
) -> Place:
    """Return where a server is reached.

    Args:
        settings: of the server.
        texts: addresses as HOST:PORT; empty for what is known of it.
        own: gives the addresses of this computer.
        public: whether its certificate is verified by authorities.

    Raises:
        OptionsError: one is no address.
    """
    here = urlsplit(settings.address)
    port = here.port or limits.DEFAULT_PORT
    said = list(texts) or await reached_at(here.hostname or "", own)
    return Place(read_addresses(said, port), b"" if public else settings.pin, here.scheme)


async def place_for(
    request: Request, settings: Settings, texts: Sequence[str], own: OwnAddresses, *, public: bool
) -> Place:
    """Return the same for who has just reached it: first as it was reached now.

    Raises:
        OptionsError: an address, or the Host of the request, is none.
    """
    place = await place_of(settings, texts, own, public=public)
    if texts:
        return place
    found = [*_as_reached(request, place.scheme), *place.addresses]
    others = [one for one in dict.fromkeys(found) if not _is_here(one[0])]
    addresses = (others or place.addresses)[: invites.MOST_ADDRESSES]
    return Place(addresses, place.pin, place.scheme)


def _as_reached(request: Request, scheme: str) -> list[Address]:
    host = request.headers.get("host", "")
    return read_addresses([host], PORTS[scheme]) if host else []


def _is_here(host: str) -> bool:
    return host == "localhost" or is_loopback(host)
