"""In an executor: results of other jobs, for tasks that come after them. Blocking, no Trio.

The agent names its server in the environment of its executors. A task that asks for a result has
it fetched over a connection of its own, from the task's page: few tasks do, and the others pay
nothing, not even for importing an HTTP library. A server that is away, because it restarts, is
asked again for a minute.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from dc import limits
from dc.errors import ConnectionLost, UnknownTask

SERVER_VARIABLE: Final = "DC_WORKER_SERVER"
"""Where the agent's server is, for its executors."""


def fetch_result(job: int, number: int) -> Any:
    """Return the result of a task of another job: bytes as they are, any other value plain.

    Raises:
        UnknownTask: there is no such task, or it has no result.
        ConnectionLost: the server could not be reached for limits.FOLLOW_SECONDS.
    """
    server = os.environ.get(SERVER_VARIABLE, "")
    until = time.monotonic() + limits.FOLLOW_SECONDS
    while True:
        try:
            about = msgspec.json.decode(get(server, f"/api/jobs/{job}", limits.ANSWER_BYTES))
            data = get(server, f"/jobs/{job}/tasks/{number}/result", limits.INPUT_BYTES)
            return data if about["result"] == "bytes" else msgspec.msgpack.decode(data)
        except OSError as error:
            if time.monotonic() > until:
                text = f"no result of task {number} of job {job} from {server}: {error}"
                raise ConnectionLost(text) from None
            time.sleep(limits.FOLLOW_PAUSE_SECONDS)


def get(server: str, path: str, most: int) -> bytes:
    """Return what is at a path of a server.

    Args:
        server: its address, as http://HOST:PORT.
        path: which begins with a slash.
        most: bytes that are taken.

    Raises:
        UnknownTask: the server says that there is nothing, or it is too large.
        OSError: the server cannot be reached, or cannot answer now, or the connection broke.
    """
    parts = urlsplit(server)
    where = parts.hostname or "", parts.port or 80
    with socket.create_connection(where, limits.TRANSFER_SECONDS) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        received = bytearray()
        while len(received) <= most + limits.HEAD_BYTES:
            piece = connection.recv(limits.RECEIVE_BYTES)
            if not piece:
                break
            received += piece
    return _body(bytes(received), path, most)


def _body(received: bytes, path: str, most: int) -> bytes:
    """Return the body of an answer; raises as `get`."""
    head, end, body = received.partition(b"\r\n\r\n")
    status, *fields = head.split(b"\r\n")
    pairs = (field.partition(b":") for field in fields)
    lengths = [value for name, _, value in pairs if name.lower() == b"content-length"]
    length = int(lengths[0]) if end and lengths else -1
    if length > most:
        raise UnknownTask(f"{path} has more than {most} bytes: read it in parts, by a client")
    code = status.split(b" ")[1:2]
    if not end or len(body) != length or not code or code[0][:1] == b"5":
        raise ConnectionError(status.decode("latin-1") or "the connection broke")
    if code[0] != b"200":
        raise UnknownTask(body[: limits.TEXT_CHARS].decode("utf-8", "replace"))
    return body
