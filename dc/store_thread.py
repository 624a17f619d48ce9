"""A thread of the store: blocking work beside the event loop, one piece at a time.

Theory of operation
-------------------
A commit of one task is 0.3 ms of work, of which the disk is half; so what lies between the loop and
the thread counts. The thread is there already and waits for work in a queue; its answer wakes the
loop by way of Trio's token, and the task that waits for it needs no nursery and no second task.

Python's threads share one lock, and a busy loop takes it back before the thread, which comes out of
SQLite or of a system call, has woken up. So the task that waits looks each GIVE_WAY_SECONDS whether
the answer is there, and if it is not, sleeps for a moment, the loop with it: that hands over the
lock for sure. Work that is quicker than that costs the loop nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import trio

from dc import limits_store as limits

T = TypeVar("T")


class _Call(Generic[T]):
    """One piece of work, and what became of it once `done` is set."""

    def __init__(self, work: Callable[..., T], arguments: tuple[object, ...]) -> None:
        self.done = trio.Event()
        self.failure: BaseException | None = None
        self._work = work
        self._arguments = arguments
        self._token = trio.lowlevel.current_trio_token()

    def perform(self) -> None:
        """Do the work, in the thread, and tell the loop."""
        try:
            self.result = self._work(*self._arguments)
        except BaseException as error:
            self.failure = error
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self.done.set)


class StoreThread:
    """A thread that does what it is given, in order, until `stop`.

    Args:
        name: its name.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[_Call[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Wait for what is under way, and end the thread."""
        self._calls.put(None)
        self._thread.join()

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Run blocking work in the thread to its end, whatever is cancelled, and give way to it.

        Raises:
            Exception: what the work raises.
        """
        call = _Call(work, arguments)
        self._calls.put(call)
        with trio.CancelScope(shield=True):
            while not call.done.is_set():
                with trio.move_on_after(limits.GIVE_WAY_SECONDS):
                    await call.done.wait()
                if not call.done.is_set():
                    # A real sleep is the one way to hand over Python's lock for sure.
                    time.sleep(limits.LET_GO_SECONDS)  # noqa: ASYNC251
        if call.failure is not None:
            raise call.failure
        return call.result

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call.perform()
            del call
