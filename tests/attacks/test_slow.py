"""Connections that say nothing, or next to nothing: they are ended, and cost next to nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from dc import limits_guard, limits_http
from dc.http import serve
from dc.server.guard import Allowed
from tests.attacks.victim import FAR, STATUS, Answer, Stream, answers_in, attacked
from tests.http_cases import app, no_upgrade

HEAD = b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nA: " + b"b" * 10_000


async def rest(stream: Stream) -> tuple[list[Answer], float]:
    """Return what still comes, and the seconds until the end."""
    began, received = trio.current_time(), bytearray()
    async for piece in stream:
        received += piece
    return answers_in(bytes(received)), trio.current_time() - began


async def trickle(stream: Stream, data: bytes, seconds: float = 1.0) -> None:
    """Send a byte each so often until nobody takes it."""
    try:
        for byte in data:
            await stream.send_all(bytes([byte]))
            await trio.sleep(seconds)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def test_one_that_says_nothing(tmp_path: Path, autojump_clock: Any) -> None:
    async with attacked(tmp_path) as victim:
        answers, seconds = await rest(victim.connect())
        assert not answers
        assert seconds == pytest.approx(limits_guard.SPEAK_SECONDS)


async def test_one_that_has_asked_something_may_be_idle_for_longer(
    tmp_path: Path, autojump_clock: Any
) -> None:
    async with attacked(tmp_path) as victim:
        stream = victim.connect()
        await stream.send_all(STATUS)
        answers, seconds = await rest(stream)
        assert [answer.status for answer in answers] == [200]
        assert seconds == pytest.approx(limits_http.KEEP_ALIVE_SECONDS, abs=0.1)


@pytest.mark.parametrize("pause", [0.01, 1.0, 4.0])
async def test_a_head_that_trickles(pause: float, tmp_path: Path, autojump_clock: Any) -> None:
    async with attacked(tmp_path) as victim:
        stream = victim.connect()
        assert victim.nursery is not None
        victim.nursery.start_soon(trickle, stream, HEAD, pause)
        answers, seconds = await rest(stream)
        assert [(answer.status, answer.code) for answer in answers] == [(408, "timeout")]
        assert seconds == pytest.approx(limits_http.HEAD_SECONDS, abs=0.1)


async def test_a_head_that_trickles_costs_few_looks(autojump_clock: Any) -> None:
    """However many bytes it comes in: each wait is as long as all that were before."""
    looks = 0

    class Counting(trio.abc.Stream):
        async def receive_some(self, max_bytes: int | None = None) -> bytes:
            nonlocal looks
            looks += 1
            await trio.sleep(0.02)
            return HEAD[looks - 1 : looks]

        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            pass

        async def wait_send_all_might_not_block(self) -> None:
            pass

        async def aclose(self) -> None:
            pass

    await serve(Counting(), app, no_upgrade)
    assert looks < 30


async def test_a_head_in_two_parts_waits_at_most_as_long_again(autojump_clock: Any) -> None:
    for pause in (0.01, 0.2, 1.0, 4.0):
        ours, theirs = memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, theirs, app, no_upgrade)
            began = trio.current_time()
            await ours.send_all(b"GET / HTTP/1.1\r\n")
            await trio.sleep(pause)
            await ours.send_all(b"Host: x\r\n\r\n")
            assert (await ours.receive_some()).startswith(b"HTTP/1.1 200")
            assert trio.current_time() - began <= 2 * pause + 0.01
            nursery.cancel_scope.cancel()


async def test_a_body_that_trickles(tmp_path: Path, autojump_clock: Any) -> None:
    async with attacked(tmp_path) as victim:
        stream = victim.connect()
        head = (
            b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100000\r\n\r\n"
        )
        await stream.send_all(head)
        assert victim.nursery is not None
        victim.nursery.start_soon(trickle, stream, b" " * 1000)
        answers, seconds = await rest(stream)
        assert [answer.status for answer in answers] == [408]
        assert seconds <= limits_http.PACE_SECONDS + 2


async def test_thousands_of_slow_ones_keep_nobody_out(tmp_path: Path, autojump_clock: Any) -> None:
    """The slowest go when there are too many; who is in time is served, from wherever."""
    allowed = Allowed(connections=1000, places=60)
    async with attacked(tmp_path, allowed) as victim:
        ends = 0

        async def slow(number: int) -> None:
            nonlocal ends
            stream = victim.connect(f"203.0.113.{number % 200}:1")
            await stream.send_all(b"G" if number % 2 else b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            await rest(stream)
            ends += 1

        async with trio.open_nursery() as nursery:
            for number in range(300):
                nursery.start_soon(slow, number)
            await wait_all_tasks_blocked()
            assert ends == 300 - 30
            assert await victim.is_well()
        assert victim.served.site.guard.refused["slowest"] == 271
        await trio.sleep(limits_http.LINGER_SECONDS + 1)
        assert len(victim.served.site.guard.places) == 0


async def test_slow_ones_do_not_take_the_place_of_who_has_asked(
    tmp_path: Path, autojump_clock: Any
) -> None:
    async with attacked(tmp_path, Allowed(places=20)) as victim:
        known = []
        for number in range(15):
            known.append(victim.connect(f"198.51.100.{number}:1"))
            await known[-1].send_all(STATUS)
            assert b"200 OK" in await known[-1].receive_some()
        for number in range(100):
            await victim.connect(f"203.0.113.{number}:1").send_all(b"GET")
            await wait_all_tasks_blocked()
        assert victim.served.site.guard.refused["slowest"] == 95
        for stream in known:
            await stream.send_all(STATUS)
            assert b"200 OK" in await stream.receive_some()


async def test_a_reader_that_reads_nothing_is_left(tmp_path: Path, autojump_clock: Any) -> None:
    async with attacked(tmp_path) as victim:
        ours, theirs = memory_stream_pair()
        full = trio.Event()

        async def never(data: bytes) -> None:
            full.set()
            await trio.sleep_forever()

        theirs.send_stream.send_all = never  # type: ignore[method-assign,assignment]
        assert victim.nursery is not None
        victim.nursery.start_soon(victim.served.site.serve_stream, theirs, FAR)
        await ours.send_all(STATUS)
        await full.wait()
        began = trio.current_time()
        assert await ours.receive_some() == b""
        assert trio.current_time() - began == pytest.approx(limits_http.SEND_SECONDS)


async def test_a_socket_that_says_nothing_is_closed(tmp_path: Path, autojump_clock: Any) -> None:
    async with attacked(tmp_path) as victim:
        stream = await victim.socket()
        began = trio.current_time()
        with trio.fail_after(3600):
            async for _ in stream:
                pass
        assert trio.current_time() - began < 120
