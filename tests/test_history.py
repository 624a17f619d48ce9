"""The history of the figures: which are slower than before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import history


def run(value: float, name: str = "part: step, ns", pace: float = 1.0, **other: Any) -> history.Run:
    made = history.made({name: value}, {"part": pace})
    made["machine"] = {"cpu": "one", "cores": 2}
    made["python"] = "3.11.7"
    return made | other


def times(new: history.Run, *before: history.Run) -> list[float]:
    return [round(one.times, 6) for one in history.slower(new, list(before))]


def test_what_takes_longer_by_more_than_a_quarter_is_slower() -> None:
    assert times(run(126.0), run(100.0)) == [1.26]
    assert times(run(125.0), run(100.0)) == []
    assert times(run(50.0), run(100.0)) == []


def test_of_rates_less_is_slower() -> None:
    rate = "part: work, tasks/s"
    assert times(run(75.0, rate), run(100.0, rate)) == [round(100 / 75, 6)]
    assert times(run(126.0, rate), run(100.0, rate)) == []


def test_the_pace_of_the_machine_cancels_out() -> None:
    assert times(run(200.0, pace=2.0), run(100.0)) == []
    assert times(run(130.0, pace=0.5), run(100.0)) == [2.6]
    rate = "part: work, tasks/s"
    assert times(run(50.0, rate, pace=2.0), run(100.0, rate)) == []


def test_bytes_are_compared_as_they_are() -> None:
    assert times(run(130.0, "part: a task, B", pace=2.0), run(100.0, "part: a task, B")) == [1.3]


def test_the_median_of_the_last_runs_decides() -> None:
    early = [run(10.0)] * 20
    last = [run(value) for value in (90.0, 100.0, 1000.0, 100.0, 1.0, 110.0, 100.0)]
    assert times(run(120.0), *early, *last) == []
    assert times(run(130.0), *early, *last) == [1.3]


@pytest.mark.parametrize(
    "other", [{"machine": {"cpu": "two", "cores": 2}}, {"python": "3.12.1"}, {"figures": {}}]
)
def test_runs_of_another_kind_do_not_count(other: dict[str, Any]) -> None:
    assert times(run(900.0), run(100.0) | other) == []
    assert times(run(900.0), run(100.0) | {"python": "3.11.9"}) == [9.0]


def test_a_run_is_a_line_that_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    assert history.read(file) == []
    one, two = run(1.0), run(2.0)
    history.append(one, file)
    history.append(two, file)
    assert history.read(file) == [one, two]
    assert len(file.read_text("utf-8").splitlines()) == 2
