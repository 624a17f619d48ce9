"""The work of an executor: the queue of tasks, and the outcomes not yet sent.

It is shared by the three threads of dc/worker/child.py, whose theory of operation tells which does
what, and what the lock is for.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import repeat
from typing import TypeAlias

from dc import limits, limits_executor
from dc.messages_parts import Failure, Message
from dc.pipe import Busy, Halt, InFile, Ran, Retire, Run
from dc.pipe_frames import encode_frame, task_mark
from dc.worker.capture import Capture
from dc.worker.child_place import Page
from dc.worker.halting import Halting
from dc.worker.notes import Desk
from dc.worker.recycling import Recycling
from dc.worker.task_run import Batch, Outcome, size_of
from dc.worker.traces import Traces

Item: TypeAlias = tuple[Batch, int, int, bytes | InFile]
"""A task in the queue: its batch, number, attempt and payload."""


class Work:
    """The queue of tasks and the outcomes not yet sent; what the three threads share.

    Args:
        write: writes one frame to the agent, blocking.
        page: the first element is set to the key of the task that runs, see `task_mark`.
        traces: finds what a task has left behind.
        recycling: says when the process is to be replaced.
        halting: stops the task that runs.
        capture: of what tasks write.
        clock: the time in seconds.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        page: Page,
        traces: Traces,
        recycling: Recycling,
        halting: Halting,
        capture: Capture,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._write = write
        self._page = page
        self._traces = traces
        self._recycling = recycling
        self._halting = halting
        self._capture = capture
        self._clock = clock
        self._done = 0
        self._retired = False
        self._lock = threading.Lock()
        self._queue: deque[Item] = deque()
        self.watch = threading.Event()  # to the watcher: something runs or waits
        self._current: Item | None = None
        self._idle_looks = 0
        self._started = 0.0
        self._told = False  # whether the agent knows that the current task takes long
        self._unsent: list[tuple[Item, float, Outcome]] = []
        self._unsent_bytes = 0
        self._unsent_since = 0.0
        self._wrote = False  # whether a mark is behind the output of one of them
        self.desk = Desk(self.tell, self.watch.set, clock, halting.go_on)

    def tell(self, message: Message) -> None:
        """Send a message of the task that runs."""
        with self._lock:
            self._write(encode_frame(message))

    # --- the reader's side ----------------------------------------------------------------------

    def put(self, batch: Batch, run: Run) -> None:
        """Put a batch of tasks into the queue; never blocks."""
        self._queue.extend(zip(repeat(batch), run.numbers, run.attempts, run.payloads))
        self.watch.set()

    def halt(self, message: Halt) -> None:
        """Have an attempt stop, if it is the one that runs."""
        attempt = message.job, message.number, message.attempt
        with self._lock:  # the task cannot be over before it was halted
            if self._current is None or _attempt(self._current) != attempt:
                return
            self._halting.halt(message)
        self._halting.tell_others()
        self.watch.set()

    # --- the main thread's side -----------------------------------------------------------------

    def next_item(self) -> Item | None:
        """Return the next task, which is running from now on; None if there is none."""
        with self._lock:
            if self._queue and not self._retired:
                return self._begin(self._queue.popleft(), self._clock())
        return None

    def begin_anew(self) -> None:
        """Let the current task begin now: what was done so far was not its own."""
        with self._lock:
            self._started = self._clock()
            self._told = False
        self.watch.set()

    def finish(self, outcome: Outcome) -> Item | None:
        """Note the outcome of the current task; return the next one, or None if there is none."""
        now = self._clock()
        item = self._current
        assert item is not None
        if self._capture.is_due(now - self._started):
            self._capture.mark(*_attempt(item))
            self._wrote = True
        if self.desk.is_open:
            self.desk.close(failed=isinstance(outcome, Failure))
        with self._lock:
            if self._halting.attempts and isinstance(outcome, Failure):
                outcome = self._halting.judge(_attempt(item), outcome)
            if not self._unsent:
                self._unsent_since = now
            elapsed = now - self._started
            self._unsent.append((item, elapsed, outcome))
            self._unsent_bytes += len(outcome) if type(outcome) is bytes else size_of(outcome)
            following = self._queue.popleft() if self._queue else None
            at_end = (
                following is None
                or following[0] is not item[0]
                or self._unsent_bytes >= limits_executor.RAN_BYTES
            )
            if at_end or elapsed >= limits_executor.LEFT_SECONDS or self._traces.noticed:
                retire = self._look_behind(item, now, at_end=at_end)
                if retire is not None:
                    self._retire(retire)
                    return None
            if at_end:
                self._send_ran()
                now = self._clock()
            if self._told:
                self.watch.set()
            self._current = None
            return None if following is None else self._begin(following, now)

    def _look_behind(self, item: Item, now: float, *, at_end: bool) -> Retire | None:
        """Return the last words of this process, if it is to run nothing more."""
        if self._halting.attempts:
            return Retire("a task was stopped in the middle")
        if left := self._traces.look():
            return Retire(f"task {item[0].job}/{item[1]} left behind: {left}", left=True)
        why = self._recycling.due(self._done + len(self._unsent), now) if at_end else ""
        return Retire(why) if why else None

    def _retire(self, message: Retire) -> None:
        """Send the outcomes and the last words; what is in the queue is known not to have begun."""
        self._retired = True
        self._current = None
        self._send_ran()
        self._write(encode_frame(message))

    def _begin(self, item: Item, now: float) -> Item:
        self._current = item
        self._page[0] = task_mark(item[0].job, item[1])
        self._told = False
        self._started = now
        return item

    # --- the watcher's side ---------------------------------------------------------------------

    def look(self) -> float | None:
        """Send what has waited for too long.

        Returns:
            Seconds until the next look; None to wait for `watch`.
        """
        with self._lock:
            # Cleared under the lock: what is put or finished from here on sets it again.
            self.watch.clear()
            now = self._clock()
            if self._unsent and now - self._unsent_since >= limits_executor.RAN_SECONDS:
                self._send_ran()
            if self._current is None:
                return self._look_at_nothing()
            self._idle_looks = 0
            elapsed = now - self._started
            rest = self._queue if elapsed >= limits_executor.BUSY_SECONDS else ()
            long = elapsed >= limits.RUNNING_REPORT_SECONDS
            if rest or (long and not self._told):
                self._told = self._told or long
                self._send_busy(elapsed)
            return None if self._told else limits_executor.EXECUTOR_TICK_SECONDS

    def _look_at_nothing(self) -> float | None:
        """Go on looking for a while: to wake the watcher for each single task would delay it."""
        self._idle_looks += 1
        if self._queue or self._idle_looks < limits_executor.EXECUTOR_IDLE_LOOKS:
            return limits_executor.EXECUTOR_TICK_SECONDS
        self._idle_looks = 0
        return None

    def runs_since(self, time: float) -> bool:
        """Whether the task that runs has been running since this time, or takes long."""
        return self._current is not None and (self._told or self._started <= time)

    def _send_busy(self, elapsed: float) -> None:
        """Report the current task, and give back all behind it: a message for each of their jobs.

        Where those are of another job, no task of that job runs: number and attempt are -1.
        """
        assert self._current is not None
        batch, number, attempt, _ = self._current
        rest: dict[int, list[Item]] = {batch.job: []}
        while self._queue:
            item = self._queue.popleft()
            rest.setdefault(item[0].job, []).append(item)
        for job, items in rest.items():
            running = job == batch.job
            message = Busy(
                job=job,
                number=number if running else -1,
                attempt=attempt if running else -1,
                elapsed=elapsed,
                unstarted=[item[1] for item in items],
                unstarted_attempts=[item[2] for item in items],
            )
            self._write(encode_frame(message))

    def _send_ran(self) -> None:
        """Send the outcomes, which are of one job: a batch's end sends what there is."""
        unsent, self._unsent, self._unsent_bytes = self._unsent, [], 0
        self._done += len(unsent)
        message = Ran(
            job=unsent[0][0][0].job,
            numbers=[item[1] for item, _, _ in unsent],
            attempts=[item[2] for item, _, _ in unsent],
            times=[seconds for _, seconds, _ in unsent],
            outcomes=[outcome for _, _, outcome in unsent],
            wrote=self._wrote,
        )
        self._wrote = False
        self._write(encode_frame(message))


def _attempt(item: Item) -> tuple[int, int, int]:
    return item[0].job, item[1], item[2]
