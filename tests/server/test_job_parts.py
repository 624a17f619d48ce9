"""The small parts that jobs in hand are made of: runs of numbers, the calendar, submitters."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import limits
from dc._core import Scheduler
from dc.errors import NotPossible
from dc.server.calendar import Calendar
from dc.server.gaps import Gaps
from dc.server.holds import Holds
from dc.server.submitters import Submitters

NUMBERS = st.integers(0, 60)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), NUMBERS, st.integers(1, 9)),
        st.tuples(st.just("cut"), NUMBERS, st.just(0)),
    ),
    max_size=25,
)


@given(STEPS)
def test_gaps_are_a_set_of_numbers(steps: list[tuple[str, int, int]]) -> None:
    gaps, naive = Gaps(), set[int]()
    for what, number, count in steps:
        if what == "add":
            gaps.add(number, number + count)
            naive |= set(range(number, number + count))
        else:
            gaps.cut(number)
            naive = {one for one in naive if one >= number}
        gaps.validate()
        assert gaps.count == len(naive)
        assert bool(gaps) == bool(naive)
        for one in range(75):
            assert (one in gaps) == (one in naive)
            assert gaps.free_from(one) == next(n for n in range(one, 200) if n not in naive)
            if one not in naive:
                later = (n for n in range(one, 80) if n in naive)
                assert gaps.free_until(one, 80) == next(later, 80)
        if naive:
            assert gaps.first == min(naive)


def test_a_million_neighbours_are_one_run() -> None:
    gaps = Gaps()
    for number in range(100_000):
        gaps.add(number, number + 1)
    assert (gaps.runs, gaps.count) == (1, 100_000)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from([1.0, 2.0, 3.0, math.inf])), max_size=99)
)
def test_the_calendar_knows_one_time_of_each_job(changes: list[tuple[int, float]]) -> None:
    calendar, naive = Calendar(), dict[int, float]()
    for job, at in changes:
        calendar.set(job, at)
        naive[job] = at
        assert calendar.next() == min(naive.values())
    for wall in (1.0, 2.5, 3.0):
        due = sorted(job for job, at in naive.items() if at <= wall)
        assert sorted(calendar.due(wall)) == due
        naive = {job: at for job, at in naive.items() if at > wall}


def test_the_calendar_does_not_grow_with_changes() -> None:
    calendar = Calendar()
    for at in range(10_000):
        calendar.set(1, float(at + 1))
    assert len(calendar._heap) <= 2 + Calendar.SPARE
    assert calendar.due(1e9) == [1]


def test_numbers_of_submitters_are_used_again() -> None:
    submitters = Submitters(Scheduler())
    assert [submitters.enter(name) for name in ("", "ann", "bob", "ann", "")] == [0, 1, 2, 1, 0]
    submitters.leave("ann")
    assert submitters.enter("cid") == 3
    submitters.leave("ann")
    assert submitters.enter("dan") == 1
    assert submitters.jobs() == {"": 2, "bob": 1, "cid": 1, "dan": 1}
    submitters.validate()


def test_only_so_many_weights_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SUBMITTERS", 2)
    submitters = Submitters(Scheduler())
    submitters.set_weight("ann", 2.0)
    submitters.set_weight("bob", 3.0)
    submitters.set_weight("ann", 4.0)
    with pytest.raises(NotPossible, match="2 submitters have weights"):
        submitters.set_weight("cid", 5.0)
    submitters.set_weight("cid", 1.0)
    submitters.set_weight("bob", 1.0)
    submitters.set_weight("cid", 5.0)
    assert submitters.weights == {"ann": 4.0, "cid": 5.0}


def test_a_job_is_held_as_long_as_there_is_a_reason() -> None:
    holds = Holds()
    assert (holds.any, holds.state) == (False, "")
    holds.after = (3,)
    assert (holds.any, holds.state) == (True, "waiting")
    holds.paused = True
    assert (holds.any, holds.state) == (True, "paused")
    assert Holds(unsure=True).any
    assert Holds(overdue=True).any
    assert Holds(not_before=5.0).state == "waiting"
