"""HTTP/1.1 for a client, over any Trio stream: one kept-alive connection to one server.

How it works:
- `HttpClient` has at most one connection, and one exchange on it at a time. An exchange that fails
  or is cancelled drops the connection; the next one opens another.
- A server may close an idle connection just when a request is on its way. If a used connection
  ends before any byte of the answer, the request is made once more on a new one. GET and PUT may
  be repeated; a POST may not, and therefore always gets a new connection.
- A server may refuse a body before it has all of it, and close. So when sending fails, the answer
  that may have arrived is still read.
- Bodies pass by h11, see dc/http_body.py, unless they come in chunks; files are read and written
  by threads. An h11 connection serves one exchange. No timeouts: they are the caller's.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import msgspec
import trio

from dc import http_body
from dc import limits_http as limits
from dc.errors import ConnectionLost, HttpError, ProtocolError
from dc.http_client_connection import Asked, ClientConnection, Source, Told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Container, Sequence

    from trio.abc import Stream

    Headers = list[tuple[str, str]]

_BINARY: Final[int] = getattr(os, "O_BINARY", 0)
"""Where files are text if nobody says otherwise."""


class HttpClient:
    """A client of one server. Its methods may be called by several tasks; they take turns.

    All of them raise HttpError for an answer other than success, ConnectionLost for a connection
    that cannot be made or broke, and ProtocolError for an answer that is no HTTP or too large.

    Args:
        open_stream: opens a connection to the server.
        host: for the Host header: the server's name, and its port unless it is the usual one.
        headers: sent with each request, as what lets in; looked at for each anew, so whoever has
            made the list may change it.

    Attributes:
        host: as given.
    """

    def __init__(
        self,
        open_stream: Callable[[], Awaitable[Stream]],
        host: str,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._open_stream = open_stream
        self.host = host
        self._headers = headers
        self._lock = trio.Lock()
        self._connection: ClientConnection | None = None

    async def get(self, path: str, limit: int = limits.ANSWER_BYTES) -> bytes:
        """Return what is at a path, an encoded path with its query; at most `limit` bytes."""
        async with self.exchange("GET", path) as answer:
            return await answer.body(limit)

    async def download_bytes(self, path: str, limit: int) -> bytes:
        """Return what is at a path, at most `limit` bytes."""
        return await self.get(path, limit)

    async def get_json(self, path: str, limit: int = limits.ANSWER_BYTES) -> Any:
        """Return the JSON at a path, decoded."""
        return _from_json(await self.get(path, limit))

    async def send_json(
        self, method: str, path: str, value: Any = None, limit: int = limits.ANSWER_BYTES
    ) -> Any:
        """Send a value as JSON, None as no body; return the answer's, None if that is empty.

        It is never sent twice: whoever does not hear the answer knows best what to do.
        """
        body = b"" if value is None else msgspec.json.encode(value)
        headers = [("Content-Type", "application/json")] if body else []
        async with self.exchange(method, path, headers, body) as answer:
            data = await answer.body(limit)
        return _from_json(data) if data else None

    async def download(self, path: str, to: Path, *, private: bool = False) -> int:
        """Write what is at a path to a file, and return its size in bytes.

        The file is complete or absent: the bytes go to a file beside it, with `.part` behind the
        name, which then takes its place. It is not flushed to the disk.

        Args:
            path: an encoded path with its query.
            to: the file.
            private: whether this user alone may read it.

        Raises:
            OSError: the file cannot be written.
        """
        part = to.with_name(f"{to.name}.part")
        async with self.exchange("GET", path) as answer:
            file = await trio.to_thread.run_sync(_create, part, 0o600 if private else 0o666)
            try:
                with file:
                    size = await _write_all(file, answer)
                part.replace(to)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        return size

    async def upload(self, path: str, source: Path | bytes, headers: Headers | None = None) -> None:
        """Put a file or bytes at a path.

        Args:
            path: an encoded path with its query.
            source: what to send; a file must not change meanwhile.
            headers: further ones, such as a digest.

        Raises:
            OSError: the file cannot be read, or became shorter.
        """
        async with self.exchange("PUT", path, headers, source) as answer:
            await answer.body(limits.ANSWER_BYTES)

    async def aclose(self) -> None:
        """Close the connection. An exchange on it fails; a later one opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await trio.aclose_forcefully(connection.stream)

    @asynccontextmanager
    async def exchange(
        self,
        method: str,
        path: str,
        headers: Headers | None = None,
        source: Source = b"",
        *,
        start: int = 0,
        told: Told | None = None,
        accepted: Container[int] = (),
    ) -> AsyncIterator[ClientConnection]:
        """Make a request; within the block its answer may be read.

        Args:
            method: as it is sent.
            path: an encoded path with its query.
            headers: further ones; host and length are the client's business.
            source: its body: a file, bytes, or pieces that are sent in chunks.
            start: the first byte of a file or of bytes that is sent.
            told: is told how many bytes of a file or of bytes have been sent by now, from 0 on.
            accepted: statuses other than success that are no HttpError.
        """
        all_headers = [*self._headers, *(headers or [])]
        asked = Asked(method, path, all_headers, source, start, told)
        async with self._lock:
            try:
                connection = await self._ask(asked)
                await connection.raise_for_status(accepted)
                yield connection
                if not connection.can_go_on():
                    await self.aclose()
            except HttpError:
                if self._connection is None or not self._connection.can_go_on():
                    await self.aclose()
                raise
            except BaseException:
                await self.aclose()
                raise

    async def _ask(self, asked: Asked) -> ClientConnection:
        if not asked.may_repeat:
            await self.aclose()
        if (used := self._connection) is not None:
            try:
                await used.ask(asked)
                return used
            except ConnectionLost:
                if used.heard or self._connection is not used:  # answered, or closed by aclose
                    raise
                await self.aclose()
        self._connection = fresh = await self._connect()
        await fresh.ask(asked)
        return fresh

    async def _connect(self) -> ClientConnection:
        try:
            return ClientConnection(await self._open_stream(), self.host)
        except (OSError, *http_body.CLOSED) as error:
            raise ConnectionLost(f"cannot connect to {self.host}: {error}") from error


async def _write_all(file: BinaryIO, answer: ClientConnection) -> int:
    """Write the body of an answer to a file, in few large pieces; return its size in bytes."""
    if not answer.is_framed:
        raise ProtocolError("the server's answer has no length; it cannot be known to be whole")
    size = 0
    while got := await answer.move_to(file.write):
        size += got
    return size


def _create(path: Path, mode: int) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, mode), "wb")


def _from_json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"the server's answer is no JSON: {error}") from error
