"""One GET over a plain socket, blocking: for executors, which have no Trio, and speak no TLS.

Where the server wants TLS or a proof, the agent passes their requests on (dc/worker/relay.py).
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Mapping
from typing import Final, Self
from urllib.parse import urlsplit

from dc import limits_http, limits_worker
from dc.errors import UnknownTask

UNIX: Final = "unix:"
_NONE: Final[Mapping[str, str]] = {}


class Answer:
    """The answer to a GET, whose body has not been read. Use as a context manager.

    Args:
        server: its address, as http://HOST:PORT, or http://:SECRET@HOST:PORT of an agent that wants
            one, or unix:PATH of an agent's socket.
        path: which begins with a slash.
        headers: further ones.

    Attributes:
        status: of the answer.
        size: of its body in bytes.
        whole: what is at the path, in bytes, of which the body may be a part.

    Raises:
        ConnectionError: the server cannot be reached, or the connection broke, or this is no HTTP.
        TimeoutError: it does not answer.
    """

    def __init__(self, server: str, path: str, headers: Mapping[str, str] = _NONE) -> None:
        parts = urlsplit(server)
        self._path = path
        try:
            self._socket = _connected(server)
        except socket.gaierror as error:
            raise ConnectionError(str(error)) from error
        except OSError as error:
            raise ConnectionError(error.strerror or str(error)) from error
        try:
            more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            if parts.password:
                more += f"Authorization: Bearer {parts.password}\r\n"
            host = parts.netloc.rpartition("@")[2] or "localhost"
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"
            self._socket.sendall(head.encode())
            self._read_head()
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def _read_head(self) -> None:
        received = bytearray()
        while b"\r\n\r\n" not in received:
            piece = self._socket.recv(limits_http.RECEIVE_BYTES)
            if not piece or len(received) > limits_http.HEAD_BYTES + limits_http.RECEIVE_BYTES:
                raise ConnectionError("the connection broke")
            received += piece
        head, _, self._rest = bytes(received).partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        pairs = (field.partition(":") for field in fields)
        self._fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
        code, length = line.split(" ")[1:2], self._fields.get("content-length", "")
        if not code or not code[0].isdigit() or not length.isdigit():
            raise ConnectionError(f"no answer that can be used: {line[:80]}")
        self.status, self.size = int(code[0]), int(length)
        whole = self._fields.get("content-range", "").rpartition("/")[2]
        self.whole = int(whole) if whole.isdecimal() else self.size

    @property
    def digest(self) -> bytes | None:
        """The SHA-256 of what is at the path, if its ETag says it."""
        tag = self._fields.get("etag", "").strip('"')
        try:
            digest = bytes.fromhex(tag)
        except ValueError:
            return None
        return digest if len(digest) == 32 else None

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body, piece by piece.

        Raises:
            ConnectionError: the connection broke before its end.
            TimeoutError: nothing came for limits_worker.TRANSFER_SECONDS.
        """
        left = self.size
        piece = self._rest[:left]
        while left:
            piece = piece or self._socket.recv(min(left, limits_http.RECEIVE_BYTES))
            if not piece:
                raise ConnectionError("the connection broke")
            left -= len(piece)
            yield piece
            piece = b""

    def read(self, most: int) -> bytes:
        """Return the whole body; raises as iterating does.

        Raises:
            UnknownTask: it has more than `most` bytes.
        """
        if self.size > most:
            raise UnknownTask(f"{self._path} has more than {most} bytes")
        return b"".join(self)


def _connected(server: str) -> socket.socket:
    if sys.platform != "win32" and server.startswith(UNIX):
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        found.settimeout(limits_worker.TRANSFER_SECONDS)
        try:
            found.connect(server.removeprefix(UNIX))
        except BaseException:
            found.close()
            raise
        return found
    parts = urlsplit(server)
    where = parts.hostname or "", parts.port or 80
    return socket.create_connection(where, limits_worker.TRANSFER_SECONDS)
