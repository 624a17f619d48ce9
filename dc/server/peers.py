"""Who has an open socket, when each was last heard and spoken to, and who is to be looked at when.

Nobody walks over all peers: each is in the list of the second in which something about it may be
due, and is put into a later one when it is looked at there. With heartbeats each way that is once
in some seconds for each peer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, ValuesView

from msgspec import Struct

from dc import limits
from dc.roles import LOCAL, Principal

OWN_SECONDS = limits.HEARTBEAT_SECONDS + limits.TICK_SECONDS
"""After which the server says something of its own accord: within the second before that, the
peer's heartbeat comes, and is answered by one. So an idle connection costs both sides one turn."""

ANSWER_SECONDS = limits.HEARTBEAT_SECONDS / 2
"""Since the server spoke last, after which a heartbeat is answered by one."""


class Peer(Struct, eq=False):
    """An open socket. `role` is empty until its Hello; times are on the reactor's clock.

    `principal` is who has opened it.
    """

    number: int
    address: str
    opened: float
    heard: float
    spoke: float
    role: str = ""
    principal: Principal = LOCAL

    def due(self) -> float:
        """Return when something about it may have to be done, if it says nothing until then."""
        return min(self.heard + limits.SILENCE_SECONDS, self.spoke + OWN_SECONDS)


class Peers:
    """All open sockets."""

    def __init__(self) -> None:
        self._peers: dict[int, Peer] = {}
        self._due: dict[int, list[Peer]] = {}
        self._looked = 0  # the lists up to this second are empty
        self._unheard = 0.0

    # --- coming and going -----------------------------------------------------------------------

    def add(self, number: int, address: str, now: float, principal: Principal = LOCAL) -> None:
        """Note that a socket was opened, by whom."""
        peer = Peer(number, address, now, now, now, principal=principal)
        self._peers[number] = peer
        self.look_later(peer)

    def get(self, number: int) -> Peer | None:
        """Return a peer, or None if its socket is closed."""
        return self._peers.get(number)

    def pop(self, number: int) -> Peer | None:
        """Forget a peer; return it, or None if it is not known."""
        return self._peers.pop(number, None)

    def __getitem__(self, number: int) -> Peer:
        return self._peers[number]

    def __contains__(self, number: int) -> bool:
        return number in self._peers

    def all(self) -> ValuesView[Peer]:
        """Return all of them."""
        return self._peers.values()

    # --- time -----------------------------------------------------------------------------------

    def look_later(self, peer: Peer) -> None:
        """Have a peer given out by `due` when something about it may have to be done."""
        second = max(math.floor(peer.due()), self._looked + 1)
        self._due.setdefault(second, []).append(peer)

    def due(self, now: float) -> Iterator[Peer]:
        """Give the peers that are to be looked at; each is given to `look_later` or popped."""
        this = math.floor(now)
        if this - self._looked > len(self._due):
            seconds = sorted(second for second in self._due if second <= this)
        else:
            seconds = list(range(self._looked + 1, this + 1))
        self._looked = max(self._looked, this)
        for second in seconds:
            for peer in self._due.pop(second, ()):
                if self._peers.get(peer.number) is peer:
                    yield peer

    def postpone(self, seconds: float, now: float) -> None:
        """Do not count these last seconds as silence: nobody could be heard.

        Moments are gathered until they come to a tick: there is one at each tick.
        """
        self._unheard += seconds
        if self._unheard < limits.TICK_SECONDS:
            return
        for peer in self._peers.values():
            peer.heard = min(peer.heard + self._unheard, now)
        self._unheard = 0.0

    def validate(self) -> None:
        """Check that each peer will be looked at, once."""
        listed = [peer for peers in self._due.values() for peer in peers]
        alive = [one.number for one in listed if self._peers.get(one.number) is one]
        assert sorted(alive) == sorted(self._peers), "a peer is not looked at, or twice"
