"""How a worker has done lately."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc.server.tally import TASKS, Tally


def test_a_worker_that_has_done_nothing() -> None:
    tally = Tally()
    assert (tally.rate(5.0), tally.failing) == (0.0, 0.0)


@pytest.mark.parametrize("batch", [1, 50])
def test_the_rate_is_that_of_the_last_seconds(batch: int) -> None:
    tally, now = Tally(), 1000.0
    for _ in range(round(1600 / batch)):
        now += batch / 20
        tally.done(batch, now)
    assert tally.rate(now) == pytest.approx(20, rel=0.3)
    assert tally.rate(now + 5) == pytest.approx(10, rel=0.5), "it is soon seen that it has stopped"
    assert tally.rate(now + 11) < 20
    assert tally.rate(now + 70) == 0.0
    assert tally.rate(now + 1e6) == 0.0


def test_few_tasks_are_counted_for_a_minute_and_then_not_at_all() -> None:
    tally = Tally()
    tally.done(3, 1000.0)
    assert tally.rate(1000.0) == pytest.approx(3 / 60)
    assert tally.rate(1060.0) == pytest.approx(3 / 60, rel=0.1)
    assert tally.rate(1065.0) == 0.0


def test_slow_tasks_have_their_mean_rate() -> None:
    tally = Tally()
    for at in range(20):
        tally.done(1, 20.0 * at)
        assert tally.rate(20.0 * at + 19) == pytest.approx(0.05, rel=0.4) or at < 4


def test_failing_is_the_share_of_the_last_tasks() -> None:
    tally = Tally()
    tally.failed()
    assert tally.failing == 1.0
    tally.done(1, 0.0)
    assert tally.failing == pytest.approx(0.5, abs=0.01)
    for _ in range(10 * TASKS):
        tally.done(3, 0.0)
        tally.failed()
    assert tally.failing == pytest.approx(0.25, abs=0.01)
    tally.done(10 * TASKS, 0.0)
    assert tally.failing < 0.001


@given(st.lists(st.integers(0, 200), max_size=30))
def test_a_batch_counts_as_its_tasks_do(batches: list[int]) -> None:
    """0 stands for a failure."""
    whole, single = Tally(), Tally()
    for count in batches:
        if not count:
            whole.failed()
            single.failed()
            continue
        whole.done(count, 1.0)
        for _ in range(count):
            single.done(1, 1.0)
    assert whole.failing == pytest.approx(single.failing)
    assert 0 <= whole.failing <= 1
    assert whole.rate(1.0) == pytest.approx(single.rate(1.0))
