"""The work: what is done with each system, and how its answers are checked."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from benchmarks.peers.systems import proc
from benchmarks.peers.systems.base import System

PAYLOAD_BYTES = 64
WARM_UP = 200
"""Tasks before anything is timed."""
SHORT_RUN = 0.25
"""Share of a run that a shorter one must last, to tell how many tasks make a whole one."""
SLOTS = 2
MOST = 2_000_000
"""No-ops in one run."""
LATENCIES = 1000
"""Single tasks, unless time is over before."""
LARGE_BYTES = 100_000_000
NAPS = 0.001, 0.010, 0.100
"""Seconds that the tasks of an efficiency sleep."""

Figures = dict[str, Any]
Way = Callable[[Iterator[bytes]], Iterator[bytes]]


class Wrong(Exception):
    """A result is missing, doubled, or not what it must be."""


def payloads(count: int) -> Iterator[bytes]:
    """Yield so many payloads, no two of them equal."""
    return (number.to_bytes(PAYLOAD_BYTES, "little") for number in range(count))


def check(results: Iterable[bytes], count: int) -> None:
    """Check that each payload came back once.

    Raises:
        Wrong: it did not.
    """
    seen = bytearray(count)
    for result in results:
        if len(result) != PAYLOAD_BYTES:
            raise Wrong(f"a result of {len(result)} bytes")
        seen[int.from_bytes(result, "little")] += 1
    if seen.count(1) != count:
        raise Wrong(f"{count - seen.count(1)} of {count} results are missing or doubled")


def warm_up(system: System) -> None:
    """Have everything run once."""
    check(system.run("noop", payloads(WARM_UP)), WARM_UP)


def rate_of(way: Way, count: int) -> float:
    """Run so many no-ops; return how many were done a second, checked results included."""
    started = time.perf_counter()
    check(way(payloads(count)), count)
    return count / (time.perf_counter() - started)


def throughput(way: Way, seconds: float, least: int) -> Figures:
    """Run no-ops for about so many seconds; their number follows from shorter runs."""
    count = WARM_UP
    while (rate := rate_of(way, count)) > count / (SHORT_RUN * seconds):
        count = clamp(2 * rate * SHORT_RUN * seconds, 2 * count, 16 * count)
    count = clamp(rate * seconds, least, MOST)
    return {"rate": rate_of(way, count), "tasks": count}


def latency(one: Callable[[bytes], bytes], seconds: float) -> Figures:
    """Run one task at a time."""
    times = []
    end = time.perf_counter() + seconds
    for number in range(LATENCIES):
        payload = number.to_bytes(PAYLOAD_BYTES, "little")
        started = time.perf_counter()
        result = one(payload)
        now = time.perf_counter()
        times.append(now - started)
        if result != payload:
            raise Wrong("a result is not its payload")
        if now > end and number >= 4:
            break
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3, "tasks": len(times)}


def efficiency(system: System, nap: float, seconds: float, rate: float) -> Figures:
    """Run tasks that sleep; return the ideal time of two slots as a share of the real one."""
    count = clamp(seconds * min(SLOTS / nap, rate), 20, MOST)
    given = [b"%g %d" % (nap, number) for number in range(count)]
    started = time.perf_counter()
    results = sorted(system.run("nap", iter(given)))
    took = time.perf_counter() - started
    if results != sorted(given):
        raise Wrong("the results are not the payloads")
    return {"share": count * nap / SLOTS / took, "tasks": count}


def transfer(system: System) -> Figures:
    """Send a large payload and get it back; both count as bytes moved."""
    payload = os.urandom(1_000_000) * (LARGE_BYTES // 1_000_000)
    system.one(payload[:1000])
    holders = system.holders()
    proc.reset_peak(holders)
    before = proc.resident(holders)
    started = time.perf_counter()
    result = system.one(payload)
    took = time.perf_counter() - started
    if result != payload:
        raise Wrong("the large result is not its payload")
    more = proc.peak(holders) - before
    return {"mb_s": 2 * LARGE_BYTES / 1e6 / took, "server_peak_more_mb": more / 1e6}


def queued(system: System, count: int) -> Figures:
    """Fill the queue while no worker runs; return what a task takes, in memory and on disk."""
    gc.collect()
    holders = system.holders()
    server, client, disk = proc.memory(holders), proc.memory([os.getpid()]), system.disk()
    started = time.perf_counter()
    kept = system.queue(payloads(count))
    took = time.perf_counter() - started
    gc.collect()
    time.sleep(system.settle)
    figures = {
        "server_bytes": (proc.memory(holders) - server) / count,
        "client_bytes": (proc.memory([os.getpid()]) - client) / count,
        "disk_bytes": (system.disk() - disk) / count,
        "seconds": took,
    }
    del kept
    return figures


def clamp(value: float, least: int, most: int) -> int:
    """Return a whole number within bounds."""
    return int(max(least, min(value, most)))
