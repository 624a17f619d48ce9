"""The executor process: runs the tasks of one slot. Started by dc.executor; blocking, no Trio.

Theory of operation
-------------------
Three threads share one queue of tasks (dc/worker/work.py).

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
standard error, a pipe of its own (dc/worker/capture.py), and what they read is empty. A task that
holds the interpreter's lock in foreign code also holds up the reader and the watcher; the agent
does not depend on them and can still kill.

After a task that may have left something behind, and after each batch, the main thread looks for
what was left (dc/worker/traces.py). If there is anything, or the process is old enough
(dc/worker/recycling.py), or a task was halted in the middle (dc/worker/halting.py), it sends what
it has, then `Retire`, and runs nothing more: the agent replaces it.

Before each task its key is written to a page of memory shared with the agent: so the agent knows
which task ran when the process died, though earlier outcomes may still have been unsent.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from dc import limits_executor as limits
from dc.errors import PluginError, StartError, UnknownTaskType
from dc.messages_worker import TypeId
from dc.pipe import WAIT, Halt, Loaded, Ready, Run, ToExecutor
from dc.pipe_frames import HEAD_BYTES, body_size, encode_frame
from dc.plugins import Plugins, load_plugins
from dc.task_user import of_ids
from dc.tasktypes import TaskType
from dc.worker.capture import Capture
from dc.worker.child_begin import wait_for_words
from dc.worker.child_place import Page, become, end_group, private_pipe, settle, shared_page
from dc.worker.confines import Confines
from dc.worker.former import FORMER
from dc.worker.gentle import keep_out_of_the_way
from dc.worker.halting import Halting
from dc.worker.recycling import Recycling
from dc.worker.shipped import Absent, Shipped
from dc.worker.task_run import Batch, run_task
from dc.worker.traces import Traces
from dc.worker.tracing import Tracing
from dc.worker.work import Item, Work


class Child:
    """The process around the work: its pipe, its signals, its threads, its plugins."""

    def __init__(
        self,
        plugins: Plugins,
        options: argparse.Namespace,
        pipe: tuple[int, int],
        page: Page,
        capture: Capture,
    ) -> None:
        self._plugins = plugins
        self._shipped = Shipped()
        self._incoming, self._outgoing = pipe
        self._forked = False
        self._pipe = os.fdopen(self._incoming, "rb", closefd=False)
        self._decoder: msgspec.msgpack.Decoder[ToExecutor] = msgspec.msgpack.Decoder(ToExecutor)
        self._reading = threading.Lock()
        self._long = threading.Event()  # to the reader: a task runs for long
        self._news = threading.Event()  # to the main thread: the reader has read, and reads not
        self._traces = Traces(options.folder)
        self._tracing = Tracing(self._traces)
        self._confines = Confines(options.cgroup)
        self._halting = Halting()
        recycling = Recycling(
            options.recycle_tasks,
            options.recycle_seconds,
            options.recycle_memory,
            time.perf_counter(),
        )
        self._capture = capture
        self._work = Work(self._write, page, self._traces, recycling, self._halting, capture)
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
        self._capture.between()  # what was written on the way here is no task's
        self._write(encode_frame(ready))
        for target in (self._read_on, self._watch):
            threading.Thread(target=self._guarded, args=(target,), daemon=True).start()
        self._halting.watch()
        self._traces.watch()
        work = self._work
        item: Item | None = None
        batch: Batch | None = None
        traced = False
        while True:
            if item is None:
                item = self._next_item()
            if item[0] is not batch:
                batch = item[0]
                if batch.plugin:
                    self._import(batch)
                self._confine(batch)
                traced = self._tracing.is_wanted(batch)
            outcome = self._tracing.run(*item) if traced else run_task(*item)
            if self._forked:
                os._exit(0 if isinstance(outcome, bytes) else 1)
            item = work.finish(outcome)

    def _confine(self, batch: Batch) -> None:
        """Put the limits of a batch on this process."""
        if self._confines.set(batch.limits, batch.environment):
            self._traces.accept()

    def _import(self, batch: Batch) -> None:
        """See that the plugin is imported that came from the server for these tasks.

        It is not bound by the limits of a task, but sees the variables that are set for them.
        """
        wanted = batch.task_type
        error = ""
        if not self._shipped.has(batch.plugin):
            self._confines.set({}, batch.environment)
            error = self._shipped.load(batch.plugin, batch.site)
            self._traces.accept()
            self._capture.between()
            self._work.begin_anew()
            self._work.tell(Loaded(batch.job, batch.plugin, error))
        batch.task_type = self._shipped.get(batch.plugin, wanted.name, wanted.version)
        if error:
            batch.task_type = Absent(wanted.name, wanted.version, PluginError(error))

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
                    self._capture.between()  # no task was running
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
        message = self._decoder.decode(body)
        if isinstance(message, Halt):
            self._work.halt(message)
            return
        task_type = self._task_type(message)
        batch = Batch(
            message.job,
            task_type,
            Path(message.scratch),
            message.limits,
            message.environment,
            self._halting.attempts,
            message.checkpoints,
            self._work.desk,
            message.resources,
            message.plugin,
            message.site,
            message.inputs,
            FORMER,
            message.traceparent,
            message.traced,
        )
        self._work.put(batch, message)

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
                looks = self._work.look(), self._work.desk.look()
                pause = min((one for one in looks if one is not None), default=None)
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
        if self._forked:  # the descriptor's number may be another file's by now
            return
        view = memoryview(frame)
        while view:
            view = view[os.write(self._outgoing, view) :]

    def _task_type(self, run: Run) -> TaskType:
        """Return a task type; for one that is unknown, or is still to be imported, a stand-in.

        What is to be imported is so by the main thread, when its turn comes.
        """
        if run.plugin:
            return Absent(run.type, run.version, PluginError("it was not imported"))
        try:
            return self._plugins.get(run.type, run.version)
        except UnknownTaskType as error:
            return Absent(run.type, run.version, error)

    def _leave_pipe(self) -> None:
        """In a process that a task forked: it must neither speak for the executor nor go on."""
        self._forked = True
        for descriptor in (self._incoming, self._outgoing):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Be an executor; `python -m dc.worker.child` is for agents, not for people."""
    parser = argparse.ArgumentParser(prog="dc.worker.child", description=main.__doc__)
    parser.add_argument("--plugins", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--no-entry-points", action="store_true")
    parser.add_argument("--page", type=int, default=-1, help="descriptor of the shared page")
    parser.add_argument("--token", default="", help="of the marks in the output, hexadecimal")
    parser.add_argument("--folder", type=Path, help="its working folder")
    parser.add_argument("--cgroup", type=Path, action="append", default=[], help="to move into")
    parser.add_argument("--user", type=of_ids, help="whom to become: UID:GID")
    parser.add_argument("--recycle-tasks", type=int, default=0)
    parser.add_argument("--recycle-seconds", type=float, default=0.0)
    parser.add_argument("--recycle-memory", type=int, default=0)
    parser.add_argument("--nice", action="store_true", help="come last")
    parser.add_argument("--processors", type=int, default=0, help="to use, 0 for all")
    given = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(wait_for_words() if list(given) == [WAIT] else given)
    pipe = private_pipe()
    page = shared_page(options.page)
    capture = Capture(bytes.fromhex(options.token), page)
    capture.watch()
    settle(options.folder, options.cgroup)
    if options.user is not None:
        become(options.user, options.folder)
    keep_out_of_the_way(nice=options.nice, processors=options.processors)
    # Ctrl-C is the agent's business. A handler, for what is ignored would be ignored by programs
    # that tasks start, too.
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        plugins = load_plugins(options.plugins, entry_points=not options.no_entry_points)
    except StartError as error:
        sys.exit(f"executor: {error}")
    try:
        Child(plugins, options, pipe, page, capture).run()
    except OSError:
        pass  # the agent is gone, or a task has closed the pipe
    except BaseException:
        traceback.print_exc()
    finally:
        end_group()


if __name__ == "__main__":
    main()
