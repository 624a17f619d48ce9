"""A TCP relay that can be bad: late, slow, cut, or silent."""

from __future__ import annotations

import math
import socket
import struct
from contextlib import suppress
from functools import partial
from typing import Final, Self

import trio

PIECE_BYTES: Final = 16 * 1024
PIECES: Final = 16  # under way in one direction
CONNECT_SECONDS: Final = 5.0
BROKEN: Final = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close by a reset, at once


class Relay:
    """Passes bytes on between whoever connects to it and one address.

    Attributes:
        port: where it listens, on 127.0.0.1.
        delay: seconds by which each byte is late, each way.
        rate: bytes that pass each second, of each connection and way.
        passed: bytes that have passed, both ways.
        cuts: how often it was cut.
    """

    def __init__(self, listener: trio.SocketListener, host: str, port: int) -> None:
        self._listener = listener
        self._target = host, port
        self.port: int = listener.socket.getsockname()[1]
        self.delay = 0.0
        self.rate = math.inf
        self.passed = 0
        self.cuts = 0
        self._flowing = trio.Event()
        self._flowing.set()
        self._open: set[trio.CancelScope] = set()

    @classmethod
    async def open(cls, nursery: trio.Nursery, host: str, port: int) -> Self:
        """Begin to listen at a free port, for connections to this address."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        relay = cls(listener, host, port)
        nursery.start_soon(partial(trio.serve_listeners, relay._serve, [listener]))
        return relay

    @property
    def address(self) -> str:
        """Where a worker or client connects to."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break all connections; new ones are possible at once."""
        self.cuts += 1
        for scope in list(self._open):
            scope.cancel()

    def freeze(self) -> None:
        """Let nothing pass, and say nothing of it."""
        if self._flowing.is_set():
            self._flowing = trio.Event()

    def heal(self) -> None:
        """Be a good relay again."""
        self.delay, self.rate = 0.0, math.inf
        self._flowing.set()

    async def _serve(self, stream: trio.SocketStream) -> None:
        scope = trio.CancelScope()
        self._open.add(scope)
        try:
            with scope:
                await self._between(stream)
            if scope.cancelled_caught:
                with suppress(OSError):
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        finally:
            self._open.discard(scope)
            await trio.aclose_forcefully(stream)

    async def _between(self, stream: trio.SocketStream) -> None:
        try:
            with trio.fail_after(CONNECT_SECONDS):
                await self._flowing.wait()
                target = await trio.open_tcp_stream(*self._target)
        except (OSError, trio.TooSlowError):
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pump, stream, target, nursery.cancel_scope)
                nursery.start_soon(self._pump, target, stream, nursery.cancel_scope)
        finally:
            await trio.aclose_forcefully(target)

    async def _pump(
        self, source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope
    ) -> None:
        """Pass on one way until it ends; an end of either way ends both, once it is delivered."""
        send, receive = trio.open_memory_channel[tuple[float, bytes]](PIECES)
        with suppress(*BROKEN):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._deliver, receive, sink)
                async with send:
                    with suppress(*BROKEN):
                        while piece := await source.receive_some(PIECE_BYTES):
                            await send.send((trio.current_time() + self.delay, bytes(piece)))
        both.cancel()

    async def _deliver(
        self, receive: trio.MemoryReceiveChannel[tuple[float, bytes]], sink: trio.SocketStream
    ) -> None:
        with suppress(*BROKEN):
            async with receive:
                async for due, piece in receive:
                    await trio.sleep_until(due)
                    await self._flowing.wait()
                    await sink.send_all(piece)
                    self.passed += len(piece)
                    if self.rate < math.inf:
                        await trio.sleep(len(piece) / self.rate)
