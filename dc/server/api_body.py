"""Reads the body of a request of the API, which is JSON."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from dc import limits_http as limits
from dc.errors import ProtocolError
from dc.http import Request
from dc.server.problems import BadRequest

T = TypeVar("T")

JSON: Final = "application/json"


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
    if data and media_type(request) != JSON:
        raise BadRequest("media_type", f"send JSON, with Content-Type: {JSON}")
    try:
        return msgspec.json.decode(data or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("body", f"the body: {error}") from None


def media_type(request: Request) -> str:
    """Return of what type a request says that its body is, in lower case, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _bytes(request: Request) -> bytes:
    try:
        return await request.body(limits.COMMAND_BYTES)
    except ProtocolError as error:
        if error.status != 413:
            raise
        raise BadRequest("too_large", f"{error}; this path takes less") from None
