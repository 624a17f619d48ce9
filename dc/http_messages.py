"""A request, its answer, and what a handler returns instead to leave HTTP. No IO is done here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

import h11
import msgspec

from dc import http_conditions, http_head, limits, limits_http
from dc.errors import ProtocolError
from dc.http_patched import Patched
from dc.roles import LOCAL, Principal
from dc.view_server import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping


class Reader(Protocol):
    """Reads the body of the request in hand."""

    async def next_piece(self, request: Request) -> bytes:
        """Return the next piece, empty at the end."""

    async def move_to(self, request: Request, sink: Callable[[memoryview], object]) -> int:
        """Give more of it to a sink, in a thread; return how many bytes, 0 at the end."""


class Request:
    """A request whose head has arrived; its body is read on demand, once.

    Attributes:
        method: as sent; whoever answers says which it takes.
        target: as sent.
        path: percent-decoded, without the query.
        query: percent-decoded; of equal names the last.
        headers: by lower-cased name; values of one name are joined by a comma.
        content_length: of the body, in bytes; None if the client sends it in chunks.
        principal: who asks, as whoever answers has found out; else somebody of this computer.
        address: where it came from, without the port; empty where that is not known.
        shown: the target as it may stand in a log: whoever answers takes out what is secret.

    Args:
        reader: of this request's body.
        method: as sent.
        target: as sent.
        version: `1.0` or `1.1`.
        pairs: the headers, as sent.

    Raises:
        ProtocolError: the head is against the rules of `http_head`.
    """

    __slots__ = (
        "_reader",
        "address",
        "content_length",
        "headers",
        "method",
        "path",
        "principal",
        "query",
        "shown",
        "target",
    )

    def __init__(
        self,
        reader: Reader,
        method: str,
        target: str,
        version: str,
        pairs: Iterable[tuple[bytes, bytes]],
    ) -> None:
        self._reader = reader
        self.method = method
        self.target = self.shown = target
        self.principal: Principal = LOCAL
        self.address = ""
        self.headers = http_head.join_headers(pairs)
        http_head.check_fields(method, version, self.headers)
        authority, self.path, self.query = http_head.split_target(method, target)
        if authority:  # it then counts in place of Host (RFC 9112, 3.2.2)
            self.headers["host"] = authority
        chunked = "transfer-encoding" in self.headers
        length = int(self.headers.get("content-length", 0))
        self.content_length: int | None = None if chunked else length

    @property
    def segments(self) -> list[str]:
        """The path cut at its slashes, each part percent-decoded by itself."""
        return http_head.path_segments(self.target)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The fields of the query, percent-decoded, in their order; names may be repeated."""
        return http_head.query_pairs(self.target)

    def stream(self) -> AsyncIterator[bytes]:
        """Return the body's pieces, as they arrive, none above 64 KiB.

        Raises:
            ProtocolError: 400 for a malformed or broken off body, 408 for one that stalls.
            ConnectionLost: the connection broke.
        """
        return _Pieces(self)

    async def next_piece(self) -> bytes:
        """Return the next piece of the body, empty at its end. Raises as `stream` does."""
        return await self._reader.next_piece(self)

    async def move_to(self, sink: Callable[[memoryview], object]) -> int:
        """Give more of the body to a sink, in a thread; raises as `stream` and as the sink does.

        Args:
            sink: takes bytes that are gone when it returns.

        Returns:
            How many bytes; 0 at the body's end.
        """
        return await self._reader.move_to(self, sink)

    async def body(self, limit: int) -> bytes:
        """Return the whole body.

        Args:
            limit: in bytes.

        Raises:
            ProtocolError: 413 above the limit; else as `stream` does.
            ConnectionLost: the connection broke.
        """
        pieces, total = [], self.content_length or 0
        if total <= limit:
            total = 0
            async for piece in self.stream():
                pieces.append(piece)
                total += len(piece)
                if total > limit:
                    break
        if total > limit:
            raise ProtocolError(f"a body above {limit} bytes", status=413)
        return b"".join(pieces)


class _Pieces:
    """The pieces of a request's body; no generator, so it may be left at any time."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def __aiter__(self) -> _Pieces:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._request.next_piece()
        if not piece:
            raise StopAsyncIteration
        return piece


@dataclass(slots=True)
class Response:
    """An answer.

    Attributes:
        status: the HTTP status.
        body: bytes; or a file, sent in pieces, of which the client may ask for a range; or an
            iterable of pieces, sent in chunks. A file that is not there is answered 404.
        content_type: of the body.
        headers: further ones. Length, range, date and connection are the server's business.
        etag: names the body's content, a strong entity tag without its quotes; conditions of the
            request are held against it. Only of what is there for good, or as long as it is named.
        patience: how many seconds each piece may take to be sent.
    """

    status: int = 200
    body: bytes | Path | Patched | AsyncIterable[bytes] = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: list[tuple[str, str]] = field(default_factory=list)
    etag: str = ""
    patience: float = limits_http.SEND_SECONDS

    @property
    def reason(self) -> str:
        """The phrase behind the status, empty for a status without one."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return ""

    def under(self, headers: dict[str, str]) -> Response:
        """Return this answer under the conditions of a request: as it is, or as 304 or 412."""
        named = replace(self, headers=[*self.headers, ("ETag", f'"{self.etag}"')])
        status = http_conditions.status(headers, self.etag) if self.status == 200 else self.status
        if status == 304:
            return replace(named, status=304, body=b"", etag="")
        if status == 412:
            text = "what is there is not what If-Match names"
            return problem_of(412, "precondition", text)
        return named

    def cut(self, headers: dict[str, str], size: int) -> tuple[Response, int, int]:
        """Return this answer for the part that a request wants: as it is, or as 206 or 416.

        Args:
            headers: of the request.
            size: of the whole body, in bytes.

        Returns:
            The answer, and the first byte to send and the one behind the last.
        """
        more, wanted = [("Accept-Ranges", "bytes")], None
        stands = self.status == 200 and http_conditions.range_stands(headers, self.etag)
        if stands and "range" in headers:
            wanted = http_head.byte_range(headers["range"], size)
        if wanted is None:
            return replace(self, headers=self.headers + more), 0, size
        start, stop = wanted
        span = f"{start}-{stop - 1}" if start < stop else "*"
        more.append(("Content-Range", f"bytes {span}/{size}"))
        status = 206 if start < stop else 416
        return replace(self, status=status, headers=self.headers + more), start, stop

    @classmethod
    def text(cls, status: int, text: str) -> Response:
        """Return an answer in plain text."""
        return cls(status, text.encode())

    @classmethod
    def html(cls, text: str, status: int = 200) -> Response:
        """Return a page."""
        return cls(status, text.encode(), "text/html; charset=utf-8")

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Response:
        """Return a value that msgspec can encode, as JSON."""
        return cls(status, msgspec.json.encode(value), "application/json")


@dataclass(slots=True)
class Upgrade:
    """What a handler returns to leave HTTP: 101 is sent with these headers.

    Attributes:
        headers: of the 101 answer, `Upgrade` and `Connection` among them.
        state: the handler's own; it goes to `on_upgrade`.
    """

    headers: list[tuple[str, str]]
    state: object = None


def interim(status: int, headers: list[tuple[str, str]]) -> h11.InformationalResponse:
    """Return the head of an answer that is none yet, 100 or 101."""
    reason = Response(status).reason
    return h11.InformationalResponse(status_code=status, headers=headers, reason=reason)


CODES: Final[Mapping[int, str]] = MappingProxyType(
    {408: "timeout", 413: "too_large", 414: "too_long"}
)
"""Codes of problems with what is no request; of any other status it is `request`."""


REFUSAL_HEADERS: Final = (
    ("Content-Security-Policy", "default-src 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
)
"""Of an answer to what is no request: nothing in it is to be run, guessed at or kept."""


def refusal(error: ProtocolError) -> tuple[Response, bytes]:
    """Return the answer to what is no request, and its body: the error as in RFC 9457."""
    text = " ".join(str(error).split())[: limits.TEXT_CHARS]
    response = problem_of(error.status, CODES.get(error.status, "request"), text)
    response.headers += REFUSAL_HEADERS
    assert isinstance(response.body, bytes)
    return response, response.body


def problem_of(status: int, code: str, text: str) -> Response:
    """Return an answer that says what is wrong, as in RFC 9457."""
    response = Response(status, content_type="application/problem+json")
    said = Problem(type="about:blank", title=response.reason, status=status, detail=text, code=code)
    response.body = msgspec.json.encode(said)
    return response
