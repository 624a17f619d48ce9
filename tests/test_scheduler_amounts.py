"""What workers have and tasks need: by examples, and as properties of any fleet."""

from __future__ import annotations

import heapq
from collections import Counter
from types import ModuleType

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import dc._core
from dc._core import Scheduler
from tests.conftest import interpreted

CPU = 10_000
CPUS, MEMORY, GPUS, LICENCE = range(4)
SMALL = {CPUS: CPU}
GPU = {CPUS: CPU, GPUS: CPU}


class Site:
    """One group of workers, and a class with one job for each list of alternatives."""

    def __init__(
        self,
        core: ModuleType,
        *classes: list[dict[int, int]],
        credit: float = 0.1,
        careful: bool = True,
    ) -> None:
        self.careful = careful
        self.scheduler: Scheduler = core.Scheduler(credit_seconds=credit)
        self.needs = classes
        for job, alternatives in enumerate(classes):
            assert self.scheduler.add_class(alternatives) == job
            self.scheduler.add_job(job, job, 0, 0)
        self.group = self.scheduler.add_group(range(len(classes)))
        self.amounts: dict[int, dict[int, int]] = {}
        self.held: dict[tuple[int, int], tuple[int, dict[int, int], int]] = {}

    def worker(self, slots: int, amounts: dict[int, int]) -> int:
        worker = self.scheduler.add_worker(self.group, slots, amounts)
        self.amounts[worker] = amounts
        return worker

    def assign(self) -> list[tuple[int, int, int]]:
        """Assign until nobody can take anything; return (worker, job, number) of what was given."""
        found = []
        while (answer := self.scheduler.assign()) is not None:
            self.validate()
            worker, runs = answer
            for job, alternative, numbers, attempts in runs:
                for number, attempt in zip(numbers, attempts, strict=True):
                    self.held[job, number] = worker, self.needs[job][alternative], attempt
                    found.append((worker, job, number))
        self.validate()
        return found

    def validate(self) -> None:
        if self.careful:
            self.scheduler.validate()

    def tasks(self) -> list[tuple[int, int]]:
        return [(job, number) for _, job, number in self.assign()]

    def finish(self, job: int, *numbers: int) -> None:
        for number in numbers:
            worker, _, attempt = self.held.pop((job, number))
            assert self.scheduler.finish(worker, job, [number], [attempt]) == []
        self.validate()

    def used(self, worker: int) -> Counter[int]:
        """Return what all that a worker holds needs."""
        total: Counter[int] = Counter()
        for holder, need, _ in self.held.values():
            total.update(need if holder == worker else {})
        return total

    def exceeds(self, worker: int) -> bool:
        used = self.used(worker)
        return any(used[resource] > self.amounts[worker].get(resource, 0) for resource in used)


# --- what fits ------------------------------------------------------------------------------------


def test_a_worker_is_given_what_its_amounts_hold(core: ModuleType) -> None:
    site = Site(core, [{CPUS: CPU, MEMORY: 3}], [{CPUS: CPU // 2}])
    site.scheduler.submit(0, 0, 9)
    worker = site.worker(8, {CPUS: 4 * CPU, MEMORY: 8})
    assert site.tasks() == [(0, 0), (0, 1)], "the memory is for two"
    site.scheduler.submit(1, 0, 9)
    assert site.tasks() == [(1, n) for n in range(4)], "and two cpus are left"
    site.finish(0, 0)
    assert site.tasks() == [(0, 2)]
    site.scheduler.set_amounts(worker, {CPUS: 5 * CPU, MEMORY: 9})
    assert site.tasks() == [(0, 3)]


def test_slots_bound_what_needs_nothing(core: ModuleType) -> None:
    site = Site(core, [{}])
    site.scheduler.submit(0, 0, 9)
    site.worker(3, {CPUS: 0})
    assert len(site.tasks()) == 3


def test_an_amount_that_nobody_has_waits_and_lets_others_by(core: ModuleType) -> None:
    site = Site(core, [GPU], [{LICENCE: 1, CPUS: CPU}], [SMALL])
    for job in range(3):
        site.scheduler.submit(job, 0, 2)
    plain = site.scheduler.add_worker(site.group, 4)
    assert site.tasks() == [(2, 0), (2, 1)]
    site.scheduler.set_amounts(plain, {CPUS: 4 * CPU, LICENCE: 1})
    assert site.tasks() == [(1, 0)]
    site.scheduler.set_amounts(plain, {})
    site.finish(1, 0)
    assert site.tasks() == []


def test_alternatives_are_taken_in_order_of_liking(core: ModuleType) -> None:
    site = Site(core, [GPU, {CPUS: 4 * CPU}])
    site.scheduler.submit(0, 0, 9)
    worker = site.scheduler.add_worker(site.group, 8, {CPUS: 6 * CPU, GPUS: CPU})
    assert site.scheduler.assign() == (worker, [(0, 0, [0], [1]), (0, 1, [1], [1])])
    assert site.scheduler.assign() is None
    site.scheduler.validate()
    backwards = site.scheduler.add_group({0: [1, 0]})
    other = site.scheduler.add_worker(backwards, 8, {CPUS: 6 * CPU, GPUS: CPU})
    assert site.scheduler.assign() == (other, [(0, 1, [2], [1]), (0, 0, [3], [1])])
    only = site.scheduler.add_group({0: [1]})
    last = site.scheduler.add_worker(only, 8, {CPUS: 6 * CPU, GPUS: CPU})
    assert site.scheduler.assign() == (last, [(0, 1, [4], [1])])


def test_what_is_short_waits_at_the_worker_for_its_amounts(core: ModuleType) -> None:
    site = Site(core, [{CPUS: CPU, MEMORY: 4}], [SMALL], credit=0.125)
    site.scheduler.set_cost(0, 0.03125)
    site.scheduler.submit(0, 0, 100)
    site.worker(4, {CPUS: 4 * CPU, MEMORY: 8})
    assert len(site.tasks()) == 8, "a credit for each of the two that can run"
    site.scheduler.submit(1, 0, 9)
    assert site.tasks() == [(1, 0), (1, 1)], "beside them"


def test_a_worker_that_was_blocked_is_given_what_comes(core: ModuleType) -> None:
    site = Site(core, [GPU], [SMALL], [{CPUS: CPU, MEMORY: 1}])
    site.scheduler.submit(0, 0, 2)
    site.worker(3, {CPUS: 3 * CPU, GPUS: CPU, MEMORY: 1})
    assert site.tasks() == [(0, 0)]
    site.scheduler.submit(1, 0, 1)
    assert site.tasks() == [(1, 0)]
    site.scheduler.submit(2, 0, 1)
    assert site.tasks() == [(2, 0)]


def test_an_adopted_attempt_is_reserved_for(core: ModuleType) -> None:
    site = Site(core, [GPU, {CPUS: 2 * CPU}], [SMALL])
    s = site.scheduler
    s.restore(0, [0, 1, 2], [1, 1, 1], [0, 0, 0], [0, 0, 0])
    worker = site.worker(4, {CPUS: 4 * CPU})
    assert s.adopt(worker, 0, 0, 1, False), "by cpus: it has no gpu"
    assert s.adopt(worker, 0, 1, 1, False, 0), "as it says, though it has none"
    with pytest.raises(ValueError, match="alternative"):
        s.adopt(worker, 0, 2, 1, False, 2)
    s.validate()
    s.submit(1, 0, 9)
    s.hold_job(0)
    assert site.tasks() == [(1, 0), (1, 1)]


# --- saving ---------------------------------------------------------------------------------------


def test_a_task_that_needs_all_of_a_worker_is_saved_for(core: ModuleType) -> None:
    site = Site(core, [SMALL], [{CPUS: 4 * CPU}])
    site.scheduler.submit(0, 0, 1000)
    site.worker(4, {CPUS: 4 * CPU})
    assert site.tasks() == [(0, n) for n in range(4)]
    site.scheduler.submit(1, 0, 1)
    for number in range(3):
        site.finish(0, number)
        assert site.tasks() == []
    site.finish(0, 3)
    assert site.tasks() == [(1, 0)]
    site.finish(1, 0)
    assert site.tasks() == [(0, n) for n in range(4, 8)]


def test_one_worker_saves_for_one_task(core: ModuleType) -> None:
    site = Site(core, [SMALL], [{CPUS: 2 * CPU}])
    site.scheduler.submit(0, 0, 1000)
    for _ in range(3):
        site.worker(2, {CPUS: 2 * CPU})
    assert len(site.tasks()) == 6
    site.scheduler.submit(1, 0, 1)
    first = {site.held[0, number][0]: number for number in range(6)}
    site.finish(0, *first.values())
    assert len(site.tasks()) == 2, "one keeps what is free"
    site.finish(0, *[n for n in range(6) if n not in first.values()])
    assert (1, 0) in site.tasks()


def test_a_worker_no_longer_saves_for_what_is_gone(core: ModuleType) -> None:
    site = Site(core, [SMALL], [{CPUS: 4 * CPU}])
    site.scheduler.submit(0, 0, 6)
    site.worker(4, {CPUS: 4 * CPU})
    site.tasks()
    site.scheduler.submit(1, 0, 1)
    site.finish(0, 0)
    assert site.tasks() == []
    assert site.scheduler.cancel(1, 0) == (-1, 0)
    assert site.tasks() == [(0, 4)]


def test_what_another_resource_is_saved_for_is_free_to_use(core: ModuleType) -> None:
    site = Site(core, [{MEMORY: 1}], [{MEMORY: 8}], [{LICENCE: 1}])
    site.scheduler.submit(0, 0, 9)
    site.worker(12, {MEMORY: 8, LICENCE: 2})
    assert len(site.tasks()) == 8
    site.scheduler.submit(1, 0, 1)
    site.finish(0, 0)
    assert site.tasks() == []
    site.scheduler.submit(2, 0, 3)
    assert site.tasks() == [(2, 0), (2, 1)]


def test_nothing_is_saved_for_what_waits_for_its_like(core: ModuleType) -> None:
    site = Site(core, [GPU], [SMALL])
    site.scheduler.submit(0, 0, 5)
    site.scheduler.submit(1, 0, 50)
    site.worker(4, {CPUS: 4 * CPU, GPUS: CPU})
    assert site.tasks() == [(0, 0), (1, 0), (1, 1), (1, 2)]
    site.finish(0, 0)
    assert site.tasks() == [(0, 1)]


# --- what is too long -----------------------------------------------------------------------------


def test_a_worker_that_leaves_soon_gets_what_is_short(core: ModuleType) -> None:
    site = Site(core, [SMALL], [SMALL])
    s = site.scheduler
    s.set_cost(0, 60.0)
    s.submit(0, 0, 3)
    worker = s.add_worker(site.group, 2)
    s.set_longest(worker, 30.0)
    assert site.tasks() == []
    s.add_job(7, 0, 0, 0)
    s.submit(7, 0, 1)
    site.needs = (*site.needs, *[[SMALL]] * 6)
    assert site.tasks() == [(7, 0)], "what is not known may be short"
    s.set_cost(0, 30.0)
    assert site.tasks() == [(0, 0)]
    s.set_cost(0, 60.0)
    site.finish(7, 0)
    assert site.tasks() == []
    s.set_longest(worker, 60.0)
    assert site.tasks() == [(0, 1)]
    s.set_longest(worker, 1.0)
    site.finish(0, 0)
    assert site.tasks() == []
    s.set_longest(worker, -1.0)
    assert site.tasks() == [(0, 2)]


# --- what is kept for others, and what is given ahead ---------------------------------------------


def test_a_job_goes_to_those_it_is_kept_for(core: ModuleType) -> None:
    site = Site(core, [SMALL], [SMALL])
    s = site.scheduler
    first, second = s.add_worker(site.group, 1), s.add_worker(site.group, 1)
    s.prefer(0, [second])
    s.submit(0, 0, 3)
    assert s.assign() == (second, [(0, 0, [0], [1])])
    assert s.assign() is None, "the other one waits, though it is free"
    s.submit(1, 0, 1)
    assert s.assign() == (first, [(1, 0, [0], [1])])
    s.finish(first, 1, [0], [1])
    assert s.assign() is None
    s.prefer(0, [first, second])
    assert s.assign() == (first, [(0, 0, [1], [1])])
    s.finish(first, 0, [1], [1])
    s.finish(second, 0, [0], [1])
    s.prefer(0, [])
    assert s.assign() is None
    s.prefer(0)
    assert s.assign() is not None
    s.validate()


def test_one_task_for_each_slot_is_given_ahead_however_long_it_is(core: ModuleType) -> None:
    site = Site(core, [SMALL], [SMALL])
    s = site.scheduler
    s.set_cost(0, 60.0)
    s.set_cost(1, 60.0)
    s.set_ahead(0, True)
    worker = s.add_worker(site.group, 2)
    s.submit(0, 0, 9)
    while s.assign() is not None:
        pass
    held = s.held(worker)
    assert [number for _, number, _ in held] == [0, 1, 2, 3]
    s.finish(worker, 0, [0], [1])
    assert s.assign() == (worker, [(0, 0, [4], [1])])
    held = s.held(worker)
    s.set_ahead(0, False)
    for job, number, attempt in held[2:]:
        assert s.release(worker, job, [number], [attempt]) == 1
    assert s.assign() is None, "both slots are taken"
    s.set_ahead(0, True)
    s.remove_worker(worker, False)
    s.validate()


# --- any fleet ------------------------------------------------------------------------------------

amounts = st.fixed_dictionaries(
    {CPUS: st.sampled_from((CPU // 2, CPU, 2 * CPU, 4 * CPU))},
    optional={
        MEMORY: st.integers(0, 4),
        GPUS: st.sampled_from((CPU // 2, CPU)),
        LICENCE: st.just(1),
    },
)
has = st.fixed_dictionaries(
    {CPUS: st.sampled_from((CPU, 2 * CPU, 4 * CPU, 8 * CPU))},
    optional={
        MEMORY: st.integers(1, 8),
        GPUS: st.sampled_from((CPU, 2 * CPU)),
        LICENCE: st.just(2),
    },
)
classes = st.lists(st.lists(amounts, min_size=1, max_size=3), min_size=1, max_size=5)
fleets = st.lists(st.tuples(st.integers(1, 5), has), min_size=1, max_size=5)
costs = st.lists(st.sampled_from((-1.0, 2.0**-6, 2.0**-3, 4.0)), min_size=5, max_size=5)


def holds(worker: dict[int, int], need: dict[int, int]) -> bool:
    return all(worker.get(resource, 0) >= amount for resource, amount in need.items())


class Fleet:
    """Simulates a site: each worker runs what it holds in order, as its slots and amounts allow."""

    def __init__(self, site: Site, slots: dict[int, int], seconds: list[float]) -> None:
        self.site = site
        self.slots = slots
        self.seconds = seconds
        self.waiting: dict[int, list[tuple[int, int]]] = {worker: [] for worker in slots}
        self.running: list[tuple[float, int, int, int]] = []
        self.now = 0.0
        self.done: dict[tuple[int, int], float] = {}

    def step(self) -> bool:
        """Assign, start what can start, and finish what ends first."""
        for worker, job, number in self.site.assign():
            self.waiting[worker].append((job, number))
        for worker in self.waiting:
            self.start(worker)
        if not self.running:
            return False
        self.now, worker, job, number = heapq.heappop(self.running)
        self.done[job, number] = self.now
        self.site.finish(job, number)
        return True

    def start(self, worker: int) -> None:
        """Start tasks in the order in which they came; what does not fit lets none by."""
        held = [(j, n) for _, w, j, n in self.running if w == worker]
        used: Counter[int] = Counter()
        for one in held:
            used.update(self.site.held[one][1])
        while self.waiting[worker] and len(held) < self.slots[worker]:
            job, number = self.waiting[worker][0]
            total = used + Counter(self.site.held[job, number][1])
            if not holds(self.site.amounts[worker], total):
                break
            used = total
            held.append(self.waiting[worker].pop(0))
            end = self.now + max(self.seconds[job], 2.0**-6)
            heapq.heappush(self.running, (end, worker, job, number))


@pytest.mark.parametrize("face", ["compiled", "interpreted"])
@settings(max_examples=60, deadline=None)
@given(classes=classes, fleet=fleets, costs=costs, counts=st.lists(st.integers(0, 8), min_size=5))
def test_all_that_can_run_runs_and_nothing_is_exceeded(
    face: str,
    classes: list[list[dict[int, int]]],
    fleet: list[tuple[int, dict[int, int]]],
    costs: list[float],
    counts: list[int],
) -> None:
    core = dc._core if face == "compiled" else interpreted("_core")
    site = Site(core, *classes, credit=0.125)
    slots = {site.worker(count, has): count for count, has in fleet}
    for job in range(len(classes)):
        site.scheduler.set_cost(job, costs[job])
        site.scheduler.submit(job, 0, counts[job])
    simulated = Fleet(site, slots, costs)
    while simulated.step():
        for worker, amounts in site.amounts.items():
            held = [(one[1], job) for (job, _), one in site.held.items() if one[0] == worker]
            for need, job in held:
                assert holds(amounts, need), "a task is where it can never run"
                assert need in classes[job]
            if not any(0 <= costs[job] <= 0.125 for _, job in held):
                assert not site.exceeds(worker), "more than it has, and not on credit"
    for job, alternatives in enumerate(classes):
        possible = any(holds(has, need) for has in site.amounts.values() for need in alternatives)
        left = counts[job] if not possible else 0
        assert site.scheduler.job_counts(job) == (left, 0, 0, 0), "what can run has run"


@pytest.mark.parametrize("seconds", [1.0, 0.05])
@pytest.mark.parametrize("known", [True, False])
def test_a_large_task_is_not_starved_by_a_flood(seconds: float, known: bool) -> None:
    site = Site(dc._core, [SMALL], [{CPUS: 4 * CPU}], careful=False)
    site.scheduler.set_cost(0, seconds if known else -1.0)
    slots = {site.worker(4, {CPUS: 4 * CPU}): 4 for _ in range(3)}
    site.scheduler.submit(0, 0, 2000)
    fleet = Fleet(site, slots, [seconds, 1.0])
    for _ in range(20):
        fleet.step()
    site.scheduler.submit(1, 0, 3)
    came = fleet.now
    while (1, 2) not in fleet.done:
        assert fleet.step()
    assert site.scheduler.class_ready(0) > 0, "the flood goes on"
    assert fleet.done[1, 2] - came < 3 * (1.0 + 2 * max(seconds, 0.1))
    site.scheduler.validate()


OPERATIONS = (
    *("assign", "assign", "submit", "finish", "finish", "release", "adopt", "lapse", "cancel"),
    *("amounts", "slots", "longest", "move", "leave", "join", "hold", "priority", "cost", "job"),
    *("prefer", "ahead"),
)


class Operator:
    """Does one thing after another to a site, whose two groups run different alternatives."""

    def __init__(self, core: ModuleType, classes: list[list[dict[int, int]]]) -> None:
        self.site = Site(core, *classes, credit=0.125)
        self.other = self.site.scheduler.add_group({0: [0], len(classes) - 1: [0]})
        self.workers: list[int] = []
        self.classes = len(classes)
        self.ends = dict.fromkeys(range(len(classes)), 0)

    def do(self, what: str, pick: int, has: dict[int, int]) -> None:
        s = self.site.scheduler
        job = pick % len(self.ends)
        if what == "assign":
            self.site.assign()
        elif what == "submit":
            s.submit(job, self.ends[job], 3)
            self.ends[job] += 3
        elif what == "hold":
            (s.hold_job if pick & 16 else s.resume_job)(job)
        elif what == "priority":
            s.set_priority(job, pick // 16 % 3)
        elif what == "cost":
            s.set_cost(job, (-1.0, 0.01, 9.0)[pick // 16 % 3])
        elif what == "prefer":
            s.prefer(job, None if pick & 16 else [pick // 32 % 4, pick // 128])
        elif what == "ahead":
            s.set_ahead(job, bool(pick & 16))
        elif what == "cancel":
            s.cancel(job, pick // 16 % (self.ends[job] + 1))
        elif what == "job":
            s.add_job(len(self.ends), pick % self.classes, 0, 0, 5, pick % 3)
            self.site.needs = (*self.site.needs, self.site.needs[pick % self.classes])
            self.ends[len(self.ends)] = 0
        elif what == "join" or not self.workers:
            group = self.other if pick & 1 else self.site.group
            self.workers.append(s.add_worker(group, pick // 2 % 5, has))
        else:
            self.to_worker(what, self.workers[pick % len(self.workers)], pick // 16, has)
        s.validate()

    def to_worker(self, what: str, worker: int, pick: int, has: dict[int, int]) -> None:
        s = self.site.scheduler
        if what == "amounts":
            s.set_amounts(worker, has if pick & 3 else {})
        elif what == "slots":
            s.set_slots(worker, pick % 5)
        elif what == "longest":
            s.set_longest(worker, (-1.0, 0.005, 1.0)[pick % 3])
        elif what == "move":
            s.set_group(worker, self.other if pick & 1 else self.site.group)
        elif what == "leave":
            s.remove_worker(worker, blame=False)
            self.workers.remove(worker)
        elif held := s.held(worker):
            job, number, attempt = held[pick % len(held)]
            if what == "finish":
                assert s.finish(worker, job, [number], [attempt]) == []
            elif what == "release":
                assert s.release(worker, job, [number], [attempt]) == 1
            else:
                s.lapse(worker, job, blame=False, numbers=[number])
                if what == "adopt":
                    assert s.adopt(worker, job, number, attempt)


@pytest.mark.parametrize("face", ["compiled", "interpreted"])
@settings(max_examples=80, deadline=None)
@given(
    classes=classes,
    steps=st.lists(
        st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 4095), has), min_size=10, max_size=60
    ),
)
def test_any_calls_leave_it_valid(
    face: str,
    classes: list[list[dict[int, int]]],
    steps: list[tuple[str, int, dict[int, int]]],
) -> None:
    operator = Operator(dc._core if face == "compiled" else interpreted("_core"), classes)
    for what, pick, amounts in [("submit", 0, {}), ("join", 9, {0: 4 * CPU}), *steps]:
        operator.do(what, pick, amounts)
