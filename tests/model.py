"""The scheduler again, without cleverness: dicts and sorted(). The real one is held against it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

QUEUED, DELAYED, ASSIGNED, RUNNING = 1, 2, 3, 4
STALE, RETRY, FAILED = 0, 1, 2
BATCH = 4096

Key = tuple[int, int]
Runs = list[tuple[int, list[int], list[int]]]


@dataclass
class Job:
    class_: int
    priority: int
    retries: int
    cost: float = -1.0
    end: int = 0
    held_back: bool = False


@dataclass
class Task:
    age: int
    retries: int
    attempt: int = 0
    crashes: int = 0
    lost: bool = False
    state: int = QUEUED
    worker: int = -1
    cost: float = -1.0
    since: int = 0  # order of assignment
    time: float = math.inf  # of the retry or the deadline


@dataclass
class Worker:
    group: int
    slots: int


@dataclass
class Model:
    crash_limit: int
    credit_seconds: float
    credit_tasks: int
    classes: int = 0
    groups: list[set[int]] = field(default_factory=list)
    jobs: dict[int, Job] = field(default_factory=dict)
    tasks: dict[Key, Task] = field(default_factory=dict)
    workers: dict[int, Worker] = field(default_factory=dict)
    clock: int = 0

    # --- questions ---

    def held(self, worker: int) -> list[tuple[int, int, int]]:
        mine = [(t.since, key, t) for key, t in self.tasks.items() if t.worker == worker]
        return [(key[0], key[1], t.attempt) for _, key, t in sorted(mine, key=lambda one: one[0])]

    def counts(self, job: int) -> tuple[int, ...]:
        states = [task.state for key, task in self.tasks.items() if key[0] == job]
        return tuple(states.count(state) for state in (QUEUED, DELAYED, ASSIGNED, RUNNING))

    def ready(self, class_: int) -> int:
        return len(self._ready({class_}))

    def bearing(self, group: int) -> int:
        return len([w for w in self.workers.values() if w.group == group and w.slots > 0])

    def load(self, worker: int) -> tuple[int, int, float]:
        costs = [task.cost for task in self.tasks.values() if task.worker == worker]
        most = self.credit_seconds
        counted = [cost if 0 <= cost <= most else most for cost in costs]
        return len(costs), self.workers[worker].slots, sum(counted)

    def next_time(self) -> float:
        return min((task.time for task in self.tasks.values()), default=math.inf)

    def can_start(self, worker: int) -> bool:
        """Tell whether a worker has a free slot and there is work for it."""
        record = self.workers[worker]
        free = len(self.held(worker)) < record.slots
        return free and bool(self._ready(self.groups[record.group]))

    def _ready(self, classes: set[int]) -> list[tuple[int, int, Key]]:
        """All that may be handed out, in order of dispatch."""
        found = []
        for key, task in self.tasks.items():
            job = self.jobs[key[0]]
            if task.state == QUEUED and not job.held_back and job.class_ in classes:
                found.append((-job.priority, task.age, key))
        return sorted(found)

    def _may_take(self, worker: int, cost: float) -> bool:
        held, slots, seconds = self.load(worker)
        if held < slots:
            return True
        return (
            0 <= cost <= self.credit_seconds
            and held < self.credit_tasks
            and seconds < slots * self.credit_seconds
            and seconds + cost <= slots * self.credit_seconds
        )

    # --- tasks in and out ---

    def add(self, job: int, number: int, attempt: int = 0, crashes: int = 0) -> None:
        record = self.jobs[job]
        self.tasks[job, number] = Task(self.clock, record.retries, attempt, crashes)
        record.end = number + 1
        self.clock += 1

    def _hold(self, key: Key, worker: int, attempt: int) -> None:
        task = self.tasks[key]
        self.clock += 1
        task.state, task.worker, task.attempt, task.lost = ASSIGNED, worker, attempt, False
        task.cost, task.since, task.time = self.jobs[key[0]].cost, self.clock, math.inf

    def _requeue(self, key: Key) -> None:
        task = self.tasks[key]
        task.state, task.worker, task.cost, task.time = QUEUED, -1, -1.0, math.inf

    def assign(self, worker: int) -> Runs:
        """Give this worker, chosen by the real one, what one call may give it."""
        record = self.workers[worker]
        ready = self._ready(self.groups[record.group])
        share = math.ceil(len(ready) / self.bearing(record.group))
        limit = min(max(record.slots - len(self.held(worker)), share), BATCH)
        runs: Runs = []
        for _, _, (job, number) in ready[:limit]:
            if not self._may_take(worker, self.jobs[job].cost):
                break
            attempt = self.tasks[job, number].attempt + 1
            self._hold((job, number), worker, attempt)
            if not runs or runs[-1][0] != job:
                runs.append((job, [], []))
            runs[-1][1].append(number)
            runs[-1][2].append(attempt)
        return runs

    def _holds(self, worker: int, job: int, number: int, attempt: int) -> Task | None:
        task = self.tasks.get((job, number))
        mine = task is not None and task.worker == worker and task.attempt == attempt
        return task if mine else None

    def start(self, worker: int, job: int, number: int, attempt: int, deadline: float) -> bool:
        task = self._holds(worker, job, number, attempt)
        if task is None:
            return False
        task.state, task.time = RUNNING, deadline
        return True

    def finish(
        self, worker: int, job: int, numbers: Sequence[int], attempts: Sequence[int]
    ) -> tuple[list[int], list[tuple[int, int, int]]]:
        rejected, taken_over = [], []
        for place, (number, attempt) in enumerate(zip(numbers, attempts, strict=True)):
            task = self.tasks.pop((job, number), None)
            if task is None:
                rejected.append(place)
            elif task.worker >= 0 and (task.worker, task.attempt) != (worker, attempt):
                taken_over.append((task.worker, number, task.attempt))
        return rejected, taken_over

    def fail(self, worker: int, job: int, number: int, attempt: int, retry_at: float) -> int:
        task = self._holds(worker, job, number, attempt)
        if task is None:
            return STALE
        if task.retries == 0:
            del self.tasks[job, number]
            return FAILED
        self._requeue((job, number))
        task.retries -= 1
        task.state, task.time = DELAYED, retry_at
        return RETRY

    def crash(self, worker: int, job: int, number: int, attempt: int) -> int:
        task = self._holds(worker, job, number, attempt)
        if task is None:
            return STALE
        task.crashes = min(task.crashes + 1, 255)
        if task.crashes >= self.crash_limit:
            del self.tasks[job, number]
            return FAILED
        self._requeue((job, number))
        return RETRY

    def release(
        self, worker: int, job: int, numbers: Sequence[int], attempts: Sequence[int]
    ) -> int:
        accepted = 0
        for number, attempt in zip(numbers, attempts, strict=True):
            if self._holds(worker, job, number, attempt):
                self._requeue((job, number))
                accepted += 1
        return accepted

    def adopt(self, worker: int, job: int, number: int, attempt: int) -> bool:
        task = self.tasks.get((job, number))
        if task is None or task.worker >= 0 or self.jobs[job].held_back:
            return False
        if not max(1, task.attempt) <= attempt <= 2**30:
            return False
        task.crashes -= task.lost
        self._hold((job, number), worker, attempt)
        return True

    def remove_worker(self, worker: int, blame: bool) -> list[tuple[int, int, int]]:
        failed = []
        for place, (job, number, attempt) in enumerate(self.held(worker)):
            running = self.tasks[job, number].state == RUNNING
            if not blame or not (running or place < self.workers[worker].slots):
                self._requeue((job, number))
            elif self.crash(worker, job, number, attempt) == FAILED:
                failed.append((job, number, attempt))
            else:
                self.tasks[job, number].lost = True
        del self.workers[worker]
        return failed

    def cancel(self, job: int, number: int) -> tuple[int, int] | None:
        task = self.tasks.pop((job, number), None)
        return None if task is None else (task.worker, task.attempt)

    def cancel_job(self, job: int, limit: int) -> tuple[list[tuple[int, int, int]], bool]:
        mine = sorted((t.age, key[1], t) for key, t in self.tasks.items() if key[0] == job)
        stopped = []
        for _, number, task in mine[:limit]:
            del self.tasks[job, number]
            if task.worker >= 0:
                stopped.append((task.worker, number, task.attempt))
        self.jobs[job].held_back = len(mine) > limit
        return stopped, len(mine) > limit

    def advance(self, now: float) -> list[tuple[int, int, int, int]]:
        late = []
        for (job, number), task in self.tasks.items():
            if task.time <= now:
                task.time = math.inf
                if task.state == DELAYED:
                    self._requeue((job, number))
                else:
                    late.append((task.worker, job, number, task.attempt))
        return late
