"""Measure the scheduler: nanoseconds an operation and bytes a task, as JSON lines.

    python -m benchmarks.scheduler [--large] [--tasks N --workers N --classes N] [--repeats N]

Each scenario runs in three parts: the first fill (the tables grow), a drain (assign and finish
until nothing is left, every worker always full), and a steady state on tables that have grown
(submit, assign, finish in turn). Each part is timed as a whole and divided by its tasks; `_call`
is by calls of assign(). The garbage collector is off: what it would walk are the batches that this
program keeps, and no object of the scheduler.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections import deque
from pathlib import Path

from dc._core import Scheduler

BATCH = 1000  # tasks in one submission
SLOTS = 4
COST = 0.0005  # seconds: a worker may hold 800 tasks
STEADY = 2  # rounds

Batch = tuple[int, int, list[int], list[int]]  # worker, job, numbers, attempts


class Clock:
    """Sums up the time spent in each kind of operation."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.tasks: dict[str, int] = {}

    def add(self, what: str, seconds: float, tasks: int) -> None:
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds
        self.tasks[what] = self.tasks.get(what, 0) + tasks

    def results(self) -> dict[str, int]:
        return {
            f"{what}_ns": round(1e9 * seconds / max(self.tasks[what], 1))
            for what, seconds in self.seconds.items()
        }


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def make(workers: int, classes: int) -> Scheduler:
    """One group that runs every class; a job for each class."""
    scheduler = Scheduler()
    group = scheduler.add_group([scheduler.add_class() for _ in range(classes)])
    for job in range(classes):
        scheduler.add_job(job, job, 0, 3)
        scheduler.set_cost(job, COST)
    for _ in range(workers):
        scheduler.add_worker(group, SLOTS)
    return scheduler


def fill(scheduler: Scheduler, clock: Clock, what: str, tasks: int, ends: list[int]) -> None:
    """Submit in batches, the jobs in turn."""
    jobs = len(ends)
    batches = [(i % jobs, min(BATCH, tasks - i * BATCH)) for i in range(-(-tasks // BATCH))]
    if jobs > len(batches):
        batches = [(i, max(tasks // jobs, 1)) for i in range(jobs)]
    begin = time.perf_counter()
    for job, count in batches:
        scheduler.submit(job, ends[job], count)
        ends[job] += count
    clock.add(what, time.perf_counter() - begin, sum(count for _, count in batches))


def assign(scheduler: Scheduler, clock: Clock, what: str, held: deque[Batch]) -> None:
    """Call assign() until nobody can take anything."""
    taken = []
    begin = time.perf_counter()
    while (batch := scheduler.assign()) is not None:
        taken.append(batch)
    seconds = time.perf_counter() - begin
    tasks = 0
    for worker, runs in taken:
        for job, numbers, attempts in runs:
            held.append((worker, job, numbers, attempts))
            tasks += len(numbers)
    clock.add(what, seconds, tasks)
    clock.add(f"{what}_call", seconds, len(taken))


def finish(scheduler: Scheduler, clock: Clock, what: str, held: deque[Batch]) -> None:
    """Finish the older half of what the workers hold."""
    batches = [held.popleft() for _ in range(-(-len(held) // 2))]
    begin = time.perf_counter()
    for worker, job, numbers, attempts in batches:
        scheduler.finish(worker, job, numbers, attempts)
    seconds = time.perf_counter() - begin
    clock.add(what, seconds, sum(len(batch[2]) for batch in batches))


def run(tasks: int, workers: int, classes: int) -> dict[str, int | float]:
    clock = Clock()
    scheduler = make(workers, classes)
    gc.collect()
    gc.disable()
    before = resident_bytes()
    ends = [0] * classes
    fill(scheduler, clock, "first_submit", tasks, ends)
    size = resident_bytes() - before
    held: deque[Batch] = deque()
    queued = scheduler.statistics().queued
    for _ in range(STEADY):
        assign(scheduler, clock, "assign", held)
        while held:
            finish(scheduler, clock, "finish", held)
            assign(scheduler, clock, "assign", held)
        fill(scheduler, clock, "submit", tasks, ends)
    return {
        "tasks": tasks,
        "workers": workers,
        "classes": classes,
        "bytes_per_task": round(size / queued, 1),
        **clock.results(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also 10^7 tasks on 10^4 workers")
    parser.add_argument("--tasks", type=int)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--classes", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    scenarios = [(10**6, 1000, 1), (10**6, 1000, 3000)]
    if options.large:
        scenarios += [(10**7, 10**4, 1), (10**7, 10**4, 3000)]
    if options.tasks:
        scenarios = [(options.tasks, options.workers, options.classes)]
    for scenario in scenarios:
        for _ in range(options.repeats):
            print(json.dumps(run(*scenario)), flush=True)


if __name__ == "__main__":
    main()
