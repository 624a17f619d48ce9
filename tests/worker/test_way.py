"""The way to a server: which of its addresses is taken, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.abc import Stream
from trio.testing import MockClock, memory_stream_pair

from dc import limits_join
from dc.dial import Server
from dc.errors import ConnectionLost, WrongServer
from dc.worker.way import Way

PIN = b"p" * 16
ONE, TWO, THREE = (Server(f"192.0.2.{number}", 8220, True, PIN) for number in (1, 2, 3))


class Net:
    """Addresses that answer after so many seconds, or not at all.

    Args:
        answers: the seconds of each, or the error.
    """

    def __init__(self, answers: dict[str, float | Exception]) -> None:
        self.answers = answers
        self.dialled: list[tuple[str, float]] = []
        self.cancelled: list[str] = []
        self.streams: dict[str, Stream] = {}

    async def dial(self, server: Server) -> Stream:
        self.dialled.append((server.host, trio.current_time()))
        answer = self.answers[server.host]
        if isinstance(answer, Exception):
            await trio.lowlevel.checkpoint()
            raise answer
        try:
            await trio.sleep(answer)
        except trio.Cancelled:
            self.cancelled.append(server.host)
            raise
        self.streams[server.host] = memory_stream_pair()[0]
        return self.streams[server.host]


def hosts(way: Way) -> list[str]:
    return [one.partition(":")[0] for one in way.addresses]


async def test_the_first_that_answers_is_tried_first_from_then_on(
    autojump_clock: MockClock,
) -> None:
    net = Net({ONE.host: 100.0, TWO.host: 0.1, THREE.host: 0.0})
    way = Way([ONE, TWO, THREE], net.dial)
    begin = trio.current_time()
    stream = await way.open()
    assert stream is net.streams[TWO.host]
    stagger = limits_join.STAGGER_SECONDS
    assert net.dialled == [(ONE.host, begin), (TWO.host, begin + stagger)]
    assert net.cancelled == [ONE.host]
    assert hosts(way) == [TWO.host, ONE.host, THREE.host]
    assert way.server is TWO
    await way.open()
    assert net.dialled[2:] == [(TWO.host, trio.current_time() - 0.1)]


async def test_after_one_that_refuses_the_next_is_tried_at_once(autojump_clock: MockClock) -> None:
    net = Net({ONE.host: OSError("refused"), TWO.host: trio.BrokenResourceError(), THREE.host: 1.0})
    begin = trio.current_time()
    await Way([ONE, TWO, THREE], net.dial).open()
    assert [at - begin for _, at in net.dialled] == [0.0, 0.0, 0.0]


async def test_of_two_that_answer_at_once_one_is_closed(autojump_clock: MockClock) -> None:
    net = Net({ONE.host: limits_join.STAGGER_SECONDS + 0.5, TWO.host: 0.5})
    way = Way([ONE, TWO], net.dial)
    stream = await way.open()
    assert net.streams[way.server.host] is stream
    for host, other in net.streams.items():
        if host != way.server.host:
            with pytest.raises(trio.ClosedResourceError):
                await other.send_all(b"x")


async def test_an_impostor_is_told_of_only_if_nobody_is_the_server() -> None:
    wrong = WrongServer("another key")
    net = Net({ONE.host: OSError("refused"), TWO.host: wrong, THREE.host: 0.0})
    await Way([TWO, ONE, THREE], net.dial).open()
    with pytest.raises(WrongServer, match="another key"):
        await Way([ONE, TWO], net.dial).open()
    with pytest.raises(OSError, match="refused"):
        await Way([ONE], net.dial).open()


async def test_a_server_that_has_moved_is_found_by_its_key() -> None:
    net = Net({ONE.host: OSError("refused"), TWO.host: 0.0})
    asked: list[bytes] = []

    async def find(pin: bytes) -> Sequence[Server]:
        asked.append(pin)
        return [ONE, TWO]

    way = Way([ONE], net.dial, find)
    assert await way.open() is net.streams[TWO.host]
    assert asked == [PIN]
    assert hosts(way) == [TWO.host, ONE.host]
    assert way.server.pin == PIN
    await way.open()
    assert asked == [PIN]


async def test_a_server_without_a_pin_is_not_looked_for() -> None:
    async def find(pin: bytes) -> Sequence[Server]:
        raise AssertionError("nobody could tell it from others")

    way = Way([Server("h", 1, True)], Net({"h": ConnectionLost("gone")}).dial, find)
    with pytest.raises(ConnectionLost, match="gone"):
        await way.open()


async def test_nothing_is_left_behind_when_it_is_cancelled(autojump_clock: MockClock) -> None:
    net = Net({ONE.host: 100.0, TWO.host: 100.0})
    with trio.move_on_after(1.0):
        await Way([ONE, TWO], net.dial).open()
    assert sorted(net.cancelled) == [ONE.host, TWO.host]
