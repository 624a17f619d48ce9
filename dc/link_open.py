"""The opening handshake of a link: how an HTTP connection becomes a WebSocket (RFC 6455, 4).

`check_upgrade` judges a request at the server, whose HTTP layer reads and answers it; `connect` is
the client's whole side. No clock here: a caller who wants to bound the time of a call puts a cancel
scope around it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import h11
import msgspec
import trio
from msgspec.structs import replace

from dc import http_head, limits, limits_http
from dc.errors import (
    ConnectionLost,
    DcError,
    NotPermitted,
    NotSignedIn,
    ProtocolError,
    VersionError,
    by_code,
)
from dc.link import Link
from dc.view_server import Problem
from dc.worker_proof import SESSION_HEADER, Challenge, Proof, read_challenge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import trio.abc

    Answer: TypeAlias = h11.InformationalResponse | h11.Response

SUBPROTOCOL: Final = "dc.v1"

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_VERSION: Final = "13"

_REFUSALS: Final = MappingProxyType({401: NotSignedIn, 403: NotPermitted})
_SAID: Final = MappingProxyType(
    {
        401: "the server lets nobody in who shows nothing: join it with a code of it (python -m dc "
        "invite, there), or sign in with a token",
        403: "the server does not permit this",
    }
)
"""What is wrong, if the server says no more than a status."""


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept that proves that a server understood this key.

    Args:
        key: the request's Sec-WebSocket-Key.
    """
    digest = hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def check_upgrade(method: str, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Judge a client's request for the socket.

    Args:
        method: of the request.
        headers: of the request, names in lower case.

    Returns:
        The headers of the answer 101.

    Raises:
        ProtocolError: the request is none; `status` is 400, or 426 for one that does not ask for
            version 13 of the WebSocket (answer it with the header `Sec-WebSocket-Version: 13`), or
            403 for one from another site's page.
    """
    if "websocket" not in _tokens(headers, "upgrade") or method != "GET":
        raise ProtocolError("this address wants a GET that upgrades to websocket", status=426)
    if "upgrade" not in _tokens(headers, "connection"):
        raise ProtocolError("the header Connection does not say Upgrade")
    if headers.get("sec-websocket-version", "").strip() != _VERSION:
        raise ProtocolError(f"only version {_VERSION} of the WebSocket is spoken", status=426)
    key = headers.get("sec-websocket-key", "").strip()
    if not _is_key(key):
        raise ProtocolError("the header Sec-WebSocket-Key is not 16 bytes in base 64")
    if SUBPROTOCOL not in _tokens(headers, "sec-websocket-protocol"):
        raise ProtocolError(f"the only subprotocol here is {SUBPROTOCOL}; the client offers none")
    check_origin(headers)
    return [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept_key(key)),
        ("Sec-WebSocket-Protocol", SUBPROTOCOL),
    ]


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuse a browser that shows a page of another site.

    Browsers let any page open a socket to any address, this computer's own included; they only tell
    where the page is from. Programs that are no browsers send neither Origin nor Sec-Fetch-Site.

    Raises:
        ProtocolError: with status 403.
    """
    if headers.get("sec-fetch-site") == "cross-site":
        raise ProtocolError("a page of another site may not do this here", status=403)
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        raise ProtocolError(f"a page of {origin} may not do this here", status=403)


def _tokens(headers: Mapping[str, str], name: str) -> list[str]:
    """Return the members of a header that is a list, in lower case."""
    return [token.strip().lower() for token in headers.get(name, "").split(",")]


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


async def connect(
    stream: trio.abc.Stream,
    host: str,
    path: str,
    headers: Sequence[tuple[str, str]] = (),
    prover: Callable[[Challenge], Proof] | None = None,
) -> Link:
    """Open a link at the client's end of a fresh stream. After an error the caller closes it.

    Args:
        stream: connected to the server; nothing was sent on it yet.
        host: for the header Host, with the port if it is not the scheme's own.
        path: what to ask for, as in `/socket`.
        headers: further ones, as what lets in.
        prover: answers the challenge of a server that wants to know whose key this is.

    Raises:
        ConnectionLost: the stream broke, or the server answered with another status than 101.
        NotSignedIn: it wants something to be shown, or does not know what was.
        NotPermitted: who that is may not do this.
        VersionError: the server does not speak dc.v1.
        ProtocolError: what answered is no WebSocket server.
    """
    asker = _Asker(stream, host, path)
    try:
        answer = await asker.ask(headers)
        challenge = _challenge(answer) if prover is not None else None
        if challenge is not None and prover is not None:
            await asker.finish()
            proof = ("Authorization", prover(challenge).header)
            answer = await asker.ask([*headers, proof])
        if answer.status_code in _REFUSALS:
            raise _refusal(answer.status_code, await asker.finish())
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise ConnectionLost("the connection broke while the socket was being opened") from error
    except h11.RemoteProtocolError as error:
        raise ProtocolError(f"what answered does not speak HTTP: {error}") from error
    _check_answer(answer, asker.key)
    session = http_head.join_headers(answer.headers).get(SESSION_HEADER.lower(), "")
    return Link(stream, client=True, initial=asker.behind, session=session)


class _Asker:
    """Asks for the socket, once or twice, over one connection."""

    def __init__(self, stream: trio.abc.Stream, host: str, path: str) -> None:
        self._stream, self._host, self._path = stream, host, path
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits_http.HEAD_BYTES)
        self.key = base64.b64encode(os.urandom(16)).decode()

    @property
    def behind(self) -> bytes:
        """What came behind the answer."""
        return self._http.trailing_data[0]

    async def ask(self, more: Sequence[tuple[str, str]]) -> Answer:
        """Send the request; return the head that answers it: 101, or anything that is final."""
        headers = [
            ("Host", self._host),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", self.key),
            ("Sec-WebSocket-Version", _VERSION),
            ("Sec-WebSocket-Protocol", SUBPROTOCOL),
            *more,
        ]
        http = self._http
        if http.their_state is h11.DONE and http.our_state is h11.DONE:
            http.start_next_cycle()
        elif http.our_state is not h11.IDLE:
            raise ConnectionLost("the server asks for a proof, and closes the connection")
        request = http.send(h11.Request(method="GET", target=self._path, headers=headers))
        await self._stream.send_all(request + (http.send(h11.EndOfMessage()) or b""))
        while True:
            event = await self._next_event()
            if isinstance(event, h11.InformationalResponse | h11.Response) and (
                event.status_code == 101 or event.status_code >= 200
            ):
                return event

    async def finish(self) -> bytes:
        """Return the body of an answer."""
        body = b""
        while not isinstance(event := await self._next_event(), h11.EndOfMessage):
            body += bytes(event.data)
            if len(body) > limits.ERROR_CHARS:
                raise ProtocolError("the server says too much instead of opening the socket")
        return body

    async def _next_event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            data = await self._stream.receive_some(limits_http.RECEIVE_BYTES)
            if not data:
                raise ConnectionLost("the server closed the connection instead of answering")
            self._http.receive_data(bytes(data))
        return event


def _challenge(answer: Answer) -> Challenge | None:
    """Return what a server wants to be signed, None if it wants nothing of the kind."""
    if answer.status_code != 401:
        return None
    headers = http_head.join_headers(answer.headers)
    challenge = read_challenge(headers.get("www-authenticate", ""))
    return challenge and replace(challenge, date=headers.get("date", ""))


def _refusal(status: int, body: bytes) -> DcError:
    """Return the error that a server has named, or else the one that its status says."""
    try:
        said = msgspec.json.decode(body, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _REFUSALS[status](_SAID[status])
    return by_code(said.code, said.detail)


def _check_answer(answer: Answer, key: str) -> None:
    """Judge the server's answer to the upgrade."""
    status = answer.status_code
    if status == 426:
        raise VersionError("the server asks for another version of the protocol: update one side")
    if status != 101:
        said = f"{status} {answer.reason.decode('latin-1')}".strip()
        raise ConnectionLost(f"the server answered {said} instead of opening the socket")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    if "websocket" not in _tokens(headers, "upgrade"):
        raise ProtocolError("the server switched to another protocol than websocket")
    if "upgrade" not in _tokens(headers, "connection"):
        raise ProtocolError("the server's answer has no Connection: Upgrade")
    if headers.get("sec-websocket-accept") != accept_key(key):
        raise ProtocolError("the server's answer does not belong to our key")
    if "sec-websocket-extensions" in headers:
        raise ProtocolError("the server uses an extension that was not asked for")
    if headers.get("sec-websocket-protocol") != SUBPROTOCOL:
        raise VersionError(f"the server does not speak {SUBPROTOCOL}: update the older side")
