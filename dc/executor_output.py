"""The pipe by which an agent gets what its executor and its tasks write to output and error.

It is always read, however much comes, so that no task ever waits for it. How many bytes were read
is written to the page that the executor shares.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from typing import Protocol

import trio

from dc import limits_executor, limits_http
from dc.output_marks import Splitter
from dc.pipe import Wrote

if sys.platform == "win32":
    FdStream = ()
else:
    from trio.lowlevel import FdStream


class Page(Protocol):
    """The memory that agent and executor share."""

    def __setitem__(self, where: slice, data: bytes) -> None: ...


class OutputPipe:
    """The reading end.

    Args:
        stream: of the bytes.
        token: of the executor's marks.
        page: where the count of bytes read goes.
        place: from where to where on the page.
    """

    def __init__(
        self, stream: trio.abc.ReceiveStream, token: bytes, page: Page, place: slice
    ) -> None:
        self._stream = stream
        self._descriptor: int | None = stream.fileno() if isinstance(stream, FdStream) else None
        self._splitter = Splitter(token)
        self._page = page
        self._place = place
        self._count = 0
        self._found: deque[Wrote] = deque()
        self._ended = False

    async def receive(self) -> Wrote | None:
        """Return what was written next; None when nobody is left to write. May be cancelled."""
        while not self._found:
            if self._ended:
                return None
            self._take(await self._some())
        return self._found.popleft()

    async def _some(self) -> bytes | bytearray:
        try:
            return await self._stream.receive_some(limits_http.RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    def at_hand(self, most: int = limits_executor.OUTPUT_DRAIN_BYTES) -> Wrote | None:
        """Return what was written next if it is there already, without waiting.

        Args:
            most: so many bytes are read in search of it.
        """
        if not self._found and not self._ended and self._descriptor is not None:
            self._read_now(most)
        return self._found.popleft() if self._found else None

    def _read_now(self, most: int) -> None:
        assert self._descriptor is not None
        while most > 0 and not self._found:
            try:
                data = os.read(self._descriptor, limits_http.RECEIVE_BYTES)
            except OSError:  # nothing there, or no pipe any more
                return
            self._take(data)
            if not data:
                return
            most -= len(data)

    def _take(self, data: bytes | bytearray) -> None:
        if not data:
            self._ended = True
            self._found.extend(self._splitter.end())
            return
        self._count += len(data)
        self._page[self._place] = self._count.to_bytes(8, sys.byteorder)
        self._found.extend(self._splitter.feed(data))

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()
