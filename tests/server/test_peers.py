"""Each peer is looked at when something about it may be due, and seldom else."""

from __future__ import annotations

from dc import limits
from dc.server.peers import OWN_SECONDS, Peers


def test_a_peer_is_looked_at_when_something_is_due() -> None:
    peers = Peers()
    peers.add(1, "here", 1000.2)
    looked: list[float] = []
    for step in range(400):
        now = 1000.2 + step * 0.1
        for peer in peers.due(now):
            looked.append(now - peer.spoke)
            if now - peer.spoke >= OWN_SECONDS:
                peer.spoke = peer.heard = now
            peers.look_later(peer)
        peers.validate()
    said = [after for after in looked if after >= OWN_SECONDS]
    assert len(said) == 40 // (OWN_SECONDS + limits.TICK_SECONDS / 2)
    assert max(looked) < OWN_SECONDS + limits.TICK_SECONDS
    assert len(looked) <= 2 * len(said) + 1


def test_who_has_gone_is_not_looked_at() -> None:
    peers = Peers()
    peers.add(1, "", 0.0)
    peers.add(2, "", 0.0)
    gone = peers.pop(1)
    assert gone is not None
    assert peers.pop(1) is None
    assert [peer.number for peer in peers.due(100.0)] == [2]


def test_a_long_pause_does_not_make_it_walk_over_all_seconds() -> None:
    peers = Peers()
    peers.add(1, "", 5.0)
    assert [peer.number for peer in peers.due(1e12)] == [1]


def test_delays_count_once_they_come_to_a_tick() -> None:
    peers = Peers()
    peers.add(1, "", 0.0)
    peers.postpone(limits.TICK_SECONDS / 2, 10.0)
    assert peers[1].heard == 0.0
    peers.postpone(limits.TICK_SECONDS / 2, 10.0)
    assert peers[1].heard == limits.TICK_SECONDS
    peers.postpone(float("inf"), 10.0)
    assert peers[1].heard == 10.0
    peers.postpone(limits.TICK_SECONDS / 2, 10.0)
    assert peers[1].heard == 10.0
