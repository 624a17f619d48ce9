"""Measures scale: many workers, many jobs, long queues, many tasks through one server.

    python -m benchmarks.fleet idle [--workers N] [--seconds S]
    python -m benchmarks.fleet busy [--workers N ...] [--tasks M]
    python -m benchmarks.fleet jobs [--jobs J] [--each M]
    python -m benchmarks.fleet queue [--tasks N ...] [--run M]
    python -m benchmarks.fleet soak [--tasks N] [--job M] [--plot FILE]

The server is a real one, durable, and so is the client; the workers are those of
`benchmarks.fake_workers`, thousands in one process, over real sockets on 127.0.0.1. So the figures
are about the server: `server_us` is its processor time for each task (or job) in microseconds. It
changes little when client and workers take the processor from it, as they do with two cores.
Prints a JSON line for each figure. Linux only.

- idle: memory of the server for each connected worker, and its share of one processor, while there
  is nothing to do but heartbeats.
- busy: no-op tasks of one job through so many workers.
- jobs: so many jobs of a few tasks each are submitted, and run after that.
- queue: tasks come and go while so many are queued. Chunks are submitted as results are read.
- soak: see `benchmarks.soak`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio

import dc
from benchmarks.fake_workers import raise_file_limit
from benchmarks.path import show
from benchmarks.processes import Process, fakes, processor_here, server
from benchmarks.soak import soak

PAYLOAD = b"x" * 64
SETTLE_SECONDS = 12.0
"""After the workers have connected: what the server did for that is over, the first heartbeats are
under way, and free memory was given back."""

SUBMITTERS = 16
"""Jobs that are submitted at one time, each over the same connection."""

FLOW_TASKS = 2_500
"""Tasks of each job that is submitted while a long queue is worked off."""

WARM_TASKS = 700_000
"""That run before a long queue is measured. What its submission left behind (a log to be copied,
and what the system still writes) costs the first ones two to three times as much: 200,000 of them
after a million, 600,000 after ten million."""

WAIT_SECONDS = 0.02


class Meter:
    """Processor time of the server, and of this process, per task.

    Args:
        process: the server's.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self.restart()

    def restart(self) -> None:
        """Count from now on."""
        self._started = time.perf_counter()
        self._server, self._client = self._process.processor(), processor_here()

    def read(self, count: int) -> dict[str, float]:
        """Return the figures since then; begin anew."""
        took = time.perf_counter() - self._started
        server_us = (self._process.processor() - self._server) / count * 1e6
        client_us = (processor_here() - self._client) / count * 1e6
        self.restart()
        rate = count / took
        figures = {"rate": rate, "server_us": server_us, "client_us": client_us}
        return {name: round(value, 3) for name, value in figures.items()}


@contextmanager
def fresh_server() -> Iterator[tuple[str, Process]]:
    """Run a server on an empty folder."""
    with tempfile.TemporaryDirectory(prefix="dc-bench-") as name, server(Path(name)) as running:
        yield running


# --- idle -----------------------------------------------------------------------------------------


def idle(workers: int, seconds: float) -> None:
    """Show what idle workers cost the server."""
    with fresh_server() as (url, process):
        time.sleep(1.0)
        memory, pss = process.kib("VmRSS"), process.pss_kib()
        used, started = process.processor(), time.perf_counter()
        with fakes(url, workers) as fleet:
            took, used = time.perf_counter() - started, process.processor() - used
            show("connecting", workers=workers, seconds=took, server_us=used / workers * 1e6)
            time.sleep(SETTLE_SECONDS)
            before, used = fleet.ask(), process.processor()
            time.sleep(seconds)
            after, used = fleet.ask(), process.processor() - used
            heard = after.get("heartbeats", 0) - before.get("heartbeats", 0)
            own = after["processor"] - before["processor"]
            show(
                "idle workers",
                workers=workers,
                processor_percent=round(used / seconds * 100, 2),
                rss_bytes_a_worker=(process.kib("VmRSS") - memory) * 1024 // workers,
                pss_bytes_a_worker=(process.pss_kib() - pss) * 1024 // workers,
                heartbeats_a_second=heard / seconds,
                server_us_a_heartbeat=round(used / max(1, heard) * 1e6, 2),
                generator_percent=round(own / seconds * 100, 2),
            )


# --- busy -----------------------------------------------------------------------------------------


def busy(workers: int, tasks: int) -> None:
    """Show what no-op tasks cost when so many workers share them."""
    with fresh_server() as (url, process), fakes(url, workers) as fleet, dc.Client(url) as client:
        run_noops(client, min(tasks, 50_000))
        before, meter = fleet.ask(), Meter(process)
        run_noops(client, tasks)
        figures, after = meter.read(tasks), fleet.ask()
        batch = tasks / (after["assign"] - before["assign"])
        rss = process.kib("VmRSS")
        show("busy", workers=workers, tasks=tasks, tasks_a_message=batch, rss_kib=rss, **figures)


def run_noops(client: dc.Client, tasks: int) -> None:
    """Run a job of no-op tasks; check each result."""
    job = client.submit("noop", itertools.repeat(PAYLOAD, tasks))
    count = sum(1 for result in job.results(ordered=False) if result == PAYLOAD)
    assert count == tasks, f"{count} of {tasks} results"


# --- jobs -----------------------------------------------------------------------------------------


def jobs(count: int, each: int) -> None:
    """Show what jobs cost while there are few and many of them."""
    tenth = count // 10
    with fresh_server() as (url, process):
        idle_kib = process.kib("VmRSS")
        for part in range(10):
            meter = Meter(process)
            trio.run(submit_jobs, url, tenth, each)
            figures = meter.read(tenth)
            show("jobs submitted", jobs=tenth, before=part * tenth, each=each, **figures)
        memory = process.kib("VmRSS") - idle_kib
        show("jobs queued", jobs=count, each=each, bytes_a_job=memory * 1024 // count)
        run_jobs(url, process, count * each)


async def submit_jobs(url: str, count: int, each: int) -> None:
    """Submit jobs, a few at a time."""

    async def some(client: dc.AsyncClient, count: int) -> None:
        for _ in range(count):
            await client.submit("noop", [PAYLOAD] * each)

    async with dc.AsyncClient(url) as client, trio.open_nursery() as nursery:
        for number in range(SUBMITTERS):
            nursery.start_soon(some, client, len(range(number, count, SUBMITTERS)))


def run_jobs(url: str, process: Process, tasks: int) -> None:
    """Have all tasks run; show what each tenth of them costs."""
    with fakes(url, 100) as fleet:
        meter, told = Meter(process), 0
        while told < tasks:
            done = int(fleet.ask().get("done", 0))
            if done >= min(told + tasks // 10, tasks):
                show("tasks of jobs", tasks=done - told, before=told, **meter.read(done - told))
                told = done
            time.sleep(WAIT_SECONDS)
        with dc.Client(url) as client:
            wait_for_done(client, tasks)


def wait_for_done(client: dc.Client, tasks: int) -> None:
    """Wait until so many tasks are recorded."""
    deadline = time.monotonic() + 60.0
    while (counts := client.get("/api/status")["tasks"])["done"] != tasks:
        if time.monotonic() > deadline:
            raise SystemExit(f"not all are done: {counts}")
        time.sleep(0.2)


# --- queue ----------------------------------------------------------------------------------------


def queue(depth: int, run: int) -> None:
    """Show what a task costs, there and back, while so many are queued."""
    with fresh_server() as (url, process), dc.Client(url) as client:
        idle_kib, meter = process.kib("VmRSS"), Meter(process)
        queued = [client.submit("noop", itertools.repeat(PAYLOAD, depth))]
        show("queued", tasks=depth, **meter.read(depth))
        memory = (process.kib("VmRSS") - idle_kib) * 1024
        os.sync()  # a gigabyte that the system still writes is no cost of what follows
        with fakes(url, 2) as fleet:
            results = iterate(queued)
            flow(client, queued, results, WARM_TASKS)
            before, meter = fleet.ask(), Meter(process)
            flow(client, queued, results, run)
            figures, after = meter.read(run), fleet.ask()
            batch = run / (after["assign"] - before["assign"])
            rest = {"tasks_a_message": batch, "bytes_a_task": memory / depth}
            show("flow through a queue", queued=depth, tasks=run, **figures, **rest)


def iterate(queued: list[dc.Job]) -> Iterator[Any]:
    """Give the results of all jobs, those that are added meanwhile included."""
    while True:
        yield from queued.pop(0).results(ordered=False)


def flow(client: dc.Client, queued: list[dc.Job], results: Iterator[Any], tasks: int) -> None:
    """Submit so many tasks, in small jobs, one whenever as many results were read."""
    for _ in range(0, tasks, FLOW_TASKS):
        queued.append(client.submit("noop", itertools.repeat(PAYLOAD, FLOW_TASKS)))
        for result in itertools.islice(results, FLOW_TASKS):
            assert result == PAYLOAD


# --- the command line -----------------------------------------------------------------------------


def parse() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    mode = modes.add_parser("idle")
    mode.add_argument("--workers", type=int, default=10_000)
    mode.add_argument("--seconds", type=float, default=30.0)
    mode = modes.add_parser("busy")
    mode.add_argument("--workers", type=int, nargs="+", default=[2, 100, 1000, 5000])
    mode.add_argument("--tasks", type=int, default=400_000)
    mode = modes.add_parser("jobs")
    mode.add_argument("--jobs", type=int, default=10_000)
    mode.add_argument("--each", type=int, default=10)
    mode = modes.add_parser("queue")
    mode.add_argument("--tasks", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000])
    mode.add_argument("--run", type=int, default=500_000)
    mode = modes.add_parser("soak")
    mode.add_argument("--tasks", type=int, default=20_000_000)
    mode.add_argument("--job", type=int, default=500_000)
    mode.add_argument("--workers", type=int, default=4)
    mode.add_argument("--plot", type=Path, default=Path("docs/benchmarks/soak.svg"))
    return parser.parse_args()


def main() -> None:
    """Run one mode."""
    asked = parse()
    if asked.mode == "idle":
        raise_file_limit(asked.workers)
        idle(asked.workers, asked.seconds)
    elif asked.mode == "busy":
        raise_file_limit(max(asked.workers))
        for workers in asked.workers:
            busy(workers, asked.tasks)
    elif asked.mode == "jobs":
        jobs(asked.jobs, asked.each)
    elif asked.mode == "queue":
        for tasks in asked.tasks:
            queue(tasks, asked.run)
    else:
        soak(asked.tasks, asked.job, asked.workers, asked.plot)


if __name__ == "__main__":
    main()
