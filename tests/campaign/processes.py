"""The programs of a run: started, killed, started again, and ended for certain."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import trio

MARK: Final = "DC_CAMPAIGN"
"""In the environment of every process of a run, and thus of what these have started."""

POLL_SECONDS: Final = 0.05
END_SECONDS: Final = 20.0
YOUNG_SECONDS: Final = 10.0  # for which a program may still be starting, on a busy computer
TRY_AGAIN: Final = 75
"""The exit status of a client that has lost its server for too long."""
TRIES: Final = 20
"""Starts of one program that went wrong, after which it is left alone."""


class Program:
    """A program that is started again whenever it was killed.

    Args:
        name: of its logs, of which there is one for each start.
        command: what runs; asked for at each start.
        folder: for the logs.
        environment: beside the one of the campaign.
        ends: whether it is to end by itself, with status 0.

    Attributes:
        is_down: killed, and not yet started again.
        is_stopped: by SIGSTOP.
        is_finished: ended by itself, as it should.
        problems: what it did that it should not.
        pids: of all its processes so far.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str]],
        folder: Path,
        environment: dict[str, str],
        *,
        ends: bool = False,
    ) -> None:
        self.name = name
        self.is_down = True
        self.is_stopped = False
        self.is_finished = False
        self.problems: list[str] = []
        self.pids: list[int] = []
        self._is_ending = False
        self._started = 0.0
        self._command = command
        self._folder = folder
        self._environment = environment
        self._ends = ends
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of its present process, or its last one."""
        return self.pids[-1]

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return not self.is_down and self._process is not None and self._process.poll() is None

    @property
    def is_given_up(self) -> bool:
        """Whether it has ended by itself too often to be started again."""
        return len(self.problems) >= TRIES

    @property
    def out(self) -> Path:
        """What the present process has written to standard output."""
        return self._folder / f"{self.name}-{len(self.pids):04}.out"

    @property
    def log(self) -> Path:
        """What the present process has logged."""
        return self.out.with_suffix(".log")

    def start(self) -> None:
        """Start it, in a session of its own."""
        self.pids.append(0)
        with self.out.open("wb") as out, self.log.open("wb") as log:
            self._process = subprocess.Popen(
                list(self._command()),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        self.pids[-1] = self._process.pid
        self._started = time.monotonic()
        self.is_down = False

    def kill(self) -> None:
        """Kill it with kill -9."""
        assert self._process is not None
        self.is_down, self.is_stopped = True, False
        self._process.kill()
        self._process.wait(END_SECONDS)

    def executors(self) -> list[int]:
        """The pids of its children."""
        return children(self.pid)

    def stop(self) -> list[int]:
        """Stop it and its children with SIGSTOP, as a computer that falls asleep; return all."""
        self.is_stopped = True
        pids = [self.pid, *self.executors()]
        for pid in pids:
            send(pid, signal.SIGSTOP)
        return pids

    def go_on(self, pids: Sequence[int]) -> None:
        """Let what was stopped go on."""
        self.is_stopped = False
        for pid in pids:
            send(pid, signal.SIGCONT)

    def look(self) -> None:
        """Note whether it has ended by itself, and start it again if it should not have."""
        if self.is_down or self._is_ending or self.is_finished or self._process is None:
            return
        status = self._process.poll()
        if status is None:
            return
        if self._ends and status == 0:
            self.is_finished = True
            return
        if not (self._ends and status == TRY_AGAIN):
            self.problems.append(f"{self.log.name}: ended by itself with status {status}")
        if not self.is_given_up:
            self.start()

    async def end(self) -> None:
        """End it by SIGTERM, and by kill -9 if that does not help."""
        self._is_ending = True
        if not self.is_alive or self._process is None:
            return
        send(self.pid, signal.SIGCONT)
        self._process.terminate()
        deadline = time.monotonic() + END_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110
            await trio.sleep(POLL_SECONDS)
        if self._process.poll() is None:
            self.problems.append(f"{self.log.name}: SIGTERM did not end it")
            self._process.kill()
            self._process.wait(END_SECONDS)
        elif self._process.returncode not in self._fair_ends():
            self.problems.append(f"{self.log.name}: status {self._process.returncode} at SIGTERM")
        self.is_down = True

    def _fair_ends(self) -> tuple[int, ...]:
        """Return with what status it may end at SIGTERM: one that still starts knows no better."""
        young = time.monotonic() - self._started < YOUNG_SECONDS
        return (0, -signal.SIGTERM) if young else (0,)


def send(pid: int, number: int) -> None:
    """Send a signal to a process, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def children(parent: int) -> list[int]:
    """Return the pids of a process's children that run."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == parent and fields[0] != "Z":
                    found.append(int(folder.name))
    return sorted(found)


def is_running(pid: int) -> bool:
    """Whether there is such a process, and no zombie."""
    with contextlib.suppress(OSError):
        return not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].startswith(" Z")
    return False


def marked(mark: str) -> dict[int, str]:
    """Return the processes of a run that still are there: pid and command line."""
    found = {}
    sign = f"{MARK}={mark}\0".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if sign in (folder / "environ").read_bytes() + b"\0":
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(folder.name)] = line.decode(errors="replace")[:200]
    return found


async def leftovers(mark: str) -> list[str]:
    """Wait for the processes of a run to end; kill and return those that do not."""
    deadline = time.monotonic() + END_SECONDS
    while (left := marked(mark)) and time.monotonic() < deadline:  # noqa: ASYNC110
        await trio.sleep(POLL_SECONDS)
    for pid in left:
        send(pid, signal.SIGKILL)
    return [f"left behind: {line}" for line in left.values()]


def memory(pid: int) -> int:
    """Return a process's resident memory in bytes; 0 where that cannot be told."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        (line,) = [line for line in lines if line.startswith("VmRSS")]
        return int(line.split()[1]) * 1024
    return 0
