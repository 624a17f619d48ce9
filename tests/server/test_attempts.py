"""When running attempts began, and how those ended whose tasks are tried again."""

from __future__ import annotations

from typing import Any

import pytest

from dc import limits, limits_shown
from dc.messages_parts import Failure
from dc.messages_worker import Done, Failed, Goodbye, Returned, Running
from dc.records import AttemptEnd, AttemptEnds
from dc.server.commands import RetryTasks
from tests.server.harness import Harness

WALL = 1e9


class Run:
    """A server with a job of three tasks, and a worker that has them."""

    def __init__(self, **options: Any) -> None:
        self.server = Harness()
        self.worker = self.server.worker("w", slots=4)
        client = self.server.client()
        payloads: list[Any] = [b"a", b"b", b"c"]
        self.job = self.server.submit(client, payloads, **options)
        self.server.settle()
        self.given = self.server.tasks(self.worker)

    def run(self, number: int, elapsed: float) -> None:
        self.server.say(self.worker, Running(self.job, [number], [1], [elapsed]))

    def began(self, number: int) -> float | None:
        return self.server.reactor.workers.began(self.job, number)

    def ends(self) -> list[AttemptEnd]:
        self.server.settle()
        return [end for one in self.server.records(AttemptEnds, self.job) for end in one.ends]

    @property
    def wall(self) -> float:
        return WALL + self.server.now


def test_a_running_attempt_began_when_its_worker_says() -> None:
    run = Run()
    assert run.began(0) is None
    run.run(0, 0.5)
    assert run.began(0) == run.wall - 0.5
    run.server.live(3.0, run.worker)
    assert run.began(0) == run.wall - 3.5
    running = dict(run.server.reactor.workers.attempts.all_running(run.job))
    assert list(running) == [0]
    assert running[0].attempt == 1
    run.server.say(run.worker, Done(1, run.job, [0], [1], [3.5], [b""]))
    assert run.began(0) is None
    assert run.began(1) is run.server.reactor.workers.began(99, 0) is None
    assert run.ends() == []


def test_what_runs_no_more_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_shown, "BEGUN_TASKS", 2)
    run = Run()
    for number in range(3):
        run.run(number, 0.5)
    assert run.began(1) is not None
    assert run.began(2) is None, "there is no room"
    run.server.say(run.worker, Done(1, run.job, [0, 1], [1, 1], [1.0, 1.0], [b"", b""]))
    run.server.reactor.workers.attempts._sweep_at = 0
    run.server.pass_time(1.0)
    run.run(2, 0.5)
    assert run.began(2) is not None


def test_room_is_made_again_where_most_of_it_was_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_shown, "BEGUN_TASKS", 2)
    run = Run()
    attempts = run.server.reactor.workers.attempts
    attempts._sweep_at = 0
    for number in range(2):
        run.run(number, 0.5)
    run.server.pass_time(1.0)
    assert run.began(0) is not None
    assert run.began(1) is not None
    run.server.say(run.worker, Done(1, run.job, [0], [1], [1.0], [b""]))
    run.server.pass_time(1.0)
    run.run(2, 0.5)
    assert run.began(2) is not None


def test_of_many_that_run_one_stands_for_several() -> None:
    run = Run()
    for number in range(3):
        run.run(number, 0.5 + number)
    attempts = run.server.reactor.workers.attempts
    assert attempts.began_of(run.job) == [run.wall - 0.5 - n for n in range(3)]
    assert attempts.began_of(run.job, 2) == [run.wall - 0.5, run.wall - 2.5] * 2
    assert attempts.began_of(99) == []


def test_a_failure_that_is_tried_again_is_written_down() -> None:
    run = Run(retries=3)
    failure = Failure("error", "e" * 5000, "begin" + "t" * 5000 + "end")
    run.server.say(run.worker, Failed(1, run.job, 1, 1, 2.0, failure))
    (end,) = run.ends()
    assert (end.number, end.attempt, end.worker, end.end) == (1, 1, "w", "error")
    assert (end.ended, end.began, end.seconds) == (run.wall, run.wall - 2.0, 2.0)
    assert len(end.error) == limits_shown.ATTEMPT_ERROR_CHARS
    assert len(end.traceback) == limits_shown.ATTEMPT_TRACEBACK_CHARS
    assert end.traceback.endswith("end")


def test_a_failure_that_is_the_outcome_is_not() -> None:
    run = Run()
    run.server.say(run.worker, Failed(1, run.job, 1, 1, 2.0, Failure("error", "no")))
    assert run.ends() == []
    run.server.ask_for(RetryTasks(run.job, None))
    (end,) = run.ends()  # now it is not the outcome any more
    assert (end.number, end.attempt, end.worker, end.error) == (1, 1, "w", "no")
    assert end.seconds == 2.0


def test_a_lost_worker_ends_its_attempts() -> None:
    run = Run()
    run.run(0, 0.5)
    began = run.began(0)
    run.server.close(run.worker)
    run.server.pass_time(limits.GRACE_SECONDS + 2)
    ends = {end.number: end for end in run.ends()}
    assert {end.end for end in ends.values()} == {"lost"}
    assert (ends[0].began, ends[0].seconds) == (began, None)
    assert ends[1].began is None


def test_what_a_worker_gives_back_is_returned() -> None:
    run = Run()
    run.run(0, 0.5)
    run.server.say(run.worker, Returned(1, run.job, [0, 1], [1, 1]))
    (end,) = run.ends()  # the other one never began
    assert (end.number, end.end) == (0, "returned")
    run.server.say(run.worker, Goodbye())
    assert {end.end for end in run.ends()} == {"returned"}
