"""How an executor that was started before it was known how is told its command line."""

from __future__ import annotations

import os
import sys

import msgspec

from dc.pipe import Begin
from dc.pipe_frames import HEAD_BYTES, body_size


def wait_for_words(descriptor: int = 0) -> list[str]:
    """Wait for `Begin` on the pipe; set the environment, and return the command line.

    It reads no byte too much: what comes behind is read as by any other executor.

    Raises:
        SystemExit: the agent is gone.
        DecodeError: it has sent something else.
    """
    if sys.platform == "win32":
        return []
    size = body_size(_read(descriptor, HEAD_BYTES))
    begin = msgspec.msgpack.decode(_read(descriptor, size), type=Begin)
    os.environb.clear()
    os.environb.update(dict(_pair(one) for one in begin.environment))
    return [os.fsdecode(word) for word in begin.arguments]


def _pair(text: bytes) -> tuple[bytes, bytes]:
    name, _, value = text.partition(b"=")
    return name, value


def _read(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.read(descriptor, size - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data
