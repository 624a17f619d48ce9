"""What comes out of a serial port, and what is typed into it."""

from __future__ import annotations

import contextlib
import re
from typing import Final

import trio

# Colours, cursors and the like: a serial console is read as text.
CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|[\r\x00]")
CHUNK_BYTES: Final = 65536


class SerialLine:
    """A serial port, whose whole text is kept.

    Attributes:
        text: all that came so far.
    """

    def __init__(self) -> None:
        self.text = ""
        self._raw = ""
        self._stream: trio.SocketStream | None = None
        self._news = trio.Event()

    async def follow(self, stream: trio.SocketStream) -> None:
        """Read until the other side is gone."""
        self._stream = stream
        # QEMU that is killed may reset what it has not read.
        with contextlib.suppress(trio.BrokenResourceError):
            async with stream:
                await self._read(stream)

    async def _read(self, stream: trio.SocketStream) -> None:
        while data := await stream.receive_some(CHUNK_BYTES):
            self.take(data)

    def take(self, data: bytes) -> None:
        """Take bytes that came."""
        self._raw += data.decode("latin-1")
        self.text = CONTROL.sub("", self._raw)
        self._news.set()
        self._news = trio.Event()

    async def wait_for(self, pattern: str, seconds: float, since: int = 0) -> re.Match[str]:
        """Wait until something has come.

        Args:
            pattern: a regular expression.
            seconds: how long at most.
            since: where in the text to begin.

        Raises:
            AssertionError: it has not come.
        """
        look = re.compile(pattern)
        with trio.move_on_after(seconds):
            while (found := look.search(self.text, since)) is None:
                await self._news.wait()
            return found
        raise AssertionError(f"waited {seconds:g} s for {pattern!r} in:\n{self.text[since:]}")

    async def type(self, text: str) -> None:
        """Type something."""
        assert self._stream is not None
        await self._stream.send_all(text.encode())
