"""Measure the scheduler: nanoseconds of processor time an operation, and bytes a task.

    python -m benchmarks.scheduler [--full] [--tasks N --workers N --classes N --groups N --needs]

With `--needs` each class needs another amount of a second resource, of which there is enough.

Each scenario runs in two parts. The fill: all tasks are submitted to new tables, which grow. Then
the steady state, in which as many tasks as at first are there all the time: rounds of assigning
until no worker can take anything, finishing half of what is held, and submitting as many to jobs at
random. What is finished comes as reports of up to `REPORT` tasks in random order, so the records
that are used again lie scattered. Only what follows after every record was used once is measured.
The numbers in a report are new objects, as they are after a message was decoded.

`assign call` is by calls of assign(), each of which gives one worker what it may have. The garbage
collector is off: what it would walk are the batches that this program keeps, and no object of the
scheduler.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import random
import time
from array import array

from benchmarks.figures import resident_bytes, show
from dc._core import Scheduler

BATCH = 1000  # tasks in one submission
REPORT = 64  # tasks in one report of a worker
AT_ONCE = 64  # reports between two looks at the clock
SLOTS = 4
CPU = 10_000  # in amounts
COST = 0.0005  # seconds: a worker may hold 800 tasks
LEAST = 300_000  # tasks to measure in the steady state

CORNERS = [
    (10**3, 1, 1, 1),
    (10**3, 10**4, 3000, 1),
    (10**6, 1000, 1, 1),
    (10**6, 1000, 3000, 1),
    (10**6, 1000, 300, 100),
    (10**7, 10, 10, 1),
    (10**7, 10**4, 3000, 1),
]
MATRIX = [
    (tasks, workers, classes, 1)
    for tasks, workers, classes in itertools.product(
        (10**3, 10**4, 10**5, 10**6, 10**7), (1, 100, 10**4), (1, 100, 3000)
    )
]

Report = tuple[int, int, "array[int]", list[int]]  # worker, job, numbers, attempts


class Clock:
    """Sums up the processor time spent in each kind of operation, and how much was done in it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.count: dict[str, int] = {}

    def add(self, what: str, seconds: float, count: int) -> None:
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds
        self.count[what] = self.count.get(what, 0) + count

    def show(self, scenario: str) -> None:
        for what, seconds in self.seconds.items():
            show(f"{scenario}, {what}", 1e9 * seconds / max(self.count[what], 1), "ns")


class Scenario:
    """A scheduler with a job for each class; every group runs all classes."""

    def __init__(self, tasks: int, workers: int, classes: int, groups: int, *, needs: bool) -> None:
        self.name = f"{tasks} tasks, {workers} workers, {classes} classes"
        self.name += f", {groups} groups" if groups > 1 else ""
        self.name += ", different needs" if needs else ""
        self.tasks = tasks
        self.clock = Clock()
        self.scheduler = Scheduler()
        self._random = random.Random(1)
        self._ends = [0] * classes
        self._held: list[Report] = []
        wanted = [[{0: CPU, 1: number + 1}] if needs else [] for number in range(classes)]
        kinds = [self.scheduler.add_class(alternatives) for alternatives in wanted]
        crowds = [self.scheduler.add_group(kinds) for _ in range(groups)]
        for job in range(classes):
            self.scheduler.add_job(job, job, 0, 3)
            self.scheduler.set_cost(job, COST)
        for worker in range(workers):
            amounts = {0: SLOTS * CPU, 1: SLOTS * classes} if needs else {}
            self.scheduler.add_worker(crowds[worker % groups], SLOTS, amounts)

    def fill(self) -> None:
        """Submit all tasks, the jobs in turn."""
        batch = min(BATCH, -(-self.tasks // len(self._ends)))
        jobs = [number % len(self._ends) for number in range(self.tasks // batch)]
        before = resident_bytes()
        self._submit("first submit", [(job, batch) for job in jobs])
        grown = resident_bytes() - before
        if self.tasks >= 10**5:
            show(f"{self.name}, a task", grown / (len(jobs) * batch), "B")

    def turn_over(self) -> None:
        """Run the steady state: first until every record was used once, then measured."""
        for least in (self.tasks, max(self.tasks, LEAST)):
            self.clock = Clock() if least > 0 else self.clock
            done = 0
            while done < least:
                self._assign()
                done += (finished := self._finish())
                batch = min(BATCH, finished)
                jobs = self._random.choices(range(len(self._ends)), k=-(-finished // batch))
                left = [min(batch, finished - at * batch) for at in range(len(jobs))]
                self._submit("submit", list(zip(jobs, left, strict=True)))

    def _submit(self, what: str, batches: list[tuple[int, int]]) -> None:
        ends, submit = self._ends, self.scheduler.submit
        begin = time.process_time()
        for job, count in batches:
            submit(job, ends[job], count)
            ends[job] += count
        seconds = time.process_time() - begin
        self.clock.add(what, seconds, sum(count for _, count in batches))

    def _assign(self) -> None:
        """Call assign() until nobody can take anything."""
        taken = []
        assign = self.scheduler.assign
        begin = time.process_time()
        while (batch := assign()) is not None:
            taken.append(batch)
        seconds = time.process_time() - begin
        tasks = 0
        for worker, runs in taken:
            for job, _, numbers, attempts in runs:
                tasks += len(numbers)
                for at in range(0, len(numbers), REPORT):
                    piece = array("I", numbers[at : at + REPORT])
                    self._held.append((worker, job, piece, attempts[at : at + REPORT]))
        self.clock.add("assign", seconds, tasks)
        self.clock.add("assign call", seconds, len(taken))

    def _finish(self) -> int:
        """Finish half of what the workers hold; return how many tasks that were."""
        self._random.shuffle(self._held)
        half = len(self._held) // 2
        count = 0
        while len(self._held) > half:
            at = max(len(self._held) - AT_ONCE, half)
            reports = self._held[at:]
            del self._held[at:]
            count += self._report([(w, j, list(n), list(a)) for w, j, n, a in reports])
        return count

    def _report(self, reports: list[tuple[int, int, list[int], list[int]]]) -> int:
        finish = self.scheduler.finish
        begin = time.process_time()
        for worker, job, numbers, attempts in reports:
            finish(worker, job, numbers, attempts)
        seconds = time.process_time() - begin
        count = sum(len(report[2]) for report in reports)
        self.clock.add("finish", seconds, count)
        return count


def run(tasks: int, workers: int, classes: int, groups: int, *, needs: bool = False) -> None:
    """Run a scenario and show its figures."""
    scenario = Scenario(tasks, workers, classes, groups, needs=needs)
    gc.collect()
    gc.disable()
    scenario.fill()
    scenario.clock.show(scenario.name)
    scenario.turn_over()
    scenario.clock.show(scenario.name)
    gc.enable()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the whole matrix; some minutes")
    parser.add_argument("--tasks", type=int)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--classes", type=int, default=1)
    parser.add_argument("--groups", type=int, default=1)
    parser.add_argument("--needs", action="store_true", help="each class needs other amounts")
    options = parser.parse_args()
    scenarios = MATRIX if options.full else CORNERS
    if options.tasks:
        scenarios = [(options.tasks, options.workers, options.classes, options.groups)]
    for scenario in scenarios:
        run(*scenario, needs=options.needs)


if __name__ == "__main__":
    main()
