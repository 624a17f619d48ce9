"""How long a few tasks of one submitter take beside a flood of another: `-m benchmarks.fairness`.

    python -m benchmarks.fairness [--tasks N] [--few N] [--milliseconds T] [--rounds N]

A real server and two workers on this computer. One submitter has a job of few tasks run, alone;
then another one queues a million, and the first has the same run again beside them. With a fair
half of the workers the few take about twice as long as alone. At the end the flood is cancelled.
Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import dc
from benchmarks.path import running

PLUGIN = """\
import time

import dc

@dc.task_type
def nap(milliseconds: float) -> float:
    time.sleep(milliseconds / 1000)
    return milliseconds
"""


def measure(address: str, tasks: int, few: int, each: float, rounds: int) -> dict[str, float]:
    """Return how long the few take alone and beside the flood, in seconds."""
    with (
        dc.Client(address, submitter="flood") as flood,
        dc.Client(address, submitter="few") as other,
    ):
        alone = [time_of(other, few, each) for _ in range(rounds)]
        job = flood.submit("nap", (each for _ in range(tasks)))
        beside = [time_of(other, few, each) for _ in range(rounds)]
        left = job.status().queued
        began = time.perf_counter()
        job.cancel()
        cancelled = time.perf_counter() - began
        time_of(other, 1, each)  # the slots are free
        free = time.perf_counter() - began
    return {
        "flood_tasks": tasks,
        "flood_left": left,
        "few_tasks": few,
        "alone_seconds": statistics.median(alone),
        "beside_seconds": statistics.median(beside),
        "cancel_seconds": cancelled,
        "cancel_and_one_task_seconds": free,
    }


def time_of(client: dc.Client, count: int, each: float) -> float:
    """Return the seconds that a job of some naps takes, from its submission on."""
    began = time.perf_counter()
    client.submit("nap", [each] * count).wait()
    return time.perf_counter() - began


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--milliseconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="dc-bench-") as folder,
        running(Path(folder), workers=2, slots=1, plugin=PLUGIN) as (address, _),
    ):
        found = measure(address, args.tasks, args.few, args.milliseconds, args.rounds)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
