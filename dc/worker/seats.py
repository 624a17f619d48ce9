"""One executor process at its agent: its place, its life, and what is cleared away behind it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from dc.errors import DcError
from dc.executor import ExecutorPort
from dc.pipe import FromExecutor, Ready, Run, ToExecutor, Wrote
from dc.worker.events import (
    Event,
    ExecutorDied,
    ExecutorReady,
    ExecutorSaid,
    ExecutorWrote,
)
from dc.worker.guard import Watched
from dc.worker.kept_output import KeptOutput


class Seat:
    """What one executor process is to get, and its end of the line.

    Args:
        kept: the output of its tasks, where that is kept.

    Attributes:
        kept: as given.
    """

    def __init__(self, kept: KeptOutput) -> None:
        self.kept = kept
        self._send, self._receive = trio.open_memory_channel[ToExecutor](math.inf)
        self._port: ExecutorPort | None = None
        self._killed = False
        self._unsent = 0
        self._last: Run | None = None

    def take(self, port: ExecutorPort) -> None:
        """Seat the process; it may have been killed before it was there."""
        self._port = port
        if self._killed:
            port.kill()

    @property
    def is_killed(self) -> bool:
        """Whether its process is to be killed, if there is one."""
        return self._killed

    def kill(self) -> None:
        """Kill the process, now or as soon as it is there."""
        self._killed = True
        if self._port is not None:
            self._port.kill()

    def hold(self, *, still: bool) -> None:
        """Have the process stand still, or go on."""
        if self._port is not None:
            self._port.hold(still=still)

    def feed(self, message: ToExecutor) -> None:
        """Send it a batch, or a halt, at once if that can be done."""
        if isinstance(message, Run):
            self._last = message
            if message.keep_output or self.kept.is_on:
                self.kept.expect(message)
        if not self._unsent and self._port is not None and self._port.send_now(message):
            return
        self._unsent += 1
        self._send.send_nowait(message)

    def watched(self, index: int) -> Watched | None:
        """Return what is to be watched of it; None if it was given nothing yet."""
        port, run = self._port, self._last
        if port is None or run is None:
            return None
        folders = [Path(run.scratch), *([] if port.folder is None else [port.folder])]
        return Watched(index, port, run.limits, folders)

    async def keep_feeding(self, port: ExecutorPort) -> None:
        """Send it what is queued."""
        async for message in self._receive:
            await port.send(message)
            self._unsent -= 1


async def run_executor(
    index: int,
    seat: Seat,
    start: Callable[[], Awaitable[ExecutorPort]],
    tell: Callable[[Event], None],
) -> None:
    """Start an executor, and tell all that it says until it dies.

    Args:
        index: of its slot.
        seat: its place.
        start: starts it, or raises StartError.
        tell: takes the events.
    """
    if seat.is_killed:  # its slot was closed at once: no spare is wasted on it
        tell(ExecutorDied(index, "it was not wanted any more"))
        return
    try:
        port = await start()
    except (OSError, DcError) as error:
        tell(ExecutorDied(index, str(error)))
        return
    try:
        seat.take(port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(seat.keep_feeding, port)
            nursery.start_soon(_hear_output, index, seat.kept, port, tell)
            while (message := await port.receive()) is not None:
                await _tell(index, seat.kept, message, tell)
            nursery.cancel_scope.cancel()
        whole = await seat.kept.end()
    finally:
        await port.aclose()
    text, kind = port.exit_text, "crashed"
    if port.out_of_memory:
        text, kind = f"{text}, for it had reached its limit of memory", "memory"
    tell(ExecutorDied(index, text, kind, whole))


async def _tell(
    index: int, kept: KeptOutput, message: FromExecutor | Wrote, tell: Callable[[Event], None]
) -> None:
    """Tell what an executor says, in order, behind what of its output is to be kept."""
    if not kept.is_on:
        tell(_event(index, message))
        return
    async with kept.turn:
        if isinstance(message, Wrote):
            tell(ExecutorWrote(index, message, await kept.take(message)))
        else:
            tell(_event(index, message))


def _event(index: int, message: FromExecutor | Wrote) -> Event:
    if isinstance(message, Ready):
        return ExecutorReady(index, message)
    if isinstance(message, Wrote):
        return ExecutorWrote(index, message)
    return ExecutorSaid(index, message)


async def _hear_output(
    index: int, kept: KeptOutput, port: ExecutorPort, tell: Callable[[Event], None]
) -> None:
    """Take what the tasks of an executor write, however much it is."""
    while (wrote := await port.receive_output()) is not None:
        await _tell(index, kept, wrote, tell)
