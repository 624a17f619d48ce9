"""An executor seen from its agent: the child process that runs the tasks of one slot.

Theory of operation
-------------------
The agent sends batches of tasks (`Run`) and receives outcomes (`Ran`); `Busy` says that a task
takes long and gives the tasks behind it back. Every task sent comes back in exactly one of these,
unless the executor dies: then `receive` first returns what was already in the pipe, after that
None, and `running` names the task that ran. Outcomes of tasks before it may be lost with the
process, so the first task without an outcome is not always the one to blame. The executor writes
what it runs to a page of memory that it shares with the agent, which outlives it.

A `Busy` whose number is -1 only gives tasks of another job back.

A `Busy` never comes after the outcome of the task that it names, so it needs no guard. Tasks sent
while a task is busy come back by a further `Busy` at once.

The executor leads a session and a process group of its own, and a fence is around it (dc/fence.py):
killing it kills whatever its tasks have started. That is done in a thread, for it may take a moment
where a task has started many. `receive` returns None only when all of it is gone.
"""

from __future__ import annotations

import mmap
import os
import secrets
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import trio
from msgspec import Struct

from dc import limits_executor, limits_http
from dc.adopting import Adopting
from dc.cgroups import Cgroup
from dc.errors import ProtocolError, StartError
from dc.executor_output import OutputPipe
from dc.fence import Fence, Usage
from dc.output_marks import TOKEN_BYTES
from dc.pipe import FromExecutor, Ran, ToExecutor, Wrote
from dc.pipe_frames import PAGE_BYTES, READ, RUNNING, FrameReader, encode_frame, marked_task
from dc.prepared import CHILD, SAFE_PATH, Prepared
from dc.prepared_process import PreparedProcess
from dc.process_tree import Process
from dc.task_user import TaskUser

PIPE_AT_ONCE_BYTES: Final = getattr(select, "PIPE_BUF", 0)
"""That a pipe takes wholly or not at all (POSIX); 0 where there is no such promise."""


class ExecutorPort(Protocol):
    """What an agent needs of an executor; the real one and the fake of dc.testing both fit."""

    @property
    def pid(self) -> int:
        """The number of its process."""

    @property
    def exit_text(self) -> str:
        """How it died, such as "exit status 3"; empty until `receive` has returned None."""

    @property
    def running(self) -> tuple[int, int] | None:
        """The job and the number of the task it began last, None if it never began one.

        After its death: the task it died of, if that task has no outcome yet.
        """

    @property
    def folder(self) -> Path | None:
        """Its working folder, if it has one of its own."""

    @property
    def out_of_memory(self) -> bool:
        """Whether it died for want of memory; known once `receive` has returned None."""

    def usage(self, processes: Sequence[Process] | None = None) -> Usage:
        """Return what it and its tasks use, found in `processes`, or in all that there are."""

    async def send(self, message: ToExecutor) -> None:
        """Send tasks, or a halt. To one that has died this does nothing: `receive` tells.

        A cancelled send may have sent half a message; the executor is killed for it.
        """

    def send_now(self, message: ToExecutor) -> bool:
        """Send in this very step; return False if it has to be sent by `send`.

        Only while no `send` is under way.
        """

    async def receive(self) -> FromExecutor | Wrote | None:
        """Return the next message; None once the executor has died and all was received.

        Output that belongs to a task comes before its outcome. A cancelled receive loses nothing.
        """

    async def receive_output(self) -> Wrote | None:
        """Return the output that comes otherwise; None once nobody is left to write any.

        Another task calls this than `receive`, all the time. It may be cancelled.
        """

    def hold(self, *, still: bool) -> None:
        """Have it and what its tasks have started stand still, or go on; returns at once."""

    def kill(self) -> None:
        """Begin to kill it and what its tasks have started; returns at once."""

    async def aclose(self) -> None:
        """Kill it and wait until it is gone, even when cancelled."""


class Start(Struct, frozen=True):
    """How an executor is started.

    Attributes:
        arguments: further ones of its command line.
        cgroup: its control group.
        folder: its working folder, which is made and, in the end, removed.
        after: called in a thread when it is gone, to look for what has escaped.
        user: whom it becomes, if not the user that this process is.
        adopting: takes the files that it names, which are that user's.
        prepared: a process that waits to be it; used if it is still to be had.
    """

    arguments: Sequence[str] = ()
    cgroup: Cgroup | None = None
    folder: Path | None = None
    after: Callable[[], object] = int
    user: TaskUser | None = None
    adopting: Adopting | None = None
    prepared: Prepared | None = None


class Executor:
    """A child process that runs tasks. Made by `Executor.start`.

    One task of the agent may send while another receives.
    """

    def __init__(
        self,
        process: trio.Process | PreparedProcess,
        page: mmap.mmap,
        start: Start,
        token: bytes = b"",
    ) -> None:
        self._process = process
        self._page = page
        self.folder = start.folder
        assert process.stderr is not None
        self._output = OutputPipe(process.stderr, token, page, READ)
        self._adopting = start.adopting
        self._ran: Ran | None = None  # whose output is looked for
        self._unread = limits_executor.OUTPUT_DRAIN_BYTES
        self._fence = Fence(process.pid, start.cgroup, start.folder, start.after)
        self._frames = FrameReader()
        self._killed = False
        self._gone = False
        self._fault = ""
        self.exit_text = ""
        self.out_of_memory = False

    @classmethod
    async def start(
        cls, plugins: Sequence[Path], *, entry_points: bool = True, start: Start | None = None
    ) -> Executor:
        """Start an executor. Its first message is Ready.

        Args:
            plugins: folders of plugins.
            entry_points: whether to load the plugins of installed packages.
            start: how, if not plainly.

        Raises:
            StartError: the operating system can start no process.
        """
        start = start or Start()
        token = secrets.token_bytes(TOKEN_BYTES)
        words = ["--token", token.hex(), *_words(plugins, start)]
        if not entry_points:
            words.append("--no-entry-points")
        if start.prepared is not None and start.prepared.take():
            waiting = PreparedProcess(start.prepared)
            await waiting.begin([*words, "--page", str(start.prepared.page_number)])
            return cls(waiting, start.prepared.page, start, token)
        try:
            with tempfile.TemporaryFile() as file:
                file.truncate(PAGE_BYTES)
                process = await _open([*_python(start), "-m", CHILD, *words], file.fileno())
                return cls(process, mmap.mmap(file.fileno(), PAGE_BYTES), start, token)
        except OSError as error:
            raise StartError(f"cannot start an executor: {error}") from None

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def running(self) -> tuple[int, int] | None:
        """The job and the number of the task it began last, None if it never began one.

        After its death: the task it died of, if that task has no outcome yet.
        """
        return marked_task(int.from_bytes(self._page[RUNNING], sys.byteorder))

    @property
    def is_gone(self) -> bool:
        """Whether its process is no more, and its number may be another's."""
        return self._gone

    @property
    def has_ended(self) -> bool:
        """Whether its process has ended by itself, though that was not received yet."""
        if sys.platform == "win32" or self._gone:
            return self._gone or self._process.poll() is not None
        if not hasattr(os, "waitid"):
            return False  # whoever receives from it finds out
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, options) is not None

    def usage(self, processes: Sequence[Process] | None = None) -> Usage:
        """Return what it and its tasks use, found in `processes`, or in all that there are.

        Blocks for some milliseconds.
        """
        return self._fence.usage(processes)

    async def send(self, message: ToExecutor) -> None:
        """Send tasks, or a halt. To one that has died this does nothing: `receive` tells.

        A cancelled send may have sent half a message; the executor is killed for it.
        """
        assert self._process.stdin is not None
        try:
            await self._process.stdin.send_all(encode_frame(message))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        except trio.Cancelled:
            self.kill()
            raise

    def send_now(self, message: ToExecutor) -> bool:
        """Send in this very step; return False if it has to be sent by `send`.

        Only while no `send` is under way. A pipe takes so few bytes wholly or not at all.
        """
        if sys.platform == "win32":  # a pipe there is none of those
            return False
        stream = self._process.stdin
        frame = encode_frame(message)
        if len(frame) > PIPE_AT_ONCE_BYTES or not isinstance(stream, trio.lowlevel.FdStream):
            return False
        try:
            return os.write(stream.fileno(), frame) == len(frame)
        except OSError:  # no room, or nobody there: `send` finds out
            return False

    async def receive(self) -> FromExecutor | Wrote | None:
        """Return the next message; None once the executor has died and all was received.

        Output that belongs to a task comes before its outcome. What is no message of an executor
        kills it. A cancelled receive loses nothing.
        """
        assert self._process.stdout is not None
        while not self._gone:
            if self._ran is not None:
                return self._next_of_ran(self._ran)
            try:
                message = self._next_message()
                if isinstance(message, Ran) and message.wrote:
                    self._ran = message
                    continue
                if message is not None:
                    return message
                data = await self._process.stdout.receive_some(limits_http.RECEIVE_BYTES)
            except ProtocolError as error:
                self._fault = f" after it sent nonsense: {error}"
                data = b""
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                await self._end()
            self._frames.feed(data)
        return self._last_words()

    def _next_message(self) -> FromExecutor | None:
        """Return the next message that has come, its files taken over; ProtocolError for others."""
        message = self._frames.next_message()
        if message is None or self._adopting is None:
            return message
        return self._adopting.take(message)

    def _last_words(self) -> Wrote | None:
        """Return what it had written. Who has escaped, and goes on to write, is not waited for."""
        wrote = self._output.at_hand() if self._unread > 0 else None
        self._unread -= 0 if wrote is None else len(wrote.data) + 1
        return wrote

    def _next_of_ran(self, ran: Ran) -> Ran | Wrote:
        """Return the output that was written before some outcomes, piece by piece, then these."""
        if self._unread > 0 and (wrote := self._output.at_hand()) is not None:
            self._unread -= len(wrote.data) + 1
            return wrote
        self._ran, self._unread = None, limits_executor.OUTPUT_DRAIN_BYTES
        return ran

    async def receive_output(self) -> Wrote | None:
        """Return the output that comes otherwise; None once nobody is left to write any."""
        return await self._output.receive()

    def hold(self, *, still: bool) -> None:
        """Have it and what its tasks have started stand still, or go on; returns at once."""
        if not (self._gone or self._killed):
            self._fence.hold(still=still)
            trio.lowlevel.start_thread_soon(self._fence.settle, _no_matter)

    def kill(self) -> None:
        """Begin to kill it and what its tasks have started; returns at once."""
        if self._gone or self._killed:
            return
        self._killed = True
        if sys.platform == "win32":
            self._process.kill()
            return
        trio.lowlevel.start_thread_soon(self._fence.kill, _no_matter)

    async def aclose(self) -> None:
        """Kill it and wait until it is gone, even when cancelled."""
        with trio.CancelScope(shield=True):
            await self._end()
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                await stream.aclose()
            await self._output.aclose()

    async def _end(self) -> None:
        """Kill all that is left, for the leader is dead or useless, and reap the leader.

        It is not reaped before, so its number and its group's are still its own. An exit status is
        decided before the pipe closes, so the kill does not change it.
        """
        if self._gone:
            return
        if sys.platform == "win32":
            self._process.kill()
        else:
            await trio.to_thread.run_sync(self._fence.kill)
        status = await self._process.wait()
        self.out_of_memory = self._fence.was_out_of_memory()
        self.exit_text = exit_text(status) + self._fault
        self._gone = True
        await trio.to_thread.run_sync(self._fence.remove)


def _no_matter(_: object) -> None:
    """Take how a thread ended: whoever waits for the executor finds out."""


def _python(start: Start) -> list[str]:
    """Return the interpreter of an executor, and its options."""
    return [sys.executable] if start.user is None else [sys.executable, SAFE_PATH]


def _words(plugins: Sequence[Path], start: Start) -> list[str]:
    """Return the words of an executor's command line that say how it is started."""
    words = list(start.arguments)
    if start.user is not None:
        words += ["--user", start.user.ids]
    if start.folder is not None:
        words += ["--folder", str(start.folder)]
    for group in start.cgroup.folders if start.cgroup is not None else ():
        words += ["--cgroup", str(group)]
    for folder in plugins:
        words += ["--plugins", str(folder)]
    return words


async def _open(command: list[str], page: int) -> trio.Process:
    pipe = subprocess.PIPE
    if sys.platform == "win32":
        # Descriptors are not inherited there: the page stays empty.
        return await trio.lowlevel.open_process(command, stdin=pipe, stdout=pipe, stderr=pipe)
    return await trio.lowlevel.open_process(
        [*command, "--page", str(page)],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,
        pass_fds=[page],
    )


def exit_text(status: int) -> str:
    """Return how a process ended, in words.

    Args:
        status: its exit status, or the negative number of the signal that killed it.
    """
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"killed by signal {-status}"
