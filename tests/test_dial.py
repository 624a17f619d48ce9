"""The way to a server: addresses, pins, proxies; and that nothing is said to another one."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from dc import dial, pins
from dc.cipher import Cipher
from dc.dial import Server
from dc.errors import DcError, ProtocolError, StartError, WrongServer
from dc.sockets import Buffer
from dc.tls_stream import TlsStream
from tests import tls


@pytest.mark.parametrize(
    ("text", "server", "url"),
    [
        ("host", Server("host", 8220), "http://host:8220"),
        (" host:1 ", Server("host", 1), "http://host:1"),
        ("http://host:1/", Server("host", 1), "http://host:1"),
        ("ws://host:1/socket", Server("host", 1), "http://host:1"),
        ("https://host:8220", Server("host", 8220, True), "https://host:8220"),
        (
            "https://dc.example.org",
            Server("dc.example.org", 443, True),
            "https://dc.example.org:443",
        ),
        ("https://192.0.2.1", Server("192.0.2.1", 8220, True), "https://192.0.2.1:8220"),
        ("wss://[::1]/socket", Server("::1", 8220, True), "https://[::1]:8220"),
        ("::1", Server("::1", 8220), "http://[::1]:8220"),
        ("fe80::1%eth0", Server("fe80::1%eth0", 8220), "http://[fe80::1%eth0]:8220"),
        ("[2001:db8::1]:7", Server("2001:db8::1", 7), "http://[2001:db8::1]:7"),
        ("HOST", Server("host", 8220), "http://host:8220"),
        ("a_b.example.:1", Server("a_b.example.", 1), "http://a_b.example.:1"),
        (
            "https://b\u00fccher.example",
            Server("xn--bcher-kva.example", 443, True),
            "https://xn--bcher-kva.example:443",
        ),
    ],
)
def test_addresses(text: str, server: Server, url: str) -> None:
    assert dial.read_url(text) == server
    assert server.url == url
    assert dial.read_url(url) == server


@pytest.mark.parametrize(
    "text",
    ["", " ", "http://", "ftp://x", "x:99999", "x:y", "x:0", "http://x/y", "http://x/?q", "http://x#y",
     "https://user:secret@x", "[::1", "http://[x]", "a b", "https://x/api",
     "https://.x", "https://a..b", f"https://{'x' * 64}.de", "https://a%0d", "https://*",
     "a\udc80"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(StartError, match="is not a server's address"):
        dial.read_url(text)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_is_not(text: str) -> None:
    try:
        server = dial.read_url(text)
    except StartError:
        return
    assert server.host
    assert server.host.isascii()
    Cipher(tls.client_context(), server=False, name=server.host)
    assert 0 < server.port < 65536
    assert "\r" not in server.authority
    assert "\n" not in server.authority


def test_pins_as_text() -> None:
    whole = tls.pin()
    assert dial.read_pin(whole.hex()) == whole
    assert dial.read_pin(" " + whole[:16].hex(":").upper()) == whole[:16]
    for text in ("", "xyz", whole[:15].hex(), whole.hex() + "00"):
        with pytest.raises(StartError, match="pin"):
            dial.read_pin(text)
    server, environ = Server("h", 1, True), {"DC_PIN": whole.hex()}
    assert dial.pinned(server, environ).pin == whole
    assert dial.pinned(server, {}).pin == b""
    assert dial.pinned(Server("h", 1), environ).pin == b""
    assert dial.pinned(Server("h", 1, True, b"p" * 16), environ).pin == b"p" * 16
    with pytest.raises(StartError):
        dial.pinned(server, {"DC_PIN": "secret"})


# --- whose server it is -------------------------------------------------------------------------


async def meet(server: Server, context: ssl.SSLContext | None = None) -> bytes | None:
    """Have a client meet a server that says "hello"; return what came before it was left alone."""
    ours, theirs = trio.testing.memory_stream_pair()
    said: list[bytes | None] = []
    errors: list[Exception] = []

    async def serve() -> None:
        stream = TlsStream(theirs, context or tls.server_context(), Buffer(), server=True)
        try:
            await stream.shake_hands()
            said.append(await stream.receive_some())
        except trio.BrokenResourceError:
            said.append(None)

    async def ask() -> None:
        try:
            stream = await dial.secured(ours, server)
            await stream.send_all(b"secret")
        except (DcError, trio.BrokenResourceError) as error:
            errors.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        nursery.start_soon(ask)
    if errors:
        assert said in ([b""], [None])
        raise errors[0]
    return said[0]


@pytest.mark.parametrize("size", [16, 20, 32])
async def test_the_pinned_server_is_served(size: int) -> None:
    assert await meet(Server("192.0.2.1", 1, True, tls.pin()[:size])) == b"secret"


@pytest.mark.parametrize(
    "pin", [tls.pin()[:15], b"x" * 16, tls.pin()[:31] + b"x", tls.pin() + b"x", b"x"]
)
async def test_another_pin_is_refused_before_a_byte_is_sent(pin: bytes) -> None:
    with pytest.raises(WrongServer, match="shows another key than the join code"):
        await meet(Server("localhost", 1, True, pin))


async def test_a_key_of_no_known_kind_is_not_called_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pin = tls.pin()
    monkeypatch.setattr(pins, "_KEYS", {})
    with pytest.raises(WrongServer, match=r"no pin to compare \(its key is of no known kind"):
        await meet(Server("localhost", 1, True, pin))


async def test_without_a_pin_an_authority_has_to_vouch() -> None:
    with pytest.raises(WrongServer, match="cannot be verified"):
        await meet(Server("localhost", 1, True))


async def test_without_a_pin_the_name_has_to_be_the_servers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def trusting() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=tls.pems()[0].decode())
        return context

    monkeypatch.setattr(ssl, "create_default_context", trusting)
    assert await meet(Server("localhost", 1, True)) == b"secret"
    assert await meet(Server("127.0.0.1", 1, True)) == b"secret"
    for host in ("elsewhere", "127.0.0.2"):
        with pytest.raises(WrongServer, match="cannot be verified"):
            await meet(Server(host, 1, True))


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 no\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46", b""]
)
async def test_what_speaks_no_tls_is_no_server(answer: bytes) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(answer or b"\0")
    await theirs.send_eof()
    with pytest.raises(trio.BrokenResourceError, match="TLS"):
        await dial.secured(ours, Server("h", 1, True, tls.pin()))


async def test_a_server_without_tls_is_named_so() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(trio.BrokenResourceError, match="h:1 speaks no TLS: is its address http://"):
        await dial.secured(ours, Server("h", 1, True, tls.pin()))


async def test_a_name_that_cannot_be_one() -> None:
    with pytest.raises(OSError, match="no such host"):
        await dial.dial(Server("a" * 64 + ".example", 1))


# --- proxies ------------------------------------------------------------------------------------

SECURE = Server("dc.example.org", 443, True)


@pytest.mark.parametrize(
    ("server", "environ", "proxy"),
    [
        (SECURE, {}, ""),
        (SECURE, {"HTTPS_PROXY": "p:1"}, "p:1"),
        (SECURE, {"https_proxy": "q:1", "HTTPS_PROXY": "p:1"}, "q:1"),
        (SECURE, {"ALL_PROXY": "a:1"}, "a:1"),
        (SECURE, {"http_proxy": "p:1"}, ""),
        (Server("h", 1), {"http_proxy": "p:1", "https_proxy": "q:1"}, "p:1"),
        (Server("h", 1), {"HTTP_PROXY": "p:1"}, ""),
        (Server("127.3.2.1", 1, True), {"https_proxy": "p:1"}, ""),
        (Server("localhost", 1, True), {"https_proxy": "p:1"}, ""),
        (Server("::1", 1, True), {"https_proxy": "p:1"}, ""),
        *((SECURE, {"https_proxy": "p:1", "NO_PROXY": no}, "") for no in (
            "*", "example.org", ".example.org", "*.example.org", "x, dc.EXAMPLE.org",
            "y dc.example.org", "dc.example.org:443",
        )),
        *((SECURE, {"https_proxy": "p:1", "no_proxy": no}, "p:1") for no in (
            "ample.org", "example.com", "dc.example.org:444", "10.0.0.0/8", "", ",",
        )),
        (Server("10.1.2.3", 1, True), {"https_proxy": "p", "no_proxy": "10.0.0.0/8"}, ""),
        (Server("fd00::3", 1, True), {"https_proxy": "p", "no_proxy": "fd00::/16"}, ""),
    ],
)  # fmt: skip
def test_which_proxy_the_environment_names(
    server: Server, environ: dict[str, str], proxy: str
) -> None:
    assert dial.proxy_of(server, environ) == proxy


async def ask_proxy(answer: bytes) -> bytes:
    """Ask a proxy that answers so; return what it was asked."""
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(answer)
    await theirs.send_eof()
    await dial.connect(ours, "dc:443", [("Host", "dc:443")], "p:1")
    return bytes(await theirs.receive_some(1000))


async def test_a_proxy_that_connects() -> None:
    asked = await ask_proxy(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 Connection established\r\n\r\n"
    )
    assert asked == b"CONNECT dc:443 HTTP/1.1\r\nHost: dc:443\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "answers 407"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\nno", "answers 403"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", "says more than it was asked"),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
        (b"", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, "does not speak HTTP"),
    ],
)
async def test_a_proxy_that_does_not(answer: bytes, said: str) -> None:
    with pytest.raises(StartError, match=said):
        await ask_proxy(answer)


@pytest.mark.parametrize("proxy", ["socks5://p:1", "https://p:1", "http://", "http://p:99999"])
async def test_a_proxy_that_cannot_be_used(proxy: str) -> None:
    with pytest.raises(StartError, match="none that dc can use"):
        await dial.dial(Server("dc.example.org", 443, True, proxy=proxy))


@asynccontextmanager
async def proxy_to_pinned(asked: list[bytes]) -> AsyncIterator[str]:
    """Run a proxy that is itself what it connects to; give its address."""

    async def serve(stream: trio.SocketStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some(1000)
        asked.append(head)
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        server = TlsStream(stream, tls.server_context(), Buffer(), server=True)
        await server.shake_hands()
        with suppress(trio.BrokenResourceError):
            await server.send_all(await server.receive_some())
        await server.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        yield f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def test_through_a_proxy_with_a_password_to_a_pinned_server() -> None:
    """A whole way, over loopback: the proxy never sees more than whom to connect."""
    asked: list[bytes] = []
    async with proxy_to_pinned(asked) as address:
        proxy = f"http://me:p%40ss@{address}"
        stream = await dial.dial(Server("dc.example.org", 443, True, tls.pin(), proxy))
        await stream.send_all(b"hello")
        assert await stream.receive_some() == b"hello"
        await stream.aclose()
    assert asked[0].startswith(b"CONNECT dc.example.org:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==\r\n" in asked[0]


async def test_a_key_is_looked_at_by_the_way_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the proxy for HTTPS, though nothing is believed of what is shown."""
    asked: list[bytes] = []
    async with proxy_to_pinned(asked) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        pin = await dial.shown_pin(Server("dc.example.invalid", 443, True))
    assert pin == tls.pin()
    assert asked[0].startswith(b"CONNECT dc.example.invalid:443 HTTP/1.1\r\n")


async def test_a_key_that_has_no_pin_is_told_of_where_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pins, "_KEYS", {})
    async with proxy_to_pinned([]) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        with pytest.raises(ProtocolError, match=r"has a pin \(its key is of no known kind"):
            await dial.shown_pin(Server("dc.example.invalid", 443, True))
