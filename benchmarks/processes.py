"""What a benchmark needs of other processes: a server, fake workers, and their figures."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.path import PLUGIN, end

READY_SECONDS = 60.0


class Process:
    """A process, seen through /proc (Linux).

    Args:
        pid: its number.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._folder = Path(f"/proc/{pid}")

    def processor(self) -> float:
        """Return the processor time that it has used, in seconds, in steps of 10 ms."""
        fields = (self._folder / "stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kib(self, field: str) -> int:
        """Return a field of its `status`, as VmRSS or VmHWM, in KiB."""
        return self._field("status", field)

    def pss_kib(self) -> int:
        """Return its memory in KiB; what it shares with n processes counts one nth."""
        return self._field("smaps_rollup", "Pss")

    def files(self) -> int:
        """Return how many files it has open."""
        return len(list((self._folder / "fd").iterdir()))

    def threads(self) -> int:
        """Return how many threads it has."""
        return self._field("status", "Threads")

    def _field(self, file: str, name: str) -> int:
        lines = (self._folder / file).read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def processor_here() -> float:
    """Return the processor time that this process has used, in seconds."""
    return Process(os.getpid()).processor()


class Fakes:
    """Fake workers in a process of their own, all connected.

    Args:
        url: of the server.
        workers: how many.
        name: with which all their names begin.
    """

    def __init__(self, url: str, workers: int, name: str = "fake") -> None:
        command = [sys.executable, "-m", "benchmarks.fake_workers", url]
        command += ["--workers", str(workers), "--name", name]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the fake workers have ended; see above")
        said: dict[str, Any] = json.loads(line)
        return said

    def ask(self) -> dict[str, Any]:
        """Return what has happened so far; all workers must be there still."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        said = self._line()
        if said.get("lost"):
            raise SystemExit(f"{said['lost']} workers lost the server: {said}")
        return said

    def end(self) -> None:
        """Have them say goodbye."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        end(self._process)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[str, Process]]:
    """Run a server with a no-op task type; give its address, and the process."""
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "noop.py").write_text(PLUGIN, "utf-8")
    command = [sys.executable, "-m", "dc.server", "--listen", "127.0.0.1:0"]
    command += ["--data", str(folder / "data"), "--plugins", str(plugins)]
    log = folder / "log.txt"
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise SystemExit(log.read_text("utf-8")[-2000:])
        yield address, Process(process.pid)
    finally:
        end(process)


@contextlib.contextmanager
def fakes(url: str, workers: int, name: str = "fake") -> Iterator[Fakes]:
    """Run fake workers."""
    fleet = Fakes(url, workers, name)
    try:
        yield fleet
    finally:
        fleet.end()
