"""HTTP/1.1 for a server, over any Trio stream: serves a connection, whatever comes over it.

What the client did wrong is a ProtocolError with a status; it is answered and the connection
closed. A broken stream is ConnectionLost; nobody is left to be answered.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

from dc.errors import ConnectionLost, ProtocolError
from dc.http_connection import HttpConnection
from dc.http_messages import Request, Response, Upgrade

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trio.abc import Stream

    Handler = Callable[[Request], Awaitable[Response | Upgrade]]
    OnUpgrade = Callable[[Upgrade, Stream, bytes], Awaitable[None]]

__all__ = ["HttpConnection", "Request", "Response", "Upgrade", "serve", "serve_requests"]

log: Final = logging.getLogger("dc.http")


async def serve(stream: Stream, handler: Handler, on_upgrade: OnUpgrade) -> None:
    """Serve one connection to its end, and close it. Nothing a client does raises out of here.

    Args:
        stream: the connection.
        handler: called with each request. Its ProtocolError is answered with the error's status,
            any other exception with 500; both close the connection.
        on_upgrade: called with what `serve_requests` returns; then the stream is closed.
    """
    upgraded = await serve_requests(stream, handler)
    if upgraded is None:
        return
    try:
        await on_upgrade(upgraded[0], stream, upgraded[1])
        await HttpConnection(stream).finish()
    except Exception:
        log.exception("an upgraded connection failed")
    finally:
        await trio.aclose_forcefully(stream)


async def serve_requests(stream: Stream, handler: Handler) -> tuple[Upgrade, bytes] | None:
    """Serve one connection until it ends, and close it; then return None. Or until it is upgraded:
    return what the handler did, and the bytes received behind the request; the stream is open.
    """
    connection = HttpConnection(stream)
    upgraded = None
    try:
        while not connection.closing:
            try:
                upgraded = await _serve_one(connection, handler)
            except ProtocolError as error:
                await connection.refuse(error)
        if upgraded is None:
            await connection.finish()
    except ConnectionLost as error:
        log.debug("%s", error)
    finally:
        if upgraded is None:
            await trio.aclose_forcefully(stream)
    return upgraded


async def _serve_one(connection: HttpConnection, handler: Handler) -> tuple[Upgrade, bytes] | None:
    request = await connection.next_request()
    if request is None:
        connection.closing = True
        return None
    try:
        answer = await handler(request)
        if isinstance(answer, Upgrade):
            return answer, await connection.upgrade(answer.headers)
        await connection.respond(answer)
    except ProtocolError:
        raise
    except Exception as error:
        if connection.lost and isinstance(error, ConnectionLost):
            raise
        log.exception("%s %r failed", request.method, request.shown)
        await connection.refuse(ProtocolError("the server failed; its log says why", status=500))
    return None
