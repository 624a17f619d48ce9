"""Measures the latency of tasks under a steady load: an open loop, which waits for no results.

    python -m benchmarks.openloop [--rate N ...] [--seconds N] [--repeat N] [--way WAY ...]

A server, two workers of one slot, and clients, all on this computer. Tasks are due at even times,
so many a second; a payload bears the time at which it was due, so that what comes late counts as
late. Way `generator`: one client submits a job from a generator that makes each payload when it is
due, and another client, in a process of its own, reads the results as they come. Way `futures`: one
client calls `job.submit` of an open job for each task when it is due, and notes when its future is
done. What is due in the first second (finding the job, the first batches) is not counted. Prints a
JSON line for each run: p50 and p99 in ms, and how many seconds it took in all.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import dc
from benchmarks.peers.systems.on_dc import Dc

PAYLOAD_BYTES = 64
TICK_SECONDS = 0.001
"""Tasks that are due are given out so often, all at once."""
SETTLE_SECONDS = 1.0
"""Tasks that are due within so long of the start are not counted."""
FIND_SECONDS = 10.0
"""For a job to appear on the server."""
WAYS = "generator", "futures"


def due(rate: int, seconds: float) -> Iterator[bytes]:
    """Yield payloads when they are due, each with that time in nanoseconds."""
    start, total = time.perf_counter_ns(), int(rate * seconds)
    given = 0
    while given < total:
        until = min(total, (time.perf_counter_ns() - start) * rate // 1_000_000_000 + 1)
        for number in range(given, until):
            stamp = start + number * 1_000_000_000 // rate
            yield stamp.to_bytes(PAYLOAD_BYTES, "little")
        given = until
        time.sleep(TICK_SECONDS)


Seen = list[tuple[int, float]]
"""For each task when it was due, in nanoseconds, and its latency in ms."""


def seen(result: bytes) -> tuple[int, float]:
    """Return when a result's payload was due, and how many ms ago that is."""
    stamp = int.from_bytes(result, "little")
    return stamp, (time.perf_counter_ns() - stamp) / 1e6


def submit(address: str, name: str, rate: int, seconds: float) -> None:
    """Submit a job of that name from a generator, in a process of its own."""
    with dc.Client(address) as client:
        client.submit("noop", due(rate, seconds), name=name)


def by_generator(address: str, name: str, rate: int, seconds: float) -> Seen:
    """Return the latencies of one run, by a generator and another client's loop."""
    process = multiprocessing.get_context("spawn").Process(
        target=submit, args=(address, name, rate, seconds)
    )
    with dc.Client(address) as client:
        process.start()
        try:
            job = find(client, name)
            return list(map(seen, job.results(ordered=False)))
        finally:
            process.join(FIND_SECONDS)
            process.kill()


def find(client: dc.Client, name: str) -> dc.Job:
    """Return the job of a name, once it is there."""
    deadline = time.monotonic() + FIND_SECONDS
    while time.monotonic() < deadline:
        for job in client.get("/api/jobs?limit=1")["jobs"]:
            if job["name"] == name:
                return client.job(job["job"])
        time.sleep(0.01)
    raise SystemExit(f"no job {name} within {FIND_SECONDS:g} s")


def by_futures(address: str, name: str, rate: int, seconds: float) -> Seen:
    """Return the latencies of one run, by one call and one future for each task."""
    latencies: Seen = []

    def note(future: Future[bytes]) -> None:
        latencies.append(seen(future.result()))

    with dc.Client(address) as client, open_job(client, name) as job:
        for payload in due(rate, seconds):
            job.submit(payload).add_done_callback(note)
        deadline = time.monotonic() + FIND_SECONDS
        while len(latencies) < int(rate * seconds) and time.monotonic() < deadline:
            time.sleep(0.01)
    return latencies


def open_job(client: dc.Client, name: str) -> Any:
    """Open a job to which tasks are added one at a time."""
    assert hasattr(client, "open"), "this version has no open jobs"
    return client.open("noop", name=name)


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, nargs="+", default=[10_000, 50_000, 100_000])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--way", nargs="+", choices=WAYS, default=list(WAYS))
    arguments = parser.parse_args()
    ways = [way for way in arguments.way if way == "generator" or hasattr(dc.Client, "open")]
    runs = itertools.product(range(arguments.repeat), arguments.rate, ways)
    with tempfile.TemporaryDirectory(prefix="dc-bench-") as folder:
        system = Dc(Path(folder))
        try:
            system.start()
            by_generator(system.address, "warm-up", 10_000, 1.0)
            for number, rate, way in runs:
                show(system.address, f"{way}-{rate}-{number}", rate, arguments.seconds)
        finally:
            system.stop()


def show(address: str, name: str, rate: int, seconds: float) -> None:
    """Make one run, and print its figures as a JSON line."""
    way = by_generator if name.startswith(WAYS[0]) else by_futures
    started = time.perf_counter()
    found = way(address, name, rate, seconds + SETTLE_SECONDS)
    took = time.perf_counter() - started
    count = int(rate * (seconds + SETTLE_SECONDS))
    assert len(found) == count, f"{len(found)} of {count} results came"
    first = int(rate * SETTLE_SECONDS)
    latencies = [latency for _, latency in sorted(found)[first:]]
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    figures = {
        "p50_ms": round(cuts[49], 2),
        "p99_ms": round(cuts[98], 2),
        "seconds": round(took, 2),
    }
    print(
        json.dumps({"what": "latency under load", "run": name, "rate": rate, **figures}), flush=True
    )


if __name__ == "__main__":
    main()
