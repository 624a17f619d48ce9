"""What the tasks of an executor write: noticed, and marked, in the executor itself.

Output and error are one pipe, which the agent reads. Whether a task has written anything is known
without a system call in most cases: Python's own streams note that they were used, and the agent
counts on the shared page what it has read. Only after a task that was not quite short is the pipe
itself asked for what is in it. See dc/output_marks.py.

What past Python's streams is written by a task of less than OUTPUT_UNNOTICED_SECONDS may be taken
for that of one shortly after it.
"""

from __future__ import annotations

import array
import contextlib
import faulthandler
import io
import os
import sys
from typing import Any, Final, TypeAlias

from dc import limits_executor as limits
from dc.output_marks import encode_mark
from dc.pipe import NOBODY

if sys.platform == "linux":
    import fcntl
    import termios

Page: TypeAlias = "list[int] | memoryview[int]"
READ: Final = 1
"""The place on the page of the bytes that the agent has read."""


class Noticing(io.BufferedWriter):
    """A stream that notes that it was written to.

    Args:
        raw: where to.
        used: its first element is set to True.
    """

    def __init__(self, raw: io.FileIO, used: list[bool]) -> None:
        super().__init__(raw)
        self._used = used

    def write(self, data: Any, /) -> int:
        """Write bytes."""
        self._used[0] = True
        return super().write(data)


class Lasting(io.TextIOWrapper):
    """A stream that a task cannot close: the next one writes to it, too."""

    def close(self) -> None:
        """Write what is in its buffer."""
        self.flush()


class Capture:
    """The output of one executor, from its inside.

    Args:
        token: of its marks; empty where nobody reads them.
        page: shared with the agent.
        descriptor: of the pipe.
    """

    def __init__(self, token: bytes, page: Page, descriptor: int = 2) -> None:
        self._token = token
        self._page = page
        self._pipe = os.dup(descriptor)
        self._seen = 0
        self._used = [False]
        self._streams: list[Noticing] = []

    def watch(self) -> None:
        """Take Python's streams over; from now on what is written is noticed."""
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            stream = Noticing(io.FileIO(descriptor, "w", closefd=False), self._used)
            self._streams.append(stream)
            text = Lasting(
                stream,
                encoding="utf-8",
                errors="backslashreplace",
                line_buffering=True,
                write_through=True,
            )
            setattr(sys, name, text)
            setattr(sys, f"__{name}__", text)
        faulthandler.enable()

    def is_due(self, elapsed: float) -> bool:
        """Whether a task that ran for so many seconds has written something, or may have."""
        if self._used[0] or self._page[READ] > self._seen:
            return True
        return elapsed >= limits.OUTPUT_UNNOTICED_SECONDS and self._written() > self._seen

    def mark(self, job: int, number: int, attempt: int) -> None:
        """End the output of an attempt. Blocks until the agent has read enough of it."""
        self._used[0] = False
        for stream in self._streams:
            with contextlib.suppress(OSError, ValueError):  # a task may have closed it
                stream.flush()
        if self._token:
            with contextlib.suppress(OSError):
                if sys.platform != "win32":
                    os.set_blocking(self._pipe, True)  # some programs leave it otherwise
                os.write(self._pipe, encode_mark(self._token, job, number, attempt))
        self._seen = self._written()

    def between(self) -> None:
        """Have what was written outside of tasks be nobody's."""
        if self.is_due(limits.OUTPUT_UNNOTICED_SECONDS):
            self.mark(*NOBODY)

    def _written(self) -> int:
        """Return how many bytes have gone into the pipe, or more where that cannot be known."""
        if sys.platform == "linux":
            waiting = array.array("i", [0])
            try:
                fcntl.ioctl(self._pipe, termios.FIONREAD, waiting)
            except OSError:  # no pipe
                return self._seen
            return self._page[READ] + waiting[0]
        return sys.maxsize if self._token else self._seen
