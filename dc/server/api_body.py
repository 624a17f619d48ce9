"""Reads what a request of the API carries: parameters of its query, and a body of JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import msgspec

from dc import limits
from dc.errors import ProtocolError
from dc.http import Request

T = TypeVar("T")

Answer: TypeAlias = Callable[[], Awaitable[object]]
"""Does what one method of a path asks for; gives what goes out as JSON."""

JSON = "application/json"


class BadRequest(Exception):
    """What a request carries cannot be taken: the caller's fault.

    Args:
        code: `query` or `body`.
        text: what is wrong, for the caller.
        status: the HTTP status to answer with.
    """

    def __init__(self, code: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code = code
        self.status = status


def parameter(request: Request, name: str, default: int) -> int:
    """Return a number of the query.

    Raises:
        BadRequest: it is none, or out of range.
    """
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise BadRequest("query", f"{name}={text[:40]!r} is not a number")
    return int(text)


async def read_body(request: Request, kind: type[T]) -> T:
    """Return the body of a request; no body is the same as `{}`.

    Args:
        request: whose body has not been read.
        kind: a Struct with `forbid_unknown_fields`, so that a slip of the pen is told.

    Raises:
        BadRequest: 400 it is not what this path takes, 413 it is too large, 415 it is not said to
            be JSON: a page of another site can send any other without asking.
        ProtocolError: it is malformed or broken off.
    """
    data = await _bytes(request)
    if data and request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise BadRequest("body", f"send JSON, with Content-Type: {JSON}", 415)
    try:
        return msgspec.json.decode(data or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("body", f"the body: {error}") from None


async def _bytes(request: Request) -> bytes:
    try:
        return await request.body(limits.COMMAND_BYTES)
    except ProtocolError as error:
        if error.status != 413:
            raise
        raise BadRequest("body", f"{error}; this path takes less", 413) from None
