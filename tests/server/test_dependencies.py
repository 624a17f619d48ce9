"""Jobs that come after others, as wholes and task by task."""

from __future__ import annotations

from typing import Any

import pytest

from dc.messages import Refused
from dc.messages_client import EndOfJob, Payloads, Stored, Submit
from dc.messages_parts import Failure, Payload
from dc.messages_worker import Failed
from dc.records import JobCancelled
from dc.server.commands import CancelJob, CancelTasks, RetryTasks
from dc.server.events import JobLoaded
from dc.server.heads import HeadLimits
from tests.server.harness import Harness

PAYLOADS: list[Payload] = [b"a", b"b", b"c"]
SMALL = HeadLimits(one=2, all=100, least=2, piece=2)


class Chain(Harness):
    """A harness with one client and one worker of many slots."""

    def __init__(self, heads: HeadLimits | None = None) -> None:
        super().__init__(heads=heads or HeadLimits())
        self.boss = self.client()
        self.hand = self.worker(slots=20)
        self.sequence = 0

    def add(self, payloads: list[Payload] = PAYLOADS, **options: Any) -> int:
        job = self.submit(self.boss, payloads, **options)
        self.settle()
        return job

    def given(self) -> list[tuple[int, int, int, Payload]]:
        self.settle()
        return self.tasks(self.hand)

    def finish(self, *tasks: tuple[int, int, int, Payload], bad: bool = False) -> None:
        for task in tasks:
            self.sequence += 1
            if bad:
                failure = Failure("error", "no")
                self.say(self.hand, Failed(self.sequence, *task[:3], 0.1, failure))
            else:
                self.answer(self.hand, self.sequence, [task])
        self.settle()

    def begin_again(self) -> None:
        self.restart()
        self.boss, self.hand = self.client(), self.worker(slots=20, run=f"run {self.sequence}")
        self.settle()

    def state(self, job: int) -> tuple[str, str]:
        state, _, note = self.reactor.board.state(self.reactor.board.jobs[job])
        return state, note

    def why(self, job: int) -> str:
        (record,) = self.records(JobCancelled, job)
        assert isinstance(record.why, str)
        return record.why


@pytest.mark.parametrize("restarted", [False, True])
def test_a_job_waits_until_all_before_it_are_done(restarted: bool) -> None:
    server = Chain()
    first, second = server.add(), server.add([])
    last = server.add(after=[first, second])
    assert server.state(last) == ("waiting", f"waits for job {first}")
    if restarted:
        server.begin_again()
        assert server.state(last) == ("waiting", f"waits for job {first}")
    tasks = server.given()
    assert {task[0] for task in tasks} == {first}
    server.finish(*tasks)
    tasks = server.given()
    assert {task[0] for task in tasks} == {last}
    assert set(server.reactor.in_memory) >= {first, second, last}, "what it needs is kept"
    server.finish(*tasks)
    assert not set(server.reactor.control.dependencies.needed())


@pytest.mark.parametrize("restarted", [False, True])
def test_a_failed_job_cancels_what_waits_for_it(restarted: bool) -> None:
    server = Chain()
    first = server.add()
    second = server.add(after=[first])
    third = server.add(after=[second])
    anyhow = server.add(after=[first, third], after_what="finished")
    if restarted:
        server.begin_again()
    one, *others = server.given()
    server.finish(one, bad=True)
    assert not server.records(JobCancelled, second), "it may be tried again until it has finished"
    server.finish(*others)
    assert server.why(second) == f"job {first}, which it came after, has failed tasks"
    assert server.why(third) == f"job {second}, which it came after, was cancelled"
    assert {task[0] for task in server.given()} == {anyhow}


def test_any_of_several_is_enough() -> None:
    server = Chain()
    jobs = [server.add(), server.add()]
    last = server.add(after=jobs, after_what="any")
    tasks = server.given()
    server.finish(*(task for task in tasks if task[0] == jobs[1]), bad=True)
    assert {task[0] for task in server.given()} == {last}


def test_what_is_done_already_is_not_waited_for() -> None:
    server = Chain()
    first = server.add()
    server.finish(*server.given())
    last = server.add(after=[first])
    assert {task[0] for task in server.given()} == {last}


def test_what_was_cancelled_already_cancels_what_comes_after_it() -> None:
    server = Chain()
    first = server.add()
    server.ask_for(CancelJob(first))
    server.settle()
    server.take(server.boss, Stored)
    last = server.add(after=[first])
    assert server.why(last) == f"job {first}, which it came after, was cancelled"
    assert server.take(server.boss, Stored), "it was submitted, and cancelled then"
    assert not server.reactor.board.jobs


def test_a_job_that_was_removed_cannot_be_waited_for() -> None:
    server = Chain()
    first = server.add([])
    server.reactor.clients.recent.expire(server.now + 1e6)
    server.written = [record for record in server.written if getattr(record, "job", 0) != first]
    server.take(server.boss, Stored)
    server.say(server.boss, Submit(5, "echo", "", {"after": [first]}))
    server.say(server.boss, Payloads(5, 0, [b"a"]), EndOfJob(5))
    server.commit()
    assert not server.take(server.boss, Stored), "not before it is known whether that job is there"
    server.feed(JobLoaded(first, None))
    server.loads.clear()
    (refused,) = server.take(server.boss, Refused)
    assert refused.code == "options"
    assert f"there is no job {first}" in refused.text
    server.settle()
    assert not server.reactor.board.jobs


def test_a_cancelled_job_waits_for_nothing() -> None:
    server = Chain()
    first = server.add()
    last = server.add(after=[first])
    server.ask_for(CancelJob(last))
    server.settle()
    assert server.why(last) == ""
    server.finish(*server.given())
    assert not server.reactor.board.jobs


# --- task by task ---------------------------------------------------------------------------------


@pytest.mark.parametrize("heads", [None, SMALL])
@pytest.mark.parametrize("restarted", [False, True])
def test_each_task_waits_for_its_counterpart(heads: HeadLimits | None, restarted: bool) -> None:
    server = Chain(heads)
    first = server.add()
    second = server.add(after=[first], each=True)
    assert server.state(second)[0] == "waiting"
    tasks = server.given()
    while more := server.given():
        tasks += more
    assert {task[0] for task in tasks} == {first}
    server.finish(*(task for task in tasks if task[1] == 1))
    if restarted:
        server.begin_again()
        tasks = server.given()
        while more := server.given():
            tasks += more
        assert sorted(task[:2] for task in tasks) == [(first, 0), (first, 2), (second, 1)]
        mine = [task for task in tasks if task[0] == second]
    else:
        mine = server.given()
    assert [task[:2] for task in mine] == [(second, 1)]
    server.finish(*mine)
    server.finish(*(task for task in tasks if task[0] == first and task[1] != 1))
    left = server.given()
    while more := server.given():
        left += more
    assert sorted(task[:2] for task in left) == [(second, 0), (second, 2)]
    server.finish(*left)
    assert len(server.results(second)) == 3
    assert not server.reactor.board.jobs


@pytest.mark.parametrize("what", ["done", "finished"])
def test_a_failed_counterpart_ends_its_task_or_lets_it_in(what: str) -> None:
    server = Chain()
    first = server.add()
    second = server.add([b"a", b"b", b"c", b"d"], after=[first], each=True, after_what=what)
    tasks = server.given()
    server.finish(tasks[0], bad=True)
    after = [task[1] for task in server.given()]
    server.finish(*tasks[1:])
    after += [task[1] for task in server.given()]
    if what == "done":
        assert sorted(after) == [1, 2]
        kinds = {n: o.kind for n, o in server.results(second).items()}
        assert kinds == {0: "cancelled", 3: "cancelled"}
    else:
        assert sorted(after) == [0, 1, 2, 3]


def test_tasks_without_a_counterpart_wait_for_the_whole_job() -> None:
    server = Chain()
    first = server.add()
    second = server.add([b"a", b"b", b"c", b"d"], after=[first], each=True)
    tasks = server.given()
    server.finish(*tasks[:2])
    assert sorted(task[1] for task in server.given()) == [0, 1]
    server.finish(tasks[2])
    assert sorted(task[1] for task in server.given()) == [2, 3]
    assert second


def test_a_cancelled_job_ends_the_tasks_that_wait_for_its() -> None:
    server = Chain()
    first = server.add()
    second = server.add(after=[first], each=True)
    server.finish(server.given()[0])
    server.ask_for(CancelJob(first))
    server.finish(*(task for task in server.given() if task[0] == second))
    results = server.results(second)
    assert results[0] == b"A"
    assert [results[n].kind for n in (1, 2)] == ["cancelled", "cancelled"]


def test_tasks_that_come_after_their_counterparts_have_finished() -> None:
    server = Chain()
    first = server.add()
    server.say(server.boss, Submit(5, "echo", "", {"after": [first], "each": True}))
    server.say(server.boss, Payloads(5, 0, [b"a"]))
    server.finish(*server.given())
    server.say(server.boss, Payloads(5, 1, [b"b", b"c"]), EndOfJob(5))
    server.settle()
    assert sorted(task[1] for task in server.given()) == [0, 1, 2]


def test_a_chain_of_chains_and_retries_and_cancelled_tasks() -> None:
    server = Chain()
    first = server.add()
    second = server.add(after=[first], each=True)
    third = server.add(after=[second], each=True, after_what="finished")
    server.ask_for(CancelTasks(second, [(2, 2)]))
    tasks = server.given()
    assert sorted(task[:2] for task in tasks) == [(first, 0), (first, 1), (first, 2), (third, 2)]
    server.finish(*(task for task in tasks if task[0] == third))
    server.finish(*(task for task in tasks if task[0] == first))
    (one, other) = server.given()
    server.finish(one, bad=True)
    server.finish(other)
    mine = server.given()
    assert len(mine) == 2
    server.ask_for(RetryTasks(second))
    (again,) = server.given()
    assert again[:2] == one[:2]
    server.finish(again, *mine)
    assert not isinstance(server.results(second)[one[1]], Failure)
    assert len(server.results(third)) == 3
    assert not server.reactor.board.jobs


def test_a_task_that_was_cancelled_before_a_restart_is_not_let_in_after_it() -> None:
    server = Chain()
    first = server.add()
    second = server.add(after=[first], each=True)
    assert server.ask_for(CancelTasks(second, [(1, 1)])) == []
    server.settle()
    server.begin_again()
    server.finish(*server.given())
    tasks = server.given()
    assert [task[:2] for task in tasks] == [(second, 0), (second, 2)]
    server.finish(*tasks)
    assert not server.reactor.board.jobs
    found = server.results(second)
    assert {n: type(one) for n, one in found.items()} == {0: bytes, 1: Failure, 2: bytes}
