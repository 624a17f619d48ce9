"""The link over memory streams: handshakes, messages, closes, and everything that breaks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import h11
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import memory_stream_pair
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    Request,
    TextMessage,
)

from dc import _frames, limits
from dc.errors import ConnectionLost, ProtocolError, VersionError
from dc.link import Link
from dc.link_open import accept_key, check_upgrade, connect

Stream = trio.StapledStream[Any, Any]

GOOD_HEADERS = {
    "host": "server:8220",
    "upgrade": "websocket",
    "connection": "keep-alive, Upgrade",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
    "sec-websocket-protocol": "chat, dc.v1",
}


def link_pair() -> tuple[Link, Link]:
    """Return the client's and the server's link, joined by a fake wire."""
    ours, theirs = memory_stream_pair()
    return Link(ours, client=True), Link(theirs, client=False)


def server_and_wire() -> tuple[Link, Stream]:
    """Return a server's link and the bare stream at its other end."""
    ours, theirs = memory_stream_pair()
    return Link(ours, client=False), theirs


class Blocked(trio.abc.Stream):
    """A stream whose peer does not read: it takes half of what is sent, then waits for `room`."""

    def __init__(self, inner: Stream) -> None:
        self.inner = inner
        self.room = trio.Event()
        self.blocked = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        half = len(data) // 2
        await self.inner.send_all(data[:half])
        self.blocked.set()
        await self.room.wait()
        await self.inner.send_all(data[half:])

    async def wait_send_all_might_not_block(self) -> None:
        await self.room.wait()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self.inner.aclose()


# --- the opening handshake, at the server ---------------------------------------------------------


def test_the_accept_key_of_the_rfc() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_good_upgrade_is_answered() -> None:
    assert check_upgrade("GET", GOOD_HEADERS) == [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("Sec-WebSocket-Protocol", "dc.v1"),
    ]
    check_upgrade("GET", {**GOOD_HEADERS, "upgrade": "h2c, WebSocket", "connection": "upgrade"})
    check_upgrade("GET", {**GOOD_HEADERS, "origin": "http://Server:8220"})


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"upgrade": None}, 426),
        ({"upgrade": "h2c"}, 426),
        ({"connection": None}, 400),
        ({"connection": "close"}, 400),
        ({"sec-websocket-version": None}, 426),
        ({"sec-websocket-version": "8"}, 426),
        ({"sec-websocket-key": None}, 400),
        ({"sec-websocket-key": "short"}, 400),
        ({"sec-websocket-key": "dGhlIHNhbXBsZSBub25j"}, 400),
        ({"sec-websocket-key": "\u2713" * 24}, 400),
        ({"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="}, 400),
        ({"sec-websocket-protocol": None}, 400),
        ({"sec-websocket-protocol": "dc.v2"}, 400),
        ({"origin": "http://elsewhere:8220"}, 403),
        ({"origin": "http://server:8221"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://server:8220", "host": None}, 403),
    ],
)
def test_wrong_upgrades_are_refused(changed: dict[str, str | None], status: int) -> None:
    merged = {**GOOD_HEADERS, **changed}
    headers = {name: value for name, value in merged.items() if value is not None}
    with pytest.raises(ProtocolError) as caught:
        check_upgrade("GET", headers)
    assert caught.value.status == status


def test_only_get_upgrades() -> None:
    with pytest.raises(ProtocolError):
        check_upgrade("POST", GOOD_HEADERS)


@given(st.dictionaries(st.sampled_from([*GOOD_HEADERS, "origin"]), st.text(max_size=30)))
def test_any_headers_give_an_answer_or_our_error(changed: dict[str, str]) -> None:
    status = 101
    try:
        check_upgrade("GET", {**GOOD_HEADERS, **changed})
    except ProtocolError as error:
        status = error.status
    assert status in (101, 400, 403, 426)


# --- the opening handshake, at the client ---------------------------------------------------------


async def read_request(stream: Stream) -> tuple[h11.Request, bytes]:
    http = h11.Connection(h11.SERVER)
    while True:
        event = http.next_event()
        if isinstance(event, h11.Request):
            return event, http.trailing_data[0]
        http.receive_data(bytes(await stream.receive_some(7)))


async def answer_upgrade(stream: Stream) -> None:
    request, rest = await read_request(stream)
    assert rest == b""
    headers = {name.decode(): value.decode() for name, value in request.headers}
    lines = [f"{name}: {value}" for name, value in check_upgrade("GET", headers)]
    head = "\r\n".join(["HTTP/1.1 101 Switching Protocols", *lines, "", ""]).encode()
    greeting = _frames.encode_frame(_frames.BINARY, b"early")
    await stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n" + head + greeting)


async def test_both_sides_of_the_handshake_meet() -> None:
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_upgrade, theirs)
        client = await connect(ours, "server:8220", "/socket")
    assert await client.receive() == b"early"
    server = Link(theirs, client=False)
    await client.send(b"question")
    assert await server.receive() == b"question"


async def test_wsproto_as_a_server_takes_our_upgrade() -> None:
    ours, theirs = memory_stream_pair()
    peer = WSConnection(ConnectionType.SERVER)

    async def serve() -> None:
        while True:
            peer.receive_data(bytes(await theirs.receive_some()))
            for event in peer.events():
                if isinstance(event, Request):
                    assert (event.host, event.target) == ("server:8220", "/socket")
                    assert event.subprotocols == ["dc.v1"]
                    await theirs.send_all(peer.send(AcceptConnection(subprotocol="dc.v1")))
                    return

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        client = await connect(ours, "server:8220", "/socket")
    await client.send(b"question")
    peer.receive_data(bytes(await theirs.receive_some()))
    (event,) = peer.events()
    assert isinstance(event, BytesMessage)
    assert event.data == b"question"


ANSWERS = {
    "refused": (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", ConnectionLost, "503 Service"),
    "a plain page": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ConnectionLost, "200 OK"),
    "version": (b"HTTP/1.1 426 Upgrade Required\r\n\r\n", VersionError, "update"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", ProtocolError, "HTTP"),
    "endless head": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, ProtocolError, "HTTP"),
    "cut": (b"HTTP/1.1 101 Swit", ConnectionLost, "instead of answering"),
    "nothing": (b"", ConnectionLost, "instead of answering"),
}


@pytest.mark.parametrize(("answer", "kind", "text"), ANSWERS.values(), ids=ANSWERS)
async def test_wrong_answers(answer: bytes, kind: type[Exception], text: str) -> None:
    ours, theirs = memory_stream_pair()
    await theirs.send_all(answer)
    await theirs.send_eof()
    with pytest.raises(kind, match=text):
        await connect(ours, "server:8220", "/socket")


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("Upgrade", "h2c", ProtocolError),
        ("Connection", "close", ProtocolError),
        ("Sec-WebSocket-Accept", accept_key("another"), ProtocolError),
        ("Sec-WebSocket-Protocol", "dc.v2", VersionError),
        ("Sec-WebSocket-Extensions", "permessage-deflate", ProtocolError),
    ],
)
async def test_wrong_101_answers(name: str, value: str, kind: type[Exception]) -> None:
    ours, theirs = memory_stream_pair()

    async def serve() -> None:
        request, _ = await read_request(theirs)
        given = {key.decode(): text.decode() for key, text in request.headers}
        headers = {**dict(check_upgrade("GET", given)), name: value}
        lines = [f"{key}: {text}" for key, text in headers.items()]
        await theirs.send_all("\r\n".join(["HTTP/1.1 101 Yes", *lines, "", ""]).encode())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(kind):
            await connect(ours, "server:8220", "/socket")


async def test_a_stream_that_breaks_in_the_handshake() -> None:
    ours, theirs = memory_stream_pair()
    await theirs.aclose()
    with pytest.raises(ConnectionLost):
        await connect(ours, "server:8220", "/socket")


# --- messages -------------------------------------------------------------------------------------


async def test_messages_pass_both_ways_in_order() -> None:
    client, server = link_pair()
    messages = [b"", b"a", b"b" * 126, b"c" * 70_000]
    for ours, theirs in ((client, server), (server, client)):
        for message in messages:
            await ours.send(message)
        assert [await theirs.receive() for _ in messages] == messages
        assert ours.sent_bytes == theirs.received_bytes
    heads = 2 + 2 + 4 + 10
    assert server.sent_bytes == sum(map(len, messages)) + heads
    assert client.sent_bytes == server.sent_bytes + 4 * len(messages)


async def test_a_message_cut_anywhere() -> None:
    server, wire = server_and_wire()
    frame = _frames.encode_frame(_frames.BINARY, b"message", b"mask")
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def drip() -> None:
            for byte in frame * 2:
                await wire.send_all(bytes([byte]))

        assert [await server.receive(), await server.receive()] == [b"message"] * 2


async def test_initial_bytes_come_first_and_count() -> None:
    ours, theirs = memory_stream_pair()
    frame = _frames.encode_frame(_frames.BINARY, b"first", b"mask")
    server = Link(ours, client=False, initial=frame[:4])
    assert server.received_bytes == 4
    await theirs.send_all(frame[4:])
    assert await server.receive() == b"first"
    assert server.received_bytes == len(frame)


async def test_masks_of_a_client_differ_and_outlast_a_block() -> None:
    ours, theirs = memory_stream_pair()
    client = Link(ours, client=True)
    seen = set()
    count = limits.MASK_BLOCK_BYTES // 4 + 10
    for _ in range(count):
        await client.send(b"")
        frame = bytes(await theirs.receive_some())
        assert frame[:2] == b"\x82\x80"
        seen.add(frame[2:])
    assert len(seen) > count - 5  # 32 random bits seldom repeat
    assert all(len(key) == 4 for key in seen)


async def test_senders_of_many_tasks_do_not_mix() -> None:
    client, server = link_pair()
    stream = Blocked(client.stream)  # type: ignore[arg-type]
    client.stream = stream
    async with trio.open_nursery() as nursery:
        for n in range(10):
            nursery.start_soon(client.send, bytes([n]) * 1000)
        await stream.blocked.wait()
        stream.room.set()
        got = [await server.receive() for _ in range(10)]
    assert sorted(got) == [bytes([n]) * 1000 for n in range(10)]  # type: ignore[type-var]


async def test_every_call_is_a_checkpoint() -> None:
    client, server = link_pair()
    for _ in range(3):
        with trio.testing.assert_checkpoints():
            await client.send(b"a")
    for _ in range(3):
        with trio.testing.assert_checkpoints():
            assert await server.receive() == b"a"


async def test_a_cancelled_receive_loses_nothing() -> None:
    client, server = link_pair()
    await client.send(b"a")
    with trio.CancelScope() as scope:
        scope.cancel()
        await server.receive()
    assert scope.cancelled_caught
    assert await server.receive() == b"a"
    frame = _frames.encode_frame(_frames.BINARY, b"second", b"mask")
    await client.stream.send_all(frame[:5])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.receive)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await client.stream.send_all(frame[5:])
    assert await server.receive() == b"second"


async def test_a_message_over_the_limit_is_not_sent() -> None:
    client, server = link_pair()
    with pytest.raises(ValueError, match="at most"):
        await client.send(bytes(limits.MESSAGE_BYTES + 1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send, bytes(limits.MESSAGE_BYTES))
        assert await server.receive() == bytes(limits.MESSAGE_BYTES)


# --- pings ----------------------------------------------------------------------------------------


async def test_pings_are_answered_and_pongs_ignored() -> None:
    client, server = link_pair()
    wire = client.stream
    await wire.send_all(_frames.encode_frame(_frames.PONG, b"unasked", b"mask"))
    await wire.send_all(_frames.encode_frame(_frames.PING, b"hello", b"mask"))
    await client.send(b"a")
    assert await server.receive() == b"a"
    assert bytes(await wire.receive_some()) == _frames.encode_frame(_frames.PONG, b"hello")


async def test_a_ping_while_a_message_is_being_sent() -> None:
    """The receiver goes on, and the pong follows the message, never inside it."""
    ours, wire = memory_stream_pair()
    stream = Blocked(ours)
    server = Link(stream, client=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.send, b"x" * 1000)
        await stream.blocked.wait()
        for n in range(3):
            await wire.send_all(_frames.encode_frame(_frames.PING, bytes([n]), b"mask"))
        await wire.send_all(_frames.encode_frame(_frames.BINARY, b"a", b"mask"))
        assert await server.receive() == b"a"
        stream.room.set()
    got = bytes(await wire.receive_some())
    expected = _frames.encode_frame(_frames.BINARY, b"x" * 1000)
    assert got == expected + _frames.encode_frame(_frames.PONG, b"\x02")


async def test_a_close_while_a_message_is_being_sent() -> None:
    ours, wire = memory_stream_pair()
    stream = Blocked(ours)
    server = Link(stream, client=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.send, b"x" * 1000)
        await stream.blocked.wait()
        await wire.send_all(_frames.encode_frame(_frames.PING, b"p", b"mask"))
        await wire.send_all(_frames.encode_close(1001, "bye", b"mask"))
        assert await server.receive() is None
        stream.room.set()
    got = bytes(await wire.receive_some())
    assert got == _frames.encode_frame(_frames.BINARY, b"x" * 1000) + _frames.encode_close(1001)


# --- closing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("client_closes", [True, False])
async def test_a_clean_close(client_closes: bool) -> None:
    pair = link_pair()
    one, other = pair if client_closes else pair[::-1]
    await other.send(b"too late")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.aclose, 1001, "going")
        assert await other.receive() is None
    assert (other.close_code, other.close_reason) == (1001, "going")
    assert one.close_code == 1001
    assert await other.receive() is None
    with pytest.raises(ConnectionLost, match="closing"):
        await other.send(b"a")
    with pytest.raises(ConnectionLost, match="closing"):
        await one.send(b"a")
    await other.aclose()
    await one.aclose()


async def test_both_close_at_once() -> None:
    client, server = link_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.aclose)
        nursery.start_soon(server.aclose)


async def test_two_closes_of_one_side_both_wait_for_the_peer() -> None:
    server, wire = server_and_wire()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.aclose, 1001)
        nursery.start_soon(server.aclose, 1001)
        await trio.testing.wait_all_tasks_blocked()
        await wire.send_all(_frames.encode_close(1001, mask=b"mask"))
    assert bytes(await wire.receive_some()) == _frames.encode_close(1001)
    assert server.close_code == 1001


async def test_a_close_beside_a_receiver() -> None:
    client, server = link_pair()
    got: list[bytes | None] = []

    async def receive_all() -> None:
        while (message := await server.receive()) is not None:
            got.append(message)
        got.append(None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive_all)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(server.aclose)
        await trio.testing.wait_all_tasks_blocked()
        assert await client.receive() is None
    assert got[-1] is None


async def test_a_close_without_a_code_is_answered_without_one() -> None:
    server, wire = server_and_wire()
    await wire.send_all(b"\x88\x80mask")
    assert await server.receive() is None
    assert server.close_code == 1005
    assert bytes(await wire.receive_some()) == b"\x88\x00"


async def test_a_peer_that_does_not_close_is_left_after_the_callers_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server, wire = server_and_wire()
    begin = trio.current_time()
    with trio.move_on_after(3) as scope:
        await server.aclose()
    assert scope.cancelled_caught
    assert trio.current_time() - begin == pytest.approx(3)
    assert bytes(await wire.receive_some()) == _frames.encode_close(1000)
    assert await wire.receive_some() == b""


async def test_a_close_that_the_peer_does_not_read(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ours, wire = memory_stream_pair()
    server = Link(Blocked(ours), client=False)
    with trio.move_on_after(3) as scope:
        await server.aclose()
    assert scope.cancelled_caught
    assert len(await wire.receive_some()) == len(_frames.encode_close(1000)) // 2
    assert await wire.receive_some() == b""


async def test_a_forbidden_close_code() -> None:
    client, _ = link_pair()
    with pytest.raises(ValueError, match="may not be sent"):
        await client.aclose(1006)


# --- what breaks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 6, 10])
async def test_the_end_in_the_middle_of_a_frame(size: int) -> None:
    server, wire = server_and_wire()
    await wire.send_all(_frames.encode_frame(_frames.BINARY, b"message", b"mask")[:size])
    await wire.send_eof()
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="without closing"):
            await server.receive()
    await server.aclose()


async def test_a_message_before_the_end_is_received() -> None:
    server, wire = server_and_wire()
    await wire.send_all(_frames.encode_frame(_frames.BINARY, b"last", b"mask") + b"\x82")
    await wire.send_eof()
    assert await server.receive() == b"last"
    with pytest.raises(ConnectionLost):
        await server.receive()


async def test_a_broken_stream() -> None:
    client, server = link_pair()
    await client.stream.aclose()
    with pytest.raises(ConnectionLost):
        await server.send(b"a")
    with pytest.raises(ConnectionLost, match="cut short"):
        await server.send(b"a")
    with pytest.raises(ConnectionLost):
        await client.receive()
    await server.aclose()
    await client.aclose()


async def test_a_cancelled_send_breaks_the_link() -> None:
    ours, wire = memory_stream_pair()
    stream = Blocked(ours)
    server = Link(stream, client=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.send, b"x" * 1000)
        await stream.blocked.wait()
        nursery.cancel_scope.cancel()
    stream.room.set()
    with pytest.raises(ConnectionLost, match="cut short"):
        await server.send(b"a")
    # It still receives; what it owes to the peer is never sent behind half a frame.
    await wire.send_all(_frames.encode_frame(_frames.PING, b"p", b"mask"))
    await wire.send_all(_frames.encode_frame(_frames.BINARY, b"a", b"mask"))
    assert await server.receive() == b"a"
    await server.aclose()
    assert (
        len(await wire.receive_some())
        == len(_frames.encode_frame(_frames.BINARY, b"x" * 1000)) // 2
    )
    assert await wire.receive_some() == b""


async def test_a_sender_cancelled_in_the_queue_breaks_nothing() -> None:
    ours, wire = memory_stream_pair()
    stream = Blocked(ours)
    server = Link(stream, client=False)
    client = Link(wire, client=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.send, b"first")
        await stream.blocked.wait()
        async with trio.open_nursery() as queue:
            queue.start_soon(server.send, b"second")
            await trio.testing.wait_all_tasks_blocked()
            queue.cancel_scope.cancel()
        stream.room.set()
    await server.send(b"third")
    assert [await client.receive(), await client.receive()] == [b"first", b"third"]


BAD_PEERS = {
    "text": (_frames.encode_frame(_frames.TEXT, b"hello", b"mask"), 1003),
    "not masked": (_frames.encode_frame(_frames.BINARY, b"hello"), 1002),
    "oversize": (b"\x82\xff" + (limits.MESSAGE_BYTES + 1).to_bytes(8, "big") + b"mask", 1009),
    "bad text": (_frames.encode_frame(_frames.TEXT, b"\xff", b"mask"), 1007),
    "no frame": (b"GET / HTTP/1.1\r\n\r\n", 1002),
}


@pytest.mark.parametrize(("data", "code"), BAD_PEERS.values(), ids=BAD_PEERS)
async def test_a_peer_that_breaks_the_rules(data: bytes, code: int) -> None:
    server, wire = server_and_wire()
    await wire.send_all(_frames.encode_frame(_frames.BINARY, b"good", b"mask") + data)
    assert await server.receive() == b"good"
    for _ in range(2):
        with pytest.raises(ProtocolError) as caught:
            await server.receive()
        assert caught.value.close_code == code
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.aclose, code, str(caught.value))
        await trio.testing.wait_all_tasks_blocked()
        await wire.send_all(b"more that nobody reads")
        await wire.send_eof()
    answer = bytes(await wire.receive_some())
    assert answer == _frames.encode_close(code, str(caught.value))


# --- a foreign client -----------------------------------------------------------------------------


@asynccontextmanager
async def foreign_client() -> AsyncIterator[tuple[Link, Callable[..., Any]]]:
    """Give a server's link, and a function that sends wsproto events and returns the answers."""
    server, wire = server_and_wire()
    peer = Connection(ConnectionType.CLIENT)

    async def exchange(*events: Event) -> list[Event]:
        for event in events:
            await wire.send_all(peer.send(event))
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(0.01):
            peer.receive_data(bytes(await wire.receive_some()))
        return list(peer.events())

    yield server, exchange


async def test_a_server_link_and_a_wsproto_client(autojump_clock: trio.testing.MockClock) -> None:
    got: list[bytes | None] = []

    async def echo(server: Link) -> None:
        while (message := await server.receive()) is not None:
            got.append(message)
            await server.send(message)
        got.append(None)

    async with foreign_client() as (server, exchange), trio.open_nursery() as nursery:
        nursery.start_soon(echo, server)
        first, second = BytesMessage(b"ab", message_finished=False), BytesMessage(b"cd")
        answers = await exchange(first, Ping(payload=b"p"), second)
        assert [type(answer) for answer in answers] == [Pong, BytesMessage]
        assert bytes(answers[0].payload) == b"p"
        assert bytes(answers[1].data) == b"abcd"
        (answer,) = await exchange(CloseConnection(code=1001, reason="done"))
        assert isinstance(answer, CloseConnection)
        assert answer.code == 1001
    assert got == [b"abcd", None]


async def test_a_wsproto_client_that_sends_text(autojump_clock: trio.testing.MockClock) -> None:
    async with foreign_client() as (server, exchange), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            with pytest.raises(ProtocolError) as caught:
                await server.receive()
            with trio.move_on_after(1):
                await server.aclose(caught.value.close_code, str(caught.value))

        (answer,) = await exchange(TextMessage("hello"))
        assert isinstance(answer, CloseConnection)
        assert answer.code == 1003
        assert "binary" in (answer.reason or "")
