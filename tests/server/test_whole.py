"""All jobs together: how long they take, and how their tasks fail."""

from __future__ import annotations

from typing import Any

from dc import limits_shown
from dc.messages_parts import Failure
from dc.messages_worker import Done, Failed
from dc.server.commands import PauseJob
from dc.server.figure_views import FigureViews
from dc.server.reactor import Reactor
from dc.server.whole import Whole
from tests.server.harness import Harness


class Shown:
    """What the views need of an app: its reactor and its clock."""

    def __init__(self, server: Harness) -> None:
        self._server = server

    @property
    def reactor(self) -> Reactor:
        return self._server.reactor

    def wall(self) -> float:
        return self._server.now + 1e9


def whole_of(server: Harness) -> Whole:
    app: Any = Shown(server)
    return Whole(app, FigureViews(app))


def run(server: Harness, peer: int, count: int, seconds: float) -> None:
    """Have a worker bring so many results, each after so many seconds."""
    for at in range(count):
        server.settle()
        ((job, number, attempt, _), *_) = server.tasks(peer)
        server.say(peer, Done(100 + at, job, [number], [attempt], [seconds], [b"r"]))
        server.commit()


def test_nothing_is_left_or_nobody_takes_it() -> None:
    server = Harness()
    whole = whole_of(server)
    left, failures = whole.look()
    assert (left.tasks, left.likely, failures) == (0, 0.0, [])
    server.submit(server.client(), [b"a"])
    assert whole.look()[0] is left, "one look serves for a while"
    server.now += limits_shown.WHOLE_SECONDS
    server.pass_time(1.0)
    left, _ = whole.look()
    assert (left.tasks, left.likely, left.basis) == (1, None, "no worker takes tasks at present")


def test_how_long_all_jobs_take() -> None:
    server = Harness()
    peer, client = server.worker("w"), server.client()
    server.submit(client, [b"a"] * 20)
    server.settle()
    assert whole_of(server).look()[0].basis == "of one job no task has finished yet"
    run(server, peer, 10, 4.0)
    left, _ = whole_of(server).look()
    assert left.tasks == 10
    assert left.work == 40.0
    assert left.low is not None
    assert left.likely is not None
    assert left.high is not None
    assert 25.0 <= left.low <= 40.0 <= left.likely <= left.high <= 120.0
    assert "one job, on 1 slot;" in left.basis
    paused = server.submit(client, [b"a"] * 5)
    both, _ = whole_of(server).look()
    assert (both.tasks, both.likely) == (left.tasks, left.likely)
    assert both.without == "without one job of which no task has finished yet"
    assert both.without in both.basis
    server.decide(PauseJob(paused))
    assert whole_of(server).look()[0] == left, "what is paused is left out"
    for _ in range(2):
        server.submit(client, [b"a"], requires={"os": "=plan9"})
    stuck, _ = whole_of(server).look()
    assert (stuck.tasks, stuck.likely) == (left.tasks, left.likely)
    assert stuck.without == "without 2 jobs that no worker takes at present"


def test_the_errors_that_came_last() -> None:
    server = Harness()
    peer, client = server.worker("w", slots=9), server.client()
    for job in (1, 2):
        server.submit(client, [b"a"] * 90, name=f"n{job}")
        server.settle()
    for at, (job, number, attempt, _) in enumerate(server.tasks(peer)):
        failure = Failure("error", f"{'no' if number % 2 else 'yes'} at {at}")
        server.say(peer, Failed(at + 1, job, number, attempt, 0.1, failure))
        server.now += 1
        server.commit()
    _, failures = whole_of(server).look()
    assert len(failures) >= 2
    assert [one.group.last_at for one in failures] == sorted(
        (one.group.last_at for one in failures), reverse=True
    )
    assert failures[0].type == "echo"
    assert failures[0].name.startswith("n")
