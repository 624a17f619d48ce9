"""Figures of jobs: counted record after record, taken out again, written down and gone on with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import limits_shown
from dc.messages_parts import Blob, Failure, Outcome
from dc.records import JobFigures, Outcomes, TaskRow
from dc.server.bins import LEAST_STEP, MICROSECONDS, OTHERS, Bins
from dc.server.failure_groups import FailureGroups, group_key
from dc.server.figures import BOUNDS, MOST_SECONDS, Figures, restored
from tests.server.counted import counted, summed

ERRORS = ["no", "line 7", "line 8", "could not open 'a'", "could not open 'b'"]
FAILURES = st.builds(Failure, st.sampled_from(["error", "memory"]), st.sampled_from(ERRORS))
TIMES = st.one_of(st.floats(0, 3), st.floats(0, 1e7), st.sampled_from([0.0, *BOUNDS]))
OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(
    st.just(b"ok"), st.just(Blob(bytes(32), 5)), FAILURES
)
TASKS = st.lists(st.tuples(TIMES, OUTCOMES), min_size=1, max_size=6)
PARTS = st.lists(st.tuples(st.sampled_from(["a", "b", ""]), st.floats(0, 1e5), TASKS), max_size=12)


def record(sequence: int, worker: str, at: float, tasks: list[Any]) -> Outcomes:
    first, size = 10 * sequence, len(tasks)
    times, outcomes = [time for time, _ in tasks], [outcome for _, outcome in tasks]
    numbers = list(range(first, first + size))
    return Outcomes(sequence, 1, worker, 1e9 + at, numbers, [1] * size, times, outcomes)


def records(parts: list[Any]) -> list[Outcomes]:
    return [record(at, *part) for at, part in enumerate(parts, 1)]


def failed_tasks(all_: list[Outcomes]) -> list[TaskRow]:
    return [
        TaskRow(1, n, 0, True, True, 1, 0, r.worker, r.at, time, 0, outcome)
        for r in all_
        for n, time, outcome in zip(r.numbers, r.times, r.outcomes, strict=True)
        if isinstance(outcome, Failure)
    ]


def without(all_: list[Outcomes], numbers: set[int]) -> list[Outcomes]:
    found = []
    for r in all_:
        kept = [at for at, n in enumerate(r.numbers) if n not in numbers]
        columns = (r.numbers, r.attempts, r.times, r.outcomes)
        rest: list[Any] = [[column[at] for at in kept] for column in columns]
        found.append(Outcomes(r.sequence, r.job, r.worker, r.at, *rest))
    return found


@given(PARTS, st.data())
def test_figures_are_those_of_the_outcomes_that_stand(
    parts: list[Any], data: st.DataObject
) -> None:
    figures, all_ = Figures(), records(parts)
    for one in all_:
        figures.add(one)
        if data.draw(st.booleans()):  # written down, and gone on with
            figures = restored(figures.record(1), figures.retried)
    assert summed(figures) == counted(all_)
    failed = failed_tasks(all_)
    again = [task for task in failed if data.draw(st.booleans())]
    figures.take_out(again)
    assert summed(figures) == counted(without(all_, {task.number for task in again}))
    assert figures.retried == len(again)
    figures.take_out(task for task in failed if task not in again)
    assert not figures.failures.groups


def test_what_was_written_by_another_dc_is_not_taken() -> None:
    figures = Figures()
    figures.add(record(3, "a", 1.0, [(0.5, b"")]))
    row = figures.record(1)
    assert restored(row, 0) == figures
    assert restored(row, 1) == Figures(retried=1)
    assert restored(JobFigures(1, 3, b"\xff\x00nothing"), 0) == Figures()
    figures.form = 99
    assert restored(figures.record(1), 0) == Figures()
    assert restored(None, 2) == Figures(retried=2)


def test_workers_beyond_the_bound_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_shown, "FIGURES_WORKERS", 2)
    monkeypatch.setattr(limits_shown, "FIGURES_LANES", 1)
    figures = Figures()
    bad: list[Any] = [(2.0, Failure("error", "no"))]
    for at, worker in enumerate(["a", "b", "c", "d"], 1):
        figures.add(record(at, worker, at, [(1.0, b""), *bad]))
    assert sorted(figures.workers) == ["a", "b"]
    assert (figures.others.done, figures.others.failed) == (2, 2)
    assert sorted(figures.bins.lanes) == [OTHERS, "a"]
    figures.take_out(failed_tasks([record(3, "c", 3.0, bad)]))
    assert (figures.others.done, figures.others.failed, figures.others.micros) == (2, 1, 4_000_000)
    figures.bins.validate()


def test_began_is_when_the_first_attempt_did() -> None:
    figures = Figures()
    figures.add(record(1, "a", 100.0, [(5.0, b""), (60.0, b"")]))
    figures.add(record(2, "a", 130.0, [(95.0, b"")]))
    assert figures.began == 1e9 + 35.0
    assert figures.last_at == 1e9 + 130.0


# --- over time ------------------------------------------------------------------------------------

MOMENTS = st.lists(
    st.tuples(st.floats(0, 1e6) | st.floats(0, 300), st.lists(TIMES, min_size=1, max_size=4)),
    min_size=1,
    max_size=20,
)


@given(MOMENTS)
def test_steps_become_longer_and_lose_nothing(moments: list[Any]) -> None:
    bins = Bins()
    whole = 0
    for sequence, (at, times) in enumerate(moments, 1):
        each = [int(time * 1e6 + 0.5) for time in times]
        whole += sum(each)
        bins.add("a", at, times, sum(each), max(each), 0)
        bins.mark(at, sequence, len(times))
        bins.validate()
        assert sum(bins.lanes["a"].busy.values()) == whole
    low = min(at - max(times) for at, times in moments)
    high = max(at for at, _ in moments)
    needed = (high - low) * MICROSECONDS / LEAST_STEP + 2
    assert bins.shift == 0 or LEAST_STEP << (bins.shift - 1) < needed * LEAST_STEP / 199
    assert sum(mark.count for mark in bins.marked(low, high)) == sum(len(t) for _, t in moments)
    for sequence, (at, _) in enumerate(moments, 1):
        assert any(mark.first <= sequence <= mark.last for mark in bins.marked(at, at))
    assert bins.range() is not None


def test_a_task_is_in_the_steps_in_which_it_ran() -> None:
    bins = Bins()
    assert bins.range() is None
    bins.add("a", 10.25, [1.0, 0.1], 1_100_000, 1_000_000, 1)
    step = LEAST_STEP
    assert step == 500_000
    assert bins.lanes["a"].busy == {20: 350_000, 19: 500_000, 18: 250_000}
    assert bins.lanes["a"].failed == {20: 1}
    bins.take_out("a", 10.25, 1.0)
    assert bins.lanes["a"].busy == {20: 100_000}
    assert bins.lanes["a"].failed == {}
    bins.take_out("nobody", 10.25, 1.0)
    assert bins.range() == (9.0, 10.5)


# --- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("line 7 of 12", "line 8 of 9.5"),
        ("no file 'a b'", "no file 'c'"),
        ('key "x" <object at 0x7f00>', 'key "yy" <object at 0xAB12>'),
        ("blob 0123abcd0123 is gone", "blob ffff0000ffff is gone"),
        ("a  b\n c", "a b c"),
    ],
)
def test_failures_that_differ_in_numbers_are_alike(one: str, other: str) -> None:
    assert group_key("error", one) == group_key("error", other)
    assert group_key("error", one) != group_key("memory", other)


@pytest.mark.parametrize(
    ("one", "other"), [("division by zero", "overflow"), ("face is sad", "facade is sad")]
)
def test_failures_that_differ_in_words_are_not(one: str, other: str) -> None:
    assert group_key("error", one) != group_key("error", other)


def test_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_shown, "FAILURE_GROUPS", 2)
    monkeypatch.setattr(limits_shown, "FAILURE_GROUP_WORKERS", 1)
    groups = FailureGroups()
    groups.add("a", 5.0, [(3, Failure("error", "x" * 1000)), (1, Failure("error", "y"))])
    groups.add("b", 4.0, [(9, Failure("error", "y")), (2, Failure("error", "z"))])
    first, second = groups.groups.values()
    assert len(first.error) == limits_shown.FAILURE_GROUP_CHARS
    assert (second.first, second.last, second.last_at, second.count) == (1, 9, 5.0, 2)
    assert second.workers == {"a": 1}
    assert groups.others == 1
    groups.take_out("b", Failure("error", "z"))
    groups.take_out("b", Failure("error", "z"))
    assert groups.others == 0


def test_an_error_made_to_be_slow_is_not() -> None:
    for text in ("'" * 100_000, '"' + "a" * 100_000, "0x" * 50_000, "a1" * 50_000):
        assert len(group_key("error", text)) < 2 * limits_shown.FAILURE_GROUP_CHARS


def test_what_no_worker_can_have_taken_is_bounded_and_written_down() -> None:
    """The wire lets a worker say that each of many tasks took thirty thousand years."""
    figures = Figures()
    for sequence in range(1, 9):
        figures.add(record(sequence, "w", 1.0, [(1e12, b"ok")] * 10_000))
    figures.bins.validate()
    assert 0 < figures.micros <= 2**62
    assert figures.longest == int(MOST_SECONDS * MICROSECONDS)
    assert restored(figures.record(1), 0) == figures
    figures.take_out(failed_tasks([record(1, "w", 1.0, [(1e12, Failure("error", "no"))])]))
    assert figures.micros > 0
    figures.record(1)
