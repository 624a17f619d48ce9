"""A server that lets itself be found: answers questions by UDP, and is announced by mDNS.

A question and its answer are in dc/discovery.py. Nothing that comes here has any other effect.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
import trio

from dc import limits_join
from dc.discovery import Facts, answer, read_question
from dc.server.announce_pace import AnnouncePace

log: Final = logging.getLogger("dc.server")

MDNS: Final = sys.executable, "-m", "dc.mdns", "announce"

AGAIN_SECONDS: Final = 5.0
"""After an error of the socket: a network that went away comes back."""


async def announce(host: str, facts: Facts, mdns: Sequence[str] = MDNS) -> None:
    """Let the server be found, until cancelled.

    Args:
        host: that it listens at; of a loopback address, only this computer is answered.
        facts: what it says of itself.
        mdns: the program that announces it by mDNS; empty for none.
    """
    sockets = await open_sockets(host, facts.port)
    if not sockets:
        log.warning("--announce: UDP port %d cannot be had: by mDNS alone", facts.port)
    pace = AnnouncePace()
    async with trio.open_nursery() as nursery:
        for sock in sockets:
            nursery.start_soon(answer_all, sock, facts, pace)
        if mdns and not _is_loopback(host):
            nursery.start_soon(_run_mdns, mdns, facts)


async def open_sockets(host: str, port: int) -> list[trio.socket.SocketType]:
    """Return the sockets to answer at; none if there are none to be had.

    A socket at one address does not hear what goes to all of a network. So unless the server is for
    this computer alone, they are at all addresses: a question tells nothing, and neither does the
    answer.
    """
    found = []
    everywhere = [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]  # noqa: S104  # nosec B104
    places = everywhere
    if _is_loopback(host):
        places = [(socket.AF_INET6, "::1") if ":" in host else (socket.AF_INET, "127.0.0.1")]
    for family, address in places:
        with suppress(OSError):
            sock = trio.socket.socket(family, socket.SOCK_DGRAM)
            try:
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                await sock.bind((address, port))
            except BaseException:
                sock.close()
                raise
            found.append(sock)
    return found


async def answer_all(sock: trio.socket.SocketType, facts: Facts, pace: AnnouncePace) -> None:
    """Answer questions that come to a socket, until cancelled."""
    with sock:
        while True:
            try:
                data, sender = await sock.recvfrom(limits_join.DISCOVERY_BYTES + 1)
                await _answer(sock, data, sender, facts, pace)
            except OSError as error:  # of an earlier answer, or of the network
                log.debug("a question for servers was not answered: %s", error)
                await trio.sleep(0 if isinstance(error, ConnectionError) else AGAIN_SECONDS)


async def _answer(
    sock: trio.socket.SocketType, data: bytes, sender: Any, facts: Facts, pace: AnnouncePace
) -> None:
    nonce = read_question(data)
    if nonce is not None and pace.may(str(sender[0]), trio.current_time()):
        await sock.sendto(answer(nonce, facts), sender)


async def _run_mdns(command: Sequence[str], facts: Facts) -> None:
    """Have the server announced by mDNS; the program ends when its input does, as we do."""
    try:
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        log.warning("--announce: no mDNS: %s", error)
        return
    try:
        assert process.stdin is not None
        with suppress(trio.BrokenResourceError):
            await process.stdin.send_all(msgspec.json.encode(facts) + b"\n")
        status = await process.wait()
        log.warning("--announce: mDNS has ended (status %d): found by UDP alone", status)
    finally:
        with trio.CancelScope(shield=True):
            if process.stdin is not None:
                await process.stdin.aclose()  # so it takes its announcement back
            with trio.move_on_after(1.0):
                await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"
