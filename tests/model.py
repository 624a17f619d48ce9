"""The scheduler again, without cleverness: dicts and sorted(). The real one is held against it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field

QUEUED, DELAYED, ASSIGNED, RUNNING = 1, 2, 3, 4
STALE, RETRY, FAILED = 0, 1, 2
BATCH = 4096

Key = tuple[int, int]
Runs = list[tuple[int, int, list[int], list[int]]]


@dataclass
class Job:
    class_: int
    priority: int
    retries: int
    crashes: int = 5
    cost: float = -1.0
    end: int = 0
    stamp: int = 0
    held_back: bool = False
    on_hold: bool = False


@dataclass
class Task:
    age: int
    attempt: int = 0
    crashes: int = 0
    failures: int = 0
    _: KW_ONLY
    lost: bool = False
    restored: bool = False
    suspect: bool = False
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
    credit_seconds: float
    credit_tasks: int
    classes: int = 0
    groups: list[set[int]] = field(default_factory=list)
    jobs: dict[int, Job] = field(default_factory=dict)
    tasks: dict[Key, Task] = field(default_factory=dict)
    workers: dict[int, Worker] = field(default_factory=dict)
    clock: int = 0
    newest: int = 0  # of the stamps

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
            kept = job.held_back or job.on_hold
            if task.state == QUEUED and not kept and job.class_ in classes:
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

    def stamp(self, job: int, *, late: bool) -> None:
        """Say that tasks of a job are told of: now, or as late as those before them."""
        if not self.jobs[job].stamp or (not late and self.jobs[job].stamp < self.newest):
            self.newest += 1
            self.jobs[job].stamp = self.newest

    def add(self, job: int, number: int, past: tuple[int, int, int] | None = None) -> None:
        """Queue a task; its past is its attempts, crashes and failures."""
        age = self.jobs[job].stamp << 32 | number
        self.tasks[job, number] = Task(age, *(past or ()), restored=past is not None)
        self.jobs[job].end = max(self.jobs[job].end, number + 1)

    def _hold(self, key: Key, worker: int, attempt: int) -> None:
        task = self.tasks[key]
        self.clock += 1
        task.state, task.worker, task.attempt = ASSIGNED, worker, attempt
        task.lost = task.restored = task.suspect = False
        task.cost, task.since, task.time = self.jobs[key[0]].cost, self.clock, math.inf

    def _requeue(self, key: Key) -> None:
        task = self.tasks[key]
        task.state, task.worker, task.cost, task.time = QUEUED, -1, -1.0, math.inf
        task.suspect = False

    def assign(self, worker: int) -> Runs:
        """Give this worker, chosen by the real one, what one call may give it."""
        record = self.workers[worker]
        ready = self._ready(self.groups[record.group])
        share = math.ceil(len(ready) / self.bearing(record.group))
        worth = self._worth(self.jobs[ready[0][2][0]].cost) if ready else 0
        limit = min(max(record.slots - len(self.held(worker)), share, worth), BATCH)
        runs: Runs = []
        for _, _, (job, number) in ready[:limit]:
            if not self._may_take(worker, self.jobs[job].cost):
                break
            attempt = self.tasks[job, number].attempt + 1
            self._hold((job, number), worker, attempt)
            if not runs or runs[-1][0] != job:
                runs.append((job, 0, [], []))
            runs[-1][2].append(number)
            runs[-1][3].append(attempt)
        return runs

    def _worth(self, cost: float) -> int:
        """Return how many tasks of a known cost are worth a message."""
        least = self.credit_seconds * 0.01
        return int(least / cost) if 0.0 < cost < least else 0

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
    ) -> list[int]:
        rejected = []
        for place, (number, attempt) in enumerate(zip(numbers, attempts, strict=True)):
            if self._holds(worker, job, number, attempt):
                del self.tasks[job, number]
            else:
                rejected.append(place)
        return rejected

    def fail(
        self,
        worker: int,
        job: int,
        number: int,
        attempt: int,
        retry_at: float,
        retry: bool = True,
    ) -> int:
        task = self._holds(worker, job, number, attempt)
        if task is None:
            return STALE
        if not retry or task.failures >= self.jobs[job].retries:
            del self.tasks[job, number]
            return FAILED
        self._requeue((job, number))
        task.failures += 1
        task.state, task.time = DELAYED, retry_at
        return RETRY

    def crash(self, worker: int, job: int, number: int, attempt: int, retry: bool = True) -> int:
        task = self._holds(worker, job, number, attempt)
        if task is None:
            return STALE
        task.crashes = min(task.crashes + 1, 255)
        if not retry or task.crashes >= self.jobs[job].crashes:
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

    def adopt(self, worker: int, job: int, number: int, attempt: int, lapsed: bool = True) -> bool:
        task = self.tasks.get((job, number))
        if task is None or task.worker >= 0 or self.jobs[job].held_back:
            return False
        if not 1 <= attempt <= 2**30:
            return False
        newest = lapsed and attempt == task.attempt
        if not newest and not (task.restored and attempt >= task.attempt):
            return False
        task.crashes -= task.lost
        self._hold((job, number), worker, attempt)
        return True

    def jobs_of(self, worker: int) -> list[int]:
        return list(dict.fromkeys(job for job, _, _ in self.held(worker)))

    def suspect(self, worker: int, oldest: int) -> None:
        for place, (job, number, _) in enumerate(self.held(worker)):
            self.tasks[job, number].suspect = place < oldest

    def _give_back(self, worker: int, key: Key, blame: bool) -> bool:
        """Queue a held task again, or tell that this crash was one too many."""
        task = self.tasks[key]
        if not blame or not (task.suspect or task.state == RUNNING):
            self._requeue(key)
            return True
        if self.crash(worker, *key, task.attempt) == FAILED:
            return False
        task.lost = True
        return True

    def lapse(
        self, worker: int, job: int, blame: bool, numbers: Sequence[int] | None = None
    ) -> tuple[list[tuple[int, int, int, int]], list[tuple[int, int]]]:
        mine = {number: attempt for one, number, attempt in self.held(worker) if one == job}
        back, failed = [], []
        for number in list(mine) if numbers is None else numbers:
            attempt = mine.pop(number, None)
            if attempt is None:
                continue
            if self._give_back(worker, (job, number), blame):
                task = self.tasks[job, number]
                back.append((number, attempt, task.crashes, task.failures))
            else:
                failed.append((number, attempt))
        return back, failed

    def remove_worker(self, worker: int, blame: bool) -> list[tuple[int, int, int]]:
        held = self.held(worker)
        failed = [one for one in held if not self._give_back(worker, one[:2], blame)]
        del self.workers[worker]
        return failed

    def cancel(self, job: int, number: int) -> tuple[int, int] | None:
        task = self.tasks.pop((job, number), None)
        return None if task is None else (task.worker, task.attempt)

    def cancel_job(self, job: int, limit: int) -> tuple[list[tuple[int, int, int]], bool]:
        mine = [(key[1], task) for key, task in self.tasks.items() if key[0] == job]
        stopped = []
        for number, task in mine[:limit]:
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
