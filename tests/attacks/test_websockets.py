"""What a peer may try behind the upgrade: each is closed with the code of the rule it breaks."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from dc import _frames, limits
from tests.attacks.victim import attacked, closed_with

MASK = b"\x01\x02\x03\x04"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    return _frames.encode_frame(opcode, payload, MASK, fin)


def head(first: int, length: int, *, masked: bool = True) -> bytes:
    """Return the head of a frame that may be none."""
    mark = 0x80 if masked else 0
    if length < 126:
        size = struct.pack("!B", mark | length)
    elif length < 1 << 16:
        size = struct.pack("!BH", mark | 126, length)
    else:
        size = struct.pack("!BQ", mark | 127, length)
    return bytes([first]) + size + (MASK if masked else b"")


BINARY, TEXT, CLOSE, PING, CONTINUATION = 0x82, 0x81, 0x88, 0x89, 0x80

BROKEN: list[tuple[str, bytes, int]] = [
    ("not masked", head(BINARY, 3, masked=False) + b"abc", 1002),
    ("a reserved bit", head(BINARY | 0x40, 0), 1002),
    ("all reserved bits", head(BINARY | 0x70, 0), 1002),
    ("a reserved opcode", head(0x83, 0), 1002),
    ("a reserved control opcode", head(0x8B, 0), 1002),
    ("a continuation of nothing", head(CONTINUATION, 0), 1002),
    ("a message within a message", frame(2, b"a", fin=False) + frame(2, b"b"), 1002),
    ("a ping in fragments", head(0x09, 0), 1002),
    ("a close in fragments", head(0x08, 0), 1002),
    ("a ping of 126 bytes", head(PING, 126) + bytes(126), 1002),
    ("a close of one byte", frame(8, b"\x03"), 1002),
    ("a close with a code that may not be sent", frame(8, struct.pack("!H", 1005)), 1002),
    ("a close whose reason is no UTF-8", frame(8, b"\x03\xe8\xff"), 1007),
    ("a length that is written too long", bytes([BINARY, 0xFE, 0, 5]) + MASK, 1002),
    ("the same in eight bytes", bytes([BINARY, 0xFF]) + bytes(7) + b"\x05" + MASK, 1002),
    ("a length with its first bit", bytes([BINARY, 0xFF, 0x80]) + bytes(7) + MASK, 1002),
    ("a length of all there is", head(BINARY, (1 << 63) - 1), 1009),
    ("one byte above the limit", head(BINARY, limits.MESSAGE_BYTES + 1), 1009),
    ("text", frame(1, b"hello"), 1003),
    ("no message pack", frame(2, b"\xc1"), 1007),
    ("nothing at all", frame(2, b""), 1007),
]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case[0])
async def test_a_broken_rule(
    case: tuple[str, bytes, int], tmp_path: Path, autojump_clock: Any
) -> None:
    async with attacked(tmp_path) as victim:
        stream = await victim.socket()
        await stream.send_all(case[1])
        with trio.fail_after(60):
            assert await closed_with(stream) == case[2]
        assert await victim.is_well()


async def test_a_flood_of_fragments(tmp_path: Path, autojump_clock: Any) -> None:
    """Of one byte, of none: what is gathered is bounded by the limit of a message."""
    async with attacked(tmp_path) as victim:
        stream = await victim.socket()
        await stream.send_all(frame(2, b"a", fin=False) + frame(0, b"", fin=False) * 50_000)
        await stream.send_all(frame(0, b"a", fin=False) * 50_000 + frame(0))
        with trio.fail_after(60):
            assert await closed_with(stream) == 1007
        assert await victim.is_well()


async def test_fragments_that_grow_beyond_the_limit(tmp_path: Path, autojump_clock: Any) -> None:
    async with attacked(tmp_path) as victim:
        stream = await victim.socket()
        piece = bytes(1 << 18)
        tracemalloc.start()
        try:
            with trio.fail_after(60):
                await stream.send_all(frame(2, piece, fin=False))
                for _ in range(limits.MESSAGE_BYTES // len(piece)):
                    await stream.send_all(frame(0, piece, fin=False))
                assert await closed_with(stream) == 1009
            assert tracemalloc.get_traced_memory()[1] < 4 * limits.MESSAGE_BYTES
        finally:
            tracemalloc.stop()
        assert await victim.is_well()


async def test_a_huge_length_takes_no_memory(tmp_path: Path, autojump_clock: Any) -> None:
    async with attacked(tmp_path) as victim:
        streams = [await victim.socket() for _ in range(20)]
        tracemalloc.start()
        try:
            for stream in streams:
                await stream.send_all(head(BINARY, limits.MESSAGE_BYTES) + b"a")
            await trio.testing.wait_all_tasks_blocked()
            assert tracemalloc.get_traced_memory()[1] < limits.MIB
        finally:
            tracemalloc.stop()


async def test_a_flood_of_pings_that_does_not_read(tmp_path: Path, autojump_clock: Any) -> None:
    """The pongs wait for the reader, one of them; no more pings are read meanwhile."""
    async with attacked(tmp_path) as victim:
        stream = await victim.socket()
        tracemalloc.start()
        try:
            await stream.send_all(frame(9, b"x" * 125) * 4000)
            await trio.testing.wait_all_tasks_blocked()
            assert await victim.is_well()
            assert tracemalloc.get_traced_memory()[1] < 16 * limits.MIB
        finally:
            tracemalloc.stop()


BOMBS: list[tuple[str, bytes]] = [
    ("lists within lists", b"\x91" * 1_000_000 + b"\xc0"),
    ("maps within maps", b"\x81\xa1a" * 300_000 + b"\xc0"),
    ("a list of 4 billion", b"\xdd\xff\xff\xff\xff" + b"\xc0" * 100),
    ("a map of 4 billion", b"\xdf\xff\xff\xff\xff" + b"\xc0" * 100),
    ("bytes of 4 billion", b"\x91\xc6\xff\xff\xff\xff" + b"a" * 100),
    ("text of 4 billion", b"\x91\xdb\xff\xff\xff\xff" + b"a" * 100),
    ("an extension of 4 billion", b"\x91\xc9\xff\xff\xff\xff\x01" + b"a" * 100),
    ("an unknown extension", b"\x91\xc7\x03\x05abc"),
    ("a timestamp that is none", b"\x91\xd6\xff\xff\xff\xff\xff"),
    ("more messages than there may be", b"\xdd\x00\x00\x40\x01" + b"\x91\xa9heartbeat" * 16_385),
    ("a million empty lists", b"\xdd\x00\x0f\x42\x40" + b"\x90" * 1_000_000),
    ("a name that goes on and on", b"\x91\x91\xdb\x00\x10\x00\x00" + b"a" * (1 << 20)),
    ("a name that is no text", b"\x91\x91\xa4\xff\xfe\xfd\xfc"),
    ("numbers of all sizes", b"\x91\x95\xa4held\xcf" + b"\xff" * 8 + b"\x90\x90\xc0"),
    ("not a number", b"\x91\x93\xa9heartbeat\xcb\x7f\xf8" + bytes(6) + b"\xc0"),
]


@pytest.mark.parametrize("case", BOMBS, ids=lambda case: case[0])
async def test_a_message_that_unpacks_to_more(
    case: tuple[str, bytes], tmp_path: Path, autojump_clock: Any
) -> None:
    async with attacked(tmp_path) as victim:
        stream = await victim.socket()
        tracemalloc.start()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_send, stream, frame(2, case[1]))
                with trio.fail_after(60):
                    code = await closed_with(stream)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert code in (1002, 1007, 1009)
        assert peak < 16 * limits.MIB + 10 * len(case[1])
        assert await victim.is_well()


async def test_deep_values_within_a_message(tmp_path: Path, autojump_clock: Any) -> None:
    """Options of a job may be any value; not so deep that whoever reads them falls."""
    async with attacked(tmp_path) as victim:
        stream = await victim.socket()
        deep = b"\x91" * 2000 + b"\xc0"
        begin = msgspec.msgpack.encode(["hello", 1, "client", "x", []])
        submit = b"\x95\xa6submit\x01\xa6double\xa0\x81\xa4name" + deep
        await stream.send_all(frame(2, b"\x92" + begin + submit))
        with trio.fail_after(60):
            assert await closed_with(stream) in (1002, 1007)
        assert await victim.is_well()


async def _send(stream: Any, data: bytes) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stream.send_all(data)
