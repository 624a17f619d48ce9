"""Wires in memory: slow, narrow, cut, frozen, held."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from dc.testing.wires import Wire

Clock = trio.testing.MockClock


async def test_bytes_pass_both_ways_in_order(autojump_clock: Clock) -> None:
    wire = Wire()
    await wire.client.send_all(b"one")
    await wire.client.send_all(b"two")
    assert await wire.server.receive_some() == b"one"
    assert await wire.server.receive_some(2) == b"tw"
    assert await wire.server.receive_some() == b"o"
    await wire.server.send_all(b"back")
    await wire.server.aclose()
    assert await wire.client.receive_some() == b"back"
    assert await wire.client.receive_some() == b""
    with pytest.raises(trio.BrokenResourceError):
        await wire.client.send_all(b"nobody is there")
    with pytest.raises(trio.ClosedResourceError):
        await wire.server.receive_some()


async def test_slow_pieces_keep_their_order(autojump_clock: Clock) -> None:
    delays = iter([3.0, 1.0])
    wire = Wire(lambda: next(delays))
    await wire.client.send_all(b"first")
    await wire.client.send_all(b"second")
    began = trio.current_time()
    assert await wire.server.receive_some() == b"first"
    assert await wire.server.receive_some() == b"second"
    assert trio.current_time() - began == 3.0


async def test_a_narrow_wire_makes_its_sender_wait(autojump_clock: Clock) -> None:
    wire = Wire(room=4)
    await wire.client.send_all(b"12345")
    with trio.move_on_after(1) as scope:
        await wire.client.send_all(b"more")
    assert scope.cancelled_caught
    assert await wire.server.receive_some() == b"12345"
    await wire.client.send_all(b"more")


async def test_a_cut_keeps_a_first_part(autojump_clock: Clock) -> None:
    wire = Wire()
    for piece in (b"a", b"b", b"c"):
        await wire.client.send_all(piece)
    wire.cut(lambda pieces: min(pieces, 2))
    assert await wire.server.receive_some() == b"a"
    assert await wire.server.receive_some() == b"b"
    for end in (wire.client, wire.server):
        with pytest.raises(trio.BrokenResourceError):
            await end.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await end.send_all(b"x")


async def test_a_frozen_wire_tells_nobody(autojump_clock: Clock) -> None:
    wire = Wire()
    await wire.client.send_all(b"lost")
    wire.freeze()
    await wire.client.send_all(b"lost, too")
    await wire.client.aclose()
    with trio.move_on_after(60) as scope:
        await wire.server.receive_some()
    assert scope.cancelled_caught
    await wire.server.send_all(b"into the void")


async def test_a_held_wire_delivers_later(autojump_clock: Clock) -> None:
    wire = Wire()
    wire.hold()
    await wire.client.send_all(b"late")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_let_go, wire)
        began = trio.current_time()
        assert await wire.server.receive_some() == b"late"
        assert trio.current_time() - began == 5


async def _let_go(wire: Wire) -> None:
    await trio.sleep(5)
    wire.let_go()
