"""Measures a long queue: what the server needs of memory, and how soon it is back after a crash.

    python -m benchmarks.long_queue [--tasks N ...] [--run N ...]

For each number of tasks: a real server, and the real client that submits so many no-op tasks with
64-byte payloads, while there is no worker. Then the server is killed (SIGKILL), started again, and
timed until it serves and until a worker had its first task. With --run, a worker runs tasks until
so many are done, before and after the crash: the first come from memory, those behind from the
tail; `server_us` is the server's processor time for each in microseconds. Prints a JSON line for
each figure.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dc
from benchmarks.path import PLUGIN, end, memory_kib, show

PAYLOAD = b"x" * 64
POLL_SECONDS = 0.1
PATIENCE = 120.0
"""Seconds for the server to serve, or the first result to come."""


class Bench:
    """A folder, and the programs that run on it.

    Args:
        folder: for data, plugins and logs.
        stack: ends the programs.
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._plugins = folder / "plugins"
        self._plugins.mkdir()
        (self._plugins / "noop.py").write_text(PLUGIN, "utf-8")
        self._log = stack.enter_context((folder / "log.txt").open("w"))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a program."""
        command = [sys.executable, "-m", *arguments, "--plugins", str(self._plugins)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True)
        self._stack.callback(end, process)
        return process

    def server(self, port: int) -> tuple[subprocess.Popen[str], str]:
        """Start a server and wait until it serves; return it and its address."""
        data = str(self.folder / "data")
        server = self.start("dc.server", "--listen", f"127.0.0.1:{port}", "--data", data)
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        if not address:
            raise SystemExit((self.folder / "log.txt").read_text("utf-8")[-2000:])
        return server, address


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settled_kib(pid: int) -> int:
    """Return the memory of a process once it does not shrink any more."""
    time.sleep(8.0)  # the server gives free memory back when it has been quiet for a while
    before = memory_kib(pid)
    for _ in range(20):
        time.sleep(1.0)
        now = memory_kib(pid)
        if now > 0.99 * before:
            return now
        before = now
    return before


class Queue:
    """A server with one job of no-op tasks that waits for workers."""

    def __init__(self, bench: Bench, tasks: int) -> None:
        self.tasks = tasks
        self._bench = bench
        self._server, self.address = bench.server(0)
        self._idle = memory_kib(self._server.pid)
        with dc.Client(self.address) as client:
            started = time.perf_counter()
            self._job = client.submit("noop", itertools.repeat(PAYLOAD, tasks)).number
            rate = tasks / (time.perf_counter() - started)
        show("tasks submitted a second", tasks=tasks, rate=rate)

    def weigh(self) -> None:
        """Show what the server needs of memory."""
        full = settled_kib(self._server.pid)
        each = (full - self._idle) * 1024 / self.tasks
        show("server memory KiB", tasks=self.tasks, idle=self._idle, full=full, bytes_a_task=each)

    def crash(self) -> None:
        """Kill the server, start it again, wait until it serves and a worker had its first task."""
        self._server.kill()
        self._server.wait()
        log = Path(self._bench.folder / "data" / "dc.sqlite3-wal").stat().st_size
        worker = self._bench.start("dc.worker", self.address, "--slots", "2")
        time.sleep(1.0)  # so that it is there and tries to reach its server
        started = time.perf_counter()
        self._server, _ = self._bench.server(int(self.address.rpartition(":")[2]))
        serving = time.perf_counter() - started
        with dc.Client(self.address) as client:
            self._wait_for(client, 1 + self._done(client))
        first = time.perf_counter() - started
        end(worker)
        memory = memory_kib(self._server.pid)
        what = {"tasks": self.tasks, "log_bytes": log, "memory_kib": memory}
        show("seconds after a crash", serving=serving, first_result=first, **what)

    def run(self, until: int) -> None:
        """Have a worker run tasks until so many are done; show the rate."""
        worker = self._bench.start("dc.worker", self.address, "--slots", "2")
        with dc.Client(self.address) as client:
            self._wait_for(client, 1 + self._done(client))
            begin, started = self._done(client), time.perf_counter()
            used = processor_seconds(self._server.pid)
            self._wait_for(client, until)
            done, took = self._done(client) - begin, time.perf_counter() - started
            used = processor_seconds(self._server.pid) - used
        end(worker)
        memory = memory_kib(self._server.pid)
        what = {"begin": begin, "server_us": used / done * 1e6, "memory_kib": memory}
        show("no-op tasks/s", tasks=self.tasks, rate=done / took, **what)

    def _done(self, client: dc.Client) -> int:
        return int(client.get(f"/api/jobs/{self._job}")["counts"]["done"])

    def _wait_for(self, client: dc.Client, count: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while self._done(client) < count:
            if time.monotonic() > deadline:
                raise SystemExit(f"no {count} results within {PATIENCE:g} s")
            time.sleep(POLL_SECONDS)


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--run", type=int, nargs="+", default=[])
    arguments = parser.parse_args()
    for tasks in arguments.tasks:
        with (
            tempfile.TemporaryDirectory(prefix="dc-bench-") as name,
            contextlib.ExitStack() as stack,
        ):
            queue = Queue(Bench(Path(name), stack), tasks)
            queue.weigh()
            for until in arguments.run:
                queue.run(until)
            queue.crash()
            for until in arguments.run:
                queue.run(arguments.run[-1] + until)


if __name__ == "__main__":
    main()
