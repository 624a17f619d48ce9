"""Which server a worker goes to: of a code, at an address, joined before, or found."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio
from msgspec import Struct
from msgspec.structs import replace

from dc import limits, limits_join, limits_worker
from dc.dial import Server, pinned, read_url, shown_pin
from dc.discovery import Found
from dc.errors import StartError
from dc.invites import Invite
from dc.worker import looking
from dc.worker.choosing import Candidate, candidates, choose, is_known
from dc.worker.joined_server import JoinedServer
from dc.worker.joined_servers import JoinedServers
from dc.worker.terminal import Terminal
from dc.worker.way import FAILED

log: Final = logging.getLogger("dc.worker")

Discover = Callable[[], Awaitable[list[Found]]]

HERE: Final = Server(limits.DEFAULT_HOST, limits.DEFAULT_PORT)
"""Where a server is that was started on this computer without any options."""


class Where(Struct, frozen=True):
    """What a worker was told of where to go: a join code, an address, or neither."""

    invite: Invite | None = None
    url: str = ""


class Goal(Struct, frozen=True):
    """The server that a worker goes to.

    Attributes:
        servers: its addresses, the likeliest first.
        joined: what is known of it; None if it lets everybody in.
        is_known: whether it can be told from all others by that.
    """

    servers: list[Server]
    joined: JoinedServer | None = None
    is_known: bool = True


class Finding:
    """Finds the server of one worker.

    Args:
        known: the servers it has joined.
        discover: looks for servers in the network.
        terminal: who has started the worker.
        pause: waits for so many seconds.
        here: where a server may be that lets everybody in; None if none is to be looked for.
    """

    def __init__(
        self,
        known: JoinedServers,
        discover: Discover,
        terminal: Terminal,
        pause: Callable[[float], Awaitable[None]] = trio.sleep,
        here: Server | None = HERE,
    ) -> None:
        self._known = known
        self._discover = discover
        self._terminal = terminal
        self._pause = pause
        self._here = here

    async def find(self, where: Where) -> Goal:
        """Return where to go. Without an address and a code, look until there is a server.

        Raises:
            StartError: the address is none, or several servers were found and nobody is there to
                say which one.
        """
        if where.invite is not None:
            return of_invite(where.invite)
        if where.url:
            server = pinned(read_url(where.url), os.environ)
            known = self._known.at(server.authority) if "://" not in where.url else None
            if known is not None:  # without a scheme it is spoken to as it is known
                return of_joined(known, first=server.authority)
            return await self._of_url(server)
        if self._known.all:
            return of_joined(self._known.all[0])
        return await self._look()

    async def with_pin(self, pin: bytes) -> list[Server]:
        """Return where a server with a key of this pin was found; it may be nowhere."""
        return [
            server
            for one in candidates(await self._discover())
            if is_known(one.facts.pin, [pin])
            for server in _servers(one)
        ]

    async def _of_url(self, server: Server) -> Goal:
        """Return the server at an address that was said; until it is there, ask again."""
        if not server.tls:
            return Goal([server])
        if server.pin:  # it was said with the address
            joined = JoinedServer("", server.pin.hex(), [server.authority])
            return Goal([server], self._known.of_pin(server.pin) or joined)
        known = self._known.at(server.authority)
        if known is not None:
            return of_joined(known, first=server.authority)
        failures = 0
        while True:
            try:
                with trio.fail_after(limits_worker.CONNECT_SECONDS):
                    return await self._looked_at(server)
            except trio.TooSlowError:
                why = f"no answer for {limits_worker.CONNECT_SECONDS:g} s"
            except FAILED as error:
                why = str(error)
            await self._wait(f"cannot reach {server.url}: {why}", failures)
            failures += 1

    async def _looked_at(self, server: Server) -> Goal:
        """Return a server at an address, about which nothing is known yet."""
        joined = JoinedServer("", "", [server.authority])
        if await looking.is_vouched_for(server):
            return Goal([server], joined)
        return _with_pin(server, await shown_pin(server), self._known)

    # --- neither an address nor a code ----------------------------------------------------------

    async def _look(self) -> Goal:
        failures = 0
        while True:
            if self._here is not None and await looking.is_open(self._here):
                return Goal([self._here])
            found = candidates(await self._discover())
            if found:
                return await self._goal_of(await self._chosen(found))
            who = "nobody in this network answers"
            if self._here is not None:
                who = f"neither {self._here.authority} nor anybody in this network answers"
            text = f"found no server: {who}. Give its address, or a join code"
            await self._wait(text, failures)
            failures += 1

    async def _chosen(self, found: Sequence[Candidate]) -> Candidate:
        """Return the server to join.

        Raises:
            StartError: there are several, and nobody says which one.
        """
        one = choose(found, self._known.pins)
        if one is not None:
            log.info("found %s", one.text)
            return one
        rows = "\n".join(f"  {number}  {one.text}" for number, one in enumerate(found, 1))
        if not self._terminal.is_there:
            text = f"found {len(found)} servers:\n{rows}\nstart this worker with the address of one"
            raise StartError(f"{text}, or with a join code")
        answer = await self._terminal.ask(f"found {len(found)} servers:\n{rows}\nwhich one?")
        if not (answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(found)):
            raise StartError("none was chosen: start this worker with the address of one")
        return found[int(answer) - 1]

    async def _goal_of(self, one: Candidate) -> Goal:
        servers = _servers(one)
        if not one.facts.tls:
            return Goal(servers)
        return _with_pin(servers[0], one.facts.pin, self._known, servers)

    async def _wait(self, why: str, failures: int) -> None:
        longest = limits_worker.RECONNECT_SECONDS * 2.0 ** min(failures, 30)
        pause = min(longest, limits_worker.RECONNECT_SECONDS_MOST)
        log.warning("%s; trying again in %.1f s", why, pause)
        await self._pause(pause)


def of_invite(invite: Invite) -> Goal:
    """Return the server of a join code."""
    servers = [Server(host, port, tls=True, pin=invite.pin) for host, port in invite.addresses]
    addresses = [one.authority for one in servers]
    return Goal(servers, JoinedServer("", invite.pin.hex(), addresses, invite.secret.hex()))


def of_joined(joined: JoinedServer, first: str = "") -> Goal:
    """Return a server that was joined before, or was asked to let the worker in.

    Args:
        joined: what is known of it.
        first: one of its addresses, to be tried first.
    """
    addresses = [first, *joined.addresses] if first else joined.addresses
    pin = bytes.fromhex(joined.pin)
    found = [read_url(f"https://{one}") for one in dict.fromkeys(addresses)]
    return Goal([replace(one, pin=pin) for one in found][: limits_join.ADDRESSES], joined)


def _with_pin(
    server: Server, pin: bytes, known: JoinedServers, servers: Sequence[Server] = ()
) -> Goal:
    """Return a server that shows a key: a known one, or one that is still to be compared."""
    found = [replace(one, pin=pin) for one in servers or [server]]
    joined = known.of_pin(pin)
    if joined is not None:
        return Goal([replace(one, pin=bytes.fromhex(joined.pin)) for one in found], joined)
    return Goal(found, JoinedServer("", pin.hex(), [one.authority for one in found]), False)


def _servers(one: Candidate) -> list[Server]:
    facts = one.facts
    return [Server(host, facts.port, tls=facts.tls, pin=facts.pin) for host in one.hosts]
