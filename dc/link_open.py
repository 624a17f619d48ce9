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
from typing import TYPE_CHECKING, Final

import h11
import trio

from dc import limits
from dc.errors import ConnectionLost, ProtocolError, VersionError
from dc.link import Link

if TYPE_CHECKING:
    from collections.abc import Mapping

    import trio.abc

SUBPROTOCOL: Final = "dc.v1"

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_VERSION: Final = "13"


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


async def connect(stream: trio.abc.Stream, host: str, path: str) -> Link:
    """Open a link at the client's end of a fresh stream. After an error the caller closes it.

    Args:
        stream: connected to the server; nothing was sent on it yet.
        host: for the header Host, with the port if it is not the scheme's own.
        path: what to ask for, as in `/socket`.

    Raises:
        ConnectionLost: the stream broke, or the server answered with another status than 101.
        VersionError: the server does not speak dc.v1.
        ProtocolError: what answered is no WebSocket server.
    """
    key = base64.b64encode(os.urandom(16)).decode()
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.HEAD_BYTES)
    headers = [
        ("Host", host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", _VERSION),
        ("Sec-WebSocket-Protocol", SUBPROTOCOL),
    ]
    request = http.send(h11.Request(method="GET", target=path, headers=headers))
    request += http.send(h11.EndOfMessage()) or b""
    try:
        await stream.send_all(request)
        answer = await _answer(stream, http)
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise ConnectionLost("the connection broke while the socket was being opened") from error
    except h11.RemoteProtocolError as error:
        raise ProtocolError(f"what answered does not speak HTTP: {error}") from error
    _check_answer(answer, key)
    return Link(stream, client=True, initial=http.trailing_data[0])


async def _answer(
    stream: trio.abc.ReceiveStream, http: h11.Connection
) -> h11.InformationalResponse | h11.Response:
    """Return the head that answers the request: 101, or anything that is final."""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            data = await stream.receive_some(limits.RECEIVE_BYTES)
            if not data:
                raise ConnectionLost("the server closed the connection instead of answering")
            http.receive_data(bytes(data))
        elif isinstance(event, h11.InformationalResponse | h11.Response) and (
            event.status_code == 101 or event.status_code >= 200
        ):
            return event


def _check_answer(answer: h11.InformationalResponse | h11.Response, key: str) -> None:
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
