"""Jobs in hand: cancelled by tasks, paused, changed, tried again; the clock, and who submitted."""

from __future__ import annotations

from typing import Any

import pytest

from dc import limits
from dc.errors import NotPossible, OptionsError, UnknownJob
from dc.messages import Refused
from dc.messages_client import (
    EndOfJob,
    EndOfResults,
    Finished,
    Payloads,
    Status,
    Submit,
    Subscribe,
    Watch,
)
from dc.messages_parts import Failure, Payload
from dc.messages_worker import Failed, Stop
from dc.records import JobChanged, Retried
from dc.server.commands import (
    CancelJob,
    CancelJobs,
    CancelTasks,
    ChangeJob,
    PauseJob,
    ResumeJob,
    RetryTasks,
    SetWeight,
)
from dc.server.heads import HeadLimits
from tests.server.harness import Harness

PAYLOADS: list[Any] = [b"a", b"b", b"c", b"d", b"e", b"f"]
SMALL = HeadLimits(one=2, all=100, least=2, piece=2)


def outcomes(server: Harness, job: int) -> dict[int, Any]:
    return server.results(job)


def fail(server: Harness, peer: int, sequence: int, task: tuple[int, int, int, Payload]) -> None:
    job, number, attempt, _ = task
    server.say(peer, Failed(sequence, job, number, attempt, 0.1, Failure("error", "no")))


# --- tasks that are cancelled ---------------------------------------------------------------------


@pytest.mark.parametrize("heads", [HeadLimits(), SMALL])
@pytest.mark.parametrize("restarted", [False, True])
def test_tasks_are_cancelled_wherever_they_are(heads: HeadLimits, restarted: bool) -> None:
    server = Harness(heads=heads)
    job = server.submit(server.client(), PAYLOADS)
    server.settle()
    if restarted:
        server.restart()
    worker = server.worker()
    server.settle()
    (held, *_) = server.tasks(worker)
    answers = server.ask_for(CancelTasks(job, [(held[1], held[1]), (3, 4), (9, 99)]))
    server.settle()
    assert answers == [3]
    (stop,) = server.take(worker, Stop)
    assert (stop.numbers, stop.attempts) == ([held[1]], [held[2]])
    server.answer(worker, 1, [held])  # too late
    sequence = 2
    while tasks := server.tasks(worker):
        server.answer(worker, sequence, tasks)
        server.settle()
        sequence += 1
    found = outcomes(server, job)
    assert found == {
        n: Failure("cancelled", "it was cancelled") if n in (held[1], 3, 4) else PAYLOADS[n].upper()
        for n in range(6)
    }
    assert not server.reactor.board.jobs
    assert server.ask_for(CancelTasks(job, [(0, 9)])) == []
    server.settle()
    assert outcomes(server, job) == found


def test_a_task_whose_outcome_is_on_its_way_is_not_cancelled() -> None:
    server = Harness()
    job = server.submit(server.client(), PAYLOADS[:1])
    server.settle()
    worker = server.worker()
    answers = server.ask_for(CancelTasks(job, [(0, 0)]))
    server.answer(worker, 1, server.tasks(worker))
    server.settle()
    assert answers == [0]
    assert outcomes(server, job) == {0: b"A"}


def test_an_unknown_job_is_said_to_be_unknown() -> None:
    server = Harness()
    for command in (CancelTasks(7, [(0, 0)]), PauseJob(7), RetryTasks(7), ChangeJob(7, {})):
        answers = server.ask_for(command)
        server.settle()
        assert isinstance(answers[0], UnknownJob)


def test_jobs_are_cancelled_by_type_and_by_submitter() -> None:
    server = Harness()
    client = server.client()
    echo = [server.submit(client, PAYLOADS, submitter=name) for name in ("ann", "bob")]
    other = server.submit(client, PAYLOADS, "stubborn", submitter="bob")
    server.settle()
    assert server.ask_for(CancelJobs(type="echo", version="1")) == [[]]
    by_submitter = server.ask_for(CancelJobs(submitter="bob"))
    by_type = server.ask_for(CancelJobs(type="echo"))
    server.settle()
    assert (by_submitter, by_type) == ([[echo[1], other]], [[echo[0]]])
    assert not server.reactor.board.jobs
    assert server.reactor.board.submitters.jobs() == {}


# --- pause ----------------------------------------------------------------------------------------


def test_a_cancelled_job_does_not_say_how_to_resume_it() -> None:
    server = Harness()
    client = server.client()
    job = server.submit(client, PAYLOADS)
    server.ask_for(PauseJob(job))
    server.settle()
    server.say(client, Watch(9, job))
    assert server.take(client, Status)[-1].note.startswith("paused")
    server.ask_for(CancelJob(job))
    server.settle()
    server.pass_time(1)
    last = server.take(client, Status)[-1]
    assert (last.state, last.note) == ("cancelled", "")


def test_of_a_paused_job_nothing_is_handed_out_over_a_restart_too() -> None:
    server = Harness()
    job = server.submit(server.client(), PAYLOADS)
    server.settle()
    worker = server.worker()
    (first,) = server.tasks(worker)
    answers = server.ask_for(PauseJob(job))
    server.settle()
    assert answers == [None]
    server.answer(worker, 1, [first])
    server.settle()
    assert server.tasks(worker) == []
    assert server.reactor.board.state(server.reactor.board.jobs[job])[0] == "paused"
    server.restart()
    worker = server.worker()
    server.settle()
    assert server.tasks(worker) == []
    server.ask_for(ResumeJob(job))
    server.settle()
    assert len(server.tasks(worker)) == 1


def test_what_runs_is_given_back_on_request() -> None:
    server = Harness()
    job = server.submit(server.client(), PAYLOADS[:1])
    server.settle()
    worker = server.worker()
    (first,) = server.tasks(worker)
    server.ask_for(PauseJob(job, now=True))
    server.settle()
    (stop,) = server.take(worker, Stop)
    assert (stop.numbers, stop.attempts) == ([0], [first[2]])
    assert server.tasks(worker) == []
    server.ask_for(ResumeJob(job))
    server.settle()
    assert [(t[1], t[2]) for t in server.tasks(worker)] == [(0, first[2] + 1)]


def test_a_finished_job_is_not_paused() -> None:
    server = Harness()
    job = server.submit(server.client(), [])
    server.settle()
    for command in (PauseJob(job), ResumeJob(job), ChangeJob(job, {"priority": 1})):
        answers = server.ask_for(command)
        server.settle()
        assert isinstance(answers[0], NotPossible)
    answers = server.ask_for(ChangeJob(job, {"name": "better"}))
    server.settle()
    row = server.stored_job(job)
    assert answers == [None]
    assert row is not None
    assert row.options.name == "better"
    assert not server.reactor.board.jobs


# --- priority and weight --------------------------------------------------------------------------


def test_a_priority_is_changed_while_jobs_are_queued() -> None:
    server = Harness()
    client = server.client()
    first, second = (server.submit(client, PAYLOADS) for _ in range(2))
    server.settle()
    assert server.ask_for(ChangeJob(second, {"priority": 5, "weight": 2.0, "name": "x"})) == []
    server.settle()
    (changed,) = server.records(JobChanged, second)
    assert (changed.options.priority, changed.options.weight, changed.paused) == (5, 2.0, False)
    assert server.tasks(server.worker())[0][0] == second
    server.restart()
    worker = server.worker()
    server.settle()
    assert server.tasks(worker)[0][0] == second > first


def test_weights_of_submitters_are_remembered() -> None:
    server = Harness()
    assert server.ask_for(SetWeight("ann", 4.0)) == []
    server.settle()
    server.submit(server.client(), PAYLOADS, submitter="ann")
    server.settle()
    server.restart()
    assert server.reactor.board.submitters.weight("ann") == 4.0
    assert server.reactor.board.submitters.jobs() == {"ann": 1}


# --- retry ----------------------------------------------------------------------------------------


def run_failing(server: Harness, job: int, bad: set[int]) -> int:
    """Run a job on one worker, some tasks of which fail; return the worker."""
    worker = server.worker(slots=10)
    server.settle()
    sequence = 1
    while tasks := server.tasks(worker):
        for task in tasks:
            if task[1] in bad:
                fail(server, worker, sequence, task)
            else:
                server.answer(worker, sequence, [task])
            sequence += 1
        server.settle()
    assert job not in server.reactor.board.jobs
    return worker


@pytest.mark.parametrize("restarted", [False, True])
def test_the_failed_tasks_of_a_finished_job_run_again(restarted: bool) -> None:
    server = Harness(heads=SMALL)
    client = server.client()
    job = server.submit(client, PAYLOADS)
    server.settle()
    worker = run_failing(server, job, {1, 3, 4, 5})
    if restarted:
        server.restart()
        worker, client = server.worker(slots=10), server.client()
    answers = server.ask_for(RetryTasks(job))
    server.settle()
    assert answers == [4]
    tasks = server.tasks(worker)
    while more := server.tasks(worker):
        tasks += more
    assert [(task[1], task[2]) for task in tasks[:2]] == [(1, 3), (3, 3)]
    server.say(client, Subscribe(1, job, False), Subscribe(2, job, True))
    server.settle()
    sequence = 100
    while tasks:
        server.answer(worker, sequence, tasks)
        server.settle()
        sequence += 1
        tasks = server.tasks(worker)
    assert outcomes(server, job) == {n: PAYLOADS[n].upper() for n in range(6)}
    had: dict[int, list[int]] = {1: [], 2: []}
    for message in server.take(client, Finished):
        had[message.request] += message.numbers
    assert sorted(had[1]) == had[2] == [0, 1, 2, 3, 4, 5]
    assert len(server.take(client, EndOfResults)) == 2
    assert not server.reactor.board.jobs


def test_a_kill_in_the_middle_of_a_retry_loses_nothing() -> None:
    server = Harness(heads=SMALL)
    job = server.submit(server.client(), PAYLOADS)
    server.settle()
    run_failing(server, job, {1, 3})
    server.ask_for(RetryTasks(job))
    while not server.unwritten:
        loads, server.loads = server.loads, []
        for load in loads:
            server.feed(server._answer(load))
    assert isinstance(server.unwritten[-1], Retried)
    server.restart()  # nothing was on disk
    server.ask_for(RetryTasks(job))
    while not server.records(Retried, job):
        server.commit()
        loads, server.loads = server.loads, []
        for load in loads:
            server.feed(server._answer(load))
    server.restart()  # it was on disk, and nobody was told
    server.settle()
    worker = server.worker(slots=10)
    server.settle()
    tasks = server.tasks(worker)
    server.answer(worker, 1, tasks)
    server.settle()
    assert sorted(task[1] for task in tasks) == [1, 3]
    assert outcomes(server, job) == {n: PAYLOADS[n].upper() for n in range(6)}


def test_a_subscriber_who_saw_the_failure_gets_the_new_outcome_as_well() -> None:
    server = Harness()
    client = server.client()
    job = server.submit(client, PAYLOADS[:2])
    server.settle()
    server.say(client, Subscribe(1, job, False), Subscribe(2, job, True))
    worker = server.worker()
    (task,) = server.tasks(worker)
    fail(server, worker, 1, task)
    server.settle()
    answers = server.ask_for(RetryTasks(job))
    server.settle()
    assert answers == [1]
    sequence = 2
    while tasks := server.tasks(worker):
        server.answer(worker, sequence, tasks)
        server.settle()
        sequence += 1
    seen = [(m.request, m.numbers, m.outcomes) for m in server.take(client, Finished)]
    failure = Failure("error", "no")
    assert [row[1:] for row in seen if row[0] == 1] == [
        ([0], [failure]),
        ([1], [b"B"]),
        ([0], [b"A"]),
    ] or [row[1:] for row in seen if row[0] == 1] == [
        ([0], [failure]),
        ([0], [b"A"]),
        ([1], [b"B"]),
    ]
    assert [row[1:] for row in seen if row[0] == 2] == [([0], [failure]), ([1], [b"B"])]
    assert len(server.take(client, EndOfResults)) == 2


def test_a_late_report_of_the_attempt_that_failed_is_stale() -> None:
    server = Harness()
    job = server.submit(server.client(), PAYLOADS[:2])
    server.settle()
    worker = server.worker()
    (task,) = server.tasks(worker)
    fail(server, worker, 1, task)
    server.settle()
    server.ask_for(RetryTasks(job, [(0, 0)]))
    server.settle()
    server.restart()
    worker = server.worker(run="run 2")
    fail(server, worker, 1, task)
    server.settle()
    assert outcomes(server, job) == {}


def test_what_was_cancelled_runs_again_only_if_it_is_named() -> None:
    server = Harness()
    job = server.submit(server.client(), PAYLOADS[:3])
    server.settle()
    server.ask_for(CancelTasks(job, [(0, 1)]))
    server.settle()
    everything = server.ask_for(RetryTasks(job))
    server.settle()
    named = server.ask_for(RetryTasks(job, [(1, 1)]))
    server.settle()
    assert (everything, named) == ([0], [1])
    worker = server.worker(slots=3)
    assert sorted(task[1] for task in server.tasks(worker)) == [1, 2]


def test_a_cancelled_job_is_not_tried_again() -> None:
    server = Harness()
    job = server.submit(server.client(), PAYLOADS)
    server.settle()
    server.ask_for(CancelJob(job))
    server.settle()
    answers = server.ask_for(RetryTasks(job))
    server.settle()
    assert isinstance(answers[0], NotPossible)
    assert not server.reactor.board.jobs


# --- the clock ------------------------------------------------------------------------------------


def test_nothing_is_handed_out_before_its_time() -> None:
    server = Harness()
    wall = server.now + 1e9
    job = server.submit(server.client(), PAYLOADS[:1], not_before=wall + 20.0)
    server.settle()
    worker = server.worker()
    assert server.tasks(worker) == []
    assert server.reactor.board.state(server.reactor.board.jobs[job])[0] == "waiting"
    assert server.reactor.pause() <= 20.0
    server.live(15.0, worker)
    assert server.tasks(worker) == []
    server.live(10.0, worker)
    assert len(server.tasks(worker)) == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_a_deadline_ends_what_has_not_finished(restarted: bool) -> None:
    server = Harness(heads=SMALL)
    wall = server.now + 1e9
    job = server.submit(server.client(), PAYLOADS, deadline=wall + 20.0)
    server.settle()
    if restarted:
        server.restart()
    worker = server.worker()
    server.settle()
    (held,) = server.tasks(worker)
    server.live(30.0, worker)
    server.settle()
    assert server.take(worker, Stop)
    assert [failure.kind for failure in outcomes(server, job).values()] == ["deadline"] * 6
    server.answer(worker, 1, [held])
    server.settle()
    assert not server.reactor.board.jobs
    assert isinstance(answered(server, RetryTasks(job)), NotPossible)


def test_tasks_that_come_after_the_deadline_fail_too() -> None:

    server = Harness()
    client = server.client()
    server.say(client, Submit(7, "echo", "", {"deadline": server.now + 1e9 + 5.0}))
    server.say(client, Payloads(7, 0, [b"a"]))
    server.live(10.0, client)
    server.settle()
    (job,) = server.reactor.board.jobs
    server.say(client, Payloads(7, 1, [b"b"]), EndOfJob(7))
    worker = server.worker()
    server.settle()
    assert server.tasks(worker) == []
    server.live(10.0, client, worker)
    server.settle()
    assert [failure.kind for failure in outcomes(server, job).values()] == ["deadline"] * 2
    assert not server.reactor.board.jobs


def test_a_deadline_can_be_moved() -> None:
    server = Harness()
    wall = server.now + 1e9
    job = server.submit(server.client(), PAYLOADS[:1], deadline=wall + 5.0)
    server.settle()
    server.ask_for(ChangeJob(job, {"deadline": wall + 500.0}))
    server.settle()
    worker = server.worker()
    (task,) = server.tasks(worker)
    server.live(60.0, worker)
    server.answer(worker, 1, [task])
    server.settle()
    assert outcomes(server, job) == {0: b"A"}


@pytest.mark.parametrize("restarted", [False, True])
def test_a_deadline_holds_for_what_runs_again(restarted: bool) -> None:
    server = Harness()
    wall = server.now + 1e9
    job = server.submit(server.client(), PAYLOADS[:2], deadline=wall + 50.0)
    server.settle()
    worker = server.worker()
    for sequence in (1, 2):
        (task,) = server.tasks(worker)
        fail(server, worker, sequence, task)
        server.settle()
    assert not server.reactor.board.jobs
    if restarted:
        server.restart()
        worker = server.worker()
    assert answered(server, RetryTasks(job)) == 2
    server.live(60.0, worker)
    server.settle()
    assert [failure.kind for failure in outcomes(server, job).values()] == ["deadline"] * 2
    assert not server.reactor.board.jobs


@pytest.mark.parametrize("restarted", [False, True])
def test_what_missed_its_deadline_runs_again_once_that_is_moved(restarted: bool) -> None:
    server = Harness()
    wall = server.now + 1e9
    job = server.submit(server.client(), PAYLOADS[:1], deadline=wall + 5.0)
    server.settle()
    server.live(10.0)
    server.settle()
    assert not server.reactor.board.jobs
    if restarted:
        server.restart()
    assert isinstance(answered(server, RetryTasks(job)), NotPossible)
    assert answered(server, ChangeJob(job, {"deadline": 0.0})) is None
    assert answered(server, RetryTasks(job)) == 1
    worker = server.worker()
    server.settle()
    server.answer(worker, 1, server.tasks(worker))
    server.settle()
    assert outcomes(server, job) == {0: b"A"}


def answered(server: Harness, command: object) -> object:
    answers = server.ask_for(command)  # type: ignore[arg-type]
    server.settle()
    return answers[0]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"after": [99]},
        {"after": [0]},
        {"after": [1, 1]},
        {"after": [], "each": True},
        {"after": [1], "each": True, "after_what": "any"},
        {"after": [1], "after_what": "never"},
        {"deadline": 5.0, "not_before": 6.0},
        {"weight": 0.0},
        {"submitter": "x" * 10_000},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:

    server = Harness()
    client = server.client()
    server.submit(client, [])
    server.say(client, Submit(5, "echo", "", options))
    (refused,) = server.take(client, Refused)
    assert refused.code == "options"


# --- resources ------------------------------------------------------------------------------------


def test_more_resources_than_can_be_counted_are_refused_and_no_harm() -> None:
    server = Harness()
    client = server.client()
    names = [f"r{number}" for number in range(limits.RESOURCES_ASKED - 1)]  # and the cpus
    parts = [names[at : at + limits.RESOURCES] for at in range(0, len(names), limits.RESOURCES)]
    first, *_ = [
        server.submit(client, PAYLOADS[:1], resources=dict.fromkeys(part, 1.0)) for part in parts
    ]
    server.say(client, Submit(7, "echo", "", {"resources": {"more": 1.0}}))
    (refused,) = server.take(client, Refused)
    assert refused.code == OptionsError.code
    assert "256 resources" in refused.text
    server.submit(client, PAYLOADS[:1], resources={names[0]: 2.0})
    worker = server.worker(resources={"cpus": 1.0, **dict.fromkeys(parts[0], 1.0)})
    server.settle()
    (task,) = server.tasks(worker)
    fail(server, worker, 1, task)
    server.settle()
    for _ in range(2):  # what a finished job used makes way, and is not there to take it up again
        server.submit(client, [], resources={"more": 1.0})
        server.settle()
        assert server.take(client, Refused) == []
    server.submit(client, PAYLOADS[:1], resources=dict.fromkeys([f"s{n}" for n in range(14)], 1.0))
    assert isinstance(answered(server, RetryTasks(first)), OptionsError)
    server.restart()
    server.settle()
