"""What is kept of a task's output: its beginning, its end, and how much there was.

The agent of a worker and the server both keep it so. Whatever a task writes, it takes no more than
OUTPUT_HEAD_BYTES and OUTPUT_TAIL_BYTES.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dc import limits_executor as limits

GAP: Final = "\n… ({:,} bytes are left out here) …\n"


class Captured:
    """The output of one attempt, as far as it is kept.

    Attributes:
        head: the beginning.
        tail: the latest of what follows the head.
        total: the bytes that were written.
    """

    __slots__ = ("_tail_end", "head", "tail", "total")

    def __init__(self, head: bytes = b"", tail: bytes = b"", total: int = 0) -> None:
        self.head = bytearray(head)
        self.tail = bytearray(tail)
        self.total = total
        self._tail_end = total

    def __len__(self) -> int:
        return len(self.head) + len(self.tail)

    def add(self, start: int, data: bytes) -> None:
        """Take the bytes from `start` on; what is there of them is replaced.

        Args:
            start: beyond what came before if something was left out.
            data: the bytes.
        """
        room = limits.OUTPUT_HEAD_BYTES - start
        if start <= len(self.head) and room > 0:
            self.head[start : start + room] = data[:room]
            start, data = start + min(room, len(data)), data[room:]
        if data:
            self._add_tail(start, data)
        self.total = max(self.total, start + len(data))

    def _add_tail(self, start: int, data: bytes) -> None:
        begin = self._tail_end - len(self.tail)
        if begin <= start <= self._tail_end:
            del self.tail[start - begin :]
        else:
            self.tail.clear()
        self.tail += data[-limits.OUTPUT_TAIL_BYTES :]
        del self.tail[: -limits.OUTPUT_TAIL_BYTES]
        self._tail_end = start + len(data)

    def pieces(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield what is kept from `start` on, each piece with the place where it begins."""
        if start < len(self.head):
            yield start, bytes(self.head[start:])
        begin = self._tail_end - len(self.tail)
        if self.tail and start < self._tail_end:
            start = max(start, begin)
            yield start, bytes(self.tail[start - begin :])

    def text(self, start: int = 0) -> str:
        """Return what is kept from `start` on as text; it says where something is left out."""
        parts: list[str] = []
        at = start
        for begin, data in self.pieces(start):
            if begin > at:
                parts.append(GAP.format(begin - at))
            parts.append(data.decode("utf-8", "replace"))
            at = begin + len(data)
        if self.total > at:
            parts.append(GAP.format(self.total - at))
        return "".join(parts)

    def last(self, size: int) -> str:
        """Return the last bytes, about `size` of them, as text that begins with a line."""
        data = bytes(self.tail)
        if len(self) == self.total:
            data = bytes(self.head) + data
        whole = len(data) == self.total and len(data) <= size
        text = data[-size:].decode("utf-8", "replace")
        return text if whole else text.partition("\n")[2] or text
