"""Fair shares: between submitters, and between the jobs of one."""

from __future__ import annotations

import heapq
import itertools
from types import ModuleType

import pytest

import dc._core
from dc._core import Scheduler

CREDIT = 0.125
FLOOD, FEW = 1, 2
LATENCY = 0.002  # seconds from a worker's report to its next tasks


class Fleet:
    """Workers that run what they hold in order, in one group; tasks take what their job says."""

    def __init__(self, core: ModuleType, workers: int = 4, slots: int = 5) -> None:
        self.scheduler: Scheduler = core.Scheduler(credit_seconds=CREDIT)
        self.class_ = self.scheduler.add_class()
        self.group = self.scheduler.add_group([self.class_])
        self.slots = {self.scheduler.add_worker(self.group, slots): slots for _ in range(workers)}
        self.queues: dict[int, list[tuple[int, int, int]]] = {one: [] for one in self.slots}
        self.running: list[tuple[float, int, int, int, int]] = []
        self.busy = dict.fromkeys(self.slots, 0)
        self.seconds: dict[int, float] = {}
        self.done: dict[int, list[float]] = {}
        self.now = 0.0

    def job(
        self,
        job: int,
        tasks: int,
        seconds: float,
        *,
        submitter: int = FLOOD,
        weight: float = 1.0,
        known: bool = True,
        class_: int | None = None,
    ) -> None:
        class_ = self.class_ if class_ is None else class_
        self.scheduler.add_job(job, class_, 0, 0, 5, submitter, weight)
        if known:
            self.scheduler.set_cost(job, seconds)
        self.scheduler.submit(job, 0, tasks)
        self.seconds[job] = seconds
        self.done[job] = []

    def step(self) -> None:
        while (answer := self.scheduler.assign()) is not None:
            worker, runs = answer
            for job, _, numbers, attempts in runs:
                tasks = zip(itertools.repeat(job), numbers, attempts)
                self.queues[worker].extend(tasks)
            self._start(worker)
        self.now, worker, *task = heapq.heappop(self.running)
        self._finish(worker, *task)
        while self.running and self.running[0][0] <= self.now + LATENCY:
            _, worker, *task = heapq.heappop(self.running)
            self._finish(worker, *task)

    def _start(self, worker: int) -> None:
        while self.queues[worker] and self.busy[worker] < self.slots[worker]:
            job, number, attempt = self.queues[worker].pop(0)
            self.busy[worker] += 1
            end = self.now + self.seconds[job]
            heapq.heappush(self.running, (end, worker, job, number, attempt))

    def _finish(self, worker: int, job: int, number: int, attempt: int) -> None:
        assert self.scheduler.finish(worker, job, [number], [attempt]) == []
        self.scheduler.set_cost(job, self.seconds[job])
        self.busy[worker] -= 1
        self.done[job].append(self.now)
        self._start(worker)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.step()

    def work(self, *jobs: int) -> float:
        """Return the seconds of work that these jobs have got."""
        return sum(len(self.done[job]) * self.seconds[job] for job in jobs)

    def time_of(self, job: int, tasks: int, most: float) -> float:
        """Return the seconds from now until a job has so many tasks done."""
        begin = self.now
        while len(self.done[job]) < tasks:
            self.step()
            assert self.now < begin + most, "too long"
        return self.now - begin


def flood(fleet: Fleet, jobs: int, seconds: float) -> None:
    """A million tasks of one submitter, known for a while."""
    for job in range(100, 100 + jobs):
        class_ = fleet.class_
        if job % 2:
            class_ = fleet.scheduler.add_class()
            fleet.scheduler.extend_group(fleet.group, class_)
        fleet.job(job, 1_000_000 // jobs, seconds, class_=class_)
    fleet.run(2.0)


@pytest.mark.parametrize("jobs", [1, 40])
@pytest.mark.parametrize("flooding", [0.01, 1.0])
@pytest.mark.parametrize("seconds", [0.01, 0.3])
@pytest.mark.parametrize("known", [True, False])
def test_ten_tasks_of_another_finish_as_if_half_were_theirs(
    jobs: int, flooding: float, seconds: float, known: bool
) -> None:
    fleet = Fleet(dc._core)
    flood(fleet, jobs, flooding)
    fleet.job(5, 10, seconds, submitter=FEW, known=known)
    # A slot is free after what runs and is held there. Half of the slots' time is given to the ten
    # from then on; the last of them takes its own time then.
    wait = flooding + CREDIT + (0 if known else CREDIT)
    half = 10 * seconds / 10 + seconds
    assert fleet.time_of(5, 10, 60.0) <= wait + half + 0.05


@pytest.mark.parametrize("jobs", [1, 7])
@pytest.mark.parametrize(("one", "other"), [(0.01, 0.01), (0.01, 0.5), (0.5, 0.01), (0.004, 0.02)])
@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_submitters_share_by_weight_whatever_their_tasks(
    jobs: int, one: float, other: float, weight: float
) -> None:
    fleet = Fleet(dc._core)
    fleet.scheduler.set_submitter_weight(FEW, weight)
    for job in range(jobs):
        fleet.job(10 + job, 200_000 // jobs, one)
    fleet.job(5, 200_000, other, submitter=FEW)
    fleet.run(12.0)
    flooded = fleet.work(*range(10, 10 + jobs))
    assert fleet.work(5) / flooded == pytest.approx(weight, rel=0.2)
    fleet.scheduler.validate()


def test_jobs_of_one_submitter_share_by_weight() -> None:
    fleet = Fleet(dc._core)
    other = fleet.scheduler.add_class()
    fleet.scheduler.extend_group(fleet.group, other)
    fleet.job(10, 200_000, 0.01)
    fleet.job(11, 200_000, 0.01, class_=other)
    fleet.job(12, 200_000, 0.02, weight=2.0)
    fleet.run(20.0)
    assert fleet.work(11) == pytest.approx(fleet.work(10), rel=0.1)
    assert fleet.work(12) == pytest.approx(2 * fleet.work(10), rel=0.1)


def test_idleness_earns_nothing() -> None:
    fleet = Fleet(dc._core)
    fleet.job(5, 1, 0.01, submitter=FEW)
    flood(fleet, 1, 0.01)
    fleet.run(20.0)
    before = fleet.work(100)
    fleet.job(6, 100_000, 0.01, submitter=FEW)
    fleet.run(5.0)
    assert fleet.work(6) == pytest.approx(fleet.work(100) - before, rel=0.15)


def test_a_submitter_is_served_in_each_group_whatever_it_has_elsewhere(core: ModuleType) -> None:
    s = core.Scheduler(credit_seconds=CREDIT)
    fast, slow = s.add_class(), s.add_class()
    many, few = s.add_group([fast]), s.add_group([slow])
    for job, class_, submitter in ((1, fast, 1), (2, slow, 1), (3, slow, 2)):
        s.add_job(job, class_, 0, 0, 5, submitter)
        s.submit(job, 0, 1000)
    for _ in range(50):
        s.add_worker(many, 10)
    worker = s.add_worker(few, 10)
    while s.assign() is not None:
        s.validate()
    jobs = [job for job, _, _ in s.held(worker)]
    assert (jobs.count(2), jobs.count(3)) == (5, 5)


def test_what_comes_back_unrun_is_not_charged(core: ModuleType) -> None:
    fleet = Fleet(core, 1, 8)
    s = fleet.scheduler
    fleet.job(5, 50, 1.0, submitter=1)
    assert s.assign() == (0, [(5, 0, list(range(8)), [1] * 8)])
    assert s.release(0, 5, list(range(8)), [1] * 8) == 8
    fleet.job(6, 50, 1.0, submitter=2)
    s.validate()
    counts = {5: 0, 6: 0}
    while (answer := s.assign()) is not None:
        for job, _, numbers, _ in answer[1]:
            counts[job] += len(numbers)
    for _ in range(10):
        for job, number, attempt in s.held(0):
            s.finish(0, job, [number], [attempt])
        while (answer := s.assign()) is not None:
            for job, _, numbers, _ in answer[1]:
                counts[job] += len(numbers)
        s.validate()
    assert abs(counts[5] - 8 - counts[6]) <= 1, "the eight that it was charged for it gets"


def test_submitters_come_and_go(core: ModuleType) -> None:
    fleet = Fleet(core, 1, 1)
    s = fleet.scheduler
    s.set_submitter_weight(7, 2.0)
    for _ in range(3):
        for job, owner in ((5, 7), (6, 8), (9, 8)):
            s.add_job(job, fleet.class_, 0, 0, 5, owner)
            s.validate()
        s.set_submitter_weight(8, 3.0)
        s.set_submitter_weight(8, 1.0)
        s.submit(5, 0, 1)
        assert s.assign() == (0, [(5, 0, [0], [1])])
        assert s.finish(0, 5, [0], [1]) == []
        for job in (9, 5, 6):
            s.remove_job(job)
            s.validate()
    s.set_submitter_weight(7, 1.0)
    s.validate()
