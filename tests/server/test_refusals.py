"""Answers that do not count: each is acknowledged, counted under its code, and not recorded."""

from __future__ import annotations

from typing import Protocol

import pytest

from dc import limits
from dc.messages import Refused
from dc.messages_client import Cancel
from dc.messages_parts import Blob, Failure, Message
from dc.messages_worker import Done, Failed, Held, Recorded, Running, Stop
from dc.records import Outcomes
from dc.server.events import Received
from tests.server.harness import Harness


class Answer(Protocol):
    """Makes an answer of a worker about one attempt."""

    def __call__(self, job: int, number: int = 0, attempt: int = 1) -> Message: ...


@pytest.fixture
def server() -> Harness:
    return Harness()


def done(job: int, number: int = 0, attempt: int = 1, sequence: int = 1) -> Done:
    return Done(sequence, job, [number], [attempt], [0.1], [b"wrong"])


def failed(job: int, number: int = 0, attempt: int = 1, sequence: int = 1) -> Failed:
    return Failed(sequence, job, number, attempt, 0.1, Failure("error", "wrong"))


def refused(server: Harness, worker: int, job: int, message: Message) -> dict[str, int]:
    """Have a worker say something; return what was refused for it. Nothing may be recorded."""
    server.commit()
    before, counted = server.results(job), server.reactor.board.refusals.copy()
    server.take(worker, Recorded)
    server.say(worker, message)
    server.commit()
    assert server.results(job) == before
    assert server.take(worker, Recorded) == [Recorded(1)]
    assert worker not in server.closed
    return dict(server.reactor.board.refusals - counted)


@pytest.mark.parametrize("kind", [done, failed])
class TestEachCode:
    """What is refused, by the code under which it is counted."""

    def test_a_task_that_was_never_given(self, server: Harness, kind: Answer) -> None:
        job = server.submit(server.client(), [b"a"])
        worker = server.worker("liar", types=("nothing",))
        assert refused(server, worker, job, kind(job)) == {"not_held": 1}

    def test_a_task_of_another_worker(self, server: Harness, kind: Answer) -> None:
        other, worker = server.worker("other"), server.worker("liar", types=("nothing",))
        job = server.submit(server.client(), [b"a"])
        held = server.tasks(other)
        assert refused(server, worker, job, kind(job)) == {"not_held": 1}
        assert not server.take(other, Stop)
        server.answer(other, 1, held)
        server.commit()
        assert server.results(job) == {0: b"A"}

    def test_an_attempt_that_is_to_come(self, server: Harness, kind: Answer) -> None:
        worker = server.worker()
        job = server.submit(server.client(), [b"a"])
        assert refused(server, worker, job, kind(job, 0, 2)) == {"not_held": 1}
        assert refused(server, worker, job, kind(job, 0, 2**31 - 1)) == {"not_held": 1}

    def test_an_old_attempt(self, server: Harness, kind: Answer) -> None:
        worker = server.worker("first")
        job = server.submit(server.client(), [b"a"], retries=1, retry_seconds=0.0)
        server.say(worker, failed(job))
        server.pass_time(1.0)
        server.settle()
        assert server.tasks(worker)[-1][2] == 2
        assert refused(server, worker, job, kind(job, 0, 1)) == {"stale_attempt": 1}

    def test_an_attempt_that_another_worker_gave_back(self, server: Harness, kind: Answer) -> None:
        other = server.worker("other")
        job = server.submit(server.client(), [b"a"])
        server.close(other)
        worker = server.worker("liar", types=("nothing",))
        server.live(limits.GRACE_SECONDS + 1, worker)
        assert refused(server, worker, job, kind(job)) == {"not_held": 1}

    def test_a_second_answer(self, server: Harness, kind: Answer) -> None:
        worker = server.worker()
        job = server.submit(server.client(), [b"a", b"b"])
        server.answer(worker, 1, server.tasks(worker))
        assert refused(server, worker, job, kind(job)) == {"already_done": 1}

    def test_a_second_answer_after_the_end_of_the_job(self, server: Harness, kind: Answer) -> None:
        worker = server.worker()
        job = server.submit(server.client(), [b"a"])
        server.answer(worker, 1, server.tasks(worker))
        server.commit()
        assert job not in server.reactor.board.jobs
        assert refused(server, worker, job, kind(job)) == {"already_done": 1}

    @pytest.mark.parametrize("gone", [False, True])
    def test_a_cancelled_job(self, server: Harness, kind: Answer, gone: bool) -> None:
        worker, client = server.worker(), server.client()
        job = server.submit(client, [b"a"])
        server.settle()
        server.say(client, Cancel(6, job))
        if gone:
            server.settle()
            assert job not in server.reactor.board.jobs
        assert refused(server, worker, job, kind(job)) == {"cancelled": 1}

    def test_a_task_that_never_was(self, server: Harness, kind: Answer) -> None:
        worker = server.worker()
        job = server.submit(server.client(), [b"a"])
        assert refused(server, worker, job, kind(job, 1)) == {"unknown_task": 1}
        assert refused(server, worker, job, kind(job + 1)) == {"unknown_task": 1}
        assert refused(server, worker, job, kind(0)) == {"unknown_task": 1}


def test_only_what_is_wrong_in_a_batch_is_refused(server: Harness) -> None:
    worker = server.worker(slots=3)
    job = server.submit(server.client(), [b"a"] * 4)
    assert len(server.tasks(worker)) == 3
    numbers, attempts = [0, 1, 1, 2, 3, 9], [1, 2, 1, 1, 1, 1]
    results = [b"%d" % at for at in range(6)]
    server.say(worker, Done(1, job, numbers, attempts, [0.1] * 6, list(results)))
    server.commit()
    assert server.results(job) == {0: b"0", 1: b"2", 2: b"3"}
    assert server.reactor.board.refusals == {"already_done": 1, "not_held": 1, "unknown_task": 1}
    assert len(server.records(Outcomes, job)) == 1


def test_a_result_twice_in_one_batch_is_recorded_once(server: Harness) -> None:
    client, worker = server.client(), server.worker()
    job = server.submit(client, [b"a"])
    server.settle()
    server.close(worker)
    server.live(limits.GRACE_SECONDS + 1, client)
    peer = server.open()
    server.worker_says_hello(peer, "w")
    server.say(peer, Done(1, job, [0, 0], [1, 1], [0.1, 0.1], [b"first", b"second"]))
    server.commit()
    assert server.results(job) == {0: b"first"}
    assert server.reactor.board.refusals == {"already_done": 1}


def test_a_claim_of_anothers_task_is_stopped_and_counted(server: Harness) -> None:
    other = server.worker("other", slots=2)
    job = server.submit(server.client(), [b"a", b"b"])
    server.close(other)
    liar = server.worker("liar", types=("nothing",), held=(Held(job, [0, 1], [1, 2]),))
    assert server.take(liar, Stop) == [Stop(job, [0, 1], [1, 2])]
    assert server.reactor.board.refusals == {"not_held": 2}
    server.live(limits.GRACE_SECONDS + 1, liar)
    server.say(liar, Held(job, [0, 1], [1, 1]))
    assert server.take(liar, Stop) == [Stop(job, [0, 1], [1, 1])]
    assert server.reactor.board.refusals == {"not_held": 4}


def test_columns_of_unequal_length_change_nothing(server: Harness) -> None:
    worker = server.worker()
    job = server.submit(server.client(), [b"a"])
    server.say(worker, Done(1, job, [0], [1, 1], [0.1], [b"x"]))
    assert server.take(worker, Refused)[0].code == "protocol"
    server.commit()
    assert server.results(job) == {}


def say_without(server: Harness, worker: int, message: Message, *missing: Blob) -> None:
    """Have a worker say something that names blobs which are not on the server's disk."""
    server.feed(Received(worker, [message], frozenset(missing)))


class TestMissingBlobs:
    """A result whose blob the server does not have: its task runs again, and nothing else does."""

    def test_the_other_results_are_taken(self, server: Harness) -> None:
        worker = server.worker(slots=3)
        job = server.submit(server.client(), [b"a"] * 3)
        server.settle()
        server.tasks(worker)
        here, lost = Blob(b"h" * 32, 70_000), Blob(b"l" * 32, 70_000)
        results: list[bytes | Blob] = [here, lost, b"x"]
        done = Done(1, job, [0, 1, 2], [1, 1, 1], [0.1, 0.2, 0.3], results)
        say_without(server, worker, done, lost)
        server.commit()
        assert worker not in server.closed
        assert server.take(worker, Recorded) == [Recorded(1)]
        assert server.results(job) == {0: here, 2: b"x"}
        assert server.records(Outcomes, job)[0].times == [0.1, 0.3]
        assert server.reactor.board.refusals == {"unknown_blob": 1}
        server.settle()
        assert server.tasks(worker) == [(job, 1, 2, b"a")]
        server.say(worker, Done(2, job, [1], [2], [0.1], [lost]))
        server.commit()
        assert server.results(job)[1] == lost, "it has been put again"

    def test_nobody_is_blamed(self, server: Harness) -> None:
        worker = server.worker()
        job = server.submit(server.client(), [b"a"])
        lost = Blob(b"l" * 32, 70_000)
        for attempt in range(1, 10):
            server.settle()
            assert server.tasks(worker) == [(job, 0, attempt, b"a")]
            server.say(worker, Running(job, [0], [attempt], [1.0]))
            say_without(server, worker, Done(attempt, job, [0], [attempt], [0.1], [lost]), lost)
        state = server.reactor.board.scheduler.state(job, 0)
        assert state is not None
        assert (state[2], state[4]) == (0, 0)
        server.commit()
        server.restart()
        assert not server.reactor.workers.roster.by_key, "its lease has ended, on disk too"

    def test_what_is_not_the_workers_own_is_refused_as_ever(self, server: Harness) -> None:
        other, worker = server.worker("other"), server.worker("liar", types=("nothing",))
        job = server.submit(server.client(), [b"a", b"b"])
        lost = Blob(b"l" * 32, 70_000)
        say_without(server, worker, Done(1, job, [0], [1], [0.1], [lost]), lost)
        say_without(server, worker, Done(2, job + 1, [0], [1], [0.1], [lost]), lost)
        assert server.reactor.board.refusals == {"not_held": 1, "unknown_task": 1}
        server.answer(other, 1, server.tasks(other))
        server.commit()
        assert server.results(job) == {0: b"A"}


class TestAgain:
    """A worker did not hear that its reports were recorded, and brings them again."""

    def come_back(self, server: Harness, run: str = "run 1") -> int:
        """Reconnect a worker that holds nothing but its reports, all of which have been taken."""
        held = tuple(Held(job, [0, 1], [1, 1]) for job in server.reactor.board.jobs)
        worker = server.worker("lab", slots=3, run=run, held=held)
        for job in server.reactor.board.jobs:
            server.say(worker, done(job, 0, 1, sequence=1), failed(job, 1, 1, sequence=2))
        return worker

    def begin(self, server: Harness) -> int:
        worker = server.worker("lab", slots=3)
        job = server.submit(server.client(), [b"a"] * 3, retries=3, retry_seconds=0.0)
        server.settle()
        assert len(server.tasks(worker)) == 3
        server.say(worker, done(job, 0, 1, sequence=1), failed(job, 1, 1, sequence=2))
        return worker

    @pytest.mark.parametrize("recorded", [False, True])
    def test_what_comes_again_is_acknowledged_and_not_counted(
        self, server: Harness, recorded: bool
    ) -> None:
        worker = self.begin(server)
        if recorded:
            server.settle()
        server.close(worker)
        worker = self.come_back(server)
        server.settle()
        assert server.take(worker, Recorded)[-1] == Recorded(2)
        server.live(60.0, worker)
        assert not server.reactor.board.refusals
        assert server.reactor.workers.by_peer[worker].done == 1
        assert server.reactor.workers.by_peer[worker].failed == 1

    def test_what_is_new_is_counted(self, server: Harness) -> None:
        worker = self.begin(server)
        server.close(worker)
        worker = self.come_back(server)
        server.settle()
        [job] = server.reactor.board.jobs
        server.say(worker, done(job, 0, 1, sequence=3))
        assert server.reactor.board.refusals == {"already_done": 1}

    def test_what_it_named_and_did_not_report_is_counted(self, server: Harness) -> None:
        worker = self.begin(server)
        [job] = server.reactor.board.jobs
        server.close(worker)
        worker = server.worker("lab", slots=3, held=(Held(job, [0, 2, 9], [1, 1, 1]),))
        server.live(limits.HEARTBEAT_SECONDS, worker)
        assert server.reactor.board.refusals == {"already_done": 1, "unknown_task": 1}

    def test_another_process_begins_anew(self, server: Harness) -> None:
        worker = self.begin(server)
        server.settle()
        server.close(worker)
        self.come_back(server, run="run 2")
        refusals = server.reactor.board.refusals
        assert refusals["already_done"] == 2, "named once, reported once"

    def test_a_result_under_an_old_sequence_is_still_taken(self, server: Harness) -> None:
        worker = self.begin(server)
        [job] = server.reactor.board.jobs
        server.close(worker)
        worker = server.worker("lab", slots=3, held=(Held(job, [2], [1]),))
        server.say(worker, done(job, 2, 1, sequence=1))
        server.settle()
        assert server.results(job).keys() == {0, 2}
