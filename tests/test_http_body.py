"""Bodies over real sockets: whole, in order, slow, at their end, broken, cancelled."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from dc import http_body, limits, limits_http

DATA = bytes(range(256)) * 12_000


def pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    near, far = trio.socket.socketpair()
    return trio.SocketStream(near), trio.SocketStream(far)


def descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


async def send_and_end(stream: trio.SocketStream, data: bytes, each: int) -> None:
    for start in range(0, len(data), each):
        await stream.send_all(data[start : start + each])
    await stream.send_eof()


@pytest.mark.parametrize("each", [len(DATA), 70_000])
async def test_a_sink_gets_all_bytes_in_order_and_those_that_were_held_first(each: int) -> None:
    near, far = pair()
    got = bytearray()
    with trio.fail_after(20):
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(send_and_end, far, DATA, each)
            moved = await http_body.receive_to(near, len(DATA) + 1, got.extend, b"held")
            while more := await http_body.receive_to(near, len(DATA) + 1, got.extend):
                moved += more
    assert moved == len(DATA)
    assert bytes(got) == b"held" + DATA


async def test_no_more_is_received_than_was_asked_for() -> None:
    near, far = pair()
    got = bytearray()
    async with near, far:
        await far.send_all(b"0123456789")
        assert await http_body.receive_to(near, 4, got.extend) == 4
        assert await near.receive_some(100) == b"456789"
    assert got == b"0123"


async def test_a_buffer_is_filled_by_what_flows() -> None:
    near, far = pair()
    memory = bytearray(len(DATA))
    with trio.fail_after(20), memoryview(memory) as view:
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(send_and_end, far, DATA, len(DATA))
            at = 0
            while at < len(DATA):
                at += await http_body.receive_into(near, view[at:])
            assert await http_body.receive_into(near, view) == 0
    assert memory == DATA


async def test_what_a_sink_raises_comes_out() -> None:
    def refuse(piece: memoryview) -> None:
        raise OSError(f"no room for {len(piece)}")

    near, far = pair()
    async with near, far:
        await far.send_all(b"abc")
        with pytest.raises(OSError, match="no room for 3"):
            await http_body.receive_to(near, 3, refuse)


async def test_a_slow_file_arrives_whole_and_its_end_is_told(tmp_path: Path) -> None:
    near, far = pair()
    path = tmp_path / "file"
    path.write_bytes(DATA)
    got = bytearray()

    async def read_slowly() -> None:
        while piece := await far.receive_some(50_000):
            await trio.lowlevel.checkpoint()
            got.extend(piece)

    with trio.fail_after(20), path.open("rb") as file:
        async with near, far, trio.open_nursery() as nursery:
            http_body.prepare_bulk(near)
            nursery.start_soon(read_slowly)
            start = 10
            while sent := await http_body.send_from_file(near, file, start, len(DATA)):
                start += sent
            await near.send_eof()
    assert start == len(DATA)
    assert got == DATA[10:]


async def test_a_peer_that_is_gone_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    near, far = pair()
    await far.aclose()
    async with near:
        with path.open("rb") as file, pytest.raises(trio.BrokenResourceError):
            await http_body.send_from_file(near, file, 0, len(DATA))


async def test_a_stream_that_was_closed_here_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    near, far = pair()
    await near.aclose()
    async with far:
        with pytest.raises(http_body.CLOSED):
            await http_body.receive_to(near, 10, len)
        with pytest.raises(http_body.CLOSED):
            await http_body.receive_into(near, memoryview(bytearray(10)))
        with path.open("rb") as file, pytest.raises(http_body.CLOSED):
            await http_body.send_from_file(near, file, 0, len(DATA))


async def test_waiting_can_be_cancelled_and_leaves_no_descriptor() -> None:
    near, far = pair()
    async with near, far:
        before = descriptors()
        for _ in range(20):
            with trio.move_on_after(0.001) as scope:
                await http_body.receive_to(near, limits.MIB, len)
            assert scope.cancelled_caught
        assert descriptors() == before


async def test_bodies_have_threads_of_their_own() -> None:
    """They go on while all others are busy, and take none from those."""
    near, far = pair()
    others = trio.to_thread.current_default_thread_limiter()
    holders = [object() for _ in range(int(others.total_tokens))]
    got = bytearray()
    with trio.fail_after(20):
        async with near, far:
            for holder in holders:
                others.acquire_on_behalf_of_nowait(holder)
            try:
                await far.send_all(b"flows")
                assert await http_body.receive_to(near, 5, got.extend) == 5
            finally:
                for holder in holders:
                    others.release_on_behalf_of(holder)
    assert got == b"flows"


async def test_no_more_bodies_are_moved_at_one_time_than_there_are_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits_http, "MOVERS", 2)
    pairs = [pair() for _ in range(5)]
    begun: queue.SimpleQueue[int] = queue.SimpleQueue()
    go_on = threading.Event()

    def sink(piece: memoryview) -> None:
        begun.put(len(piece))
        go_on.wait(20)

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            for near, far in pairs:
                await far.send_all(b"flows")
                nursery.start_soon(http_body.receive_to, near, 5, sink)
            for _ in range(2):
                await trio.to_thread.run_sync(begun.get)
            await trio.testing.wait_all_tasks_blocked()
            assert begun.empty()
            go_on.set()
    assert begun.qsize() == 3
    for one in (stream for both in pairs for stream in both):
        await one.aclose()
