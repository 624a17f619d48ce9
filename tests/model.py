"""The scheduler again, without cleverness: dicts and sorted(). The real one is held against it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field

QUEUED, DELAYED, ASSIGNED, RUNNING = 1, 2, 3, 4
STALE, RETRY, FAILED = 0, 1, 2
BATCH = 4096
PASSES = 16
LEAST = 1e-5  # seconds that a task is charged at the least

Key = tuple[int, int]
Runs = list[tuple[int, int, list[int], list[int]]]


@dataclass
class Account:
    """What somebody was given of what is shared, by weight."""

    turn: float = 0.0
    part: float = 0.0
    owed: float = 0.0
    clock: float = 0.0

    def charge(self, work: float, quantum: float, weight: float, clock: float) -> None:
        self.turn = max(self.turn, clock)
        paid = min(self.owed, work)
        self.owed -= paid
        self.part += work - paid
        if self.part >= quantum:
            self.turn += self.part / (quantum * weight)
            self.part = 0.0

    def left(self, work: float, quantum: float) -> int:
        """Return how many tasks are left of the quantum."""
        return max(1, math.ceil((quantum - self.part + self.owed) / work))


@dataclass
class Job:
    class_: int
    priority: int
    retries: int
    crashes: int = 5
    submitter: int = 0
    weight: float = 1.0
    account: Account = field(default_factory=Account)
    cost: float = -1.0
    end: int = 0
    stamp: int = 0
    held_back: bool = False
    on_hold: bool = False
    keen: set[int] | None = None
    ahead: bool = False


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
    longest: float = -1.0


@dataclass
class Model:
    credit_seconds: float
    credit_tasks: int
    classes: int = 0
    groups: list[set[int]] = field(default_factory=list)
    clocks: dict[int, float] = field(default_factory=dict)  # by group
    parties: dict[tuple[int, int], Account] = field(default_factory=dict)  # (group, submitter)
    weights: dict[int, float] = field(default_factory=dict)  # by submitter
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
        jobs = {key[0] for _, key in self._ready(self.groups[record.group])}
        return free and any(not self._is_not_for(worker, job) for job in jobs)

    def _is_not_for(self, worker: int, job: int) -> bool:
        keen = self.jobs[job].keen
        if keen is not None and worker not in keen:
            return True
        return 0 <= self.workers[worker].longest < self.jobs[job].cost

    def _ready(self, classes: set[int]) -> list[tuple[int, Key]]:
        """All that may be handed out, by age."""
        found = []
        for key, task in self.tasks.items():
            job = self.jobs[key[0]]
            kept = job.held_back or job.on_hold
            if task.state == QUEUED and not kept and job.class_ in classes:
                found.append((task.age, key))
        return sorted(found)

    def _next_job(self, group: int, passed: set[int]) -> tuple[int, list[Key]] | None:
        """Return the job whose turn it is, and its tasks by age."""
        queues: dict[int, list[Key]] = {}
        ages: dict[int, int] = {}
        for age, key in self._ready(self.groups[group]):
            if key[0] not in passed:
                queues.setdefault(key[0], []).append(key)
                ages.setdefault(key[0], age)
        firsts: dict[int, tuple[int, float, int, int]] = {}
        for number in queues:
            job = self.jobs[number]
            rank = (-job.priority, job.account.turn, ages[number], number)
            firsts[job.submitter] = min(firsts.get(job.submitter, rank), rank)
        ranks = [
            (first[0], self.party(group, owner).turn, owner, first[3])
            for owner, first in firsts.items()
        ]
        return (min(ranks)[3], queues[min(ranks)[3]]) if ranks else None

    def party(self, group: int, submitter: int) -> Account:
        """Return the account of a submitter in a group."""
        return self.parties.setdefault((group, submitter), Account())

    def drop_parties(self) -> None:
        """Forget the accounts of those that have no job any more."""
        there = {
            (group, job.submitter)
            for job in self.jobs.values()
            for group, classes in enumerate(self.groups)
            if job.class_ in classes
        }
        self.parties = {key: one for key, one in self.parties.items() if key in there}

    def _may_take(self, worker: int, job: Job) -> bool:
        held, slots, seconds = self.load(worker)
        cost = job.cost
        if held < (2 * slots if job.ahead else slots):
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
        runs: Runs = []
        passed: set[int] = set()
        left = -1
        while left and (found := self._next_job(record.group, passed)):
            number, queue = found
            job = self.jobs[number]
            left = self._share(record, worker, job) if left < 0 else left
            if self._is_not_for(worker, number):
                if len(self.held(worker)) >= record.slots or len(passed) == PASSES:
                    break
                passed.add(number)
                continue
            if not self._may_take(worker, job):
                break
            left -= self._give(worker, number, queue, left, runs)
        return runs

    def _share(self, record: Worker, worker: int, first: Job) -> int:
        ready = len(self._ready(self.groups[record.group]))
        share = math.ceil(ready / self.bearing(record.group))
        free = record.slots - len(self.held(worker))
        return min(max(free, share, self._worth(first.cost)), BATCH)

    def _give(self, worker: int, number: int, queue: list[Key], left: int, runs: Runs) -> int:
        """Give the rest of a job's turn, and charge for it; return how many tasks."""
        job = self.jobs[number]
        group = self.workers[worker].group
        party = self.party(group, job.submitter)
        quantum = self.credit_seconds
        work = quantum if job.cost < 0 else max(job.cost, LEAST)
        given = 0
        for key in queue[: min(left, job.account.left(work, quantum), party.left(work, quantum))]:
            if not self._may_take(worker, job):
                break
            attempt = self.tasks[key].attempt + 1
            self._hold(key, worker, attempt)
            if not runs or runs[-1][0] != number:
                runs.append((number, 0, [], []))
            runs[-1][2].append(key[1])
            runs[-1][3].append(attempt)
            given += 1
        party.clock = max(party.clock, job.account.turn)
        clock = self.clocks[group] = max(self.clocks.get(group, 0.0), party.turn)
        job.account.charge(given * work, quantum, job.weight, party.clock)
        party.charge(given * work, quantum, self.weights.get(job.submitter, 1.0), clock)
        return given

    def _refund(self, worker: int, key: Key) -> None:
        """Note that a task comes back unrun."""
        task, job, group = self.tasks[key], self.jobs[key[0]], self.workers[worker].group
        if task.state != ASSIGNED:
            return
        work = self.credit_seconds if task.cost < 0 else max(task.cost, LEAST)
        job.account.owed += work
        if job.class_ in self.groups[group]:
            self.party(group, job.submitter).owed += work

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
                self._refund(worker, (job, number))
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
            self._refund(worker, key)
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
