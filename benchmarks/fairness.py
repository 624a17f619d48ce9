"""How long a few tasks of one submitter take beside a flood of another: `-m benchmarks.fairness`.

A real server and two workers on this computer. One submitter queues a million tasks, then another
one ten: once with nothing else there, and once beside the flood. With a fair half of the workers the
ten take about twice as long as alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import trio

import dc
from benchmarks.processes import PLUGINS, running


async def measure(tasks: int, few: int, kind: str, rounds: int) -> dict[str, float]:
    """Return the median seconds of a few tasks alone and beside a flood.

    Args:
        tasks: of the flood.
        few: tasks of the other submitter.
        kind: their type, of plugins/bench.
        rounds: how often.
    """
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), workers=2) as address:
        async with (
            dc.AsyncClient(address, [PLUGINS], submitter="flood") as flood,
            dc.AsyncClient(address, [PLUGINS], submitter="few") as other,
        ):
            alone = [await _time(other, kind, few) for _ in range(rounds)]
            job = await flood.submit(kind, [b""] * tasks)
            beside = [await _time(other, kind, few) for _ in range(rounds)]
            left = (await job.status()).queued
            began = time.perf_counter()
            await job.cancel()
            cancelled = time.perf_counter() - began
    return {
        "tasks": tasks,
        "few": few,
        "alone_seconds": statistics.median(alone),
        "beside_seconds": statistics.median(beside),
        "left_of_the_flood": left,
        "cancel_seconds": cancelled,
    }


async def _time(client: dc.AsyncClient, kind: str, few: int) -> float:
    began = time.perf_counter()
    job = await client.submit(kind, [b""] * few)
    await job.wait()
    return time.perf_counter() - began


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--type", default="noop")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(json.dumps(trio.run(measure, args.tasks, args.few, args.type, args.rounds)))


if __name__ == "__main__":
    main()
