"""More than anybody needs, of everything: it is refused by name, and others are served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from dc import limits_guard
from dc.server.guard import Allowed
from tests.attacks.victim import FAR, STATUS, attacked


async def test_connections_from_one_address(tmp_path: Path, autojump_clock: Any) -> None:
    async with attacked(tmp_path, Allowed(connections=10)) as victim:
        streams = [victim.connect() for _ in range(10)]
        await wait_all_tasks_blocked()
        (answer,) = await victim.send(STATUS)
        assert (answer.status, answer.code) == (503, "unavailable")
        assert answer.headers["retry-after"] == "5"
        assert await victim.is_well()
        await streams[0].aclose()
        await wait_all_tasks_blocked()
        (answer,) = await victim.send(STATUS)
        assert answer.status == 200
        assert victim.served.site.guard.refused["address"] == 1


async def test_connections_of_one_ipv6_network(tmp_path: Path, autojump_clock: Any) -> None:
    async with attacked(tmp_path, Allowed(connections=2)) as victim:
        for number in range(2):
            victim.connect(f"2001:db8::{number}:1")
        await wait_all_tasks_blocked()
        (answer,) = await victim.send(STATUS, "2001:db8::ffff:1")
        assert answer.status == 503
        (answer,) = await victim.send(STATUS, "2001:db8:0:1::1:1")
        assert answer.status == 200


async def test_connections_from_the_computer_itself(tmp_path: Path, autojump_clock: Any) -> None:
    """A proxy on the same computer brings everybody's."""
    async with attacked(tmp_path, Allowed(connections=2)) as victim:
        for _ in range(50):
            victim.connect("127.0.0.1:1")
        await wait_all_tasks_blocked()
        (answer,) = await victim.send(STATUS, "127.0.0.1:1")
        assert answer.status == 200


async def test_requests_beyond_the_rate(tmp_path: Path, autojump_clock: Any) -> None:
    """Each further one waits a little and is refused: over one connection, one a second."""
    async with attacked(tmp_path, Allowed(requests=10.0)) as victim:
        burst = int(limits_guard.STRANGE_BURST / 100)
        answers = await victim.send(STATUS * burst)
        assert {answer.status for answer in answers} == {200}
        began = trio.current_time()
        (first, second) = await victim.send(STATUS * 2)
        assert (first.status, first.code) == (429, "too_many")
        assert first.headers["retry-after"] == "2"
        assert (first.headers.get("connection"), second.status) == (None, 200)
        assert trio.current_time() - began >= 1.0
        assert await victim.is_well()


async def test_requests_that_follow_one_another_without_waiting(
    tmp_path: Path, autojump_clock: Any
) -> None:
    async with attacked(tmp_path) as victim:
        answers = await victim.send(STATUS * 300)
        assert [answer.status for answer in answers] == [200] * 300


async def test_bodies_under_way(tmp_path: Path, autojump_clock: Any) -> None:
    """So many bytes of bodies an address may have the server hold, whatever it says they are."""
    head = (
        b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000000\r\n\r\n"
    )
    async with attacked(tmp_path) as victim:
        streams = [victim.connect() for _ in range(80)]
        for stream in streams:
            await stream.send_all(head)
        await wait_all_tasks_blocked()
        (answer,) = await victim.send(head)
        assert (answer.status, answer.code) == (429, "too_many")
        assert await victim.is_well()
        for stream in streams:
            await stream.aclose()
        await wait_all_tasks_blocked()
        assert not victim.served.site.guard._bytes


async def test_what_is_refused_is_counted_for_operators(
    tmp_path: Path, autojump_clock: Any
) -> None:
    async with attacked(tmp_path, Allowed(connections=1)) as victim:
        victim.connect()
        await wait_all_tasks_blocked()
        await victim.send(STATUS)
        request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
        (answer,) = await victim.send(request, "127.0.0.1:1")
        lines = answer.body.decode().splitlines()
        assert 'dc_refused_total{reason="address"} 1.0' in lines
        assert 'dc_refused_total{reason="failures"} 0.0' in lines
        assert "dc_http_connections 2.0" in lines
        assert "dc_http_strangers 1.0" in lines


@pytest.mark.parametrize("stopping", [True, False])
async def test_a_server_that_stops_says_so(
    stopping: bool, tmp_path: Path, autojump_clock: Any
) -> None:
    async with attacked(tmp_path) as victim:
        if stopping:
            victim.served.app.stop()
        (answer,) = await victim.send(STATUS)
        assert answer.status == (503 if stopping else 200)


async def test_a_handshake_takes_the_place_of_a_stranger(
    tmp_path: Path, autojump_clock: Any
) -> None:
    """Before TLS there is nothing to be told in: who has no place is closed without a word."""
    async with attacked(tmp_path, Allowed(connections=2)) as victim:
        site = victim.served.site
        assert victim.nursery is not None

        async def shake(stream: trio.abc.Stream) -> trio.abc.Stream | None:
            return stream if await stream.receive_some(1) == b"t" else None

        streams = []
        for _ in range(3):
            ours, theirs = memory_stream_pair()
            victim.nursery.start_soon(site.serve_stream, theirs, FAR, shake)
            streams.append(ours)
            await wait_all_tasks_blocked()
        assert len(site.guard.places) == 2
        assert await streams[2].receive_some() == b""
        await streams[0].send_all(b"t" + STATUS)
        assert (await streams[0].receive_some()).startswith(b"HTTP/1.1 200 OK")
        await streams[1].send_all(b"x")
        await wait_all_tasks_blocked()
        assert len(site.guard.places) == 1
