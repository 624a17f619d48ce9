"""Results on their way to clients: what is sent from memory and what is read from the store."""

from __future__ import annotations

import pytest

from dc import limits
from dc.messages import Refused
from dc.messages_client import Cancel, EndOfResults, Finished, Status, Subscribe, Watch
from dc.server.events import LoadJob, LoadOutcomes
from tests.server.harness import Harness


@pytest.fixture
def server() -> Harness:
    """Give the test a server without peers."""
    return Harness()


def reads(server: Harness) -> int:
    """Return how many reads of outcomes are wanted."""
    return sum(isinstance(load, LoadOutcomes) for load in server.loads)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_job_followed_from_its_start_is_not_read(server: Harness, ordered: bool) -> None:
    client = server.client()
    worker = server.worker("a", slots=4)
    job = server.submit(client, [b"x"] * 4)
    server.commit()
    server.say(client, Subscribe(5, job, ordered))
    tasks = server.tasks(worker)
    for sequence, part in enumerate((tasks[:1], tasks[1:]), 1):
        server.answer(worker, sequence, part)
        assert not server.take(client, Finished), "it is not on disk"
        server.commit()
        assert [one.numbers for one in server.take(client, Finished)] == [
            [task[1] for task in part]
        ]
    assert server.take(client, EndOfResults) == [EndOfResults(5)]
    assert reads(server) == 0


@pytest.mark.parametrize("numbers", [(1, 0, 2, 3), (0, 3, 1, 2), (3, 2, 1, 0)])
def test_results_out_of_order_come_in_order(server: Harness, numbers: tuple[int, ...]) -> None:
    client = server.client()
    worker = server.worker("a", slots=4)
    job = server.submit(client, [b"x"] * 4)
    server.commit()
    server.say(client, Subscribe(5, job, ordered=True))
    tasks = server.tasks(worker)
    found: list[int] = []
    for sequence, number in enumerate(numbers, 1):
        server.answer(worker, sequence, [tasks[number]])
        server.settle()
        found += [n for message in server.take(client, Finished) for n in message.numbers]
        assert found == list(range(len(found))), "no task before its turn"
        assert set(numbers[:sequence]) - set(found) <= set(range(len(found) + 1, 4)), "none waits"
    assert found == [0, 1, 2, 3]
    assert server.take(client, EndOfResults) == [EndOfResults(5)]


def test_results_that_were_there_before_a_restart_are_read(server: Harness) -> None:
    client = server.client()
    worker = server.worker("a", slots=2)
    job = server.submit(client, [b"x"] * 2)
    server.commit()
    server.answer(worker, 1, server.tasks(worker)[:1])
    server.commit()
    server.restart()
    client = server.client()
    server.say(client, Subscribe(5, job, ordered=False))
    assert reads(server) == 1
    server.settle()
    assert [message.numbers for message in server.take(client, Finished)] == [[0]]


# --- small jobs that have just finished ---------------------------------------------------------


def run(server: Harness, client: int, worker: int, payloads: list[bytes], sequence: int = 1) -> int:
    """Have a job run to its end that nobody follows; return its number."""
    job = server.submit(client, list(payloads))
    server.commit()
    server.answer(worker, sequence, server.tasks(worker))
    server.settle()
    assert job not in server.reactor.board.jobs
    return job


@pytest.mark.parametrize("ordered", [False, True])
def test_a_small_job_that_has_just_finished_is_not_read(server: Harness, ordered: bool) -> None:
    client, worker = server.client(), server.worker("a", slots=2)
    job = run(server, client, worker, [b"x", b"y"])
    for request in (5, 6):
        server.say(client, Subscribe(request, job, ordered), Watch(request + 10, job))
        assert not server.loads
        [finished] = server.take(client, Finished)
        assert (finished.request, finished.numbers) == (request, [0, 1])
        assert finished.outcomes == [b"X", b"Y"]
        assert server.take(client, EndOfResults) == [EndOfResults(request)]
        assert [status.state for status in server.take(client, Status)] == ["done"]
        assert job not in server.reactor.board.jobs


@pytest.mark.parametrize(("ordered", "after"), [(False, 1), (True, 2), (True, 1)])
def test_a_cursor_is_heeded_in_a_job_at_hand(server: Harness, ordered: bool, after: int) -> None:
    client, worker = server.client(), server.worker("a", slots=2)
    job = run(server, client, worker, [b"x", b"y"])
    server.say(client, Subscribe(5, job, ordered, after))
    server.settle()
    rest = [n for message in server.take(client, Finished) for n in message.numbers]
    assert rest == ([1] if (ordered, after) == (True, 1) else [])
    assert server.take(client, EndOfResults) == [EndOfResults(5)]


def test_it_is_kept_for_a_moment_only_and_not_removed_meanwhile(server: Harness) -> None:
    client, worker = server.client(), server.worker("a")
    job = run(server, client, worker, [b"x"])
    assert server.reactor.in_memory == {job}
    server.pass_time(limits.RECENT_SECONDS / 2)
    server.say(client, Subscribe(5, job, ordered=True))  # which does not make it stay longer
    assert server.take(client, EndOfResults)
    server.pass_time(limits.RECENT_SECONDS / 2)
    assert server.reactor.in_memory == set()
    server.say(client, Subscribe(6, job, ordered=True))
    assert server.loads == [LoadJob(job)]
    server.settle()
    assert [message.outcomes for message in server.take(client, Finished)] == [[b"X"], [b"X"]]


def test_only_the_newest_are_kept(server: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RECENT_JOBS", 2)
    client, worker = server.client(), server.worker("a")
    jobs = [run(server, client, worker, [b"x"], sequence) for sequence in (1, 2, 3)]
    assert server.reactor.in_memory == set(jobs[1:])


def test_large_many_and_cancelled_jobs_are_not_kept(server: Harness) -> None:
    client, worker = server.client(), server.worker("a", slots=300)
    run(server, client, worker, [b"x" * limits.RECENT_BYTES], 1)
    run(server, client, worker, [b""] * (limits.RECENT_BYTES // 16 + 1), 2)
    assert server.reactor.in_memory == set()
    job = server.submit(client, [b"x"])
    server.say(client, Cancel(7, job))
    server.answer(worker, 3, server.tasks(worker))
    server.settle()
    assert server.reactor.in_memory == set()
    server.say(client, Subscribe(8, job, ordered=False))
    server.settle()
    assert [refused.code for refused in server.take(client, Refused)] == ["cancelled"]
