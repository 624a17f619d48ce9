"""Times large payloads and results: there and back through a real server, worker and client.

    python -m benchmarks.large [--sizes MB,MB…] [--repeat N] [--tls]

Prints JSON lines: for each size the rate, the processor time of each process, and the server's
peak of memory; beside them what this computer does at best with the same bytes: its disk, SHA-256,
loopback TCP, and copying. One MB is a million bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import dc
from benchmarks.path import running, show

PLUGIN = """\
import dc

@dc.task_type
def other(payload: bytes) -> bytes:
    # Not the payload itself: the server has that already, and would not take it again.
    return b"".join((b"a result", memoryview(payload)[8:]))
"""
MB = 1_000_000
PIECE = 256 * 1024
WARM_BYTES = 6_000 * MB
TICKS = os.sysconf("SC_CLK_TCK")


class Processes:
    """The programs that take part, by name: their processor time and their memory."""

    def __init__(self, server: int) -> None:
        agents = [pid for pid in children(os.getpid()) if pid != server]
        executors = [pid for agent in agents for pid in children(agent)]
        self._pids = {"client": [os.getpid()], "server": [server], "agent": agents}
        self._pids["executor"] = executors
        self._server = server

    def seconds(self) -> dict[str, float]:
        """Return the processor seconds that each has used."""
        return {name: sum(map(cpu_seconds, pids)) for name, pids in self._pids.items()}

    def forget_peak(self) -> None:
        """Let the server's peak of memory begin anew."""
        Path(f"/proc/{self._server}/clear_refs").write_text("5", "utf-8")

    def peak_kib(self) -> int:
        """Return the server's peak of resident memory, in KiB."""
        lines = Path(f"/proc/{self._server}/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text("utf-8").split()]


def cpu_seconds(pid: int) -> float:
    """Return the processor seconds that a process has used, to a hundredth."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def there_and_back(
    client: dc.Client, processes: Processes, payload: bytes
) -> tuple[float, dict[str, float]]:
    """Run one task; return the seconds it took, and of which processor. Its result is checked."""
    before = processes.seconds()
    started = time.perf_counter()
    [result] = client.submit("other", [payload]).results(large="value")
    took = time.perf_counter() - started
    after = processes.seconds()
    assert len(result) == len(payload)
    assert result[:8] == b"a result"
    assert result[8:] == payload[8:]
    return took, {name: after[name] - before[name] for name in after}


def warm(folder: Path, size: int) -> None:
    """Use so much memory for files, and give it back.

    A virtual machine may get memory from its host only when it touches it, and lose what has been
    free for seconds: a host's page costs several times as much as what is measured here.
    """
    path, piece = folder / "warm", bytes(4 * PIECE)
    with path.open("wb", buffering=0) as file:
        for _ in range(min(size, WARM_BYTES) // len(piece)):
            file.write(piece)
    path.unlink()


def measure(client: dc.Client, processes: Processes, folder: Path, size: int, repeat: int) -> None:
    """Run tasks of one size and show what they cost."""
    payloads = [os.urandom(size) for _ in range(repeat)]
    processes.forget_peak()
    times: list[float] = []
    costs: list[dict[str, float]] = []
    for payload in payloads:
        warm(folder, 8 * size)
        took, cost = there_and_back(client, processes, payload)
        times.append(took)
        costs.append(cost)
    middle = statistics.median(times)
    show(
        "there and back",
        bytes=size,
        median_ms=round(middle * 1e3, 2),
        both_ways_mb_s=round(2 * size / MB / middle, 1),
        one_way_mb_s=round(size / MB / middle, 1),
        all_ms=[round(one * 1e3, 2) for one in times],
        cpu_s_each={
            name: round(statistics.mean(one[name] for one in costs), 4) for name in costs[0]
        },
        server_peak_kib=processes.peak_kib(),
    )


def raw(folder: Path, size: int, repeat: int) -> None:
    """Show what this computer does with so many bytes."""
    data = os.urandom(size)
    works: dict[str, Callable[[], None]] = {
        "raw: write and fdatasync": lambda: write(folder / "raw", data),
        "raw: sha256": lambda: hash_all(data),
        "raw: loopback TCP": lambda: send_all(data),
        "raw: copy to fresh memory": lambda: copy(data),
    }
    for what, work in works.items():
        times = []
        for _ in range(repeat):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
        show(what, bytes=size, mb_s=round(size / MB / statistics.median(times), 1))


def write(path: Path, data: bytes) -> None:
    """Write bytes to a new file, and sync it."""
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(data), PIECE):
            file.write(data[start : start + PIECE])
        os.fdatasync(file.fileno())
    path.unlink()


def hash_all(data: bytes) -> None:
    """Hash bytes."""
    hashlib.sha256(data).digest()


def copy(data: bytes) -> None:
    """Copy bytes."""
    bytearray(data)


def send_all(data: bytes) -> None:
    """Send bytes from one thread to another over loopback."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        near = stack.enter_context(socket.create_connection(listener.getsockname()))
        far = stack.enter_context(listener.accept()[0])
        thread = threading.Thread(target=near.sendall, args=(data,))
        thread.start()
        buffer, left = bytearray(PIECE), len(data)
        while left:
            left -= far.recv_into(buffer)
        thread.join()


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="0.1,1,10,100,400", help="in MB")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    parser.add_argument("--tls", action="store_true", help="with TLS on all connections")
    arguments = parser.parse_args()
    start = partial(running, workers=1, slots=1, plugin=PLUGIN, tls=arguments.tls)
    sizes = [int(float(size) * MB) for size in arguments.sizes.split(",")]
    with contextlib.ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="dc-bench-", dir=arguments.folder)
        folder = Path(stack.enter_context(temporary))
        raw(folder, 100 * MB, arguments.repeat)
        address, pid = stack.enter_context(start(folder))
        client = stack.enter_context(dc.Client(address))
        processes = Processes(pid)
        there_and_back(client, processes, os.urandom(MB))
        for size in sizes:
            measure(client, processes, folder, size, arguments.repeat)


if __name__ == "__main__":
    main()
