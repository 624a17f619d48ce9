"""The comparison finds each thing that can be wrong, and names the fault behind a repetition."""

from __future__ import annotations

import pytest

from tests.campaign.ledger import Execution, Happened, Verdict, compare, repeated

RAN = [
    Execution(1, 0, 1, 10, 100, "a", 1.0),
    Execution(1, 1, 1, 10, 100, "b", 2.0),
    Execution(1, 1, 2, 11, 101, "c", 5.0),
    Execution(1, 2, 1, 11, 101, "d", 6.0),
]
RIGHT = [(0, 1, "a"), (1, 2, "c"), (2, 1, "d")]


def problems(rows: list[tuple[int, int, str]]) -> str:
    verdict = Verdict()
    compare(verdict, 1, 3, RAN, rows, "here")
    return "; ".join(verdict.problems)


def test_what_is_right_passes() -> None:
    assert problems(RIGHT) == ""


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (RIGHT[1:], "1 tasks are missing here: 0"),
        ([*RIGHT, RIGHT[2]], "1 tasks are doubled here: 2"),
        ([*RIGHT, (7, 1, "a")], "not of the job, here: 7"),
        ([(0, 1, "x"), *RIGHT[1:]], "no execution of that attempt made: 0"),
        ([(0, 2, "a"), *RIGHT[1:]], "no execution of that attempt made: 0"),
        ([(0, 1, "d"), *RIGHT[1:]], "no execution of that attempt made: 0"),
        ([(0, 1, "failed: crashed"), *RIGHT[1:]], "1 tasks failed here: 0"),
    ],
)
def test_what_is_wrong_is_named(rows: list[tuple[int, int, str]], what: str) -> None:
    assert what in problems(rows)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Happened("worker", "one", [10], 3.0, 4.0), "worker"),
        (Happened("executor", "one's executor", [100], 2.5, 2.5), "executor"),
        (Happened("server", "server", [1], 2.5, 4.5), "server"),
        (Happened("cut", "one", [], 3.0, 3.0), "cut"),
        (Happened("cut", "two", [], 3.0, 3.0), "cut"),
        (Happened("cut", "three", [], 3.0, 3.0), "unexplained"),
        (Happened("worker", "other", [9], 1.0, 2.0), "unexplained"),
        (Happened("server", "server", [1], 2.0 - 20.0, 2.0 - 16.0), "unexplained"),
        (Happened("server", "server", [1], 5.5, 6.0), "unexplained"),
    ],
)
def test_a_repetition_has_its_reason(fault: Happened, why: str) -> None:
    assert repeated(RAN, [fault], {10: "one", 11: "two"}) == {why: 1}
