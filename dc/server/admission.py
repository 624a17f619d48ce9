"""Who is on which socket, and what of that they may do: sockets of workers, of clients, or both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from dc import limits
from dc.errors import NotPermitted, VersionError
from dc.messages import PROTOCOL, Hello
from dc.messages_worker import About
from dc.roles import Principal, Role
from dc.server.access import Access
from dc.server.commands import OrderWorkers
from dc.server.commands_access import ForgetKey, RevokeInvite, RevokeToken, SignOut
from dc.server.peers import Peer, Peers
from dc.server.roster import Roster, Worker

SHUTS_OUT: Final = (RevokeToken, RevokeInvite, SignOut, ForgetKey, OrderWorkers)
"""Commands by which somebody who was let in may not be any more."""


class Admission:
    """Judges what peers say of themselves.

    Args:
        known: who is let in.
        peers: all open sockets.
        roster: the workers.
    """

    def __init__(self, known: Access, peers: Peers, roster: Roster) -> None:
        self._known = known
        self._peers = peers
        self._roster = roster

    def greet(self, principal: Principal, hello: Hello) -> About | None:
        """Return what a peer is taken to be, which may be other than what it says.

        A worker that has proved a key has that one. One that is let in by a token has a key of its
        own below that token, so that it can be nobody else.

        Raises:
            NotPermitted: it may not be that.
        """
        role: Role = "work" if hello.role == "worker" else "submit"
        if principal.is_local:
            return hello.about
        if not principal.may(role):
            has = " and ".join(sorted(principal.roles))
            raise NotPermitted(f"a {hello.role} needs the role {role}, and this token has {has}")
        if hello.about is None or not (principal.worker_key or hello.about.key):
            return hello.about
        key = principal.worker_key or f"{principal.token}/{hello.about.key}"
        return replace(hello.about, key=key[: limits.TEXT_CHARS])

    def strangers(self, now: float) -> list[Peer]:
        """Return the peers that were let in and would not be any more; `now` is Unix time."""
        return [peer for peer in self._peers.all() if not self.stands(peer, now)]

    def stands(self, peer: Peer, now: float) -> bool:
        """Whether a peer still may be here."""
        return peer.principal.is_local or self._known.stands(peer.principal, now)

    def may_read(self, principal: Principal, job: int, after: Iterable[int] = ()) -> bool:
        """Whether a worker may read what belongs to a job: it has a task of it, or one behind it.

        Args:
            principal: the worker.
            job: the job.
            after: the unfinished jobs that come after it.
        """
        wanted = {job, *after}
        return any(
            not wanted.isdisjoint(self._roster.jobs_of(worker))
            for worker in self._workers_of(principal)
        )

    def _workers_of(self, principal: Principal) -> Iterator[Worker]:
        if principal.worker_key:
            if (worker := self._roster.by_key.get(principal.worker_key)) is not None:
                yield worker
            return
        for number, worker in self._roster.by_peer.items():
            if self._peers[number].principal.token == principal.token:
                yield worker


def check_version(hello: Hello, software: str) -> None:
    """See to it that a peer speaks the protocol of this server, whose software is named.

    Raises:
        VersionError: it speaks another version.
    """
    if hello.version == PROTOCOL:
        return
    older, newer = sorted([(hello.version, hello.software), (PROTOCOL, software)])
    raise VersionError(
        f"{hello.software} speaks version {hello.version} of the protocol, this server "
        f"({software}) version {PROTOCOL}: update {older[1]} to match {newer[1]}"
    )
