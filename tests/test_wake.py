"""Calls to wake: what is sent, where to, and what is said if that cannot be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import ifaddr
import pytest
import trio

from dc import limits_power
from dc.broadcasts import Network, network_of, networks
from dc.errors import NotPossible
from dc.wake import Waker, magic_packet

MACS = ["52:54:00:12:34:56", "02:00:00:00:00:01"]
HERE = Network("127.0.0.1", "127.0.0.1")
BYTES = 1000


@asynccontextmanager
async def hearing() -> AsyncIterator[tuple[trio.socket.SocketType, int]]:
    """Hear what is sent to a port of this computer."""
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as receiver:
        await receiver.bind(("127.0.0.1", 0))
        yield receiver, receiver.getsockname()[1]


async def packets(receiver: trio.socket.SocketType, count: int) -> list[bytes]:
    with trio.fail_after(5):
        return [await receiver.recv(BYTES) for _ in range(count)]


def test_the_packet_is_what_cards_look_for() -> None:
    packet = magic_packet("52:54:00:12:34:56")
    assert packet[:12] == b"\xff\xff\xff\xff\xff\xff\x52\x54\x00\x12\x34\x56"
    assert packet[6:] == b"\x52\x54\x00\x12\x34\x56" * 16
    assert len(packet) == 102


async def test_each_card_is_called_three_times() -> None:
    async with hearing() as (heard, port):
        waker = Waker(lambda: [HERE], port, 0.0)
        assert await waker.wake([*MACS, MACS[0]]) == ["127.0.0.1"]
        found = await packets(heard, 2 * limits_power.WAKE_TIMES)
        assert found == [magic_packet(mac) for mac in MACS] * limits_power.WAKE_TIMES
        with trio.move_on_after(0.01) as nothing_more:
            await heard.recv(BYTES)
        assert nothing_more.cancelled_caught


async def test_a_network_that_cannot_be_sent_to_keeps_no_other_from_it() -> None:
    gone = Network("192.0.2.255", "192.0.2.1")  # an address that this computer does not have
    async with hearing() as (heard, port):
        waker = Waker(lambda: [gone, HERE], port, 0.0)
        assert await waker.wake(MACS[:1]) == ["127.0.0.1"]
        assert await packets(heard, 1) == [magic_packet(MACS[0])]
    with pytest.raises(NotPossible, match=r"could not send to its networks: 192\.0\.2\.255"):
        await Waker(lambda: [gone], 9, 0.0).wake(MACS)


async def test_a_server_without_a_network_says_so() -> None:
    with pytest.raises(NotPossible, match="in no IPv4 network"):
        await Waker(list).wake(MACS)


@pytest.mark.parametrize(
    ("address", "prefix", "found"),
    [
        ("10.0.2.15", 24, Network("10.0.2.255", "10.0.2.15")),
        ("172.16.5.4", 20, Network("172.16.15.255", "172.16.5.4")),
        ("10.0.2.15", 30, Network("10.0.2.15", "10.0.2.15")),
        ("10.0.2.15", 31, None),  # two computers, and no address for both
        ("10.0.2.15", 32, None),
        ("127.0.0.1", 8, None),
        ("fe80::1", 64, None),
        ("nonsense", 24, None),
    ],
)
def test_the_address_of_all_in_a_network(address: str, prefix: int, found: Network | None) -> None:
    assert network_of(address, prefix) == found


def test_the_networks_are_those_of_all_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    def card(*ips: tuple[object, int]) -> SimpleNamespace:
        return SimpleNamespace(ips=[SimpleNamespace(ip=ip, network_prefix=p) for ip, p in ips])

    cards = [
        card(("127.0.0.1", 8), (("::1", 0, 0), 128)),
        card(("10.0.2.15", 24), (("fe80::1", 0, 2), 64), ("10.0.2.15", 24)),
        card(("192.168.1.7", 24)),
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: cards)
    assert networks() == [
        Network("10.0.2.255", "10.0.2.15"),
        Network("192.168.1.255", "192.168.1.7"),
    ]
