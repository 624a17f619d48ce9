"""Stopping a task softly, inside its executor: an exception in the main thread, where it runs.

The agent names an attempt to be halted. If it still runs, its context says so (`context.stopping`),
and the main thread gets SIGTERM, whose handler raises TimeLimit or TaskStopped in the very line
that runs. These are no Exceptions, so that an `except Exception` lets them through. What the task
has given to `context.on_stop` is called, and what it has started gets SIGTERM. A task that goes on
all the same is killed by the agent soon.

The handler raises only while a task type's function is on the stack: between two tasks there is
nothing to stop. Where that function has called the executor's own code, which may be in the middle
of a message to the agent, it raises once that is done (`go_on`).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import CodeType, FrameType
from typing import NoReturn

from dc.errors import TaskStopped, TimeLimit
from dc.messages_parts import Failure
from dc.pipe import Halt
from dc.process_tree import all_processes, below, has_children, send_signal
from dc.stops import Attempt, Stops
from dc.tasktypes import TaskType
from dc.worker.notes import Desk

_TASK_CODE = TaskType.run.__code__
_OWN_CODE = Desk.hand_over.__code__


class Halting:
    """Which attempt is to stop.

    Attributes:
        attempts: the attempt that is halted, if one is; contexts look here.
    """

    def __init__(self) -> None:
        self.attempts = Stops()
        self._halt: Halt | None = None
        self._late = False  # whether the exception waits for our own code to be done
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

    def tell_others(self) -> None:
        """Call what the task wants called, and send SIGTERM to what it has started."""
        self.attempts.tell()
        if sys.platform != "win32" and has_children():
            send_signal(below(self._pid, all_processes()), signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        halt = self._halt
        if halt is None or os.getpid() != self._pid:  # from somebody else: what it always does
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif _runs(_TASK_CODE, frame):
            self._late = _runs(_OWN_CODE, frame)
            if not self._late:
                _stop(halt)

    def go_on(self) -> None:
        """Raise what could not be raised while our own code ran. To be called when that is done.

        Raises:
            TimeLimit, TaskStopped: the task is to stop.
        """
        if self._late and threading.current_thread() is threading.main_thread():
            self._late = False
            assert self._halt is not None
            _stop(self._halt)

    def judge(self, attempt: Attempt, failure: Failure) -> Failure:
        """Return the failure of an attempt that may have been halted."""
        halt = self._halt
        if halt is None or attempt not in self.attempts:
            return failure
        return Failure(halt.kind, halt.text, failure.traceback)


def _stop(halt: Halt) -> NoReturn:
    raise (TimeLimit if halt.kind == "timeout" else TaskStopped)(halt.text)


def _runs(code: CodeType, frame: FrameType | None) -> bool:
    """Whether a function runs in this stack."""
    while frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False
