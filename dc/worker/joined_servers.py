"""The servers that a worker has joined, on its disk: what it knows them by, and where they are.

    servers    JSON, the last used first

What is asked of a server is written down first, the secret of a join code included: so a worker
that was killed meanwhile goes on with it, and nobody has to make another code. The secret goes as
soon as the server has answered.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from dc import limits_join
from dc.worker.joined_server import JoinedServer
from dc.worker.worker_key import write_private

log: Final = logging.getLogger("dc.worker")

NAME: Final = "servers"


class JoinedServers:
    """The servers of one worker.

    Args:
        folder: the worker's.

    Attributes:
        all: the last used first.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self.all: Sequence[JoinedServer] = _read(self._path)

    @property
    def pins(self) -> list[bytes]:
        """What is known of their keys."""
        return [bytes.fromhex(one.pin) for one in self.all if one.pin]

    def at(self, address: str) -> JoinedServer | None:
        """Return the server that was at an address, HOST:PORT; None if there was none."""
        return next((one for one in self.all if address in one.addresses), None)

    def of_pin(self, pin: bytes) -> JoinedServer | None:
        """Return the server with a key of which that is known."""
        asked = JoinedServer("", pin.hex(), [])
        return next((one for one in self.all if pin and one.is_same(asked)), None)

    def note(self, server: JoinedServer) -> JoinedServer:
        """Write down a server, or what is new of it; return all that is known of it.

        Raises:
            OSError: it cannot be written.
        """
        for one in self.all:
            if server.is_same(one):
                server = server.merged(one)
        server = replace(server, addresses=server.addresses[: limits_join.ADDRESSES])
        self._keep([server, *(one for one in self.all if not server.is_same(one))])
        return server

    def forget(self, server: JoinedServer) -> None:
        """Forget a server that does not let this worker in.

        Raises:
            OSError: it cannot be written.
        """
        self._keep([one for one in self.all if not server.is_same(one)])

    def _keep(self, servers: list[JoinedServer]) -> None:
        servers = servers[: limits_join.JOINED_SERVERS]
        if servers != self.all:
            text = msgspec.json.format(msgspec.json.encode(servers)).decode()
            write_private(self._path, f"{text}\n")
            self.all = servers


def _read(path: Path) -> list[JoinedServer]:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=list[JoinedServer])
        for one in found:
            bytes.fromhex(one.pin + one.secret)
    except FileNotFoundError:
        return []
    except (msgspec.MsgspecError, ValueError):
        log.warning("%s is damaged: servers have to be joined anew, by a code", path)
        return []
    return [one for one in found if one.addresses]
