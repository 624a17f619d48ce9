"""In an executor: results of other jobs, for tasks that come after them. Blocking, no Trio.

The agent names its server in the environment of its executors. A task that asks for a result has
it fetched over a connection of its own, from the task's page: few tasks do, and the others pay
nothing. A server that is away, because it restarts, is asked again for a minute.
"""

from __future__ import annotations

import http.client
import os
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
            return _fetch(server, job, number)
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() > until:
                text = f"no result of task {number} of job {job} from {server}: {error}"
                raise ConnectionLost(text) from None
            time.sleep(limits.FOLLOW_PAUSE_SECONDS)


def _fetch(server: str, job: int, number: int) -> Any:
    parts = urlsplit(server)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=limits.TRANSFER_SECONDS
    )
    try:
        about = msgspec.json.decode(_get(connection, f"/api/jobs/{job}", limits.ANSWER_BYTES))
        data = _get(connection, f"/jobs/{job}/tasks/{number}/result", limits.INPUT_BYTES)
    finally:
        connection.close()
    return data if about["result"] == "bytes" else msgspec.msgpack.decode(data)


def _get(connection: http.client.HTTPConnection, path: str, most: int) -> bytes:
    """Return what is at a path.

    Raises:
        UnknownTask: the server says that there is nothing, or it is too large.
        OSError: the server cannot be reached, or cannot answer now.
        HTTPException: the connection broke.
    """
    connection.request("GET", path)
    answer = connection.getresponse()
    data = answer.read(most + 1)
    if answer.status >= 500:
        raise ConnectionError(f"status {answer.status}")
    if answer.status != 200:
        raise UnknownTask(data[: limits.TEXT_CHARS].decode("utf-8", "replace"))
    if len(data) > most:
        raise UnknownTask(f"{path} has more than {most} bytes: read it in parts, by a client")
    return data
