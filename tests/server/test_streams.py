"""Results on their way to clients: what is sent from memory and what is read from the store."""

from __future__ import annotations

import pytest

from dc.messages import EndOfResults, Finished, Subscribe
from dc.server.events import LoadOutcomes
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
