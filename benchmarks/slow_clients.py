"""What thousands of slow connections cost a server, and the job that runs meanwhile.

    python -m benchmarks.slow_clients [--connections N] [--seconds S] [--tasks N]

A process of its own keeps so many connections open: a third says nothing, the others send a byte a
second of a request's head. Those that the server ends are opened again. Prints a JSON line for each
figure: the processor time of the server for all of them, as a share of one processor, and the rate
of no-op jobs with them and without. All is on this computer, so what the slow ones cost their own
process slows the job too, if there is no processor to spare for it.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dc
from benchmarks import figures
from benchmarks.path import end, running, throughput
from benchmarks.processes import Process

HEAD = b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 4000
SLICES = 20
"""Of a second: in each, so many of the connections send their byte."""


class Slow:
    """One slow connection.

    Args:
        where: the server.
        silent: whether it says nothing at all.
    """

    def __init__(self, where: tuple[str, int], silent: bool) -> None:
        self.where = where
        self.silent = silent
        self.socket: socket.socket | None = None
        self.at = self.opened = 0

    def step(self) -> None:
        """Send a byte, or open it again if it was closed."""
        if self.socket is None:
            self._open()
            return
        try:
            if self.socket.recv(4096) == b"":
                self._close()
        except BlockingIOError:
            self._say()
        except OSError:
            self._close()

    def _open(self) -> None:
        self.opened += 1
        self.at = 0
        self.socket = socket.socket()
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self.socket.connect(self.where)

    def _say(self) -> None:
        assert self.socket is not None
        if not self.silent:
            with contextlib.suppress(OSError):
                self.at += self.socket.send(HEAD[self.at : self.at + 1])

    def _close(self) -> None:
        assert self.socket is not None
        self.socket.close()
        self.socket = None


def be_slow(host: str, port: int, count: int) -> None:
    """Keep so many slow connections open, until standard input ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 100), hard))
    slow = [Slow((host, port), number % 3 == 0) for number in range(count)]
    for number in range(0, count, 100):
        for one in slow[number : number + 100]:
            one.step()
        time.sleep(0.02)
    print("ready", flush=True)
    turn, due = 0, time.monotonic()
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        for one in slow[turn::SLICES]:
            one.step()
        turn, due = (turn + 1) % SLICES, due + 1 / SLICES
    print(sum(one.opened for one in slow) - count, flush=True)


@contextlib.contextmanager
def slow_ones(address: str, count: int) -> Iterator[subprocess.Popen[str]]:
    """Have so many slow connections open while the block runs."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    command = [sys.executable, "-m", "benchmarks.slow_clients", "--be", host, port, str(count)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        process.stdout.readline()
        yield process
        process.stdin.close()
        print(f"connections that were opened again: {process.stdout.readline().strip()}")
    finally:
        end(process)


def rates(client: dc.Client, tasks: int, seconds: float) -> list[float]:
    """Run jobs for so long; return the rate of each."""
    found: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(found) < 3:
        found.append(throughput(client, tasks))
    return found


def cost(pid: int, seconds: float) -> float:
    """Return how much of a processor a process uses."""
    process, before = Process(pid), Process(pid).processor()
    time.sleep(seconds)
    return (process.processor() - before) / seconds


def measure(count: int, seconds: float, tasks: int) -> None:
    """Print all figures."""
    with tempfile.TemporaryDirectory(prefix="dc-bench-") as name, contextlib.ExitStack() as stack:
        address, pid = stack.enter_context(running(Path(name), 1, 1))
        client = stack.enter_context(dc.Client(address))
        throughput(client, tasks)
        idle, quiet, busy = cost(pid, seconds / 2), [], []
        quiet += rates(client, tasks, seconds)
        with slow_ones(address, count) as attacker:
            share, own = cost(pid, seconds) - idle, cost(attacker.pid, 2.0)
            busy += rates(client, tasks, seconds)
        quiet += rates(client, tasks, seconds)
        figures.show("slow connections, server", share * 100, "% of a processor", connections=count)
        figures.show(
            "slow connections, themselves", own * 100, "% of a processor", connections=count
        )
        figures.show("no-op tasks without them", statistics.median(quiet), "tasks/s", all=quiet)
        figures.show("no-op tasks beside them", statistics.median(busy), "tasks/s", all=busy)


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--be", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.be:
        host, port, count = arguments.be
        be_slow(host, int(port), int(count))
    else:
        measure(arguments.connections, arguments.seconds, arguments.tasks)


if __name__ == "__main__":
    main()
