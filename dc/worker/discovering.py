"""Finds servers in the networks of this computer: by UDP, and by mDNS."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
import trio

from dc import limits, limits_join
from dc.discovery import NONCE_BYTES, Found, question, read_answer
from dc.prepared import SAFE_PATH
from dc.worker.networks import Asked, all_asked

MDNS: Final = sys.executable, SAFE_PATH, "-m", "dc.mdns", "browse"


class Discovery:
    """One look for servers.

    Args:
        asked: whom to ask; None for all that the networks of this computer have.
        port: which one servers use.
        mdns: the program that looks for servers by mDNS; empty for none.
    """

    def __init__(
        self,
        asked: Sequence[Asked] | None = None,
        port: int = limits.DEFAULT_PORT,
        mdns: Sequence[str] = MDNS,
    ) -> None:
        self._asked = asked
        self._port = port
        self._mdns = mdns
        self._found: dict[bytes, Found] = {}
        self._first = trio.Event()

    async def run(self) -> list[Found]:
        """Return the servers that have answered within DISCOVERY_SECONDS, the first one first.

        It does not take as long if one has answered and no other one does.
        """
        asked = self._asked
        if asked is None:
            asked = await trio.to_thread.run_sync(all_asked)
        with trio.move_on_after(limits_join.DISCOVERY_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._ask_all, asked)
                if self._mdns:
                    nursery.start_soon(self._browse)
                await self._first.wait()
                await trio.sleep(limits_join.DISCOVERY_QUIET_SECONDS)
                nursery.cancel_scope.cancel()
        return list(self._found.values())

    def _add(self, found: Found) -> None:
        if len(self._found) < limits_join.DISCOVERED:
            self._found.setdefault(msgspec.msgpack.encode(found), found)
            self._first.set()

    # --- UDP ------------------------------------------------------------------------------------

    async def _ask_all(self, asked: Sequence[Asked]) -> None:
        nonce = secrets.token_bytes(NONCE_BYTES)
        async with trio.open_nursery() as nursery:
            for one in asked:
                nursery.start_soon(self._ask, one, nonce)

    async def _ask(self, asked: Asked, nonce: bytes) -> None:
        """Ask one address, or all of one network; who cannot be asked does not answer."""
        family, address = _resolved(asked.target, self._port)
        with suppress(OSError), trio.socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            await sock.bind(_resolved(asked.source or _any(family), 0)[1])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_send, sock, question(nonce), address)
                while True:
                    with suppress(OSError):  # a port that nobody listens at is told of here
                        data, sender = await sock.recvfrom(limits_join.DISCOVERY_BYTES + 1)
                        if (facts := read_answer(data, nonce)) is not None:
                            self._add(Found(str(sender[0]), facts))

    # --- mDNS -----------------------------------------------------------------------------------

    async def _browse(self) -> None:
        """Take what the program says, until it is cancelled; without the program, nothing."""
        with suppress(OSError):
            process = await trio.lowlevel.open_process(
                self._mdns,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            try:
                assert process.stdout is not None
                await self._take_lines(process.stdout)
            finally:
                with trio.CancelScope(shield=True):
                    process.kill()
                    await process.wait()
                    await _close(process)

    async def _take_lines(self, stream: trio.abc.ReceiveStream) -> None:
        rest = b""
        async for data in stream:
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[: limits_join.MDNS_LINE_BYTES]
            for line in lines:
                with suppress(msgspec.DecodeError):
                    self._add(msgspec.json.decode(line, type=Found))


async def _close(process: trio.Process) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            await stream.aclose()


async def _send(sock: trio.socket.SocketType, data: bytes, address: Any) -> None:
    before = 0.0
    for at in limits_join.DISCOVERY_ASKED_AT:
        await trio.sleep(at - before)
        before = at
        with suppress(OSError):  # a network that is down
            await sock.sendto(data, address)


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    """Return the family and the socket's address of an address in figures."""
    flags = socket.AI_NUMERICHOST
    found = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_DGRAM, flags=flags)
    return found[0][0], found[0][4]


def _any(family: socket.AddressFamily) -> str:
    # To ask, not to serve.
    return "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104  # nosec B104
