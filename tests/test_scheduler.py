"""The scheduler by examples. Every test runs on the compiled core and on the interpreted one."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import dc._core
from dc._core import (
    ASSIGNED,
    DELAYED,
    FAILED,
    QUEUED,
    RETRY,
    RUNNING,
    STALE,
    Scheduler,
)

JOB = 5
Tasks = list[tuple[int, int]]


class Bench:
    """A scheduler with one class, one group of workers and one job."""

    def __init__(self, core: ModuleType, crashes: int = 5, **options: Any) -> None:
        self.scheduler: Scheduler = core.Scheduler(**options)
        self.class_ = self.scheduler.add_class()
        self.group = self.scheduler.add_group([self.class_])
        self.scheduler.add_job(JOB, self.class_, 0, 1, crashes)

    def worker(self, slots: int = 1) -> int:
        return self.scheduler.add_worker(self.group, slots)

    def rounds(self) -> list[tuple[int, Tasks]]:
        """Assign until nobody can take anything: (worker, [(job, number), ...]) of each call."""
        found = []
        while (answer := self.scheduler.assign()) is not None:
            self.scheduler.validate()
            worker, runs = answer
            assert all(len(numbers) == len(attempts) for _, _, numbers, attempts in runs)
            found.append((worker, [(job, n) for job, _, numbers, _ in runs for n in numbers]))
        self.scheduler.validate()
        return found

    def tasks(self) -> Tasks:
        return [task for _, tasks in self.rounds() for task in tasks]


@pytest.fixture
def bench(core: ModuleType) -> Bench:
    return Bench(core)


def test_the_compiled_core_is_compiled() -> None:
    assert not str(dc._core.__file__).endswith(".pyx")


def test_constants_are_the_same_in_both_faces(core: ModuleType) -> None:
    for name in ("QUEUED", "DELAYED", "ASSIGNED", "RUNNING", "STALE", "RETRY", "FAILED"):
        assert getattr(core, name) == getattr(dc._core, name)


# --- order ----------------------------------------------------------------------------------------


def test_jobs_take_turns_and_the_older_first(bench: Bench) -> None:
    s = bench.scheduler
    other = s.add_class()
    s.extend_group(bench.group, other)
    s.add_job(6, bench.class_, 0, 0)
    s.add_job(7, other, 0, 0)
    for job, first in ((JOB, 0), (7, 0), (6, 0), (7, 2), (JOB, 2)):
        s.submit(job, first, 2)
    bench.worker(slots=100)
    order = [(JOB, 0), (7, 0), (6, 0), (JOB, 1), (7, 1), (6, 1), (7, 2), (JOB, 2), (7, 3), (JOB, 3)]
    assert bench.tasks() == order


def test_priority_goes_before_age(bench: Bench) -> None:
    s = bench.scheduler
    other = s.add_class()
    s.extend_group(bench.group, other)
    s.add_job(6, other, 10, 0)
    s.add_job(7, bench.class_, -10, 0)
    for job in (7, JOB, 6):
        s.submit(job, 0, 1)
    bench.worker(slots=3)
    assert bench.tasks() == [(6, 0), (JOB, 0), (7, 0)]


def test_runs_of_one_job_are_one_entry(bench: Bench) -> None:
    s = bench.scheduler
    s.add_job(6, bench.class_, 0, 0)
    s.submit(JOB, 0, 3)
    s.submit(6, 0, 1)
    s.submit(JOB, 10, 2)
    s.set_cost(JOB, 0.05)  # two of them are a turn
    worker = bench.worker(slots=9)
    assert s.assign() == (
        worker,
        [(JOB, 0, [0, 1], [1, 1]), (6, 0, [0], [1]), (JOB, 0, [2, 10, 11], [1, 1, 1])],
    )


def test_a_task_that_comes_back_keeps_its_age(bench: Bench) -> None:
    s = bench.scheduler
    s.submit(JOB, 0, 6)
    lost = bench.worker(slots=4)
    assert bench.tasks() == [(JOB, 0), (JOB, 1), (JOB, 2), (JOB, 3)]
    assert s.release(lost, JOB, [2], [1]) == 1
    assert s.remove_worker(lost, blame=False) == []
    s.validate()
    worker = bench.worker(slots=9)
    assert s.assign() == (worker, [(JOB, 0, [0, 1, 2, 3, 4, 5], [2, 2, 2, 2, 1, 1])])


def test_many_returned_tasks_come_in_order(bench: Bench) -> None:
    s = bench.scheduler
    s.submit(JOB, 0, 2000)
    s.set_cost(JOB, 0.0)
    workers = [bench.worker(slots=100) for _ in range(7)]
    assert len(bench.tasks()) == 2000
    for worker in workers[::-1]:
        held = [number for _, number, _ in s.held(worker)]
        s.release(worker, JOB, held[::2], [1] * len(held[::2]))
        s.remove_worker(worker, blame=False)
    s.validate()
    bench.worker(slots=2000)
    assert bench.tasks() == [(JOB, number) for number in range(2000)]


def test_returned_tasks_may_leave_from_anywhere(bench: Bench) -> None:
    s = bench.scheduler
    s.submit(JOB, 0, 301)
    worker = bench.worker(slots=300)
    bench.rounds()
    for i in range(300):
        number = i * 7 % 300  # each once, in no order
        assert s.release(worker, JOB, [number], [1]) == 1
    s.set_slots(worker, 1)
    assert bench.tasks() == [(JOB, 0)], "the heap has been worked on"
    left = set(range(1, 301))
    for i in range(200):
        number = i * 11 % 300
        if number not in left:
            continue
        left.remove(number)
        if i % 2:
            assert s.cancel(JOB, number) == (-1, 1)
        else:
            assert s.adopt(worker, JOB, number, 1)
            assert s.finish(worker, JOB, [number], [1]) == []
        if i % 20 == 0:
            s.validate()
    s.set_slots(worker, 1000)
    assert bench.tasks() == [(JOB, number) for number in sorted(left)]


def test_a_group_gets_only_its_classes(bench: Bench) -> None:
    s = bench.scheduler
    gpu = s.add_class()
    s.add_job(6, gpu, 100, 0)
    s.submit(6, 0, 2)
    s.submit(JOB, 0, 1)
    bench.worker(slots=5)
    assert bench.tasks() == [(JOB, 0)]
    assert (s.class_ready(gpu), s.class_workers(gpu)) == (2, 0)
    strong = s.add_group([gpu])
    worker = s.add_worker(strong, 1)
    assert bench.rounds() == [(worker, [(6, 0)])]
    assert (s.class_ready(gpu), s.class_workers(gpu)) == (1, 1)
    s.extend_group(bench.group, gpu)
    assert bench.tasks() == [(6, 1)]
    assert s.class_workers(gpu) == 2


# --- room -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "held"),
    [(-1.0, 2), (5.0, 2), (0.125, 2), (0.0625, 3), (0.015625, 12), (0.0, 50)],
    ids=["unknown", "long", "longer than a slot's credit", "half", "short", "free"],
)
def test_a_worker_holds_what_its_credit_allows(core: ModuleType, cost: float, held: int) -> None:
    bench = Bench(core, credit_seconds=0.09375, credit_tasks=50)
    bench.scheduler.set_cost(JOB, cost)
    bench.scheduler.submit(JOB, 0, 1000)
    worker = bench.worker(slots=2)
    bench.rounds()
    counted = cost if 0.0 <= cost <= 0.09375 else 0.09375
    assert bench.scheduler.worker_load(worker) == (held, 2, counted * held)


def test_slots_may_be_more_than_the_credit_in_tasks(core: ModuleType) -> None:
    bench = Bench(core, credit_tasks=1)
    bench.scheduler.submit(JOB, 0, 10)
    bench.worker(slots=3)
    assert len(bench.tasks()) == 3


@pytest.mark.parametrize("short", [0.0, 0.001])
@pytest.mark.parametrize("long", [-1.0, 0.1, 7.0])
def test_a_long_task_closes_the_credit_of_its_slot(bench: Bench, long: float, short: float) -> None:
    s = bench.scheduler
    s.add_job(6, bench.class_, 0, 0)
    s.set_cost(JOB, long)
    s.set_cost(6, short)
    s.submit(JOB, 0, 1)
    s.submit(6, 0, 20)
    worker = bench.worker()
    assert bench.tasks() == [(JOB, 0)]
    s.finish(worker, JOB, [0], [1])
    assert len(bench.tasks()) == 20


@pytest.mark.parametrize("long", [-1.0, 7.0])
def test_a_long_task_leaves_the_credit_of_the_other_slots(core: ModuleType, long: float) -> None:
    bench = Bench(core, credit_seconds=0.125)
    s = bench.scheduler
    s.add_job(6, bench.class_, 0, 0)
    s.set_cost(JOB, long)
    s.set_cost(6, 0.03125)
    s.submit(JOB, 0, 1)
    s.submit(6, 0, 100)
    worker = bench.worker(slots=8)
    assert len(bench.tasks()) == 1 + 7 * 4
    assert s.worker_load(worker) == (29, 8, 1.0)
    s.finish(worker, 6, list(range(7)), [1] * 7)
    assert bench.tasks() == [], "less than a quarter of the credit"
    s.finish(worker, 6, [7], [1])
    assert bench.tasks() == [(6, number) for number in range(28, 36)]


@pytest.mark.parametrize("credit", [0.1, 0.3, 0.7, 1e-9])
def test_slots_full_of_long_tasks_are_full(core: ModuleType, credit: float) -> None:
    bench = Bench(core, credit_seconds=credit)
    s = bench.scheduler
    s.add_job(6, bench.class_, -1, 0)
    s.set_cost(6, 0.0)
    s.submit(JOB, 0, 1000)
    s.submit(6, 0, 20)
    worker = bench.worker(slots=1000)
    assert len(bench.tasks()) == 1000
    s.finish(worker, JOB, [0], [1])
    assert bench.tasks() == [(6, number) for number in range(20)], "a free slot, then its credit"


def test_a_task_counts_with_its_cost_at_assignment(bench: Bench) -> None:
    s = bench.scheduler
    s.set_cost(JOB, 0.03125)
    s.submit(JOB, 0, 10)
    worker = bench.worker()
    assert len(bench.tasks()) == 3
    s.set_cost(JOB, 9.0)
    s.finish(worker, JOB, [0, 1], [1, 1])
    s.validate()
    assert s.worker_load(worker) == (1, 1, 0.03125)


def test_nobody_overtakes_a_task_that_a_worker_cannot_take_yet(bench: Bench) -> None:
    s = bench.scheduler
    s.add_job(6, bench.class_, -1, 0)
    s.set_cost(6, 0.001)
    s.submit(6, 0, 1)
    worker = bench.worker()
    assert bench.tasks() == [(6, 0)]
    s.submit(JOB, 0, 1)
    s.submit(6, 1, 5)
    assert bench.tasks() == []
    s.finish(worker, 6, [0], [1])
    assert bench.tasks() == [(JOB, 0)]
    s.finish(worker, JOB, [0], [1])
    assert bench.tasks() == [(6, number) for number in range(1, 6)]


def test_a_worker_is_not_woken_for_each_finished_task(core: ModuleType) -> None:
    bench = Bench(core, credit_seconds=0.125)
    s = bench.scheduler
    s.set_cost(JOB, 2.0**-10)
    s.submit(JOB, 0, 1000)
    worker = bench.worker()
    assert len(bench.tasks()) == 128
    for number in range(32):
        s.finish(worker, JOB, [number], [1])
        given = bench.tasks()
        assert bool(given) == (number == 31), "at a quarter of the time"
    assert len(given) == 32


def test_a_worker_is_woken_at_a_quarter_of_its_credit_in_tasks(core: ModuleType) -> None:
    bench = Bench(core, credit_tasks=8)
    s = bench.scheduler
    s.set_cost(JOB, 0.0)
    s.submit(JOB, 0, 100)
    worker = bench.worker()
    assert len(bench.tasks()) == 8
    s.finish(worker, JOB, [0], [1])
    assert bench.tasks() == []
    s.finish(worker, JOB, [1], [1])
    assert bench.tasks() == [(JOB, 8), (JOB, 9)]


def test_a_worker_without_slots_gets_nothing_and_keeps_what_it_has(bench: Bench) -> None:
    s = bench.scheduler
    s.submit(JOB, 0, 10)
    worker = bench.worker(slots=2)
    assert len(bench.tasks()) == 2
    s.set_slots(worker, 0)
    s.finish(worker, JOB, [0], [1])
    assert bench.tasks() == []
    assert s.held(worker) == [(JOB, 1, 1)]
    assert s.class_workers(bench.class_) == 0
    s.set_slots(worker, 3)
    assert bench.tasks() == [(JOB, 2), (JOB, 3)]


def test_a_worker_moves_to_another_group(bench: Bench) -> None:
    s = bench.scheduler
    gpu = s.add_class()
    s.add_job(6, gpu, 0, 0)
    strong = s.add_group([gpu])
    s.submit(JOB, 0, 5)
    s.submit(6, 0, 5)
    worker = bench.worker(slots=2)
    assert bench.tasks() == [(JOB, 0), (JOB, 1)]
    s.set_group(worker, strong)
    assert (s.class_workers(bench.class_), s.class_workers(gpu)) == (0, 1)
    assert bench.tasks() == []
    s.finish(worker, JOB, [0], [1])
    assert bench.tasks() == [(6, 0)]
    assert s.held(worker) == [(JOB, 1, 1), (6, 0, 1)]
    s.set_group(worker, strong)
    s.set_slots(worker, 0)
    s.set_group(worker, bench.group)
    assert bench.tasks() == []
    s.set_slots(worker, 3)
    assert bench.tasks() == [(JOB, 2)]


def test_a_waiting_worker_moves_to_where_work_is(bench: Bench) -> None:
    s = bench.scheduler
    empty = s.add_group([])
    a, b = s.add_worker(empty, 1), s.add_worker(empty, 1)
    s.submit(JOB, 0, 3)
    assert bench.rounds() == []
    s.set_group(b, bench.group)
    assert bench.rounds() == [(b, [(JOB, 0)])]
    s.set_group(a, bench.group)
    assert bench.rounds() == [(a, [(JOB, 1)])]


# --- sharing --------------------------------------------------------------------------------------


def test_a_short_queue_is_spread_over_the_workers(bench: Bench) -> None:
    bench.scheduler.set_cost(JOB, 0.001)
    workers = [bench.worker(slots=1) for _ in range(10)]
    bench.scheduler.submit(JOB, 0, 20)
    rounds = bench.rounds()
    assert [worker for worker, _ in rounds[:10]] == workers, "in turn"
    assert [len(tasks) for _, tasks in rounds] == [2] * 5 + [1] * 10


def test_tasks_that_are_worth_less_than_a_message_go_together(bench: Bench) -> None:
    s = bench.scheduler
    for _ in range(10):
        bench.worker(slots=1)
    s.set_cost(JOB, 0.0001)  # a hundredth of the credit of 0.1 s is ten of them
    s.submit(JOB, 0, 25)
    assert [len(tasks) for _, tasks in bench.rounds()] == [10, 10, 5]
    s.submit(JOB, 25, 1000)
    assert len(bench.rounds()[0][1]) == 100, "the share of a long queue is more"


def test_a_batch_goes_through_many_small_classes(bench: Bench) -> None:
    s = bench.scheduler
    for job in range(100, 400):
        class_ = s.add_class()
        s.extend_group(bench.group, class_)
        s.add_job(job, class_, 0, 0)
        s.set_cost(job, 0.0005)
        s.submit(job, 0, 1)
    s.add_job(6, s.add_class(), 0, 0)
    s.submit(6, 0, 1000)  # nobody can run these, so nobody's share is larger
    for _ in range(10):
        bench.worker(slots=1)
    rounds = bench.rounds()
    assert [len(tasks) for _, tasks in rounds[:4]] == [30, 27, 25, 22]
    assert [job for _, tasks in rounds for job, _ in tasks] == list(range(100, 400))


@pytest.mark.parametrize("groups", [15, 40])
def test_many_groups_know_about_how_much_is_ready(bench: Bench, groups: int) -> None:
    s = bench.scheduler
    for _ in range(groups - 1):
        s.add_group([bench.class_])
    other = s.add_class()
    s.extend_group(bench.group, other)
    s.add_job(6, other, 0, 0)
    for job in (JOB, 6):
        s.set_cost(job, 0.0)
    lag = 2 * (groups // 16)
    s.submit(6, 0, 10)
    for number in range(100):
        s.submit(JOB, number, 1)
        s.validate()
    workers = [bench.worker() for _ in range(4)]
    answer = s.assign()
    assert answer is not None
    first = sum(len(numbers) for _, _, numbers, _ in answer[1])
    assert (110 - lag) / 4 <= first <= 28
    assert first + len(bench.tasks()) == 110
    for number in range(100):
        s.release(s.state(JOB, number)[3], JOB, [number], [1])  # type: ignore[index]
        s.validate()
    for worker in workers[1:]:
        s.remove_worker(worker, blame=False)
    for number in range(100):
        s.cancel(JOB, number)
        s.validate()
    assert bench.tasks() == []
    s.set_slots(workers[0], 0)
    worker = bench.worker()
    s.submit(JOB, 100, 1)
    assert bench.tasks() == [(JOB, 100)]
    s.submit(JOB, 101, 1)  # no slot is free, and forty groups are shown that nothing is ready
    assert bench.rounds() == [(worker, [(JOB, 101)])]


@pytest.mark.parametrize("cost", [-1.0, 5.0])
def test_long_tasks_go_to_free_slots_only(bench: Bench, cost: float) -> None:
    s = bench.scheduler
    s.set_cost(JOB, cost)
    s.submit(JOB, 0, 1000)
    for _ in range(5):
        bench.worker(slots=3)
    assert [len(tasks) for _, tasks in bench.rounds()] == [3] * 5


def test_a_worker_may_fill_its_slots_at_once(bench: Bench) -> None:
    for _ in range(10):
        bench.worker(slots=4)
    bench.scheduler.submit(JOB, 0, 10)
    assert [len(tasks) for _, tasks in bench.rounds()] == [4, 4, 2]


def test_a_batch_has_4096_tasks_at_most(core: ModuleType) -> None:
    bench = Bench(core, credit_tasks=10_000)
    bench.scheduler.set_cost(JOB, 0.0)
    bench.scheduler.submit(JOB, 0, 9000)
    bench.worker()
    assert [len(tasks) for _, tasks in bench.rounds()] == [4096, 4096, 808]


def test_groups_take_turns(bench: Bench) -> None:
    s = bench.scheduler
    other = s.add_group([bench.class_])
    a, b, c = bench.worker(), s.add_worker(other, 1), bench.worker()
    s.submit(JOB, 0, 3)
    assert [worker for worker, _ in bench.rounds()] == [a, b, c]


def test_idle_workers_wait_their_turn(bench: Bench) -> None:
    s = bench.scheduler
    a, b = bench.worker(), bench.worker()
    for number, worker in enumerate((a, b, a, b, a)):
        s.submit(JOB, number, 1)
        assert bench.rounds() == [(worker, [(JOB, number)])]
        s.finish(worker, JOB, [number], [1])


# --- what becomes of an attempt -------------------------------------------------------------------


def one_task(bench: Bench, slots: int = 1) -> int:
    """Give task 0 to a new worker."""
    bench.scheduler.submit(JOB, 0, 1)
    worker = bench.worker(slots)
    assert bench.tasks() == [(JOB, 0)]
    return worker


def test_life_of_a_task(bench: Bench) -> None:
    s = bench.scheduler
    s.submit(JOB, 0, 1)
    assert s.state(JOB, 0) == (QUEUED, 0, 0, -1, 0)
    worker = bench.worker()
    assert bench.tasks() == [(JOB, 0)]
    assert s.state(JOB, 0) == (ASSIGNED, 1, 0, worker, 0)
    assert s.start(worker, JOB, 0, 1, math.inf)
    assert s.state(JOB, 0) == (RUNNING, 1, 0, worker, 0)
    assert s.next_time() == math.inf
    assert s.finish(worker, JOB, [0], [1]) == []
    assert s.state(JOB, 0) is None
    assert s.statistics()[:4] == (0, 0, 0, 0)
    s.remove_job(JOB)
    with pytest.raises(KeyError):
        s.state(JOB, 0)
    s.add_job(6, bench.class_, 0, 0)
    s.submit(6, 0, 1)
    assert s.assign() == (worker, [(6, 0, [0], [1])])


def test_a_failed_task_waits_and_is_tried_again(bench: Bench) -> None:
    s = bench.scheduler
    worker = one_task(bench)
    assert s.fail(worker, JOB, 0, 1, 12.5) == RETRY
    assert s.state(JOB, 0) == (DELAYED, 1, 0, -1, 1)
    assert s.next_time() == 12.5
    assert s.advance(12.4) == []
    assert bench.tasks() == []
    assert s.advance(12.5) == []
    assert s.next_time() == math.inf
    assert s.assign() == (worker, [(JOB, 0, [0], [2])])
    assert s.fail(worker, JOB, 0, 1, 20.0) == STALE
    assert s.fail(worker, JOB, 0, 2, 20.0) == FAILED
    assert s.state(JOB, 0) is None


def test_crashes_have_their_own_limit(core: ModuleType) -> None:
    bench = Bench(core, crashes=2)
    s = bench.scheduler
    worker = one_task(bench)
    assert s.crash(worker, JOB, 0, 1) == RETRY
    assert s.state(JOB, 0) == (QUEUED, 1, 1, -1, 0)
    assert s.crash(worker, JOB, 0, 1) == STALE
    assert bench.tasks() == [(JOB, 0)]
    assert s.crash(worker, JOB, 0, 2) == FAILED
    assert s.state(JOB, 0) is None


def test_a_lost_worker_is_blamed_or_not(core: ModuleType) -> None:
    bench = Bench(core, crashes=2)
    s = bench.scheduler
    s.restore(JOB, [3, 8], [4, 0], [1, 0], [0, 0])
    worker = bench.worker(slots=2)
    assert s.assign() == (worker, [(JOB, 0, [3, 8], [5, 1])])
    assert s.remove_worker(worker, blame=False) == []
    assert s.state(JOB, 3) == (QUEUED, 5, 1, -1, 0)
    assert bench.worker(slots=2) == worker, "the number is used again"
    assert s.assign() == (worker, [(JOB, 0, [3, 8], [6, 2])])
    s.suspect(worker, 2)
    assert s.remove_worker(worker, blame=True) == [(JOB, 3, 6)]
    assert s.state(JOB, 3) is None
    assert s.state(JOB, 8) == (QUEUED, 2, 1, -1, 0)
    s.validate()


def test_blamed_is_what_may_have_been_running(bench: Bench) -> None:
    s = bench.scheduler
    s.set_cost(JOB, 0.001)
    s.submit(JOB, 0, 10)
    worker = bench.worker(slots=2)
    assert len(bench.tasks()) == 10
    s.finish(worker, JOB, [0], [1])
    assert s.start(worker, JOB, 5, 1, math.inf)
    assert s.start(worker, JOB, 1, 1, math.inf)
    s.suspect(worker, 2)
    s.set_slots(worker, 0)
    assert s.remove_worker(worker, blame=True) == []
    crashes = [state[2] for n in range(1, 10) if (state := s.state(JOB, n)) is not None]
    assert crashes == [1, 1, 0, 0, 1, 0, 0, 0, 0]
    s.validate()


@pytest.mark.parametrize("suspect", [False, True])
def test_without_suspects_blamed_is_what_runs(bench: Bench, suspect: bool) -> None:
    s = bench.scheduler
    s.submit(JOB, 0, 2)
    worker = bench.worker(slots=2)
    bench.rounds()
    s.start(worker, JOB, 1, 1, math.inf)
    if suspect:
        s.suspect(worker, 2)
        s.suspect(worker, 0)  # it was back in between
    s.remove_worker(worker, blame=True)
    assert s.state(JOB, 0) == (QUEUED, 1, 0, -1, 0)
    assert s.state(JOB, 1) == (QUEUED, 1, 1, -1, 0)


@pytest.mark.parametrize("slots", [1, 3])
def test_a_poison_task_fails_with_no_more_than_ran_beside_it(core: ModuleType, slots: int) -> None:
    """Each worker dies of task 50 before it has told of most of what it did."""
    bench = Bench(core)
    s = bench.scheduler
    s.set_cost(JOB, 0.001)
    s.submit(JOB, 0, 100)
    failed: list[tuple[int, int, int]] = []
    done = 0
    while s.state(JOB, 50) is not None:
        worker = bench.worker(slots)
        bench.rounds()
        held = [one for one in s.held(worker) if one[1] < 50]
        for job, number, attempt in held[:10]:  # the results of the last ones are lost
            assert s.finish(worker, job, [number], [attempt]) == []
            done += 1
        s.suspect(worker, slots)
        failed += s.remove_worker(worker, blame=True)
    assert [number for _, number, _ in failed] == list(range(50, 50 + slots))
    assert done == 50
    crashes = [state[2] for n in range(50 + slots, 100) if (state := s.state(JOB, n)) is not None]
    assert crashes == [0] * (50 - slots)


def test_a_lost_worker_gives_back_tasks_of_several_jobs(bench: Bench) -> None:
    s = bench.scheduler
    s.add_job(6, bench.class_, 1, 0)
    for number in range(3):
        s.submit(JOB, number, 1)
    worker = bench.worker(slots=2)
    bench.rounds()
    s.submit(6, 0, 2)
    s.set_slots(worker, 4)
    assert bench.tasks() == [(6, 0), (6, 1)]
    s.suspect(worker, 4)
    s.remove_worker(worker, blame=True)
    s.validate()
    bench.worker(slots=5)
    assert bench.tasks() == [(6, 0), (6, 1), (JOB, 0), (JOB, 1), (JOB, 2)]


def test_a_deadline_is_told_once(bench: Bench) -> None:
    s = bench.scheduler
    worker = one_task(bench)
    assert s.start(worker, JOB, 0, 1, 10.0)
    assert s.start(worker, JOB, 0, 1, 11.0)
    assert s.next_time() == 11.0
    assert s.advance(10.5) == []
    assert s.advance(11.0) == [(worker, JOB, 0, 1)]
    assert s.advance(99.0) == []
    assert s.state(JOB, 0) == (RUNNING, 1, 0, worker, 0)
    assert s.next_time() == math.inf


@pytest.mark.parametrize("end", ["finish", "fail", "cancel", "remove_worker"])
def test_a_deadline_goes_with_its_attempt(bench: Bench, end: str) -> None:
    s = bench.scheduler
    worker = one_task(bench)
    s.start(worker, JOB, 0, 1, 10.0)
    ends: dict[str, Callable[[], object]] = {
        "finish": lambda: s.finish(worker, JOB, [0], [1]),
        "fail": lambda: s.fail(worker, JOB, 0, 1, 1.0),
        "cancel": lambda: s.cancel(JOB, 0),
        "remove_worker": lambda: s.remove_worker(worker, blame=False),
    }
    ends[end]()
    s.advance(1.0)
    assert s.next_time() == math.inf
    s.validate()


def test_the_newest_attempt_is_the_one_that_counts(bench: Bench) -> None:
    s = bench.scheduler
    a = one_task(bench)
    s.lapse(a, JOB, blame=False)
    s.set_slots(a, 0)
    b = bench.worker()
    assert s.assign() == (b, [(JOB, 0, [0], [2])])
    s.start(b, JOB, 0, 2, 7.0)
    assert s.finish(a, JOB, [0, 0], [1, 2]) == [0, 1], "its attempt has lapsed, the other is b's"
    assert s.state(JOB, 0) == (RUNNING, 2, 0, b, 0)
    assert s.finish(b, JOB, [0, 0], [2, 2]) == [1], "once"
    assert s.held(b) == []
    assert s.next_time() == math.inf


@pytest.mark.parametrize("delayed", [False, True])
def test_a_late_result_of_a_waiting_task_is_not_taken(bench: Bench, delayed: bool) -> None:
    s = bench.scheduler
    worker = one_task(bench)
    if delayed:
        s.fail(worker, JOB, 0, 1, 9.0)
    else:
        s.release(worker, JOB, [0], [1])
    assert s.finish(worker, JOB, [0], [1]) == [0]
    assert s.statistics()[:2] == (not delayed, delayed)
    assert s.adopt(worker, JOB, 0, 1)
    assert s.finish(worker, JOB, [0], [1]) == [], "adopted before"


# --- workers that are lost from sight -------------------------------------------------------------


def test_the_tasks_of_one_job_lapse_and_the_worker_stays(bench: Bench) -> None:
    s = bench.scheduler
    s.add_job(6, bench.class_, 0, 0)
    s.submit(6, 0, 2)
    s.submit(JOB, 0, 3)
    worker = bench.worker(slots=4)
    bench.rounds()
    assert s.jobs_of(worker) == [6, JOB]
    assert s.lapse(worker, JOB, blame=False) == ([(0, 1, 0, 0), (1, 1, 0, 0)], [])
    s.validate()
    assert s.jobs_of(worker) == [6]
    assert s.assign() == (worker, [(JOB, 0, [0, 1], [2, 2])]), "there is room again"
    s.set_slots(worker, 0)
    assert s.lapse(worker, 6, blame=False) == ([(0, 1, 0, 0), (1, 1, 0, 0)], [])
    assert bench.tasks() == []
    assert s.lapse(worker, 6, blame=True) == ([], [])


def test_suspect_is_the_oldest_over_all_jobs(bench: Bench) -> None:
    s = bench.scheduler
    s.add_job(6, bench.class_, 0, 1)
    for job in (JOB, 6):
        s.set_cost(job, 0.001)
        s.submit(job, 0, 2)
    worker = bench.worker(slots=2)
    assert bench.tasks() == [(JOB, 0), (JOB, 1), (6, 0), (6, 1)]
    s.start(worker, 6, 1, 1, math.inf)
    s.suspect(worker, 2)
    s.set_slots(worker, 0)
    assert s.lapse(worker, JOB, blame=True) == ([(0, 1, 1, 0), (1, 1, 1, 0)], [])
    assert s.lapse(worker, 6, blame=True) == ([(0, 1, 0, 0), (1, 1, 1, 0)], []), "only the running"
    s.validate()


def test_some_tasks_lapse(core: ModuleType) -> None:
    bench = Bench(core, crashes=2)
    s = bench.scheduler
    s.restore(JOB, [0, 1, 2, 3], [4, 4, 4, 4], [1, 0, 0, 0], [0, 1, 0, 0])
    worker = bench.worker(slots=3)
    bench.rounds()
    s.suspect(worker, 2)
    missing = [1, 0, 0, 3, 77, 2**32, -1]
    assert s.lapse(worker, JOB, True, missing) == ([(1, 5, 1, 1)], [(0, 5)])
    assert s.held(worker) == [(JOB, 2, 5)]
    assert s.state(JOB, 3) == (QUEUED, 4, 0, -1, 0)
    assert s.state(JOB, 0) is None
    s.validate()


def test_a_lapsed_attempt_is_adopted_and_its_blame_undone(bench: Bench) -> None:
    s = bench.scheduler
    worker = one_task(bench)
    s.suspect(worker, 1)
    s.set_slots(worker, 0)
    assert s.lapse(worker, JOB, blame=True) == ([(0, 1, 1, 0)], [])
    assert not s.adopt(worker, JOB, 0, 1, lapsed=False), "it is not known that it was its own"
    assert not s.adopt(worker, JOB, 0, 2), "nobody was given this one"
    assert s.adopt(worker, JOB, 0, 1)
    assert s.state(JOB, 0) == (ASSIGNED, 1, 0, worker, 0)
    assert s.crash(worker, JOB, 0, 1) == RETRY
    assert s.adopt(worker, JOB, 0, 1)
    assert s.state(JOB, 0) == (ASSIGNED, 1, 1, worker, 0), "what it said itself is not undone"


def test_a_task_that_was_given_out_since_is_not_restored_any_more(bench: Bench) -> None:
    s = bench.scheduler
    s.restore(JOB, [0], [3], [0], [0])
    worker = bench.worker()
    assert s.assign() == (worker, [(JOB, 0, [0], [4])])
    s.release(worker, JOB, [0], [4])
    for attempt in (3, 4, 5):
        assert not s.adopt(worker, JOB, 0, attempt, lapsed=False)
    assert not s.adopt(worker, JOB, 0, 5)
    assert s.adopt(worker, JOB, 0, 4)


def test_what_was_submitted_since_the_start_is_nobodys(bench: Bench) -> None:
    s = bench.scheduler
    s.restore(JOB, [0], [0], [0], [0])
    s.submit(JOB, 1, 1)
    worker = bench.worker()
    assert not s.adopt(worker, JOB, 1, 1)
    assert s.adopt(worker, JOB, 0, 1, lapsed=False)


def test_failures_survive_and_may_be_more_than_the_retries(bench: Bench) -> None:
    s = bench.scheduler
    s.restore(JOB, [0, 1], [2, 2], [0, 0], [0, 7])
    worker = bench.worker(slots=2)
    assert s.assign() == (worker, [(JOB, 0, [0, 1], [3, 3])])
    assert s.state(JOB, 1) == (ASSIGNED, 3, 0, worker, 7)
    assert s.fail(worker, JOB, 0, 3, 1.0) == RETRY
    assert s.fail(worker, JOB, 1, 3, 1.0) == FAILED


@pytest.mark.parametrize("crashed", [False, True])
def test_a_failure_that_is_final(bench: Bench, crashed: bool) -> None:
    s = bench.scheduler
    worker = one_task(bench)
    if crashed:
        assert s.crash(worker, JOB, 0, 2, retry=False) == STALE
        assert s.crash(worker, JOB, 0, 1, retry=False) == FAILED
    else:
        assert s.fail(worker, JOB, 0, 2, 1.0, retry=False) == STALE
        assert s.fail(worker, JOB, 0, 1, 1.0, retry=False) == FAILED
    assert s.state(JOB, 0) is None
    s.validate()


def test_a_worker_that_comes_back_keeps_what_nobody_else_got(bench: Bench) -> None:
    s = bench.scheduler
    s.restore(JOB, [0, 1, 2], [3, 1, 0], [0, 0, 0], [0, 0, 0])
    worker = bench.worker(slots=1)
    assert not s.adopt(worker, JOB, 0, 2), "a later attempt was made"
    assert s.adopt(worker, JOB, 0, 3)
    assert s.adopt(worker, JOB, 1, 2), "made just before the restart; above the worker's room"
    assert not s.adopt(worker, JOB, 1, 2), "held already"
    assert not s.adopt(worker, JOB, 2, 0), "nobody can hold an attempt 0"
    assert not s.adopt(worker, JOB, 77, 1)
    assert s.held(worker) == [(JOB, 0, 3), (JOB, 1, 2)]
    assert bench.tasks() == []
    assert s.finish(worker, JOB, [0, 1], [3, 2]) == []
    assert bench.tasks() == [(JOB, 2)]


def test_adopting_a_delayed_task_ends_its_wait(bench: Bench) -> None:
    s = bench.scheduler
    worker = one_task(bench)
    s.fail(worker, JOB, 0, 1, 9.0)
    assert s.adopt(worker, JOB, 0, 1)
    assert s.next_time() == math.inf
    assert s.state(JOB, 0) == (ASSIGNED, 1, 0, worker, 1)


def test_answers_of_others_and_nonsense_are_stale(bench: Bench) -> None:
    s = bench.scheduler
    worker = one_task(bench)
    other = bench.worker()
    for number, attempt in (
        (0, 2),
        (0, 0),
        (1, 1),
        (-1, 1),
        (2**32 - 1, 1),
        (2**70, 1),
        (0, 2**70),
    ):
        assert s.fail(worker, JOB, number, attempt, 1.0) == STALE
        assert s.crash(worker, JOB, number, attempt) == STALE
        assert not s.start(worker, JOB, number, attempt, 1.0)
        assert s.release(worker, JOB, [number], [attempt]) == 0
        assert not s.adopt(other, JOB, number, attempt)
    for number in (1, -1, 2**32 - 1, 2**32, -(2**63), 2**63, 2**70):
        assert s.finish(worker, JOB, [number, number], [1, 1]) == [0, 1]
        assert s.cancel(JOB, number) is None
        assert s.state(JOB, number) is None
    assert s.fail(other, JOB, 0, 1, 1.0) == STALE
    s.validate()
    assert s.finish(worker, JOB, (0,), (1,)) == []


# --- cancelling -----------------------------------------------------------------------------------


def test_cancel_one_task_in_each_state(bench: Bench) -> None:
    s = bench.scheduler
    s.submit(JOB, 0, 4)
    worker = bench.worker(slots=3)
    bench.rounds()
    s.start(worker, JOB, 0, 1, 5.0)
    s.fail(worker, JOB, 1, 1, 5.0)
    bench.rounds()
    s.submit(JOB, 4, 1)
    answers = [(worker, 1), (-1, 1), (worker, 1), (worker, 1), (-1, 0), None]
    assert [s.cancel(JOB, number) for number in range(6)] == answers
    s.validate()
    assert s.next_time() == math.inf
    assert s.statistics()[:4] == (0, 0, 0, 0)


def test_a_job_is_cancelled_in_slices_and_not_handed_out_meanwhile(bench: Bench) -> None:
    s = bench.scheduler
    s.submit(JOB, 0, 10)
    s.add_job(6, bench.class_, -1, 0)
    s.submit(6, 0, 1)
    worker = bench.worker(slots=2)
    bench.rounds()
    assert s.cancel_job(JOB, 1) == ([(worker, 0, 1)], True)
    assert s.class_ready(bench.class_) == 1
    s.release(worker, JOB, [1], [1])
    assert not s.adopt(worker, JOB, 1, 1)
    assert bench.tasks() == [(6, 0)]
    assert s.cancel_job(JOB, 8) == ([], True)
    assert s.cancel_job(JOB, 8) == ([], False)
    assert s.cancel_job(JOB, 8) == ([], False)
    s.submit(JOB, 10, 1)
    assert bench.tasks() == [(JOB, 10)]
    s.validate()


# --- by an operator's hand ------------------------------------------------------------------------


def test_nothing_of_a_job_on_hold_is_handed_out(bench: Bench) -> None:
    s = bench.scheduler
    s.add_job(6, bench.class_, -1, 0)
    s.submit(6, 0, 1)
    s.submit(JOB, 0, 4)
    worker = bench.worker(slots=2)
    assert bench.tasks() == [(JOB, 0), (JOB, 1)]
    s.hold_job(JOB)
    s.hold_job(JOB)
    assert s.class_ready(bench.class_) == 1
    assert s.held(worker) == [(JOB, 0, 1), (JOB, 1, 1)], "what is held goes on"
    assert s.finish(worker, JOB, [0], [1]) == []
    s.release(worker, JOB, [1], [1])
    s.submit(JOB, 4, 1)
    assert bench.tasks() == [(6, 0)]
    assert s.adopt(worker, JOB, 1, 1), "what comes back may stay"
    s.release(worker, JOB, [1], [1])
    s.resume_job(JOB)
    s.resume_job(JOB)
    assert bench.tasks() == [(JOB, 1)]


def test_a_cancelled_job_stays_so_when_it_is_resumed(bench: Bench) -> None:
    s = bench.scheduler
    s.submit(JOB, 0, 3)
    bench.worker(slots=3)
    s.hold_job(JOB)
    assert s.cancel_job(JOB, 1) == ([], True)
    s.resume_job(JOB)
    assert bench.tasks() == []
    s.hold_job(JOB)
    assert s.cancel_job(JOB, 2) == ([], False)
    s.submit(JOB, 3, 1)
    assert bench.tasks() == []
    s.resume_job(JOB)
    assert bench.tasks() == [(JOB, 3)]


def test_a_priority_is_changed_while_tasks_wait(bench: Bench) -> None:
    s = bench.scheduler
    other = s.add_class()
    s.extend_group(bench.group, other)
    s.add_job(6, other, 0, 0)
    s.add_job(7, bench.class_, 0, 0)
    for job in (JOB, 6, 7):
        s.submit(job, 0, 2)
    worker = bench.worker(slots=1)
    assert bench.tasks() == [(JOB, 0)]
    s.set_priority(7, 5)
    s.finish(worker, JOB, [0], [1])
    assert bench.tasks() == [(7, 0)]
    s.set_priority(7, -5)
    s.set_priority(6, 1)
    s.set_slots(worker, 5)
    assert bench.tasks() == [(6, 0), (6, 1), (JOB, 1), (7, 1)]


# --- misuse ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.add_job(6, 9, 0, 0),
        lambda s: s.add_group([0, 9]),
        lambda s: s.add_group([-1]),
        lambda s: s.extend_group(9, 0),
        lambda s: s.extend_group(0, 9),
        lambda s: s.add_worker(9, 1),
        lambda s: s.set_slots(9, 1),
        lambda s: s.set_slots(-1, 1),
        lambda s: s.set_group(9, 0),
        lambda s: s.set_group(0, 9),
        lambda s: s.set_group(0, -1),
        lambda s: s.remove_worker(1, True),
        lambda s: s.held(1),
        lambda s: s.jobs_of(1),
        lambda s: s.suspect(1, 1),
        lambda s: s.lapse(1, JOB, True),
        lambda s: s.lapse(0, 9, True),
        lambda s: s.worker_load(1),
        lambda s: s.finish(1, JOB, [0], [1]),
        lambda s: s.finish(0, 9, [0], [1]),
        lambda s: s.start(0, 9, 0, 1, 1.0),
        lambda s: s.fail(0, 9, 0, 1, 1.0),
        lambda s: s.crash(1, JOB, 0, 1),
        lambda s: s.release(0, 2**70, [0], [1]),
        lambda s: s.adopt(0, 9, 0, 1),
        lambda s: s.submit(9, 0, 1),
        lambda s: s.restore(9, [0], [0], [0], [0]),
        lambda s: s.add_group({9: [0]}),
        lambda s: s.set_priority(9, 0),
        lambda s: s.set_weight(9, 1.0),
        lambda s: s.hold_job(9),
        lambda s: s.resume_job(9),
        lambda s: s.set_amounts(9, {}),
        lambda s: s.set_longest(9, 1.0),
        lambda s: s.cancel(9, 0),
        lambda s: s.cancel_job(9, 1),
        lambda s: s.remove_job(9),
        lambda s: s.set_cost(9, 1.0),
        lambda s: s.job_counts(9),
        lambda s: s.state(9, 0),
        lambda s: s.class_ready(1),
        lambda s: s.class_workers(-1),
    ],
)
def test_what_is_not_there(bench: Bench, call: Callable[[Scheduler], object]) -> None:
    check_refusal(bench, KeyError, call)


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.add_job(JOB, 0, 0, 0),
        lambda s: s.add_job(-1, 0, 0, 0),
        lambda s: s.add_job(2**31, 0, 0, 0),
        lambda s: s.add_job(6, 0, 10**6 + 1, 0),
        lambda s: s.add_job(6, 0, -(10**6) - 1, 0),
        lambda s: s.add_job(6, 0, 0, 256),
        lambda s: s.add_job(6, 0, 0, -1),
        lambda s: s.add_job(6, 0, 0, 0, 0),
        lambda s: s.add_job(6, 0, 0, 0, 256),
        lambda s: s.add_job(6, 0, 0, 0, 5, -1),
        lambda s: s.add_job(6, 0, 0, 0, 5, 2**31),
        lambda s: s.add_job(6, 0, 0, 0, 5, 0, 0.0),
        lambda s: s.add_job(6, 0, 0, 0, 5, 0, math.nan),
        lambda s: s.set_priority(JOB, 10**6 + 1),
        lambda s: s.set_weight(JOB, 2e6),
        lambda s: s.set_weight(JOB, math.inf),
        lambda s: s.set_submitter_weight(-1, 1.0),
        lambda s: s.set_submitter_weight(0, -1.0),
        lambda s: s.add_class([{-1: 1}]),
        lambda s: s.add_class([{0: -1}]),
        lambda s: s.add_class([{0: 2**63}]),
        lambda s: s.add_class([{256: 1}]),
        lambda s: s.add_class([{}] * 17),
        lambda s: s.add_group({0: [1]}),
        lambda s: s.add_group({0: [-1]}),
        lambda s: s.extend_group(0, 0, [1]),
        lambda s: s.add_worker(0, 1, {0: -1}),
        lambda s: s.set_amounts(0, {256: 1}),
        lambda s: s.set_longest(0, math.nan),
        lambda s: s.suspect(0, -1),
        lambda s: s.remove_job(JOB),
        lambda s: s.submit(JOB, 2, 1),
        lambda s: s.submit(JOB, -1, 1),
        lambda s: s.submit(JOB, 2**32 - 1, 0),
        lambda s: s.submit(JOB, 2**32 - 2, 2),
        lambda s: s.submit(JOB, 3, -1),
        lambda s: s.submit(JOB, 2**64 + 3, 1),
        lambda s: s.submit(JOB, 3, 2**64),
        lambda s: s.restore(JOB, [2], [0], [0], [0]),
        lambda s: s.restore(JOB, [5, 4], [0, 0], [0, 0], [0, 0]),
        lambda s: s.restore(JOB, [5, 5], [0, 0], [0, 0], [0, 0]),
        lambda s: s.restore(JOB, [5, 2**32 - 1], [0, 0], [0, 0], [0, 0]),
        lambda s: s.restore(JOB, [5, 2**65], [0, 0], [0, 0], [0, 0]),
        lambda s: s.restore(JOB, [5], [2**30 + 1], [0], [0]),
        lambda s: s.restore(JOB, [5], [-1], [0], [0]),
        lambda s: s.restore(JOB, [5], [0], [256], [0]),
        lambda s: s.restore(JOB, [5], [0], [], [0]),
        lambda s: s.restore(JOB, [5], [0], [0], []),
        lambda s: s.restore(JOB, [5], [0], [0], [256]),
        lambda s: s.restore(JOB, [5, 6], [0, 0], [0, 0], [0, -1]),
        lambda s: s.finish(0, JOB, [0], []),
        lambda s: s.release(0, JOB, [0, 1], [1]),
        lambda s: s.add_worker(0, -1),
        lambda s: s.add_worker(0, 10**6 + 1),
        lambda s: s.set_slots(0, -1),
        lambda s: s.set_slots(0, 2**64),
        lambda s: s.cancel_job(JOB, 0),
        lambda s: s.set_cost(JOB, math.nan),
        lambda s: s.set_cost(JOB, math.inf),
        lambda s: s.start(0, JOB, 0, 1, math.nan),
        lambda s: s.fail(0, JOB, 0, 1, math.nan),
        lambda s: s.fail(0, JOB, 0, 1, math.inf),
        lambda s: s.advance(math.nan),
    ],
)
def test_what_is_out_of_range(bench: Bench, call: Callable[[Scheduler], object]) -> None:
    check_refusal(bench, ValueError, call)


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.finish(0, JOB, [0, "1"], [1, 1]),
        lambda s: s.release(0, JOB, [0, None], [1, 1]),
        lambda s: s.restore(JOB, [5, 6], [0, b""], [0, 0], [0, 0]),
        lambda s: s.submit(JOB, 3, 1.5),
        lambda s: s.crash(0, JOB, "0", 1),
        lambda s: s.lapse(0, JOB, True, [0, "1"]),
    ],
)
def test_what_is_no_number(bench: Bench, call: Callable[[Scheduler], object]) -> None:
    check_refusal(bench, TypeError, call)


def check_refusal(
    bench: Bench, error: type[Exception], call: Callable[[Scheduler], object]
) -> None:
    """The call raises and changes nothing."""
    s = bench.scheduler
    s.submit(JOB, 0, 3)
    worker = bench.worker(slots=2)
    bench.rounds()
    before = (s.statistics(), s.held(worker), [s.state(JOB, number) for number in range(3)])
    with pytest.raises(error) as caught:
        call(s)
    assert str(caught.value)
    s.validate()
    assert before == (s.statistics(), s.held(worker), [s.state(JOB, number) for number in range(3)])


@pytest.mark.parametrize(
    "options",
    [
        {"credit_seconds": 0.0},
        {"credit_seconds": math.nan},
        {"credit_seconds": 1e-60},
        {"credit_seconds": math.inf},
        {"credit_tasks": 0},
        {"credit_tasks": 2**64},
    ],
)
def test_limits_are_checked(core: ModuleType, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        core.Scheduler(**options)


# --- sizes ----------------------------------------------------------------------------------------


def test_the_edges_of_the_numbers(bench: Bench) -> None:
    s = bench.scheduler
    s.add_job(2**31 - 1, bench.class_, 10**6, 255)
    s.add_job(0, bench.class_, -(10**6), 0)
    s.submit(2**31 - 1, 2**32 - 3, 2)
    s.restore(0, [0, 2**32 - 2], [2**30, 0], [255, 0], [255, 0])
    worker = bench.worker(slots=10**6)
    assert s.assign() == (
        worker,
        [(2**31 - 1, 0, [2**32 - 3, 2**32 - 2], [1, 1]), (0, 0, [0, 2**32 - 2], [2**30 + 1, 1])],
    )
    s.validate()
    assert s.finish(worker, 2**31 - 1, [2**32 - 2, 2**32 - 3], [1, 1]) == []
    assert s.crash(worker, 0, 0, 2**30 + 1) == FAILED
    with pytest.raises(ValueError, match="first"):
        s.submit(0, 2**32 - 1, 0)


@pytest.mark.parametrize("step", [1, 16, 17, 2**16, 2**20])
def test_numbers_with_a_pattern_are_found(bench: Bench, step: int) -> None:
    s = bench.scheduler
    numbers = [step * i for i in range(3000)]
    s.restore(JOB, numbers, [0] * 3000, [0] * 3000, [0] * 3000)
    worker = bench.worker(slots=3000)
    assert len(bench.tasks()) == 3000
    assert s.finish(worker, JOB, numbers[::2], [1] * 1500) == []
    s.validate()
    assert s.finish(worker, JOB, numbers, [1] * 3000) == list(range(0, 3000, 2))
    assert s.statistics().assigned == 0


def test_the_tables_grow_around_what_is_in_them(bench: Bench) -> None:
    s = bench.scheduler
    worker = bench.worker(slots=40)
    end = 0
    for count in (100, 200, 1, 400, 800, 1600):
        s.submit(JOB, end, count)
        end += count
        bench.rounds()
        for place, (job, number, attempt) in enumerate(s.held(worker)):
            assert s.start(worker, job, number, attempt, 100.0 - place)
        s.validate()
    assert all(s.state(JOB, number) is not None for number in range(end))
    assert s.finish(worker, JOB, list(range(end)), [1] * end) == list(range(40, end))
    s.validate()


def test_records_are_used_again(bench: Bench) -> None:
    s = bench.scheduler
    worker = bench.worker(slots=100)
    for turn in range(50):
        s.submit(JOB, turn * 100, 100)
        numbers = [number for _, number in bench.tasks()]
        assert numbers == list(range(turn * 100, turn * 100 + 100))
        s.finish(worker, JOB, numbers, [1] * 100)
    assert s.statistics().capacity <= 200


def test_the_memory_of_a_peak_is_given_back(bench: Bench) -> None:
    s = bench.scheduler
    s.submit(JOB, 0, 70_000)
    assert s.statistics().capacity >= 70_000
    assert s.cancel_job(JOB, 70_000) == ([], False)
    s.submit(JOB, 70_000, 10)
    s.validate()
    assert s.statistics().capacity < 70_000
    bench.worker(slots=5)
    assert len(bench.tasks()) == 5
    assert s.cancel_job(JOB, 10)[1] is False
    s.submit(JOB, 70_010, 3)
    assert bench.tasks() == [(JOB, number) for number in range(70_010, 70_013)]


def test_statistics_have_names(bench: Bench) -> None:
    bench.scheduler.submit(JOB, 0, 3)
    bench.worker(slots=2)
    bench.rounds()
    totals = bench.scheduler.statistics()
    assert (totals.queued, totals.delayed, totals.assigned, totals.running) == (1, 0, 2, 0)
    assert (totals.workers, totals.classes, totals.groups, totals.jobs) == (1, 1, 1, 1)
    assert totals.capacity >= 3
    assert totals.slots == 2
    assert bench.scheduler.job_counts(JOB) == (1, 0, 2, 0)
