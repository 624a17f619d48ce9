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

The executor leads a process group of its own: killing it kills what its tasks have started, except
what left the group on purpose.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import trio

from dc import limits
from dc.errors import ProtocolError, StartError
from dc.pipe import FromExecutor, Run
from dc.pipe_frames import PAGE_BYTES, FrameReader, encode_frame, marked_task

CHILD = "dc.worker.child"

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

    async def send(self, run: Run) -> None:
        """Send a batch of tasks. To one that has died this does nothing: `receive` tells.

        A cancelled send may have sent half a batch; the executor is killed for it.
        """

    def send_now(self, run: Run) -> bool:
        """Send a batch of tasks in this very step; return False if it has to be sent by `send`.

        Only while no `send` is under way.
        """

    async def receive(self) -> FromExecutor | None:
        """Return the next message; None once the executor has died and all was received.

        A cancelled receive loses nothing.
        """

    def kill(self) -> None:
        """Kill it and what its tasks have started, at once."""

    async def aclose(self) -> None:
        """Kill it and wait until it is gone, even when cancelled."""


class Executor:
    """A child process that runs tasks. Made by `Executor.start`.

    One task of the agent may send while another receives.
    """

    def __init__(self, process: trio.Process, page: mmap.mmap) -> None:
        self._process = process
        self._page = page
        self._frames = FrameReader()
        self._gone = False
        self._fault = ""
        self.exit_text = ""

    @classmethod
    async def start(cls, plugins: Sequence[Path], *, entry_points: bool = True) -> Executor:
        """Start an executor. Its first message is Ready.

        Args:
            plugins: folders of plugins.
            entry_points: whether to load the plugins of installed packages.

        Raises:
            StartError: the operating system can start no process.
        """
        command = [sys.executable, "-m", CHILD]
        for folder in plugins:
            command += ["--plugins", str(folder)]
        if not entry_points:
            command.append("--no-entry-points")
        try:
            with tempfile.TemporaryFile() as file:
                file.truncate(PAGE_BYTES)
                process = await _open(command, file.fileno())
                return cls(process, mmap.mmap(file.fileno(), PAGE_BYTES))
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
        return marked_task(int.from_bytes(self._page[:PAGE_BYTES], sys.byteorder))

    async def send(self, run: Run) -> None:
        """Send a batch of tasks. To one that has died this does nothing: `receive` tells.

        A cancelled send may have sent half a batch; the executor is killed for it.
        """
        assert self._process.stdin is not None
        try:
            await self._process.stdin.send_all(encode_frame(run))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        except trio.Cancelled:
            self.kill()
            raise

    def send_now(self, run: Run) -> bool:
        """Send a batch of tasks in this very step; return False if it has to be sent by `send`.

        Only while no `send` is under way. A pipe takes so few bytes wholly or not at all.
        """
        stream = self._process.stdin
        frame = encode_frame(run)
        if len(frame) > PIPE_AT_ONCE_BYTES or not isinstance(stream, trio.lowlevel.FdStream):
            return False
        try:
            return os.write(stream.fileno(), frame) == len(frame)
        except OSError:  # no room, or nobody there: `send` finds out
            return False

    async def receive(self) -> FromExecutor | None:
        """Return the next message; None once the executor has died and all was received.

        What is no message of an executor kills it. A cancelled receive loses nothing.
        """
        assert self._process.stdout is not None
        while not self._gone:
            try:
                message = self._frames.next_message()
                if message is not None:
                    return message
                data = await self._process.stdout.receive_some(limits.RECEIVE_BYTES)
            except ProtocolError as error:
                self._fault = f" after it sent nonsense: {error}"
                data = b""
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                await self._end()
            self._frames.feed(data)
        return None

    def kill(self) -> None:
        """Kill it and what its tasks have started, at once."""
        if self._gone:
            return
        if sys.platform == "win32":
            self._process.kill()
            return
        # The leader is not reaped before _end, so the group's number is still its own.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def aclose(self) -> None:
        """Kill it and wait until it is gone, even when cancelled."""
        with trio.CancelScope(shield=True):
            await self._end()
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                await stream.aclose()

    async def _end(self) -> None:
        """Kill the group, for the leader is dead or useless, and reap the leader.

        An exit status is decided before the pipe closes, so the kill does not change it.
        """
        self.kill()
        status = await self._process.wait()
        if not self._gone:
            self._gone = True
            self.exit_text = exit_text(status) + self._fault


async def _open(command: list[str], page: int) -> trio.Process:
    pipe = subprocess.PIPE
    if sys.platform == "win32":
        # Descriptors are not inherited there: the page stays empty.
        return await trio.lowlevel.open_process(command, stdin=pipe, stdout=pipe)
    return await trio.lowlevel.open_process(
        [*command, "--page", str(page)],
        stdin=pipe,
        stdout=pipe,
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
