"""Figures of jobs while they run: kept, written down, and counted again after a restart."""

from __future__ import annotations

from typing import Any

import pytest

from dc import limits_shown
from dc.messages_parts import Failure
from dc.messages_worker import Done, Failed
from dc.records import JobFigures, Outcomes
from dc.server.commands import RetryTasks
from dc.server.events import Action, LoadBare, LoadFigures
from dc.server.figures import Figures, restored
from tests.server.counted import counted, summed
from tests.server.harness import Harness

PAYLOADS: list[Any] = [b"x"] * 40


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of ten tasks are large."""
    monkeypatch.setattr(limits_shown, "FIGURES_KEPT_TASKS", 10)


class Run:
    """A server with one worker that answers task after task."""

    def __init__(self) -> None:
        self.server = Harness()
        self.worker = self.server.worker("w", slots=4)
        self.job = self.server.submit(self.server.client(), PAYLOADS)
        self.sequence = 0
        self.given: list[Any] = []

    def answer(self, count: int, *, fail: bool = False) -> None:
        for _ in range(count):
            self.given += self.server.tasks(self.worker)
            if not self.given:
                return
            job, number, attempt, _ = self.given.pop(0)
            self.sequence += 1
            failure = Failure("error", f"no {number}")
            self.server.say(
                self.worker,
                Failed(self.sequence, job, number, attempt, 0.25, failure)
                if fail
                else Done(self.sequence, job, [number], [attempt], [0.5], [b"r"]),
            )

    def figures(self) -> Figures | None:
        board = self.server.reactor.board
        return self.server.reactor.control.tallies.get(board.jobs[self.job])

    def right(self) -> bool:
        figures = self.figures()
        on_disk = counted(self.server.standing_after(self.job, 0))
        return figures is not None and summed(figures) == on_disk

    def kept(self) -> list[JobFigures]:
        return self.server.records(JobFigures, self.job)

    def restart(self) -> None:
        self.server.restart()
        self.join()
        self.server.settle()

    def join(self) -> None:
        self.worker, self.given = self.server.worker("w", slots=4), []


def only(loads: list[Action], kind: type[Action]) -> list[Action]:
    return [load for load in loads if isinstance(load, kind)]


def test_figures_count_what_is_on_disk() -> None:
    run = Run()
    run.server.settle()
    run.answer(3)
    board = run.server.reactor.board
    assert run.server.reactor.control.tallies.get(board.jobs[run.job]) is None
    run.server.settle()
    assert run.right()
    figures = run.figures()
    assert figures is not None
    assert figures.count == 3


def test_they_are_written_down_now_and_then() -> None:
    run = Run()
    run.server.settle()
    run.answer(9)
    run.server.settle()
    assert not run.kept()
    run.answer(2)
    run.server.settle()
    assert [row.sequence for row in run.kept()] == [10]
    run.answer(15)
    run.server.settle()
    assert len(run.kept()) == 1, "a second has not passed"
    run.server.live(2.0, run.worker)
    run.answer(1)
    run.server.settle()
    assert [row.sequence for row in run.kept()] == [10, 27]
    run.answer(100)
    run.server.settle()
    assert run.kept()[-1].sequence == 40, "at the end all is written down"
    whole = counted(run.server.records(Outcomes, run.job))
    assert summed(restored(run.kept()[-1], 0)) == whole


@pytest.mark.parametrize("before", [5, 25])
def test_a_server_that_restarts_goes_on_with_them(before: int) -> None:
    run = Run()
    run.server.settle()
    run.answer(before)
    run.server.settle()
    run.server.restart()
    loads = list(run.server.loads)
    assert len(only(loads, LoadFigures)) == 1
    assert run.figures() is None
    run.server.settle()
    assert run.right()
    assert len(run.kept()) == (2 if before > 10 else 0)
    run.join()
    run.answer(100)
    run.server.settle()
    assert summed(restored(run.kept()[-1], 0))["count"] == 40


def test_what_comes_while_it_is_counted_is_counted_once() -> None:
    run = Run()
    run.server.settle()
    run.answer(20)
    run.server.settle()
    run.server.restart()
    run.join()
    for _ in range(12):  # a page, and one more outcome before the next
        loads, run.server.loads = run.server.loads, []
        for load in loads:
            answer = run.server._answer(load)
            if isinstance(load, LoadBare):
                run.answer(1)
                run.server.commit()
            run.server.feed(answer)
    assert run.right()
    run.server.settle()
    assert run.right()


def test_what_runs_again_is_taken_out() -> None:
    run = Run()
    run.server.settle()
    run.answer(12)
    run.answer(8, fail=True)
    run.server.settle()
    figures = run.figures()
    assert figures is not None
    assert sum(group.count for group in figures.failures.groups.values()) == 8
    run.server.ask_for(RetryTasks(run.job, None))
    run.server.settle()
    assert run.right()
    assert not figures.failures.groups
    run.answer(1)
    run.server.live(2.0, run.worker)
    run.server.settle()
    run.answer(1)
    run.server.settle()
    assert restored(run.kept()[-1], 8).retried == 8
    run.restart()
    assert run.right()


def test_figures_from_before_a_retry_are_not_taken() -> None:
    run = Run()
    run.server.settle()
    run.answer(12)
    run.answer(8, fail=True)
    run.server.settle()
    old = run.kept()
    run.server.ask_for(RetryTasks(run.job, None))
    run.server.settle()
    assert run.kept() == old
    run.restart()
    assert run.right()


def test_a_retry_while_it_is_counted_has_it_begin_again() -> None:
    run = Run()
    run.server.settle()
    run.answer(12)
    run.answer(8, fail=True)
    run.server.settle()
    run.server.restart()
    pages = 0
    while not pages or run.figures() is None:
        loads, run.server.loads = run.server.loads, []
        for load in loads:
            answer = run.server._answer(load)
            if isinstance(load, LoadBare):
                pages += 1
                if pages == 2:
                    run.server.ask_for(RetryTasks(run.job, None))
                    run.server.commit()
            run.server.feed(answer)
        run.server.commit()
    run.server.settle()
    assert run.right()


def test_a_finished_job_that_runs_again_is_counted_from_the_disk() -> None:
    run = Run()
    run.server.settle()
    run.answer(39)
    run.answer(1, fail=True)
    run.server.settle()
    assert run.job not in run.server.reactor.board.jobs
    run.server.ask_for(RetryTasks(run.job, None))
    run.server.settle()
    run.answer(1)
    run.server.commit()
    loads = run.server.loads
    assert len(only(loads, LoadFigures)) <= 1
    run.server.settle()
    assert run.server.records(Outcomes, run.job)[-1].numbers == [39]
