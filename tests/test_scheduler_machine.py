"""The scheduler against its naive model: any sequence of calls, both faces of the core."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

import dc._core
from tests.conftest import interpreted
from tests.model import Job, Model, Worker

CREDIT_SECONDS = 1 / 8  # and costs in powers of two: every sum is exact
CREDIT_TASKS = 12
EXACT_GROUPS = 15  # more of them need not know exactly how much is ready
COSTS = (-1.0, 0.0, 2**-12, 1 / 64, 1 / 32, 1 / 8, 1 / 4)
JOBS = (0, 1, 2, 7, 2**31 - 1)
EDGES = (-1, 0, 1, 2**30, 2**31, 2**32 - 2, 2**32 - 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1)

picks = st.integers(0, 10**6)
jobs = st.sampled_from(JOBS)
few = st.integers(0, 12)
owners = st.sampled_from((0, 0, 1, 2**31 - 1))
weights = st.sampled_from((1.0, 1.0, 2.0, 0.25))
times = st.sampled_from((0.5, 1.0, 2.0, 4.0, 8.0))


class Machine(RuleBasedStateMachine):
    """Each rule calls one door of both and compares the answers."""

    core: ClassVar[ModuleType] = dc._core

    def __init__(self) -> None:
        super().__init__()
        limits: dict[str, Any] = {
            "credit_seconds": CREDIT_SECONDS,
            "credit_tasks": CREDIT_TASKS,
        }
        self.real = self.core.Scheduler(**limits)
        self.model = Model(**limits)
        self.now = 0.0

    def both(self, name: str, *arguments: Any) -> Any:
        answer = getattr(self.model, name)(*arguments)
        assert getattr(self.real, name)(*arguments) == answer
        return answer

    def a_worker(self, pick: int) -> int:
        ids = sorted(self.model.workers)
        return ids[pick % len(ids)]

    def an_attempt(self, pick: int, twist: int) -> tuple[int, int, int, int]:
        """Choose what some worker holds, or some task; often as it is, sometimes a bit off."""
        tasks = self.model.tasks
        keys = [key for key in tasks if tasks[key].worker >= 0] or list(tasks)
        keys = list(tasks) if twist == 6 and tasks else keys
        if not keys:
            return self.a_worker(pick), next(iter(self.model.jobs)), 3, 1
        job, number = keys[pick % len(keys)]
        task = tasks[job, number]
        worker = task.worker if task.worker >= 0 else self.a_worker(pick)
        if twist == 7:
            worker = self.a_worker(pick + 1)
        attempt = task.attempt + {8: 1, 9: -1}.get(twist, 0)
        if twist == 10:
            number = EDGES[pick % len(EDGES)]
        if twist == 11:
            attempt = EDGES[pick % len(EDGES)]
        return worker, job, number, attempt

    # --- the tables ---

    @initialize(
        classes=st.integers(1, 3),
        slots=st.lists(st.integers(0, 4), max_size=4),
        costs=st.lists(st.sampled_from(COSTS), max_size=3),
    )
    def begin(self, classes: int, slots: list[int], costs: list[float]) -> None:
        """Start with a few of everything, so that most steps have something to do."""
        for _ in range(classes):
            self.add_class()
        self.add_group({0})
        self.add_group(set(range(classes)))
        for pick, job in enumerate(JOBS[:3]):
            self.add_job(job, pick, pick % 2, 3 + pick, pick % 2, 1.0)
            self.submit(pick, 0, 10, late=False)
        for pick, count in enumerate(slots):
            self.add_worker(pick, count)
        for pick, cost in enumerate(costs):
            self.set_cost(pick, cost)

    @precondition(lambda self: self.model.classes < 4)
    @rule()
    def add_class(self) -> None:
        assert self.real.add_class() == self.model.classes
        self.model.classes += 1

    @precondition(lambda self: self.model.classes and len(self.model.groups) < EXACT_GROUPS)
    @rule(wanted=st.sets(st.integers(0, 3)))
    def add_group(self, wanted: set[int]) -> None:
        classes = {class_ % self.model.classes for class_ in wanted}
        assert self.real.add_group(classes) == len(self.model.groups)
        self.model.groups.append(classes)

    @precondition(lambda self: self.model.groups)
    @rule(pick=picks, class_=few)
    def extend_group(self, pick: int, class_: int) -> None:
        group = pick % len(self.model.groups)
        self.real.extend_group(group, class_ % self.model.classes)
        self.model.groups[group].add(class_ % self.model.classes)

    @precondition(lambda self: self.model.classes)
    @rule(
        job=jobs,
        class_=few,
        priority=st.sampled_from((0, 0, 1, 10**6, -(10**6))),
        retries=few,
        submitter=owners,
        weight=weights,
    )
    def add_job(
        self, job: int, class_: int, priority: int, retries: int, submitter: int, weight: float
    ) -> None:
        crashes = 1 + retries // 3
        class_ %= self.model.classes
        if job in self.model.jobs:
            with pytest.raises(ValueError, match="already"):
                self.real.add_job(job, class_, priority, retries)
        else:
            mine = (class_, priority, retries % 3, crashes, submitter, weight)
            self.real.add_job(job, *mine)
            self.model.jobs[job] = Job(*mine)

    @rule(job=jobs)
    def remove_job(self, job: int) -> None:
        if job not in self.model.jobs:
            with pytest.raises(KeyError):
                self.real.remove_job(job)
        elif sum(self.model.counts(job)):
            with pytest.raises(ValueError, match="has tasks"):
                self.real.remove_job(job)
        else:
            self.real.remove_job(job)
            del self.model.jobs[job]
            self.model.drop_parties()

    @precondition(lambda self: self.model.jobs)
    @rule(pick=picks, cost=st.sampled_from(COSTS))
    def set_cost(self, pick: int, cost: float) -> None:
        job = sorted(self.model.jobs)[pick % len(self.model.jobs)]
        self.real.set_cost(job, cost)
        self.model.jobs[job].cost = cost

    @precondition(lambda self: self.model.jobs)
    @rule(pick=picks, priority=st.sampled_from((0, 0, 1, 10**6, -(10**6))))
    def set_priority(self, pick: int, priority: int) -> None:
        job = sorted(self.model.jobs)[pick % len(self.model.jobs)]
        self.real.set_priority(job, priority)
        self.model.jobs[job].priority = priority

    @precondition(lambda self: self.model.jobs)
    @rule(pick=picks, weight=weights)
    def set_weight(self, pick: int, weight: float) -> None:
        job = sorted(self.model.jobs)[pick % len(self.model.jobs)]
        self.real.set_weight(job, weight)
        self.model.jobs[job].weight = weight

    @rule(submitter=owners, weight=weights)
    def set_submitter_weight(self, submitter: int, weight: float) -> None:
        self.real.set_submitter_weight(submitter, weight)
        self.model.weights[submitter] = weight

    @precondition(lambda self: self.model.jobs)
    @rule(pick=picks, on_hold=st.booleans())
    def hold_or_resume(self, pick: int, on_hold: bool) -> None:
        job = sorted(self.model.jobs)[pick % len(self.model.jobs)]
        door = self.real.hold_job if on_hold else self.real.resume_job
        door(job)
        self.model.jobs[job].on_hold = on_hold

    @precondition(lambda self: self.model.jobs)
    @rule(
        pick=picks, gap=st.sampled_from((0, 0, 1, 17)), count=st.integers(0, 40), late=st.booleans()
    )
    def submit(self, pick: int, gap: int, count: int, *, late: bool) -> None:
        job = sorted(self.model.jobs)[pick % len(self.model.jobs)]
        first = self.model.jobs[job].end + gap
        self.real.submit(job, first, count, late)
        self.model.stamp(job, late=late)
        for number in range(first, first + count):
            self.model.add(job, number)
        self.model.jobs[job].end = first + count

    @precondition(lambda self: self.model.jobs)
    @rule(
        pick=picks,
        tasks=st.lists(st.tuples(st.integers(1, 50), st.integers(0, 3), few, few)),
        back=st.integers(0, 100),
    )
    def restore(self, pick: int, tasks: list[tuple[int, int, int, int]], back: int) -> None:
        job = sorted(self.model.jobs)[pick % len(self.model.jobs)]
        number = max(-1, self.model.jobs[job].end - 1 - back)
        self.model.stamp(job, late=True)
        columns: tuple[list[int], ...] = ([], [], [], [])
        for gap, attempt, crashes, failures in tasks:
            number += gap
            while (job, number) in self.model.tasks:
                number += 1
            past = (attempt, crashes % 3, failures % 3)
            self.model.add(job, number, past)
            for column, value in zip(columns, (number, *past), strict=True):
                column.append(value)
        self.real.restore(job, *columns)

    # --- workers ---

    @precondition(lambda self: self.model.groups and len(self.model.workers) < 6)
    @rule(pick=picks, slots=st.integers(0, 4))
    def add_worker(self, pick: int, slots: int) -> None:
        group = pick % len(self.model.groups)
        worker = self.real.add_worker(group, slots)
        assert worker not in self.model.workers
        assert 0 <= worker < 6, "ids are dense"
        self.model.workers[worker] = Worker(group, slots)

    @precondition(lambda self: self.model.workers)
    @rule(pick=picks, slots=st.integers(0, 4))
    def set_slots(self, pick: int, slots: int) -> None:
        worker = self.a_worker(pick)
        self.real.set_slots(worker, slots)
        self.model.workers[worker].slots = slots

    @precondition(lambda self: self.model.workers)
    @rule(pick=picks, longest=st.sampled_from((-1.0, 0.0, 1 / 64, 1 / 8)))
    def set_longest(self, pick: int, longest: float) -> None:
        worker = self.a_worker(pick)
        self.real.set_longest(worker, longest)
        self.model.workers[worker].longest = longest

    @precondition(lambda self: self.model.jobs)
    @rule(pick=picks, keen=st.none() | st.sets(st.integers(0, 6)))
    def prefer(self, pick: int, keen: set[int] | None) -> None:
        number = sorted(self.model.jobs)[pick % len(self.model.jobs)]
        self.real.prefer(number, keen)
        self.model.jobs[number].keen = keen

    @precondition(lambda self: self.model.jobs)
    @rule(pick=picks, ahead=st.booleans())
    def set_ahead(self, pick: int, ahead: bool) -> None:
        number = sorted(self.model.jobs)[pick % len(self.model.jobs)]
        self.real.set_ahead(number, ahead)
        self.model.jobs[number].ahead = ahead

    @precondition(lambda self: self.model.workers)
    @rule(pick=picks, group=few)
    def set_group(self, pick: int, group: int) -> None:
        worker = self.a_worker(pick)
        group %= len(self.model.groups)
        self.real.set_group(worker, group)
        self.model.workers[worker].group = group

    @precondition(lambda self: self.model.workers)
    @rule(pick=picks, blame=st.booleans())
    def remove_worker(self, pick: int, blame: bool) -> None:
        self.both("remove_worker", self.a_worker(pick), blame)

    @precondition(lambda self: self.model.workers)
    @rule(pick=picks, oldest=st.integers(0, 4))
    def suspect(self, pick: int, oldest: int) -> None:
        self.both("suspect", self.a_worker(pick), oldest)

    @precondition(lambda self: self.model.workers and self.model.jobs)
    @rule(pick=picks, oldest=st.integers(0, 3), back=st.integers(0, 3), lapsed=st.booleans())
    def lapse(self, pick: int, oldest: int, back: int, lapsed: bool) -> None:
        """Some jobs of a worker lapse; it comes back with some of the attempts."""
        worker = self.a_worker(pick)
        self.both("suspect", worker, oldest)
        for job in self.both("jobs_of", worker)[: 1 + pick % 2]:
            returned, _ = self.both("lapse", worker, job, bool(oldest))
            for number, attempt, *_ in returned[:back]:
                self.both("adopt", worker, job, number, attempt, lapsed)

    @precondition(lambda self: self.model.workers and self.model.jobs)
    @rule(pick=picks, twist=few, blame=st.booleans(), step=st.integers(1, 3))
    def lapse_some(self, pick: int, twist: int, blame: bool, step: int) -> None:
        worker, job, number, _ = self.an_attempt(pick, twist)
        mine = [one[1] for one in self.model.held(worker) if one[0] == job][::-step]
        self.both("lapse", worker, job, blame, [*mine, number, number])

    @rule(most=st.sampled_from((1, 2, 1000, 1000)))
    def assign(self, most: int) -> None:
        for _ in range(most):
            answer = self.real.assign()
            if answer is None:
                idle = [one for one in self.model.workers if self.model.can_start(one)]
                assert not idle, "a worker has a free slot and there is work for it"
                return
            worker, runs = answer
            assert runs
            assert self.model.assign(worker) == runs
            self.real.validate()

    @rule()
    def assign_all(self) -> None:
        self.assign(10**6)

    # --- what workers answer ---

    @precondition(lambda self: self.model.workers)
    @rule(pick=picks, deadlines=st.lists(st.one_of(times, st.just(math.inf)), min_size=1))
    def start_all(self, pick: int, deadlines: list[float]) -> None:
        worker = self.a_worker(pick)
        for place, attempt in enumerate(self.model.held(worker)):
            deadline = self.now + deadlines[place % len(deadlines)]
            self.both("start", worker, *attempt, deadline)

    @precondition(lambda self: self.model.workers and self.model.jobs)
    @rule(pick=picks, twist=few, deadline=st.one_of(times, st.just(math.inf)))
    def start(self, pick: int, twist: int, deadline: float) -> None:
        self.both("start", *self.an_attempt(pick, twist), self.now + deadline)

    @precondition(lambda self: self.model.workers and self.model.jobs)
    @rule(pick=picks, twist=few, retry_in=times, retry=st.sampled_from((True, True, False)))
    def fail(self, pick: int, twist: int, retry_in: float, retry: bool) -> None:
        self.both("fail", *self.an_attempt(pick, twist), self.now + retry_in, retry)

    @precondition(lambda self: self.model.workers and self.model.jobs)
    @rule(pick=picks, twist=few, retry=st.sampled_from((True, True, False)))
    def crash(self, pick: int, twist: int, retry: bool) -> None:
        self.both("crash", *self.an_attempt(pick, twist), retry)

    @precondition(lambda self: self.model.workers and self.model.jobs)
    @rule(pick=picks, twist=few, lapsed=st.booleans())
    def adopt(self, pick: int, twist: int, lapsed: bool) -> None:
        self.both("adopt", *self.an_attempt(pick, twist), lapsed)

    @precondition(lambda self: self.model.workers and self.model.jobs)
    @rule(pick=picks, twist=few, lapsed=st.booleans(), before=st.booleans())
    def adopt_what_waits(self, pick: int, twist: int, lapsed: bool, before: bool) -> None:
        """Of what has a past rather than of the many that have none."""
        tasks = self.model.tasks
        keys = [key for key in tasks if tasks[key].worker < 0]
        if before:
            keys = [key for key in keys if tasks[key].attempt or tasks[key].restored]
        if keys:
            key = keys[pick % len(keys)]
            attempt = tasks[key].attempt + twist % 3 - 1
            self.both("adopt", self.a_worker(pick), *key, attempt, lapsed)

    @precondition(lambda self: self.model.workers and self.model.jobs)
    @rule(pick=picks, twist=few, share=st.sampled_from((0.3, 1.0)), twice=st.booleans())
    def finish(self, pick: int, twist: int, share: float, twice: bool) -> None:
        self.many("finish", pick, twist, share, twice)

    @precondition(lambda self: self.model.workers and self.model.jobs)
    @rule(pick=picks, twist=few, share=st.sampled_from((0.3, 1.0)), twice=st.booleans())
    def release(self, pick: int, twist: int, share: float, twice: bool) -> None:
        self.many("release", pick, twist, share, twice)

    def many(self, door: str, pick: int, twist: int, share: float, twice: bool) -> None:
        """A part of what a worker holds of one job, and one attempt that may be odd."""
        worker, job, number, attempt = self.an_attempt(pick, twist)
        mine = [one for one in self.model.held(worker) if one[0] == job]
        mine = mine[: math.ceil(len(mine) * share)]
        numbers = [one[1] for one in mine] + [number] * (1 + twice)
        attempts = [one[2] for one in mine] + [attempt] * (1 + twice)
        self.both(door, worker, job, numbers, tuple(attempts))

    # --- cancelling, time ---

    @precondition(lambda self: self.model.jobs)
    @rule(pick=picks, edge=st.booleans())
    def cancel(self, pick: int, edge: bool) -> None:
        keys = list(self.model.tasks)
        if edge or not keys:
            job = sorted(self.model.jobs)[pick % len(self.model.jobs)]
            self.both("cancel", job, EDGES[pick % len(EDGES)])
        else:
            self.both("cancel", *keys[pick % len(keys)])

    @precondition(lambda self: self.model.jobs)
    @rule(pick=picks, limit=st.sampled_from((1, 5, 1000)))
    def cancel_job(self, pick: int, limit: int) -> None:
        self.both("cancel_job", sorted(self.model.jobs)[pick % len(self.model.jobs)], limit)

    @rule(seconds=st.sampled_from((0.0, 0.25, 1.0, 4.0)))
    def advance(self, seconds: float) -> None:
        self.now += seconds
        assert sorted(self.real.advance(self.now)) == sorted(self.model.advance(self.now))
        assert self.real.next_time() > self.now

    # --- what is compared after each step ---

    @invariant()
    def valid(self) -> None:
        self.real.validate()

    @invariant()
    def same(self) -> None:
        real, model = self.real, self.model
        for job in model.jobs:
            assert real.job_counts(job) == model.counts(job)
        for worker in model.workers:
            assert real.held(worker) == model.held(worker)
            assert real.jobs_of(worker) == model.jobs_of(worker)
            assert real.worker_load(worker) == model.load(worker)
        for (job, number), task in model.tasks.items():
            assert real.state(job, number) == (
                task.state,
                task.attempt,
                task.crashes,
                task.worker,
                task.failures,
            )
        for class_ in range(model.classes):
            groups = [number for number, one in enumerate(model.groups) if class_ in one]
            assert real.class_ready(class_) == model.ready(class_)
            assert real.class_workers(class_) == sum(model.bearing(one) for one in groups)
        assert real.next_time() == model.next_time()

    @invariant()
    def same_totals(self) -> None:
        model, totals = self.model, self.real.statistics()
        states = [task.state for task in model.tasks.values()]
        assert totals[:4] == tuple(states.count(state) for state in (1, 2, 3, 4))
        assert totals.workers == len(model.workers)
        assert totals.classes == model.classes
        assert totals.groups == len(model.groups)
        assert totals.jobs == len(model.jobs)
        assert totals.capacity >= len(states)
        assert totals.slots == sum(one.slots for one in model.workers.values())


def run(core: ModuleType, examples: int, steps: int) -> Callable[[], None]:
    """Make a machine with this core and return what runs it."""
    machine: Any = type("Machine", (Machine,), {"core": core})
    case = machine.TestCase
    case.settings = settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    return case("runTest").runTest  # type: ignore[no-any-return]


@pytest.mark.parametrize("face", ["compiled", "interpreted"])
def test_whose_turn_is_equal_comes_by_number(face: str) -> None:
    core = dc._core if face == "compiled" else interpreted("_core")
    machine = type("Machine", (Machine,), {"core": core})()
    machine.begin(classes=1, slots=[1, 3], costs=[])
    machine.set_priority(pick=1, priority=0)  # as the others have
    machine.assign_all()
    machine.same()


@pytest.mark.parametrize(("face", "examples"), [("compiled", 300), ("interpreted", 100)])
def test_scheduler_is_as_its_model(face: str, examples: int) -> None:
    core = dc._core if face == "compiled" else interpreted("_core")
    run(core, examples, 50)()
