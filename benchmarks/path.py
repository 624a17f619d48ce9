"""Times the whole path: a real server, real workers with a real plugin, and the real client.

    python -m benchmarks.path [--tasks N] [--workers N] [--repeat N] [--tls]

Prints a JSON line for each figure. Everything runs on this computer, over loopback, durable.
`server` and `client` are the processor time of these processes for each task.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dc
from benchmarks import figures
from dc import certificates
from dc.known_servers import PIN_VARIABLE, TOKEN_VARIABLE
from dc.server.first_start import TOKEN_FILE

PLUGIN = """\
import dc

@dc.task_type
def noop(payload: bytes) -> bytes:
    return payload
"""
STOP_SECONDS = 15.0


@contextlib.contextmanager
def running(
    folder: Path, workers: int, slots: int, plugin: str = PLUGIN, *, tls: bool = False
) -> Iterator[tuple[str, int]]:
    """Start a server and workers; give the server's address and process id."""
    secure = ("--secure",) if tls else ()
    if tls:  # what it writes down of the server is of no use afterwards
        os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "noop.py").write_text(plugin, "utf-8")
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "log.txt").open("w"))

        def start(*arguments: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-m", *arguments, "--plugins", str(plugins)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
            stack.callback(end, process)
            return process

        data = folder / "data"
        server = start("dc.server", "--listen", "127.0.0.1:0", *secure, "--data", str(data))
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        where = _let_in(data, address, workers) if tls else address
        for number in range(workers):
            name = f"bench-{number}"
            own = "--slots", str(slots), "--name", name, "--data", str(folder / name)
            start("dc.worker", where, *own)
        with dc.Client(address) as client:
            wait_for_workers(client, workers)
        yield address, server.pid


def _let_in(data: Path, address: str, workers: int) -> str:
    """Have this process let in by a server that is starting; return a join code for workers."""
    token, deadline = data / TOKEN_FILE, time.monotonic() + STOP_SECONDS
    while not token.exists():
        if time.monotonic() > deadline:
            raise SystemExit("the server did not start")
        time.sleep(0.05)
    certificate = (data / "tls" / "certificate.pem").read_bytes()
    os.environ[PIN_VARIABLE] = certificates.pin_of_pem(certificate).hex()
    os.environ[TOKEN_VARIABLE] = token.read_text("ascii").strip()
    command = [sys.executable, "-m", "dc", "invite", "--server", address, "--uses", str(workers)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]


def wait_for_workers(client: dc.Client, count: int) -> None:
    """Wait until so many workers are connected."""
    deadline = time.monotonic() + 30.0
    while len(client.get("/api/workers")["workers"]) < count:
        if time.monotonic() > deadline:
            raise SystemExit("the workers did not connect")
        time.sleep(0.05)


def end(process: subprocess.Popen[str]) -> None:
    """End a program that was started here."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def memory_kib(pid: int) -> int:
    """Return the resident memory of a process in KiB, 0 where that cannot be told."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    lines = status.read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def throughput(client: dc.Client, tasks: int) -> float:
    """Run no-op tasks with 64-byte payloads, check each result; return tasks a second."""
    payload = b"x" * 64
    started = time.perf_counter()
    job = client.submit("noop", (payload for _ in range(tasks)))
    count = sum(1 for result in job.results(ordered=False) if result == payload)
    took = time.perf_counter() - started
    assert count == tasks
    return tasks / took


def latency(client: dc.Client, count: int) -> list[float]:
    """Run one task at a time, each a job of its own; return the seconds each took."""
    times = []
    for _ in range(count):
        started = time.perf_counter()
        [result] = client.submit("noop", [b"x"]).results()
        times.append(time.perf_counter() - started)
        assert result == b"x"
    return times


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--tls", action="store_true", help="with TLS on all connections")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dc-bench-") as name, contextlib.ExitStack() as stack:
        how = arguments.workers, arguments.slots
        address, pid = stack.enter_context(running(Path(name), *how, tls=arguments.tls))
        client = stack.enter_context(dc.Client(address))
        rates, memory, costs, own = [], [], [], []
        for _ in range(arguments.repeat):
            before = figures.process_cpu(pid), time.process_time()
            rates.append(throughput(client, arguments.tasks))
            costs.append((figures.process_cpu(pid) - before[0]) / arguments.tasks * 1e6)
            own.append((time.process_time() - before[1]) / arguments.tasks * 1e6)
            memory.append(memory_kib(pid))
        each = {"tasks": arguments.tasks, "all": rates}
        figures.show("no-op tasks", statistics.median(rates), "tasks/s", **each)
        figures.show("no-op task, server", statistics.median(costs), "µs", all=costs)
        figures.show("no-op task, client", statistics.median(own), "µs", all=own)
        show("server memory KiB after each job", all=memory)
        times = sorted(latency(client, 300))
        figures.show("one task, median", times[150] * 1e3, "ms")
        figures.show("one task, 99th percentile", times[297] * 1e3, "ms", compared=False)


def show(what: str, **values: object) -> None:
    """Print a figure as a JSON line."""
    print(json.dumps({"what": what, **values}), flush=True)


if __name__ == "__main__":
    main()
