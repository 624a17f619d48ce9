"""Marks in the output of an executor, which say what of it belongs to which task.

What tasks write goes through one pipe per executor. Behind the output of a task that wrote
something, and before the next task runs, the executor writes a mark: a token that the agent has
chosen for this process at random, then the job, the number and the attempt. A mark is so short that
a pipe takes it whole, so what other processes write never comes in between.

A task that wrote nothing costs no mark, and no system call to find that out: the agent counts the
bytes that it has read on the page that both share.
"""

from __future__ import annotations

import struct
from typing import Final

from dc.pipe import Wrote

TOKEN_BYTES: Final = 16
_TASK: Final = struct.Struct("!QQQ")
MARK_BYTES: Final = TOKEN_BYTES + _TASK.size


def encode_mark(token: bytes, job: int, number: int, attempt: int) -> bytes:
    """Return the mark that ends the output of an attempt."""
    return token + _TASK.pack(job, number, attempt)


class Splitter:
    """Cuts the output of an executor at its marks. Bytes go in as they come.

    Args:
        token: of this executor.
    """

    def __init__(self, token: bytes) -> None:
        self._token = token
        self._rest = b""

    def feed(self, data: bytes | bytearray) -> list[Wrote]:
        """Take further bytes; return what they make known."""
        token, data = self._token, self._rest + data
        found: list[Wrote] = []
        start = 0
        while (at := data.find(token, start)) >= 0 and len(data) - at >= MARK_BYTES:
            owner = _TASK.unpack_from(data, at + TOKEN_BYTES)
            found.append(Wrote(data[start:at], owner))
            start = at + MARK_BYTES
        end = at if at >= 0 else len(data) - self._begun(data[start:])
        if end > start:
            found.append(Wrote(data[start:end]))
        self._rest = data[end:]
        return found

    def _begun(self, data: bytes) -> int:
        """Return how many of the last bytes may be the beginning of a token."""
        for size in range(min(TOKEN_BYTES - 1, len(data)), 0, -1):
            if self._token.startswith(data[-size:]):
                return size
        return 0

    def end(self) -> list[Wrote]:
        """Return what was held back: no more will come."""
        rest, self._rest = self._rest, b""
        return [Wrote(rest)] if rest else []
