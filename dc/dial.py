"""How anybody reaches a server: its address as people write it, and the way to it.

The way is TCP, over IPv4 or IPv6, or through an HTTP proxy by CONNECT; and TLS, if the address says
so. Whose server it is, is known before a byte is sent to it: by the pin of its key, or else by
what the system's authorities say of its certificate and its name. No clock here: the caller bounds
the time.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

import h11
import trio
from msgspec import Struct
from msgspec.structs import replace
from trio.abc import Stream

from dc import limits, limits_access, pins
from dc.errors import ProtocolError, StartError, WrongServer
from dc.sockets import Buffer, TcpStream
from dc.tls_stream import TlsStream

SECURE: Final = ("https", "wss")
PLAIN: Final = ("http", "ws")
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?\.?")
HTTPS_PORT: Final = 443
"""Of an address with https:// and a name alone: a server behind a proxy, with a certificate."""


class Server(Struct, frozen=True):
    """Where a server is, and how it is known.

    Attributes:
        host: its name or address, without brackets.
        port: where it listens.
        tls: whether it is spoken to by TLS.
        pin: the beginning, 16 bytes at least, of the SHA-256 of its public key; empty if its
            certificate is to be verified by the authorities that the system knows.
        proxy: the URL of the proxy to go through; empty for what the environment says.
    """

    host: str
    port: int
    tls: bool = False
    pin: bytes = b""
    proxy: str = ""

    @property
    def authority(self) -> str:
        """What the header Host says."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this very computer."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host is this computer itself, whatever network it is in."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def read_url(text: str) -> Server:
    """Return the server at an address.

    Args:
        text: `HOST` or `HOST:PORT`, or these behind `http://`, `https://`, `ws://` or `wss://`, a
            host of IPv6 in brackets or alone. The port is 8220 unless it is said, and that of HTTPS
            for a name behind `https://`. A name with other letters is written as in certificates.

    Raises:
        StartError: it is no such address.
    """
    wrong = StartError(
        f"{text!r} is not a server's address; one looks like "
        f"http://{limits.DEFAULT_HOST}:{limits.DEFAULT_PORT} or https://HOST:{limits.DEFAULT_PORT}"
    )
    bare = text.strip()
    if _is_v6(bare):
        bare = f"[{bare}]"
    try:
        parts = urlsplit(bare if "://" in bare else f"http://{bare}")
        host, port = _written(parts.hostname or ""), parts.port
    except ValueError:  # as a name that cannot be encoded is
        raise wrong from None
    tls = parts.scheme in SECURE
    paths = ("", "/", "/socket")
    if not host or not (tls or parts.scheme in PLAIN) or parts.path not in paths or port == 0:
        raise wrong
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise wrong
    usual = HTTPS_PORT if tls and not _is_address(host) else limits.DEFAULT_PORT
    return Server(host, port or usual, tls)


PIN_VARIABLE: Final = "DC_PIN"
"""The pin of the server, as hexadecimal digits, in the environment."""


def read_pin(text: str) -> bytes:
    """Return a pin of its hexadecimal digits; StartError if it is none, or too short."""
    try:
        pin = bytes.fromhex(text.strip().replace(":", ""))
    except ValueError:
        pin = b""
    if not limits_access.PIN_BYTES_LEAST <= len(pin) <= pins.PIN_BYTES:
        raise StartError(
            f"the pin {text[:80]!r} is none: give from 32 to 64 hexadecimal digits, the beginning "
            "of the SHA-256 of the server's key"
        )
    return pin


def pinned(server: Server, environ: Mapping[str, str]) -> Server:
    """Return a server with the pin that the environment has for it, unless it has one already.

    Raises:
        StartError: that is no pin.
    """
    text = environ.get(PIN_VARIABLE, "")
    if server.pin or not server.tls or not text:
        return server
    return replace(server, pin=read_pin(text))


def _is_v6(text: str) -> bool:
    return text.count(":") > 1 and _is_address(text)


def _written(host: str) -> str:
    """Return a host as it stands in requests and in TLS; empty if it is none, or ValueError."""
    if _is_address(host):
        return host if host.isascii() and host.isprintable() else ""
    name = host.encode("idna").decode().lower()
    return name if _NAME.fullmatch(name) else ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class Trust:
    """What clients of this Trio run believe, made once: to read all authorities takes a while."""

    def __init__(self) -> None:
        self.buffer = Buffer()
        self._pinned: ssl.SSLContext | None = None
        self._public: ssl.SSLContext | None = None

    def context(self, *, pinned: bool) -> ssl.SSLContext:
        """Return the context for a server whose pin is known, or for any other one."""
        if not pinned:
            self._public = self._public or _context(ssl.create_default_context())
            return self._public
        if self._pinned is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the pin says it
            self._pinned = _context(context)
        return self._pinned


_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
"""What OpenSSL says of a peer that answers in plain text; its versions differ."""

_NO_PIN: Final = "a server needs a certificate whose key is of P-256 or RSA, say"

_trust: Final = trio.lowlevel.RunVar[Trust]("what clients believe")


def _context(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _trusted() -> Trust:
    try:
        return _trust.get()
    except LookupError:
        trust = Trust()
        _trust.set(trust)
        return trust


async def dial(server: Server) -> Stream:
    """Return a connection to a server, which is the one that was meant.

    Raises:
        OSError: it, or the proxy, cannot be reached.
        trio.BrokenResourceError: the connection broke, or TLS cannot be spoken with it.
        WrongServer: what answers there is not that server. Nothing was sent to it.
        StartError: the proxy is none that can be used, or will not let through.
    """
    stream = await _reached(server)
    if not server.tls:
        return stream
    try:
        return await secured(stream, server)
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise


async def shown_pin(server: Server) -> bytes:
    """Return the pin of the key that a server shows; whoever answers there may have any.

    Nothing is said to it.

    Raises:
        OSError, StartError, trio.BrokenResourceError: as `dial`.
        ProtocolError: it shows no certificate, or one whose pin cannot be told.
    """
    trust = _trusted()
    tls = _client_of(await _reached(server), server, trust, trust.context(pinned=True))
    try:
        await tls.shake_hands()
        return pins.pin_of(tls.cipher.certificate)
    except ValueError as error:
        text = f"{server.url} shows no certificate that has a pin ({error}): {_NO_PIN}"
        raise ProtocolError(text) from None
    finally:
        await trio.aclose_forcefully(tls)


async def _reached(server: Server) -> Stream:
    """Return a connection to what answers at a server's address, without TLS."""
    if proxy := server.proxy or proxy_of(server, os.environ):
        return await _through(proxy, server)
    return await _tcp(server.host, server.port)


async def _tcp(host: str, port: int) -> trio.SocketStream:
    try:
        # Bytes are taken as they are, see dc/cipher.py; a name is judged before it is looked up.
        return await trio.open_tcp_stream(host.encode() if _is_address(host) else host, port)
    except UnicodeError as error:  # no name of a host has such letters
        raise OSError(f"no such host: {host[:80]!r}") from error


async def secured(stream: Stream, server: Server) -> TlsStream:
    """Return TLS over a connection to a server, which is the one that was meant.

    Raises:
        trio.BrokenResourceError: the connection broke, or TLS cannot be spoken over it.
        WrongServer: what answers is not that server.
    """
    trust = _trusted()
    tls = _client_of(stream, server, trust, trust.context(pinned=bool(server.pin)))
    try:
        await tls.shake_hands()
        if server.pin and not pins.matches(server.pin, tls.cipher.certificate):
            raise _another(server, tls.cipher.certificate)
    except trio.BrokenResourceError as error:
        await trio.aclose_forcefully(tls)
        if isinstance(error.__cause__, ssl.SSLCertVerificationError):
            raise _unverified(server, error.__cause__) from error
        if getattr(error.__cause__, "reason", "") in _NO_TLS:
            text = f"what answers at {server.authority} speaks no TLS: is its address http://?"
            raise trio.BrokenResourceError(text) from error
        raise
    except BaseException:
        await trio.aclose_forcefully(tls)
        raise
    return tls


def _client_of(stream: Stream, server: Server, trust: Trust, context: ssl.SSLContext) -> TlsStream:
    """Return TLS over a connection, before the handshake."""
    if isinstance(stream, trio.SocketStream):
        stream = TcpStream.of(stream, trust.buffer)
    name = server.host.partition("%")[0]
    return TlsStream(stream, context, trust.buffer, server=False, name=name)


def _another(server: Server, certificate: bytes) -> WrongServer:
    """Return what is wrong with a certificate that does not match a server's pin."""
    try:
        pins.pin_of(certificate)
    except ValueError as error:
        return WrongServer(
            f"the certificate that the server at {server.authority} shows has no pin to compare "
            f"({error}): {_NO_PIN}, or somebody is in between"
        )
    return WrongServer(
        f"the server at {server.authority} shows another key than the join code or the pin "
        "says: somebody may be in between, or the server was set up anew; ask for a new "
        "code or pin"
    )


def _unverified(server: Server, error: ssl.SSLCertVerificationError) -> WrongServer:
    return WrongServer(
        f"the certificate of the server at {server.authority} cannot be verified "
        f"({error.verify_message}): use a join code of the server, or give its pin, which its "
        f"log says at the start, in {PIN_VARIABLE}"
    )


# --- proxies ------------------------------------------------------------------------------------


def proxy_of(server: Server, environ: Mapping[str, str]) -> str:
    """Return the URL of the proxy that the environment names for a server; empty for none.

    Upper-case and lower-case names are the same, but that HTTP_PROXY counts for nothing: a web
    server sets it from a header of a request. This computer is reached without a proxy.
    """
    if server.is_loopback or _is_exempt(server, _variable(environ, "no_proxy")):
        return ""
    all_proxy = _variable(environ, "all_proxy")
    if server.tls:
        return _variable(environ, "https_proxy") or all_proxy
    return environ.get("http_proxy", "") or all_proxy


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


def _is_exempt(server: Server, exempt: str) -> bool:
    """Whether a list of hosts, domains, networks and `*` has a server in it."""
    host = server.host.lower().rstrip(".")
    for entry in exempt.lower().replace(",", " ").split():
        name = entry.removeprefix("*").lstrip(".")
        if entry == "*" or name in (host, server.authority.lower()) or host.endswith(f".{name}"):
            return True
        if "/" in entry and _is_within(host, entry):
            return True
    return False


def _is_within(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


async def _through(proxy: str, server: Server) -> Stream:
    """Return a connection to a server through a proxy.

    Raises:
        StartError: the proxy is none that can be used, or will not let through.
    """
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        parts, host, port = urlsplit(""), "", 0
    if parts.scheme != "http" or not host:
        raise StartError(
            f"the proxy {_shown(proxy)} is none that dc can use: give http://HOST:PORT in "
            "HTTPS_PROXY, or the server's host in NO_PROXY to do without"
        )
    stream = await _tcp(host, port)
    headers = [("Host", server.authority), ("User-Agent", "dc")]
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers.append(
            ("Proxy-Authorization", f"Basic {base64.b64encode(secret.encode()).decode()}")
        )
    try:
        await connect(stream, server.authority, headers, _shown(proxy))
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


def _shown(proxy: str) -> str:
    """Return a proxy's address without a password."""
    return proxy.rpartition("@")[2].removeprefix("http://")[:80]


async def connect(
    stream: Stream, authority: str, headers: list[tuple[str, str]], proxy: str
) -> None:
    """Have a proxy connect a stream to a server.

    Args:
        stream: connected to the proxy.
        authority: host and port of the server.
        headers: of the request.
        proxy: for people.

    Raises:
        StartError: it will not.
        trio.BrokenResourceError: the connection broke.
    """
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits_access.PROXY_HEAD_BYTES)
    request = h11.Request(method="CONNECT", target=authority, headers=headers)
    await stream.send_all(http.send(request) + (http.send(h11.EndOfMessage()) or b""))
    try:
        while (event := http.next_event()) is h11.NEED_DATA or _is_interim(event):
            if event is h11.NEED_DATA:
                http.receive_data(bytes(await stream.receive_some(limits_access.PROXY_HEAD_BYTES)))
    except h11.RemoteProtocolError as error:
        raise StartError(f"the proxy {proxy} does not speak HTTP: {error}") from None
    if not isinstance(event, h11.Response) or not 200 <= event.status_code < 300:
        status = getattr(event, "status_code", "nothing")
        raise StartError(
            f"the proxy {proxy} answers {status} and does not let through to {authority}: give the "
            "server's host in NO_PROXY to do without, or have the proxy let it through"
        )
    if http.trailing_data[0]:  # a server waits for its client to speak first
        raise StartError(f"the proxy {proxy} says more than it was asked")


def _is_interim(event: object) -> bool:
    return isinstance(event, h11.InformationalResponse)
