"""The way to one server: its address, the connection that is open, and HTTP beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import trio
from trio.abc import Stream

from dc import limits, limits_http, limits_worker
from dc.client.connection import BROKEN, Connection
from dc.client.patience import named
from dc.client.transfers import Transfers
from dc.dial import Server, dial
from dc.errors import ConnectionLost, DcError, HttpError, ProtocolError
from dc.http_client import HttpClient
from dc.link_open import connect
from dc.messages_client import Accepted

OpenStream: TypeAlias = Callable[[], Awaitable[Stream]]

DEFAULT_URL = f"http://{limits.DEFAULT_HOST}:{limits.DEFAULT_PORT}"
SOFTWARE = "dc-python"


class Connector:
    """Opens the connection when it is needed, and again when it was lost.

    Args:
        server: where it is.
        nursery: where connections run.
        open_stream: opens a stream to the server; None for dialling it.
        headers: of each request and of the socket's: what lets in.

    Attributes:
        url: of the server.
        transfers: of large bytes, over connections of their own.
    """

    def __init__(
        self,
        server: Server,
        nursery: trio.Nursery,
        open_stream: OpenStream | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.url = server.url
        self._authority, self._headers = server.authority, headers
        self._nursery = nursery
        self._open_stream = open_stream or partial(dial, server)
        self._connecting = trio.Lock()
        self._connection: Connection | None = None
        self._http = self._new_http()
        self.transfers = Transfers(self._new_http)
        self._closed = False

    async def connection(self) -> Connection:
        """Return the open connection; open one if there is none.

        Raises:
            ConnectionLost: the server cannot be reached.
            RuntimeError: the client was closed.
        """
        connection = self._connection
        if connection is not None and not connection.is_lost and not self._closed:
            return connection
        async with self._connecting:
            if self._closed:
                raise RuntimeError("this client is closed: use it inside its with block")
            if self._connection is None or self._connection.is_lost:
                self._connection = await self._connect()
                self._nursery.start_soon(self._connection.run)
            return self._connection

    def said(self, type_name: str, version: str) -> Accepted | None:
        """Return what the server has said of a type on the connection that is open, if it has.

        May be called from any thread.
        """
        connection = self._connection
        if connection is None or connection.is_lost:
            return None
        return connection.session.said.get((type_name, version))

    @property
    def trouble(self) -> str:
        """Why the server acknowledges nothing at present, as far as it has said."""
        connection = self._connection
        return connection.session.trouble if connection and not connection.is_lost else ""

    async def download(self, path: str, to: Path, *, private: bool = False) -> int:
        """Write what is at a path to a file, `private` for this user alone; return its size."""
        try:
            return await self._http.download(path, to, private=private)
        except HttpError as error:
            raise named(error) from error

    async def get_json(self, path: str) -> Any:
        """Return the JSON at a path of the server."""
        try:
            with _bounded(limits_http.ANSWER_BYTES):
                return await self._http.get_json(path)
        except HttpError as error:
            raise named(error) from error

    async def send_json(self, method: str, path: str, value: Any = None) -> Any:
        """Send a value, if it is one, as JSON to a path of the server; return the answer's."""
        try:
            with _bounded(limits_http.ANSWER_BYTES):
                return await self._http.send_json(method, path, value)
        except HttpError as error:
            raise named(error) from error

    async def aclose(self) -> None:
        """Close what is open; later calls fail."""
        self._closed = True
        await self._http.aclose()
        await self.transfers.aclose()

    def _new_http(self) -> HttpClient:
        return HttpClient(self._open_stream, self._authority, self._headers)

    async def _connect(self) -> Connection:
        stream = None
        try:
            with trio.fail_after(limits.HELLO_SECONDS):
                stream = await self._open_stream()
                link = await connect(stream, self._authority, "/socket", self._headers)
                connection = Connection(link, SOFTWARE)
                await connection.open()
                return connection
        except BaseException as error:
            if stream is not None:
                await trio.aclose_forcefully(stream)
            if isinstance(error, (*BROKEN, trio.TooSlowError, ConnectionLost, ProtocolError)):
                raise self._unreachable(error, answered=stream is not None) from error
            raise

    def _unreachable(self, error: BaseException, *, answered: bool) -> DcError:
        if not answered:
            text = "is it running? start it with: python -m dc.server"
            if isinstance(error, trio.BrokenResourceError):  # something is there
                text = str(error)
        elif isinstance(error, trio.TooSlowError):
            text = f"it did not answer within {limits.HELLO_SECONDS:g} seconds"
        elif isinstance(error, ProtocolError):
            text = f"what answers there is no dc server of this version ({error})"
        else:
            text = f"it hung up ({error})"
        return ConnectionLost(f"cannot reach the server at {self.url}: {text}")


@contextmanager
def _bounded(size: int) -> Iterator[None]:
    """Give up an exchange of so many bytes that takes too long: its connection is dead.

    Nothing else tells when the other side is silently gone.
    """
    seconds = limits_worker.TRANSFER_SECONDS + size / limits_worker.TRANSFER_BYTES_PER_SECOND
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError:
        raise ConnectionLost(f"the server did not answer within {seconds:.0f} seconds") from None
