"""The way into a server: where it is, by which key it is known, and what lets in."""

from __future__ import annotations

from msgspec.structs import replace

from dc.dial import Server, read_url
from dc.errors import StartError
from dc.known_servers import KnownServers, credentials_of


def way_in(
    url: str, token: str | None = None, pin: str | None = None
) -> tuple[Server, list[tuple[str, str]]]:
    """Return a server, and the headers by which it lets in.

    Args:
        url: its address.
        token: as text; None for what the environment or the user's file has.
        pin: of its key, as hexadecimal digits; likewise.

    Raises:
        StartError: one of these cannot be read, or would not be sent safely.
    """
    url = _resolved(url)
    server = read_url(url)
    found = credentials_of(url, token, pin)
    if server.tls:
        server = replace(server, pin=found.pin)
    return server, [("Authorization", f"Bearer {found.token}")] if found.token else []


def _resolved(url: str) -> str:
    if "://" in url:
        return url
    try:
        return KnownServers().resolved(url)
    except StartError:
        read_url(url)  # if that is no address, this is what is wrong
        raise
