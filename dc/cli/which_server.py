"""Which server a command is for."""

from __future__ import annotations

from argparse import Namespace

from dc.client.connector import DEFAULT_URL
from dc.known_servers import KnownServers


def server_of(args: Namespace, known: KnownServers | None = None) -> str:
    """Return the address of the server that is meant.

    Args:
        args: of the command: `url` goes before `server`, which has $DC_SERVER in it if nothing was
            said.
        known: the file of servers, if not the user's own.

    Raises:
        StartError: that file cannot be read.
    """
    said: str = getattr(args, "url", None) or args.server
    if "://" in said:
        return said
    file = KnownServers() if known is None else known
    return file.resolved(said) if said else file.default or DEFAULT_URL
