"""Jobs with large inputs: who gets their tasks first, and that nobody waits for ever."""

from __future__ import annotations

from typing import Any

import pytest

from dc import limits
from dc.messages import Heartbeat
from dc.messages_parts import Blob, Payload
from dc.messages_worker import Assign, Cached, Goodbye
from tests.server.harness import Harness

LARGE = 20 * limits.INPUT_BYTES_PER_SECOND  # of bytes: twenty seconds
DATA = Blob(b"d" * 32, LARGE)
MORE = Blob(b"m" * 32, LARGE)
SMALL = Blob(b"s" * 32, limits.CACHED_LEAST_BYTES - 1)


def submit(server: Harness, count: int, *inputs: Blob, **options: Any) -> int:
    named = {f"input {at}": blob for at, blob in enumerate(inputs)}
    payloads: list[Payload] = [b"p"] * count
    job = server.submit(server.client(), payloads, inputs=named, **options)
    server.settle()
    return job


def numbers(server: Harness, peer: int) -> list[int]:
    return [number for _, number, _, _ in server.tasks(peer)]


def test_a_worker_is_told_of_the_inputs() -> None:
    server = Harness()
    peer = server.worker("w")
    submit(server, 1, DATA, SMALL)
    (assign,) = server.take(peer, Assign)
    assert assign.inputs == {"input 0": DATA, "input 1": SMALL}


def test_tasks_go_first_to_those_that_have_the_inputs() -> None:
    server = Harness()
    others = [server.worker(f"other {at}") for at in range(3)]
    having = server.worker("having")
    server.say(having, Cached([DATA.digest, MORE.digest]))
    server.say(others[0], Cached([DATA.digest]))
    job = submit(server, 3, DATA, MORE)
    assert numbers(server, having) == [0]
    assert [numbers(server, one) for one in others] == [[], [], []]
    board, whys = server.reactor.board, server.reactor.whys
    reason = whys.of_task(board.jobs[job], 1)
    assert reason is not None
    assert reason.text == "goes first to having, which has its inputs, for 40 s"
    worker = server.reactor.workers.roster.named("other 1")
    assert worker is not None
    idle = whys.of_worker(worker)
    assert idle is not None
    assert idle.text == "what waits goes first to workers that have its inputs"
    server.live(15.0, having, *others)
    assert [numbers(server, one) for one in others] == [[], [], []]
    server.live(30.0, having, *others)
    got = [number for one in others for number in numbers(server, one)]
    assert sorted(got) == [1, 2], "their pause is over"
    assert server.reactor.board.jobs[job].scheduled


def test_one_that_gets_them_meanwhile_is_as_good() -> None:
    server = Harness()
    first, second = server.worker("first"), server.worker("second")
    server.say(first, Cached([DATA.digest]))
    submit(server, 2, DATA)
    assert (numbers(server, first), numbers(server, second)) == ([0], [])
    server.say(second, Cached([DATA.digest]))
    assert numbers(server, second) == [1]


@pytest.mark.parametrize("how", ["dropped", "gone", "goodbye"])
def test_if_none_is_left_that_has_them_anybody_will_do(how: str) -> None:
    server = Harness()
    having, other = server.worker("having"), server.worker("other")
    server.say(having, Cached([DATA.digest]))
    submit(server, 3, DATA)
    assert (numbers(server, having), numbers(server, other)) == ([0], [])
    if how == "dropped":
        server.say(having, Cached([], [DATA.digest]))
    elif how == "gone":
        server.close(having)
        server.live(limits.GRACE_SECONDS + 5.0, other)
    else:
        server.say(having, Goodbye())
        server.close(having)
    server.live(2.0, other)
    assert len(numbers(server, other)) == 1


def test_a_job_whose_inputs_nobody_has_goes_to_all_at_once() -> None:
    server = Harness()
    workers = [server.worker(f"w{at}") for at in range(3)]
    submit(server, 3, DATA)
    assert sorted(number for one in workers for number in numbers(server, one)) == [0, 1, 2]


def test_those_that_cannot_run_it_are_not_waited_for() -> None:
    server = Harness()
    having = server.worker("having", types=("stubborn",))
    able = server.worker("able")
    server.say(having, Cached([DATA.digest]))
    submit(server, 1, DATA)
    assert numbers(server, able) == [0]


def test_small_inputs_are_worth_no_waiting() -> None:
    server = Harness()
    having, other = server.worker("having"), server.worker("other")
    server.say(having, Cached([SMALL.digest]))
    submit(server, 2, SMALL)
    assert (len(numbers(server, having)), len(numbers(server, other))) == (1, 1)


def test_one_task_after_the_other_goes_to_the_same_worker() -> None:
    server = Harness()
    workers = [server.worker(f"w{at}") for at in range(3)]
    submit(server, 1, DATA)
    (first,) = [one for one in workers if (tasks := server.tasks(one)) and tasks]
    for sequence in range(1, 6):
        server.say(first, Cached([DATA.digest]))
        job = max(server.reactor.board.jobs)
        server.answer(first, sequence, [(job, 0, 1, b"p")])
        server.settle()
        server.live(5.0, *workers)
        submit(server, 1, DATA)
        assert numbers(server, first) == [0]


def test_a_worker_that_comes_back_tells_anew() -> None:
    server = Harness()
    server.worker("w")
    (worker,) = server.reactor.workers.roster.by_peer.values()
    side = server.reactor.workers.inputs
    server.say(worker.peer, Cached([DATA.digest]))
    assert side._holders == {DATA.digest: {worker.id}}
    peer = server.worker("w")
    assert side._holders == {}
    server.say(peer, Cached([MORE.digest], [DATA.digest]))
    assert side._holders == {MORE.digest: {worker.id}}


def test_what_workers_tell_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CACHED_KNOWN", 10)
    monkeypatch.setattr(limits, "CACHED_TOLD", 6)
    server = Harness()
    peers = [server.worker(f"w{at}") for at in range(3)]
    for at, peer in enumerate(peers):
        server.say(peer, Cached([b"%032d" % (10 * at + one) for one in range(6)]))
        server.say(peer, Cached([b"%032d" % (10 * at + one + 100) for one in range(3)]))
    side = server.reactor.workers.inputs
    assert side._count == 6
    assert set(side._has) == {
        worker.id
        for worker in server.reactor.workers.roster.by_peer.values()
        if worker.peer == peers[-1]
    }


# --- ahead ----------------------------------------------------------------------------------------


def test_large_payloads_go_out_ahead_of_tasks_that_take_not_much_longer() -> None:
    server = Harness()
    peer = server.worker("w", slots=2)
    payloads: list[Payload] = [Blob(b"%032d" % n, LARGE) for n in range(9)]
    job = server.submit(server.client(), payloads)
    server.settle()
    tasks = server.tasks(peer)
    assert [number for _, number, _, _ in tasks] == [0, 1, 2, 3]
    server.answer(peer, 1, tasks[:1], seconds=100.0)
    assert numbers(server, peer) == [4]
    server.answer(peer, 2, tasks[1:2], seconds=1e6)
    assert numbers(server, peer) == [5], "it is looked at when something is handed out"
    server.answer(peer, 3, tasks[2:3], seconds=1e6)
    server.answer(peer, 4, tasks[3:4], seconds=1e6)
    assert numbers(server, peer) == [], "so long a task is not to wait behind another"
    assert server.reactor.board.jobs[job].cost > 1000


def test_small_payloads_do_not() -> None:
    server = Harness()
    peer = server.worker("w", slots=2)
    server.submit(server.client(), [b"p"] * 9)
    server.settle()
    assert numbers(server, peer) == [0, 1]
    server.say(peer, Heartbeat())
