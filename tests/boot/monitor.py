"""What QEMU is asked while it runs, by its QMP: a line of JSON each way, and events in between."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import trio

REPLY_SECONDS = 60.0


class Monitor:
    """QEMU's monitor.

    Attributes:
        events: what has happened so far, as QEMU tells it: {"event": …, "data": …}.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._stream: trio.SocketStream | None = None
        self._greeted = trio.Event()
        self._news = trio.Event()
        self._replies_in, self._replies = trio.open_memory_channel[dict[str, Any]](16)

    async def follow(self, stream: trio.SocketStream) -> None:
        """Read until QEMU is gone."""
        self._stream = stream
        # QEMU that is killed may reset what it has not read.
        with contextlib.suppress(trio.BrokenResourceError):
            async with stream:
                await self._read(stream)

    async def _read(self, stream: trio.SocketStream) -> None:
        rest = b""
        while data := await stream.receive_some(65536):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                await self._take(json.loads(line))

    async def _take(self, message: dict[str, Any]) -> None:
        if "QMP" in message:
            self._greeted.set()
        elif "event" in message:
            self.events.append(message)
            self._news.set()
            self._news = trio.Event()
        else:
            await self._replies_in.send(message)

    async def ask(self, command: str, **arguments: object) -> Any:
        """Give a command and return what QEMU answers."""
        with trio.fail_after(REPLY_SECONDS):
            await self._greeted.wait()
            assert self._stream is not None
            asked = {"execute": command, "arguments": arguments}
            await self._stream.send_all(json.dumps(asked).encode() + b"\n")
            reply = await self._replies.receive()
        assert "return" in reply, f"{command}: {reply}"
        return reply["return"]

    def told(self, event: str) -> list[dict[str, Any]]:
        """Return what is known of events of a name: their data."""
        return [one.get("data", {}) for one in self.events if one["event"] == event]

    async def until(self, event: str, seconds: float, count: int = 1) -> None:
        """Wait until an event has happened so many times."""
        with trio.move_on_after(seconds):
            while len(self.told(event)) < count:
                await self._news.wait()
            return
        raise AssertionError(f"waited {seconds:g} s for {event}: {self.events}")
