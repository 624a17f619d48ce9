"""How long a job takes: held against simulated jobs whose ends are known."""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left
from collections.abc import Callable

import pytest

from dc.server.estimate import Known, estimate
from dc.server.figures import BOUNDS
from dc.server.run_times import RunTimes

DRAWS: dict[str, Callable[[random.Random], float]] = {
    "exponential": lambda r: r.expovariate(0.1),
    "the same": lambda r: r.uniform(9.9, 10.1),
    "uniform": lambda r: r.uniform(1, 20),
    "log-normal": lambda r: r.lognormvariate(2, 1),
    "two kinds": lambda r: r.choice([1.0, 1.0, 1.0, 50.0]) * r.uniform(0.9, 1.1),
}
SIZES = [(30, 4), (200, 8), (1000, 16), (100, 50), (60, 64), (1500, 64)]


def simulated(draw: Callable[[], float], count: int, slots: int) -> list[tuple[float, float]]:
    """Return when each task begins and ends, given out in order to whoever is free."""
    free = [0.0] * slots
    tasks = []
    for _ in range(count):
        begin = heapq.heappop(free)
        tasks.append((begin, begin + draw()))
        heapq.heappush(free, tasks[-1][1])
    return tasks


def histogram(times: list[float]) -> list[int]:
    counts = [0] * (len(BOUNDS) + 1)
    for time in times:
        counts[bisect_left(BOUNDS, time)] += 1
    return counts


def known_at(tasks: list[tuple[float, float]], now: float, slots: int) -> Known:
    times = [end - begin for begin, end in tasks if end <= now]
    return Known(
        queued=sum(begin > now for begin, _ in tasks),
        running=[now - begin for begin, end in tasks if begin <= now < end],
        times=histogram(times),
        slots=slots,
        fewest=slots,
        shortest=min(times, default=0.0),
        longest=max(times, default=0.0),
        mean=sum(times) / max(1, len(times)),
        recent=[
            (sum(now - window < end <= now for _, end in tasks), window)
            for window in (min(now, 3.0), min(now, 10.0), min(now, 60.0))
        ],
    )


@pytest.mark.parametrize("kind", DRAWS)
def test_nine_of_ten_jobs_end_when_it_was_said(kind: str) -> None:
    tries = right = 0
    widths = []
    for count, slots in SIZES:
        for seed in range(12):
            r = random.Random(f"{kind} {count} {slots} {seed}")
            tasks = simulated(lambda r=r: DRAWS[kind](r), count, slots)  # type: ignore[misc]
            end = max(ended for _, ended in tasks)
            now = end * r.uniform(0.05, 0.95)
            left = estimate(known_at(tasks, now, slots))
            if left.low is None or left.likely is None or left.high is None:
                continue
            assert left.low <= left.likely <= left.high
            tries += 1
            right += left.low <= end - now <= left.high
            if count >= 10 * slots:
                widths.append(left.high / max(left.low, 0.001))
    assert right / tries >= 0.85
    assert sorted(widths)[len(widths) // 2] < 5, "where much is known the range is not wide"


def test_a_long_queue_is_told_by_its_rate() -> None:
    times = histogram([0.01] * 100_000)
    left = estimate(Known(900_000, [], times, 8, 8, 0.01, recent=[(3_000, 3.0), (60_000, 60.0)]))
    assert left.likely == pytest.approx(900, rel=0.05)
    assert left.low is not None
    assert left.high is not None
    assert 700 < left.low < 900 < left.high < 1200
    assert left.tasks == 900_000
    assert left.work is not None
    assert "60000 tasks in the last 60 s, on 8 slots" in left.basis


def test_a_rate_that_changes_makes_the_range_wide() -> None:
    times = histogram([0.01] * 100_000)
    recent = [(6_000, 3.0), (20_000, 10.0), (60_000, 60.0)]
    left = estimate(Known(120_000, [], times, 8, 8, 0.01, recent=recent))
    assert left.low is not None
    assert left.high is not None
    assert left.low < 60 < 120 < left.high
    assert left.likely == pytest.approx(60, rel=0.05)


def test_other_jobs_make_the_range_wide() -> None:
    times = histogram([10.0] * 100)
    alone = estimate(Known(100, [1.0] * 10, times, 10, 10, 10.0))
    shared = estimate(Known(100, [1.0] * 10, times, 10, 2, 10.0))
    assert alone.high is not None
    assert shared.high is not None
    assert shared.low == alone.low
    assert shared.high > 3 * alone.high
    assert "as few as 2 with other jobs" in shared.basis


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (Known(5, [], histogram([]), 4, 4), "no task of it has finished yet"),
        (Known(5, [], histogram([1.0]), 0, 0), "no worker"),
    ],
)
def test_what_cannot_be_told_is_not(known: Known, why: str) -> None:
    left = estimate(known)
    assert (left.low, left.likely, left.high, left.tasks) == (None, None, None, 5)
    assert why in left.basis


def test_nothing_is_left() -> None:
    assert estimate(Known(0, [], histogram([]), 0, 0)).likely == 0.0


def test_more_tasks_may_come() -> None:
    left = estimate(Known(5, [], histogram([1.0]), 1, 1, whole=False))
    assert "more tasks may be added" in left.basis
    assert "on 1 slot;" in left.basis


def test_what_runs_for_longer_than_any_before_may_go_on() -> None:
    times = histogram([1.0] * 1000)
    left = estimate(Known(0, [3600.0], times, 4, 4, 1.0))
    assert left.low is not None
    assert left.high is not None
    assert left.low < 60
    assert left.high > 3600


# --- run times ------------------------------------------------------------------------------------


def test_quick_tasks_alone_say_little_while_others_run() -> None:
    times = histogram([1.0] * 10)
    quick = RunTimes(times, longest=1.0)
    slow = RunTimes(times, [30.0] * 10, longest=1.0)
    assert quick.mean == pytest.approx(1.0, rel=0.5)
    assert slow.mean > 10
    assert slow.survival(1.5) > 0.4


def test_shares_fall_from_one_to_nothing() -> None:
    r = random.Random(5)
    times = [r.expovariate(0.1) for _ in range(10_000)]
    model = RunTimes(histogram(times), longest=max(times))
    assert model.mean == pytest.approx(10, rel=0.1)
    assert model.spread == pytest.approx(10, rel=0.15)
    points = [0.0, 0.001, 0.5, 3.0, 10.0, 40.0, max(times), 300.0, 1e6]
    for share in (model.survival, model.rest):
        values = [share(one) for one in points]
        assert values == sorted(values, reverse=True)
        assert values[0] == pytest.approx(1.0, abs=0.05)
        assert values[-1] < 1e-3
    assert model.survival(10.0) == pytest.approx(0.37, abs=0.05)
    assert model.rest(10.0) == pytest.approx(0.37, abs=0.05)
    assert model.left(5.0) == pytest.approx(10, rel=0.2)
    assert model.goes_on(5.0, 10.0) == pytest.approx(0.37, abs=0.06)


@pytest.mark.parametrize("times", [[0.0], [1e12], [0.00005, 1e12], [5.0]])
def test_the_ends_of_the_scale(times: list[float]) -> None:
    model = RunTimes(histogram(times), longest=max(times))
    assert model.mean > 0
    for seconds in (0.0, 1e-9, 1.0, 1e12):
        assert 0 <= model.survival(seconds) <= 1
        assert model.rest(seconds) >= 0
        assert 0 <= model.goes_on(seconds, 1.0) <= 1
