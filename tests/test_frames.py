"""The frame codec: tables cut every way, wsproto as oracle, and any bytes at all."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto import frame_protocol as wsproto_frames
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, Pong, TextMessage

import dc._frames
from dc.errors import ProtocolError
from tests.conftest import interpreted

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
LIMIT = 1000
KEY = b"\x01\x80\xff\x7e"
Event = tuple[int, bytes]


class Outcome(NamedTuple):
    """What a stream came to: the events, then the refusal if there was one."""

    events: list[Event]
    refusal: int | None
    closed: bool


def run_through(
    codec: ModuleType, chunks: Iterable[bytes], *, client: bool = True, limit: int = LIMIT
) -> Outcome:
    decoder = codec.FrameDecoder(client=client, limit=limit)
    events: list[Event] = []
    try:
        for chunk in chunks:
            decoder.receive_data(chunk)
            while (event := decoder.next_event()) is not None:
                events.append(event)
    except ProtocolError as error:
        return Outcome(events, error.close_code, decoder.closed)
    return Outcome(events, None, decoder.closed)


def every_cut(data: bytes) -> list[list[bytes]]:
    """Return the stream whole, byte by byte, in two at every place, and with empty pieces."""
    single = [data[at : at + 1] for at in range(len(data))]
    cuts = [[data], single, [b"", data, b""]]
    if len(data) < 300:
        cuts += [[data[:at], data[at:]] for at in range(1, len(data))]
    return cuts


def check(codec: ModuleType, data: bytes, expected: Outcome, *, client: bool = True) -> None:
    for chunks in every_cut(data):
        assert run_through(codec, chunks, client=client) == expected


def head(first: int, second: int, rest: bytes = b"") -> bytes:
    return bytes([first, second]) + rest


def masked(frame_head: bytes, payload: bytes) -> bytes:
    body = bytes(byte ^ KEY[at % 4] for at, byte in enumerate(payload))
    return bytes([frame_head[0], frame_head[1] | 0x80]) + frame_head[2:] + KEY + body


# --- tables ---------------------------------------------------------------------------------------

# What it is, head and payload as a server sends them, events.
GOOD: list[tuple[str, list[tuple[bytes, bytes]], list[Event]]] = [
    ("empty binary", [(b"\x82\x00", b"")], [(BINARY, b"")]),
    ("empty text", [(b"\x81\x00", b"")], [(TEXT, b"")]),
    ("one byte", [(b"\x82\x01", b"a")], [(BINARY, b"a")]),
    ("text", [(b"\x81\x05", "h\u00e9\u4e2d"[:2].encode() + b"ab")], [(TEXT, b"h\xc3\xa9ab")]),
    ("125 bytes", [(b"\x82\x7d", b"x" * 125)], [(BINARY, b"x" * 125)]),
    ("126 bytes", [(b"\x82\x7e\x00\x7e", b"x" * 126)], [(BINARY, b"x" * 126)]),
    ("the limit", [(b"\x82\x7e\x03\xe8", b"x" * LIMIT)], [(BINARY, b"x" * LIMIT)]),
    ("two frames", [(b"\x82\x01", b"a"), (b"\x82\x02", b"bc")], [(BINARY, b"a"), (BINARY, b"bc")]),
    ("ping", [(b"\x89\x02", b"hi")], [(PING, b"hi")]),
    ("pings", [(b"\x89\x03", b"abc"), (b"\x89\x02", b"de")], [(PING, b"abc"), (PING, b"de")]),
    ("longest pong", [(b"\x8a\x7d", b"p" * 125)], [(PONG, b"p" * 125)]),
    (
        "fragments",
        [(b"\x02\x01", b"a"), (b"\x00\x02", b"bc"), (b"\x80\x01", b"d")],
        [(BINARY, b"abcd")],
    ),
    (
        "empty fragments",
        [(b"\x02\x00", b""), (b"\x00\x00", b""), (b"\x80\x03", b"abc")],
        [(BINARY, b"abc")],
    ),
    ("only empty fragments", [(b"\x01\x00", b""), (b"\x80\x00", b"")], [(TEXT, b"")]),
    (
        "pings between fragments",
        [(b"\x02\x01", b"a"), (b"\x89\x01", b"p"), (b"\x8a\x00", b""), (b"\x80\x01", b"b")],
        [(PING, b"p"), (PONG, b""), (BINARY, b"ab")],
    ),
    (
        "a character cut by fragments",
        [(b"\x01\x01", b"\xc3"), (b"\x80\x01", b"\xa9")],
        [(TEXT, b"\xc3\xa9")],
    ),
    (
        "the limit in fragments",
        [(b"\x02\x7e\x01\xf4", b"x" * 500), (b"\x80\x7e\x01\xf4", b"y" * 500)],
        [(BINARY, b"x" * 500 + b"y" * 500)],
    ),
]

# What it is, frames as a server sends them, the close code of the refusal.
BAD: list[tuple[str, list[tuple[bytes, bytes]], int]] = [
    ("RSV1", [(b"\xc2\x00", b"")], 1002),
    ("RSV2", [(b"\xa2\x00", b"")], 1002),
    ("RSV3", [(b"\x92\x00", b"")], 1002),
    *[(f"opcode {code}", [(head(0x80 | code, 0), b"")], 1002) for code in (3, 4, 5, 6, 7)],
    *[(f"opcode {code}", [(head(0x80 | code, 0), b"")], 1002) for code in (11, 12, 13, 14, 15)],
    ("long ping", [(b"\x89\x7e\x00\x7e", b"x" * 126)], 1002),
    ("ping with a 64-bit length", [(b"\x89\x7f" + bytes(7) + b"\x01", b"x")], 1002),
    ("fragmented ping", [(b"\x09\x01", b"x")], 1002),
    ("fragmented close", [(b"\x08\x02", b"\x03\xe8")], 1002),
    ("continuation of nothing", [(b"\x80\x01", b"x")], 1002),
    ("continuation after the end", [(b"\x82\x01", b"a"), (b"\x80\x01", b"x")], 1002),
    ("text inside a message", [(b"\x02\x01", b"a"), (b"\x81\x01", b"x")], 1002),
    ("binary inside a message", [(b"\x01\x01", b"a"), (b"\x82\x01", b"x")], 1002),
    ("16-bit length too long", [(b"\x82\x7e\x00\x7d", b"x" * 125)], 1002),
    ("64-bit length too long", [(b"\x82\x7f" + bytes(6) + b"\x01\x00", b"x" * 256)], 1002),
    ("64-bit length of 65535", [(b"\x82\x7f" + bytes(6) + b"\xff\xff", b"")], 1002),
    ("64-bit length, top bit", [(b"\x82\x7f\x80" + bytes(6) + b"\x01", b"x")], 1002),
    ("64-bit length, all bits", [(b"\x82\x7f" + b"\xff" * 8, b"x")], 1002),
    ("63-bit length", [(b"\x82\x7f\x7f" + b"\xff" * 7, b"x")], 1009),
    ("the limit and one", [(b"\x82\x7e\x03\xe9", b"")], 1009),
    ("the limit and one, text", [(b"\x81\x7e\x03\xe9", b"")], 1009),
    ("fragments over the limit", [(b"\x02\x7e\x03\xe8", b"x" * 1000), (b"\x00\x01", b"")], 1009),
    ("63 bits after a fragment", [(b"\x02\x01", b"x"), (b"\x80\x7f\x7f" + b"\xff" * 7, b"")], 1009),
    ("half a close code", [(b"\x88\x01", b"\x03")], 1002),
    ("close reason not UTF-8", [(b"\x88\x03", b"\x03\xe8\xff")], 1007),
    ("close reason cut", [(b"\x88\x03", b"\x03\xe8\xc3")], 1007),
]  # fmt: skip

BAD_TEXT = {
    "a lone continuation byte": b"\x80",
    "a cut character": b"a\xc3",
    "an overlong slash": b"\xc0\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "never used": b"\xff",
}

TRAILING = (b"\x82\x01", b"z")


def stream(frames: Sequence[tuple[bytes, bytes]], *, client: bool) -> bytes:
    return b"".join(start + body if client else masked(start, body) for start, body in frames)


@pytest.mark.parametrize("client", [True, False])
@pytest.mark.parametrize(("frames", "events"), [row[1:] for row in GOOD], ids=[r[0] for r in GOOD])
def test_good_streams(
    codec: ModuleType, frames: list[tuple[bytes, bytes]], events: list[Event], client: bool
) -> None:
    data = stream(frames, client=client)
    check(codec, data, Outcome(events, None, False), client=client)
    more = stream([TRAILING], client=client)
    check(codec, data + more, Outcome([*events, (BINARY, b"z")], None, False), client=client)
    # Half a frame behind gives nothing and harms nothing.
    check(codec, data + more[:1], Outcome(events, None, False), client=client)


@pytest.mark.parametrize("client", [True, False])
@pytest.mark.parametrize(("frames", "code"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_streams(
    codec: ModuleType, frames: list[tuple[bytes, bytes]], code: int, client: bool
) -> None:
    data = stream(frames, client=client)
    before = [(BINARY, b"a")] if frames[0] == (b"\x82\x01", b"a") else []
    check(codec, data, Outcome(before, code, False), client=client)
    check(
        codec, data + stream([TRAILING], client=client), Outcome(before, code, False), client=client
    )


@pytest.mark.parametrize("text", BAD_TEXT.values(), ids=BAD_TEXT)
def test_text_must_be_utf8(codec: ModuleType, text: bytes) -> None:
    check(codec, bytes([0x81, len(text)]) + text, Outcome([], 1007, False))
    fragments = bytes([0x01, len(text) - 1]) + text[:-1] + b"\x80\x01" + text[-1:]
    check(codec, fragments, Outcome([], 1007, False))
    # The same bytes are good in a binary message.
    check(codec, bytes([0x82, len(text)]) + text, Outcome([(BINARY, text)], None, False))


def test_masks_are_required_from_the_client_and_refused_from_the_server(codec: ModuleType) -> None:
    plain, hidden = b"\x82\x01a", masked(b"\x82\x01", b"a")
    check(codec, hidden, Outcome([], 1002, False), client=True)
    check(codec, plain, Outcome([], 1002, False), client=False)


# --- closing --------------------------------------------------------------------------------------

GOOD_CODES = [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999]
BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", GOOD_CODES)
def test_close_codes(codec: ModuleType, code: int) -> None:
    data = codec.encode_close(code, "fertig \u2713")
    payload = code.to_bytes(2, "big") + "fertig \u2713".encode()
    check(codec, data, Outcome([(CLOSE, payload)], None, True))
    check(codec, data + b"\xff\xff\x82\x01a", Outcome([(CLOSE, payload)], None, True))
    decoder = codec.FrameDecoder(client=True, limit=LIMIT)
    decoder.receive_data(data)
    assert (decoder.closed, decoder.close_code, decoder.close_reason) == (False, 0, "")
    decoder.next_event()
    assert (decoder.closed, decoder.close_code) == (True, code)
    assert decoder.close_reason == "fertig \u2713"


@pytest.mark.parametrize("code", BAD_CODES)
def test_forbidden_close_codes(codec: ModuleType, code: int) -> None:
    check(codec, b"\x88\x02" + code.to_bytes(2, "big"), Outcome([], 1002, False))
    with pytest.raises(ValueError, match="may not be sent"):
        codec.encode_close(code)


def test_a_close_frame_without_a_code(codec: ModuleType) -> None:
    decoder = codec.FrameDecoder(client=True, limit=LIMIT)
    decoder.receive_data(b"\x88\x00")
    assert decoder.next_event() == (CLOSE, b"")
    assert (decoder.close_code, decoder.close_reason) == (1005, "")


def test_nothing_comes_after_a_close(codec: ModuleType) -> None:
    decoder = codec.FrameDecoder(client=True, limit=LIMIT)
    decoder.receive_data(codec.encode_close(1000) + b"\x82\x01a")
    assert decoder.next_event() == (CLOSE, b"\x03\xe8")
    decoder.receive_data(b"\xff" * 10)
    decoder.receive_eof()
    assert decoder.next_event() is None
    assert decoder.close_code == 1000


def test_a_failure_stays(codec: ModuleType) -> None:
    decoder = codec.FrameDecoder(client=True, limit=LIMIT)
    decoder.receive_data(b"\x82\x01a\xff")
    assert decoder.next_event() == (BINARY, b"a")
    for _ in range(3):
        with pytest.raises(ProtocolError, match="reserved bit") as caught:
            decoder.next_event()
        assert caught.value.close_code == 1002
        decoder.receive_data(b"\x82\x01b")
    decoder.receive_eof()
    with pytest.raises(ProtocolError, match="reserved bit"):
        decoder.next_event()


@pytest.mark.parametrize("begun", [b"", b"\x82", b"\x82\x02a", b"\x02\x01a"])
def test_the_end_without_a_close_frame(codec: ModuleType, begun: bytes) -> None:
    decoder = codec.FrameDecoder(client=True, limit=LIMIT)
    decoder.receive_data(b"\x89\x00" + begun)
    decoder.receive_eof()
    assert decoder.next_event() == (PING, b"")
    for _ in range(2):
        with pytest.raises(ProtocolError) as caught:
            decoder.next_event()
        assert caught.value.close_code == 1006
    with pytest.raises(ValueError, match="end of the stream"):
        decoder.receive_data(b"a")


@pytest.mark.parametrize("count", [0, 40, 41, 42, 400])
def test_a_long_reason_is_cut_at_a_character(codec: ModuleType, count: int) -> None:
    frame = codec.encode_close(1008, "\u2713" * count)
    assert len(frame) <= 127
    assert frame[4:].decode() == "\u2713" * min(count, 41)


# --- the doors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("opcode", [-1, 3, 7, 11, 15, 16, 130, 2**31, 2**64, -(2**64)])
def test_opcodes_are_checked(codec: ModuleType, opcode: int) -> None:
    with pytest.raises(ValueError, match="opcode"):
        codec.encode_frame(opcode, b"")


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_control_frames_are_checked(codec: ModuleType, opcode: int) -> None:
    assert len(codec.encode_frame(opcode, b"x" * 125)) == 127
    with pytest.raises(ValueError, match="125 bytes"):
        codec.encode_frame(opcode, b"x" * 126)
    with pytest.raises(ValueError, match="fragmented"):
        codec.encode_frame(opcode, b"", fin=False)


@pytest.mark.parametrize("mask", [b"", b"abc", b"abcde"])
def test_mask_keys_are_checked(codec: ModuleType, mask: bytes) -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        codec.encode_frame(BINARY, b"", mask)


@pytest.mark.parametrize("limit", [0, -1, 2**31, 2**63, 2**64])
def test_limits_are_checked(codec: ModuleType, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        codec.FrameDecoder(client=True, limit=limit)


@pytest.mark.parametrize("wrong", ["text", 5, None, [1, 2]])
def test_only_bytes_come_in(codec: ModuleType, wrong: Any) -> None:
    with pytest.raises(TypeError, match="bytes"):
        codec.encode_frame(BINARY, wrong)
    with pytest.raises(TypeError, match="bytes"):
        codec.FrameDecoder(client=True, limit=LIMIT).receive_data(wrong)


def test_buffers_of_all_kinds_come_in(codec: ModuleType) -> None:
    wide = memoryview(bytes(range(16))).cast("I")
    for payload in (b"abcdef", bytearray(b"abcdef"), memoryview(b"abcdef"), wide, wide[::2]):
        plain = bytes(payload)
        frame = codec.encode_frame(BINARY, payload, KEY)
        assert frame == masked(bytes([0x82, len(plain)]), plain)
        decoder = codec.FrameDecoder(client=False, limit=LIMIT)
        buffer = bytearray(frame)
        decoder.receive_data(memoryview(buffer))
        buffer[:] = bytes(len(buffer))  # the caller uses its buffer again
        assert decoder.next_event() == (BINARY, plain)


@pytest.mark.parametrize(
    "key", [b"\x00\x00\x00\x00", b"\x00\x00\x00\x01", b"\xff\x00\x00\x00", KEY]
)
@pytest.mark.parametrize("size", [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 125, 126, 65535, 65536, 65537])
def test_lengths_and_masks(codec: ModuleType, size: int, key: bytes) -> None:
    payload = bytes(range(256)) * 257
    frame = codec.encode_frame(BINARY, payload[:size], key)
    extended = 0 if size < 126 else 2 if size < 65536 else 8
    assert len(frame) == 2 + extended + 4 + size
    assert frame[2 + extended : 6 + extended] == key
    assert all(
        frame[6 + extended + at] == payload[at] ^ key[at % 4] for at in range(min(size, 999))
    )
    got = run_through(codec, [frame], client=False, limit=65537)
    assert got == Outcome([(BINARY, payload[:size])], None, False)


def test_the_compiled_codec_is_compiled() -> None:
    assert not str(dc._frames.__file__).endswith((".py", ".pyx"))
    assert str(interpreted("_frames").__file__).endswith(".pyx")


# --- cost -----------------------------------------------------------------------------------------


def test_chunks_given_early_are_read_in_order(codec: ModuleType) -> None:
    data = b"".join(codec.encode_frame(BINARY, bytes([n]) * n) for n in range(100))
    decoder = codec.FrameDecoder(client=True, limit=LIMIT)
    for at in range(0, len(data), 7):
        decoder.receive_data(data[at : at + 7])
    events = list(iter(decoder.next_event, None))
    assert events == [(BINARY, bytes([n]) * n) for n in range(100)]


def test_a_message_byte_by_byte_takes_linear_time() -> None:
    """A decoder that copied what it has for each byte would move half a terabyte here."""
    size = 1024 * 1024
    frame = dc._frames.encode_frame(BINARY, bytes(size), KEY)
    decoder = dc._frames.FrameDecoder(client=False, limit=size)
    for at in range(len(frame) - 1):
        decoder.receive_data(frame[at : at + 1])
        assert decoder.next_event() is None
    decoder.receive_data(frame[-1:])
    assert decoder.next_event() == (BINARY, bytes(size))


def test_memory_is_bounded_by_the_limit() -> None:
    """The bytearray's slack is an eighth; the copy that is handed over is there for a moment."""
    size, piece = 4 * 1024 * 1024, 64 * 1024
    frame = dc._frames.encode_frame(BINARY, bytes(size), KEY)
    decoder = dc._frames.FrameDecoder(client=False, limit=size)
    tracemalloc.start()
    try:
        for at in range(0, len(frame) - 1, piece):
            decoder.receive_data(frame[at : min(at + piece, len(frame) - 1)])
            assert decoder.next_event() is None
        gathered = tracemalloc.get_traced_memory()[1]
        decoder.receive_data(frame[-1:])
        event = decoder.next_event()
        whole = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert event == (BINARY, bytes(size))
    assert gathered < size * 9 / 8 + 3 * piece
    assert whole < size * 17 / 8 + 3 * piece


def test_an_announced_message_takes_no_memory() -> None:
    size = 1024 * 1024 * 1024
    announced = b"\x82\x7f" + size.to_bytes(8, "big")
    tracemalloc.start()
    try:
        decoder = dc._frames.FrameDecoder(client=True, limit=size)
        decoder.receive_data(announced + b"x")
        assert decoder.next_event() is None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10_000


def test_many_small_frames_in_one_chunk_copy_no_tail() -> None:
    """Copying the tail for each of 800,000 frames would move a terabyte."""
    frame = dc._frames.encode_frame(BINARY, b"x")
    decoder = dc._frames.FrameDecoder(client=True, limit=LIMIT)
    decoder.receive_data(frame * 800_000)
    found = 0
    while decoder.next_event() is not None:
        found += 1
    assert found == 800_000


# --- wsproto as oracle ----------------------------------------------------------------------------


class Sent(NamedTuple):
    """One thing to send: a message in fragments with pings between them, or a control frame."""

    kind: int
    fragments: list[bytes]
    between: bool


def texts() -> st.SearchStrategy[Sent]:
    part = st.text(max_size=40).map(lambda text: text.encode())
    return st.builds(Sent, st.just(TEXT), st.lists(part, min_size=1, max_size=4), st.booleans())


def binaries() -> st.SearchStrategy[Sent]:
    part = st.binary(max_size=200)
    return st.builds(Sent, st.just(BINARY), st.lists(part, min_size=1, max_size=4), st.booleans())


def controls() -> st.SearchStrategy[Sent]:
    part = st.binary(max_size=125)
    return st.builds(Sent, st.sampled_from([PING, PONG]), st.tuples(part).map(list), st.just(False))


SCRIPTS = st.lists(st.one_of(texts(), binaries(), controls()), max_size=8)
KEYS = st.binary(min_size=4, max_size=4)
FACES = st.sampled_from(["compiled", "interpreted"])


def codec_named(name: str) -> ModuleType:
    return dc._frames if name == "compiled" else interpreted("_frames")


def events_of(script: list[Sent]) -> list[Event]:
    """Return what a decoder must make of the script."""
    events: list[Event] = []
    for sent in script:
        if sent.between:
            events += [(PING, b"between")] * (len(sent.fragments) - 1)
        events.append((sent.kind, b"".join(sent.fragments)))
    return events


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places})
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


def our_bytes(codec: ModuleType, script: list[Sent], key: bytes | None) -> bytes:
    data = b""
    for sent in script:
        last = len(sent.fragments) - 1
        for at, fragment in enumerate(sent.fragments):
            opcode = sent.kind if at == 0 else 0
            data += codec.encode_frame(opcode, fragment, key, at == last)
            if sent.between and at < last:
                data += codec.encode_frame(PING, b"between", key)
    return data


def wsproto_bytes(script: list[Sent], *, client: bool) -> bytes:
    connection = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER)
    data = b""
    for sent in script:
        last = len(sent.fragments) - 1
        for at, fragment in enumerate(sent.fragments):
            if sent.kind == PING:
                data += connection.send(Ping(payload=fragment))
            elif sent.kind == PONG:
                data += connection.send(Pong(payload=fragment))
            elif sent.kind == TEXT:
                data += connection.send(TextMessage(fragment.decode(), message_finished=at == last))
            else:
                data += connection.send(BytesMessage(fragment, message_finished=at == last))
            if sent.between and at < last:
                data += connection.send(Ping(payload=b"between"))
    return data


def wsproto_events(chunks: list[bytes], *, client: bool) -> list[Event]:
    connection = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER)
    events: list[Event] = []
    parts: list[bytes] = []
    for chunk in chunks:
        connection.receive_data(chunk)
        for event in connection.events():
            if isinstance(event, Message):
                text = isinstance(event, TextMessage)
                parts.append(event.data.encode() if text else bytes(event.data))
                if event.message_finished:
                    events.append((TEXT if text else BINARY, b"".join(parts)))
                    parts = []
            elif isinstance(event, (Ping, Pong)):
                kind = PING if isinstance(event, Ping) else PONG
                events.append((kind, bytes(event.payload)))
            elif isinstance(event, CloseConnection):
                raise AssertionError(f"wsproto refused the stream: {event}")
    return events


@given(FACES, SCRIPTS, st.none() | KEYS, st.lists(st.integers(0, 10_000), max_size=12))
def test_wsproto_reads_what_we_write(
    name: str, script: list[Sent], key: bytes | None, places: list[int]
) -> None:
    data = our_bytes(codec_named(name), script, key)
    got = wsproto_events(cut(data, places), client=key is None)
    assert got == events_of(script)


@given(FACES, SCRIPTS, st.booleans(), st.lists(st.integers(0, 10_000), max_size=12))
def test_we_read_what_wsproto_writes(
    name: str, script: list[Sent], client: bool, places: list[int]
) -> None:
    data = wsproto_bytes(script, client=not client)
    got = run_through(codec_named(name), cut(data, places), client=client)
    assert got == Outcome(events_of(script), None, False)


@given(SCRIPTS.filter(lambda script: len(script) < 4), KEYS)
def test_every_cut_of_the_bytes_gives_the_same(script: list[Sent], key: bytes) -> None:
    data = our_bytes(dc._frames, script, key)
    expected = Outcome(events_of(script), None, False)
    for at in range(len(data) + 1):
        assert run_through(dc._frames, [data[:at], data[at:]], client=False) == expected


@given(FACES, st.sampled_from([1000, 1001, 1002, 1008, 1011]), st.text(max_size=200), KEYS)
def test_wsproto_reads_our_close(name: str, code: int, reason: str, key: bytes) -> None:
    connection = Connection(ConnectionType.SERVER)
    connection.receive_data(codec_named(name).encode_close(code, reason, key))
    (event,) = connection.events()
    assert isinstance(event, CloseConnection)
    assert event.code == code
    assert reason.startswith(event.reason or "")


# --- any bytes ------------------------------------------------------------------------------------


def nearly_frames() -> st.SearchStrategy[bytes]:
    """Make bytes that look enough like frames to reach the deeper rules."""
    first = st.sampled_from(
        [0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0x09, 0xC1, 0x83]
    )
    second = (
        st.integers(0, 5) | st.integers(0x80, 0x85) | st.sampled_from([125, 126, 127, 254, 255])
    )
    one = st.builds(lambda a, b, rest: bytes([a, b]) + rest, first, second, st.binary(max_size=8))
    return st.lists(one, max_size=8).map(b"".join)


@given(
    st.binary(max_size=60) | nearly_frames(),
    st.booleans(),
    st.sampled_from([1, 5, LIMIT, 2**31 - 1]),
    st.lists(st.integers(0, 100), max_size=4),
)
@example(b"\x81\x7f\x7f" + b"\xff" * 7, True, 2**31 - 1, [])
def test_any_bytes_give_events_or_our_error(
    data: bytes, client: bool, limit: int, places: list[int]
) -> None:
    """Any bytes, cut anywhere, give events or ProtocolError and nothing else, on both faces."""
    whole = run_through(dc._frames, [data], client=client, limit=limit)
    for codec in (dc._frames, interpreted("_frames")):
        assert run_through(codec, cut(data, places), client=client, limit=limit) == whole
    assert all(len(payload) <= max(limit, 125) for _, payload in whole.events)


@given(nearly_frames(), st.booleans())
def test_we_refuse_what_wsproto_refuses(data: bytes, client: bool) -> None:
    """The rules agree with wsproto's; only, it judges text sooner, and a head when it is whole."""
    ours = run_through(dc._frames, [data], client=client, limit=2**31 - 1).refusal
    if ours == 1009:  # wsproto has no limit
        return
    theirs = wsproto_refusal(data, client=client)
    if ours is None:
        assert theirs in (None, 1007)
    else:
        assert wsproto_refusal(data + bytes(200), client=client) is not None


def wsproto_refusal(data: bytes, *, client: bool) -> int | None:
    """Return the code with which wsproto refuses the stream before its first close frame."""
    protocol = wsproto_frames.FrameProtocol(client=client, extensions=[])
    try:
        protocol.receive_bytes(data)
        for frame in protocol.received_frames():
            if frame.opcode is wsproto_frames.Opcode.CLOSE:
                break
    except wsproto_frames.ParseFailed as error:
        return int(error.code)
    return None


def test_a_decoder_is_at_rest_only_between_messages(codec: Any) -> None:
    decoder = codec.FrameDecoder(client=True, limit=1000)
    assert decoder.at_rest
    parts = [codec.encode_frame(codec.BINARY, b"ab", fin=False), codec.encode_frame(0, b"cd")]
    for byte in b"".join(parts)[:-1]:
        decoder.receive_data(bytes([byte]))
        assert not decoder.at_rest
        assert decoder.next_event() is None
        assert not decoder.at_rest
    decoder.receive_data(b"d")
    assert not decoder.at_rest
    assert decoder.next_event() == (codec.BINARY, b"abcd")
    assert decoder.at_rest
    decoder.receive_data(parts[0] + parts[1])
    decoder.receive_data(codec.encode_frame(codec.BINARY, b"later"))
    assert decoder.next_event() is not None
    assert not decoder.at_rest, "more was given early"
