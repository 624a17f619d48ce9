"""A look at what a server shows of itself, before anything is known of it. Nothing is believed."""

from __future__ import annotations

import trio
from msgspec.structs import replace

from dc.dial import Server, dial
from dc.errors import DcError, WrongServer
from dc.http_client import HttpClient


async def is_vouched_for(server: Server) -> bool:
    """Whether authorities vouch for a server's certificate and its name.

    Raises:
        OSError, DcError, trio.BrokenResourceError: it cannot be reached, or speaks no TLS.
    """
    try:
        stream = await dial(replace(server, pin=b""))
    except WrongServer:
        return False
    await trio.aclose_forcefully(stream)
    return True


async def is_open(server: Server) -> bool:
    """Whether a server without TLS is at an address, and lets everybody in."""
    http = HttpClient(lambda: dial(server), server.authority)
    try:
        me = await http.get_json("/api/me")
    except (DcError, OSError, trio.BrokenResourceError):
        return False
    finally:
        await http.aclose()
    return isinstance(me, dict) and me.get("needed") is False
