"""Programs that can be killed at any await.

All programs of a simulation share one event loop, so each task carries, in its context, the process
that it belongs to. A fuse counts the steps of a process's tasks and ends the process after a drawn
one. What its tasks still do while they are being cancelled reaches nobody: its wires and its disk
do not know it any more.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import trio

from dc.testing.wires import End, Wire


class Process:
    """One run of a program.

    Args:
        name: of the program, such as `server` or `w0`.
        run: which run of it, from 1.

    Attributes:
        is_alive: false once it was killed, or has ended by itself.
        killed: whether it was killed.
        is_up: whether it has got beyond its start.
        ends: its ends of wires.
        on_death: called when it is killed, before its tasks are cancelled.
    """

    def __init__(self, name: str, run: int) -> None:
        self.name = name
        self.run = run
        self.is_alive = True
        self.killed = False
        self.is_up = False
        self.scope = trio.CancelScope()
        self.ends: list[End] = []
        self.on_death: Callable[[], None] | None = None

    def __str__(self) -> str:
        return f"{self.name}#{self.run}"

    def kill(self, keep: Callable[[int], int] | None = None, *, silently: bool = False) -> None:
        """End it at once.

        Args:
            keep: how many of so many pieces under way on a wire still arrive.
            silently: as a computer without power does, whose peers are not told.
        """
        if not self.is_alive:
            return
        self.is_alive = False
        self.killed = True
        for end in self.ends:
            if silently:
                end.wire.end_of(end)
            else:
                end.wire.cut(keep)
        if self.on_death is not None:
            self.on_death()
        self.scope.cancel()

    def kill_after(self, steps: int, kill: Callable[[], None]) -> None:
        """Call `kill` after so many further steps of its tasks."""
        Fuse(self, steps, kill)

    def open_wires(self) -> list[Wire]:
        """Return its wires that are neither cut nor closed."""
        self.ends = [end for end in self.ends if not end.wire.is_cut and not end.is_closed]
        return [end.wire for end in self.ends]


PROCESS: ContextVar[Process | None] = ContextVar("PROCESS", default=None)
"""The process that the running task belongs to."""


def here() -> Process | None:
    """Return the process of the running task."""
    return PROCESS.get()


class Fuse(trio.abc.Instrument):
    """Ends a process after a number of steps. Instruments cost, so it is there only while lit."""

    def __init__(self, process: Process, steps: int, kill: Callable[[], None]) -> None:
        self._process = process
        self._left = steps
        self._kill = kill
        trio.lowlevel.add_instrument(self)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count a step of the process."""
        if task.context.get(PROCESS) is self._process:
            self._left -= 1
            if self._left < 0 or not self._process.is_alive:
                trio.lowlevel.remove_instrument(self)
                self._kill()
        elif not self._process.is_alive:
            trio.lowlevel.remove_instrument(self)
