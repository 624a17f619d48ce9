"""The door of a server with TLS: everybody else is told, or closed, and costs nothing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from dc import invites, limits_access
from dc.server.certificate import ServerCertificate
from dc.server.clear_stream import ClearStream
from dc.server.door import TEXT, Door, in_the_clear
from dc.sockets import Buffer, TcpStream
from dc.tls_stream import TlsStream
from tests import tls
from tests.server.guests import all_guests
from tests.server.images import make_image


@pytest.fixture(name="door")
def make_door(tmp_path: Path) -> Door:
    return Door(ServerCertificate.made(tmp_path, ["localhost"], tls.NOW), Buffer())


def pair() -> tuple[TcpStream, TcpStream]:
    left, right = socket.socketpair()
    return TcpStream(left, Buffer()), TcpStream(right, Buffer())


async def answered(door: Door, data: bytes) -> bytes:
    """Return what comes back for these bytes, until the connection is closed."""
    ours, theirs = pair()
    await ours.send_all(data)
    await ours.send_eof()
    assert await door.open(theirs) is None
    got = b""
    try:
        while piece := await ours.receive_some():
            got += piece
    except trio.BrokenResourceError:
        pass  # closed with bytes that nobody has read
    await ours.aclose()
    assert len(door) == 0
    return got


async def test_who_speaks_tls_comes_in(door: Door) -> None:
    ours, theirs = pair()
    client = TlsStream(ours, tls.client_context(), Buffer(), server=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.shake_hands)
        opened = await door.open(theirs)
    assert opened is not None
    await client.send_all(b"hello")
    assert await opened.receive_some() == b"hello"
    await client.aclose()
    await opened.aclose()


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"GET /jobs?x=1 HTTP/1.1\r\nHost: desk:8220\r\n\r\n", "308 https://desk:8220/jobs?x=1"),
        (b"HEAD / HTTP/1.0\nhost:[::1]:8220\n\r\n", "308 https://[::1]:8220/"),
        (b"GET / HTTP/1.1\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"),
        (b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n", "400"),
        (b"POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "400"),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"x: y\r\n" * 2000, "308 https://x/"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ""),
        (b"GET /", ""),
        (b"\0\0\0\0", ""),
        (b"GET /bootx HTTP/1.1\r\nHost: x\r\n\r\n", "308 https://x/bootx"),
        (b"GET /boo HTTP/1.1\r\nHost: x\r\n\r\n", "308 https://x/boo"),
        (b"GET //boot/x HTTP/1.1\r\nHost: x\r\n\r\n", "308 https://x//boot/x"),
        (b"GET http://x/boot/y HTTP/1.1\r\nHost: x\r\n\r\n", "400"),
        (b"POST /boot/x HTTP/1.1\r\nHost: x\r\n\r\n", "400"),
        (b"GET /boo", ""),
        (b"\x16\x03\x01\x00\x05hello", "alert"),
        (b"\x80\x2e\x01\x00\x02", ""),  # SSL 2
        (b"", ""),
    ],
)
async def test_who_does_not(door: Door, request_: bytes, answer: str) -> None:
    got = await answered(door, request_)
    if answer == "alert":
        assert got[:1] == b"\x15"
    elif not answer:
        assert got == b""
    else:
        status, _, to = answer.partition(" ")
        head, _, body = got.decode().partition("\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} Use https")
        assert (f"Location: {to}\r\n" in head) == bool(to)
        assert body == TEXT


@given(st.binary(max_size=300), st.sampled_from([b"", b"GET / HTTP/1.1\r\nHost: "]))
def test_whatever_comes_no_header_is_made_of_it(data: bytes, before: bytes) -> None:
    said = in_the_clear(before + data + b"\r\n\r\n")
    head = said.partition(b"\r\n\r\n")[0]
    assert head.count(b"\r\n") <= 5
    assert head.isascii()
    assert head.count(b"\n") == head.count(b"\r\n")


async def test_who_is_slow_is_closed_in_time(
    door: Door, autojump_clock: trio.testing.MockClock
) -> None:
    for beginning in (b"", b"\x16", b"\x16\x03\x01", b"GET"):
        ours, theirs = pair()
        await ours.send_all(beginning)
        before = trio.current_time()
        assert await door.open(theirs) is None
        assert trio.current_time() - before == limits_access.HANDSHAKE_SECONDS
        await ours.aclose()


@pytest.mark.parametrize("beginning", [b"", b"\x16\x03", b"GET"])
async def test_who_has_to_make_room_is_closed(door: Door, beginning: bytes) -> None:
    """Whoever has let in too many strangers breaks off what the door does."""
    ours, theirs = pair()
    await ours.send_all(beginning)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(door.open, theirs)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert theirs.fileno() < 0
    assert len(door) == 0
    await ours.aclose()


async def test_of_too_many_the_oldest_goes(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_access, "HANDSHAKES", 2)
    ends = [pair() for _ in range(3)]
    closed: list[int] = []

    async def enter(number: int) -> None:
        assert await door.open(ends[number][1]) is None
        closed.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(enter, number)
            await trio.testing.wait_all_tasks_blocked()
        assert closed == [0]
        assert len(door) == 2
        for ours, _ in ends:
            await ours.aclose()
    assert sorted(closed) == [0, 1, 2]


# --- what computers boot from -------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 3, 7, 11, 12, 40])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_what_a_computer_boots_from_is_read_in_the_clear(
    door: Door, method: bytes, cut: int
) -> None:
    """However its head comes: all of it is there for who reads it."""
    head = method + b" /boot/abc/vmlinuz HTTP/1.0\r\nHost: x\r\n\r\n"
    ours, theirs = pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.send_all, head[:cut])
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ours.send_all, head[cut:])
        opened = await door.open(theirs)
    assert isinstance(opened, ClearStream)
    assert len(door) == 0
    got = b""
    while len(got) < len(head):
        got += await opened.receive_some(5)
    assert got == head
    await opened.send_all(b"answer")
    assert await ours.receive_some() == b"answer"
    await opened.aclose()
    assert theirs.fileno() < 0
    await ours.aclose()


GOOD = b"GET %s/vmlinuz HTTP/1.1\r\nHost: desk:8220\r\n"
KERNEL = b"a kernel" * 1000


async def said(folder: Path, *parts: bytes) -> list[bytes]:
    """Return what comes back from a server with TLS and an image for these bytes, in the clear.

    Of several, each over a connection of its own; `%s` is the path of an invite.
    """
    answers = []
    async with all_guests(folder) as guests:
        make_image(folder / "os-image")
        secret = bytes.fromhex(await guests.invite())
        path = f"/boot/{invites.secret_text(secret)}".encode()
        (folder / "tls").mkdir()
        made = Door(ServerCertificate.made(folder / "tls", ["localhost"], tls.NOW), Buffer())
        for part in parts:
            ours, theirs = pair()
            async with trio.open_nursery() as nursery:
                serve = guests.served.site.serve_stream
                nursery.start_soon(serve, theirs, "203.0.113.9:5", made.open)
                await ours.send_all(part.replace(b"%s", path))
                answers.append(await all_of(ours))
                await ours.aclose()
    return answers


async def all_of(stream: TcpStream) -> bytes:
    got = b""
    try:
        while piece := await stream.receive_some():
            got += piece
    except trio.BrokenResourceError:
        pass
    return got


@pytest.mark.parametrize(
    "head",
    [
        GOOD + b"\r\n",
        GOOD + b"Connection: keep-alive\r\nUser-Agent: iPXE/1.21.1\r\n\r\n",
        b"GET %s/vmlinuz HTTP/1.0\r\n\r\n",
        GOOD + b"Authorization: Bearer dct_x\r\nCookie: dc-session=x\r\n\r\n",
    ],
)
async def test_boot_loaders_get_their_files(tmp_path: Path, head: bytes) -> None:
    (answer,) = await said(tmp_path, head)
    lines, _, body = answer.partition(b"\r\n\r\n")
    assert lines.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Length: 8000\r\n" in lines
    assert lines.lower().count(b"\r\nconnection: close") == 1
    assert body == KERNEL


async def test_parts_and_heads_as_well(tmp_path: Path) -> None:
    part, head = await said(
        tmp_path,
        GOOD + b"Range: bytes=8-15\r\n\r\n",
        GOOD.replace(b"GET", b"HEAD") + b"\r\n",
    )
    assert part.startswith(b"HTTP/1.1 206 ")
    assert part.endswith(b"\r\n\r\na kernel")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.endswith(b"\r\n\r\n")


ME = b"GET /api/me HTTP/1.1\r\nHost: desk\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        GOOD + b"\r\n" + ME,
        GOOD + b"Content-Length: %d\r\n\r\n" % len(ME) + ME,
        GOOD + b"Content-Length: 0\r\n\r\n" + ME,
        GOOD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + ME,
        GOOD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + ME,
        b"GET /boot/../api/me HTTP/1.1\r\nHost: desk\r\n\r\n",
        b"GET /boot/%2e%2e/%2e%2e/api/me HTTP/1.1\r\nHost: desk\r\n\r\n",
        b"GET /boot/x HTTP/1.1\r\nHost: desk\r\nUpgrade: websocket\r\n\r\n",
        b"GET /boot/ HTTP/1.1 HTTP/1.1\r\nHost: desk\r\n\r\n" + ME,
        b"GET /boot/\r\nHost: desk\r\n\r\n" + ME,
        b"GET /boot/x HTTP/1.1\nHost: desk\n\n" + ME,
        b"GET /boot/x\0 HTTP/1.1\r\nHost: desk\r\n\r\n" + ME,
    ],
)
async def test_nothing_else_is_had_in_the_clear(tmp_path: Path, data: bytes) -> None:
    """One answer at most, and none that tells of anything but what computers boot from."""
    (answer,) = await said(tmp_path, data)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b"signed_in" not in answer
    assert b" 101 " not in answer
    status = answer.partition(b" ")[2][:3]
    assert status in (b"200", b"400", b"403", b"404"), answer


async def test_who_says_no_more_than_the_beginning_is_closed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    for beginning in (b"GET /bo", b"GET /boot/x HTTP/1.1\r\nHost: "):
        (answer,) = await said(tmp_path / str(len(beginning)), beginning)
        assert b"200" not in answer[:20]
