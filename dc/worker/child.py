"""The executor process: runs the tasks of one slot. Started by dc.executor; blocking, no Trio.

Theory of operation
-------------------
Three threads share one queue of tasks.

- The *main thread* takes tasks from the queue one by one and runs them. Outcomes are gathered and
  sent as one `Ran` at the end of each batch. When the queue is empty it reads from the pipe itself:
  a short task costs no change of threads.
- The *reader* reads from the pipe while a task runs for long, and puts what the agent sends into
  the queue. When the agent is gone, it ends the process, and all of its group, in the middle of
  whatever runs.
- The *watcher* looks at the clock while a task runs. Outcomes that have waited for RAN_SECONDS are
  sent. One that has run from one look to the next has the reader read. A task that has run for
  BUSY_SECONDS gives those behind it back, by `Busy`; one that has run for RUNNING_REPORT_SECONDS is
  reported by `Busy` once.

One of the main thread and the reader reads at a time: who holds `_reading`. The agent writes and
reads in tasks of its own, so neither side ever waits for the other to read first.

The lock guards the task that runs, the outcomes not yet sent, taking from the queue, and writing:
so a `Busy` is written while its task runs, and never after its outcome. Between two tasks the main
thread takes it once.

The pipe is moved to private descriptors before any plugin is imported: what tasks print goes to
standard error, and what they read is empty. A task that holds the interpreter's lock in foreign
code also holds up the reader and the watcher; the agent does not depend on them and can still kill.

Before each task its key is written to a page of memory shared with the agent: so the agent knows
which task ran when the process died, though earlier outcomes may still have been unsent.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import mmap
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from itertools import repeat
from pathlib import Path
from typing import NoReturn, TypeAlias

import msgspec

from dc import limits
from dc.errors import StartError, UnknownTaskType
from dc.messages import TypeId
from dc.pipe import Busy, InFile, Ran, Ready, Run
from dc.pipe_frames import HEAD_BYTES, PAGE_BYTES, body_size, encode_frame, task_mark
from dc.plugins import Plugins, load_plugins
from dc.tasktypes import Context, TaskType
from dc.typed import Typed
from dc.worker.task_run import Batch, Outcome, run_task, size_of

Page: TypeAlias = "list[int] | memoryview[int]"
Item: TypeAlias = tuple[Batch, int, int, bytes | InFile]
"""A task in the queue: its batch, number, attempt and payload."""


class Work:
    """The queue of tasks and the outcomes not yet sent; what the three threads share.

    Args:
        write: writes one frame to the agent, blocking.
        page: the first element is set to the key of the task that runs, see `task_mark`.
        clock: the time in seconds.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        page: Page,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._write = write
        self._page = page
        self._clock = clock
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

    # --- the reader's side ----------------------------------------------------------------------

    def put(self, batch: Batch, run: Run) -> None:
        """Put a batch of tasks into the queue; never blocks."""
        self._queue.extend(zip(repeat(batch), run.numbers, run.attempts, run.payloads))
        self.watch.set()

    # --- the main thread's side -----------------------------------------------------------------

    def next_item(self) -> Item | None:
        """Return the next task, which is running from now on; None if there is none."""
        with self._lock:
            if self._queue:
                return self._begin(self._queue.popleft(), self._clock())
        return None

    def finish(self, outcome: Outcome) -> Item | None:
        """Note the outcome of the current task; return the next one, or None if there is none."""
        now = self._clock()
        with self._lock:
            item = self._current
            assert item is not None
            if not self._unsent:
                self._unsent_since = now
            self._unsent.append((item, now - self._started, outcome))
            self._unsent_bytes += len(outcome) if type(outcome) is bytes else size_of(outcome)
            following = self._queue.popleft() if self._queue else None
            if (
                following is None
                or following[0] is not item[0]
                or self._unsent_bytes >= limits.RAN_BYTES
            ):
                self._send_ran()
                now = self._clock()
            if self._told:
                self.watch.set()
            self._current = None
            return None if following is None else self._begin(following, now)

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
            if self._unsent and now - self._unsent_since >= limits.RAN_SECONDS:
                self._send_ran()
            if self._current is None:
                return self._look_at_nothing()
            self._idle_looks = 0
            elapsed = now - self._started
            rest = self._queue if elapsed >= limits.BUSY_SECONDS else ()
            long = elapsed >= limits.RUNNING_REPORT_SECONDS
            if rest or (long and not self._told):
                self._told = self._told or long
                self._send_busy(elapsed)
            return None if self._told else limits.EXECUTOR_TICK_SECONDS

    def _look_at_nothing(self) -> float | None:
        """Go on looking for a while: to wake the watcher for each single task would delay it."""
        self._idle_looks += 1
        if self._queue or self._idle_looks < limits.EXECUTOR_IDLE_LOOKS:
            return limits.EXECUTOR_TICK_SECONDS
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
        message = Ran(
            job=unsent[0][0][0].job,
            numbers=[item[1] for item, _, _ in unsent],
            attempts=[item[2] for item, _, _ in unsent],
            times=[seconds for _, seconds, _ in unsent],
            outcomes=[outcome for _, _, outcome in unsent],
        )
        self._write(encode_frame(message))


class Child:
    """The process around the work: its pipe, its signals, its threads, its plugins."""

    def __init__(self, plugins: Plugins, incoming: int, outgoing: int, page: Page) -> None:
        self._plugins = plugins
        self._incoming = incoming
        self._outgoing = outgoing
        self._forked = False
        self._pipe = os.fdopen(incoming, "rb", closefd=False)
        self._decoder = msgspec.msgpack.Decoder(Run)
        self._reading = threading.Lock()
        self._long = threading.Event()  # to the reader: a task runs for long
        self._news = threading.Event()  # to the main thread: the reader has read, and reads not
        self._work = Work(self._write, page)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave_pipe)

    def run(self) -> None:
        """Say Ready, then run tasks until the agent is gone.

        Raises:
            OSError: the pipe is closed.
        """
        ready = Ready(
            types=[TypeId(one.name, one.version) for one in self._plugins.types],
            labels=self._plugins.labels(),
            resources=self._plugins.resources(),
            broken=dict(self._plugins.broken),
        )
        self._write(encode_frame(ready))
        for target in (self._read_on, self._watch):
            threading.Thread(target=self._guarded, args=(target,), daemon=True).start()
        work = self._work
        item: Item | None = None
        while True:
            if item is None:
                item = self._next_item()
            outcome = run_task(*item)
            if self._forked:
                os._exit(0 if isinstance(outcome, bytes) else 1)
            item = work.finish(outcome)

    def _next_item(self) -> Item:
        """Return the next task; read from the pipe until there is one, or wait for the reader."""
        while True:
            # Cleared before the look, and set by the reader once it reads no more: what it put
            # meanwhile is seen, and the pipe is never left to nobody.
            self._news.clear()
            if (item := self._work.next_item()) is not None:
                return item
            if self._reading.acquire(blocking=False):
                try:
                    self._read()
                finally:
                    self._reading.release()
            else:
                self._news.wait()

    def _read(self) -> None:
        """Put a batch that the agent sends into the queue; end the process if the agent is gone."""
        head = self._pipe.read(HEAD_BYTES)
        if len(head) < HEAD_BYTES:
            end_group()
        size = body_size(head)
        body = self._pipe.read(size)
        if len(body) < size:
            end_group()
        run = self._decoder.decode(body)
        task_type = self._task_type(run.type, run.version)
        self._work.put(Batch(run.job, task_type, Path(run.scratch)), run)

    def _read_on(self) -> None:
        """Read while a task runs for long."""
        while True:
            self._long.wait()
            self._long.clear()
            with self._reading:
                self._read()
            self._news.set()

    def _watch(self) -> None:
        """Look at the clock while something runs."""
        while True:
            self._work.watch.wait()
            pause: float | None = limits.EXECUTOR_TICK_SECONDS
            while pause is not None:
                before = time.perf_counter()
                time.sleep(pause)
                pause = self._work.look()
                if self._work.runs_since(before):
                    self._long.set()

    def _guarded(self, target: Callable[[], None]) -> None:
        """Run a thread; when it ends, for whatever reason, the executor is of no more use."""
        try:
            target()
        except OSError:
            pass  # the agent is gone
        except BaseException:
            traceback.print_exc()
        finally:
            end_group()

    def _write(self, frame: bytes) -> None:
        view = memoryview(frame)
        while view:
            view = view[os.write(self._outgoing, view) :]

    def _task_type(self, name: str, version: str) -> TaskType:
        """Return a task type; for one that is unknown, one whose every run says so."""
        try:
            return self._plugins.get(name, version)
        except UnknownTaskType as error:
            return _Unknown(name, version, str(error))

    def _leave_pipe(self) -> None:
        """In a process that a task forked: it must neither speak for the executor nor go on."""
        self._forked = True
        for descriptor in (self._incoming, self._outgoing):
            with contextlib.suppress(OSError):
                os.close(descriptor)


class _Unknown(TaskType):
    """Stands for a task type that no plugin here has."""

    def __init__(self, name: str, version: str, text: str) -> None:
        side = Typed("bytes", bytes, name)
        super().__init__(name, version, side, side)
        self._text = text

    def run(self, payload: bytes, context: Context | None = None) -> bytes:  # noqa: ARG002
        """Raise UnknownTaskType: a task like any other, that fails."""
        raise UnknownTaskType(self._text)


def end_group() -> NoReturn:
    """End this process, and what its tasks have started if it leads a group of its own."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def private_pipe() -> tuple[int, int]:
    """Move the pipe off descriptors 0 and 1; return where it is.

    From then on reading gives nothing, and printing goes to standard error, line by line.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    return incoming, outgoing


def shared_page(descriptor: int) -> Page:
    """Return the page of memory shared with the agent; without one, a private stand-in."""
    if descriptor < 0:
        return [0]
    page = mmap.mmap(descriptor, PAGE_BYTES)
    os.close(descriptor)
    return memoryview(page).cast("Q")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Be an executor; `python -m dc.worker.child` is for agents, not for people."""
    parser = argparse.ArgumentParser(prog="dc.worker.child", description=main.__doc__)
    parser.add_argument("--plugins", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--no-entry-points", action="store_true")
    parser.add_argument("--page", type=int, default=-1, help="descriptor of the shared page")
    options = parser.parse_args(arguments)
    page = shared_page(options.page)
    incoming, outgoing = private_pipe()
    # Ctrl-C is the agent's business. A handler, for what is ignored would be ignored by programs
    # that tasks start, too.
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        plugins = load_plugins(options.plugins, entry_points=not options.no_entry_points)
    except StartError as error:
        sys.exit(f"executor: {error}")
    try:
        Child(plugins, incoming, outgoing, page).run()
    except OSError:
        pass  # the agent is gone, or a task has closed the pipe
    except BaseException:
        traceback.print_exc()
    finally:
        end_group()


if __name__ == "__main__":
    main()
