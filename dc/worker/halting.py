"""Stopping a task softly, inside its executor: an exception in the main thread, where it runs.

The agent names an attempt to be halted. If it still runs, its context says so (`context.stopping`),
and the main thread gets SIGTERM, whose handler raises TimeLimit or TaskStopped in the very line
that runs. These are no Exceptions, so that an `except Exception` lets them through. What the task
has started gets SIGTERM as well. A task that goes on all the same is killed by the agent soon.

The handler raises only while a task type's function is on the stack: between two tasks there is
nothing to stop, and the executor's own code is never interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import TypeAlias

from dc.errors import TaskStopped, TimeLimit
from dc.messages import Failure
from dc.pipe import Halt
from dc.process_tree import all_processes, below, has_children, send_signal
from dc.tasktypes import TaskType

Attempt: TypeAlias = tuple[int, int, int]
"""A job, a number and an attempt."""

_TASK_CODE = TaskType.run.__code__


class Halting:
    """Which attempt is to stop.

    Attributes:
        attempts: the attempt that is halted, if one is; contexts look here.
    """

    def __init__(self) -> None:
        self.attempts: set[Attempt] = set()
        self._halt: Halt | None = None
        self._pid = os.getpid()

    def watch(self) -> None:
        """Take SIGTERM. To be called in the main thread."""
        if sys.platform != "win32":
            signal.signal(signal.SIGTERM, self._on_signal)

    def halt(self, message: Halt) -> None:
        """Halt the attempt, which runs now, and goes on to run until this returns."""
        self._halt = message
        self.attempts.add((message.job, message.number, message.attempt))
        if sys.platform == "win32":
            return
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    def end_programs(self) -> None:
        """Send SIGTERM to what the task has started."""
        if sys.platform != "win32" and has_children():
            send_signal(below(self._pid, all_processes()), signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        halt = self._halt
        if halt is None or os.getpid() != self._pid:  # from somebody else: what it always does
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif _is_in_task(frame):
            raise (TimeLimit if halt.kind == "timeout" else TaskStopped)(halt.text)

    def judge(self, attempt: Attempt, failure: Failure) -> Failure:
        """Return the failure of an attempt that may have been halted."""
        halt = self._halt
        if halt is None or attempt not in self.attempts:
            return failure
        return Failure(halt.kind, halt.text, failure.traceback)

    def forget(self) -> None:
        """Take note that the attempt has ended."""
        self._halt = None
        self.attempts.clear()


def _is_in_task(frame: FrameType | None) -> bool:
    """Whether the function of a task type runs in this stack."""
    while frame is not None:
        if frame.f_code is _TASK_CODE:
            return True
        frame = frame.f_back
    return False
