"""What becomes of a failed attempt."""

from __future__ import annotations

from typing import Any

import pytest

from dc import limits
from dc.messages import Heartbeat
from dc.messages_client import Options
from dc.messages_parts import Failure
from dc.messages_worker import Failed, Held, Recorded
from dc.records import Attempts
from dc.server.retries import crash_limit, is_tried_again, pause
from tests.server.harness import Harness


@pytest.fixture
def server() -> Harness:
    return Harness()


def failed(sequence: int, job: int, attempt: int, kind: str = "error") -> Failed:
    return Failed(sequence, job, 0, attempt, 0.5, Failure(kind, "ValueError: no", "Traceback…"))


def test_a_failed_task_is_recorded_with_its_traceback(server: Harness) -> None:
    worker = server.worker()
    job = server.submit(server.client(), [b"a"])
    server.say(worker, failed(1, job, 1))
    server.commit()
    assert server.results(job) == {0: Failure("error", "ValueError: no", "Traceback…")}
    assert server.take(worker, Recorded) == [Recorded(1)]


def test_retries_wait_longer_each_time_and_then_end(server: Harness) -> None:
    worker = server.worker()
    job = server.submit(server.client(), [b"a"], retries=2, retry_seconds=10.0)
    server.tasks(worker)
    for attempt in (1, 2):
        server.say(worker, failed(attempt, job, attempt))
        server.settle()
        wait = pause(Options(retry_seconds=10.0), attempt - 1, job, 0, attempt)
        server.live(wait - 1.0, worker)
        server.settle()
        assert not server.tasks(worker)
        server.live(2.0, worker)
        server.settle()
        assert server.tasks(worker) == [(job, 0, attempt + 1, b"a")]
    server.say(worker, failed(3, job, 3))
    server.commit()
    assert server.results(job)[0].kind == "error"
    notes = server.records(Attempts, job)
    assert [(note.attempts, note.failures) for note in notes] == [([1], [1]), ([2], [2])]


def test_failures_count_over_a_restart(server: Harness) -> None:
    worker = server.worker()
    job = server.submit(server.client(), [b"a"], retries=1, retry_seconds=0.0)
    server.settle()
    server.say(worker, failed(1, job, 1))
    server.commit()
    server.restart()
    worker = server.worker()
    server.settle()
    assert server.tasks(worker) == [(job, 0, 2, b"a")]
    server.say(worker, failed(1, job, 2))
    server.commit()
    assert server.results(job)[0].kind == "error"


@pytest.mark.parametrize("kind", ["error", "crashed"])
@pytest.mark.parametrize("named", [True, False])
def test_a_failure_that_comes_again_after_a_restart_counts_once(
    server: Harness, kind: str, named: bool
) -> None:
    worker = server.worker()
    options: dict[str, Any] = {"retries": 1, "crashes": 2, "retry_seconds": 0.0}
    job = server.submit(server.client(), [b"a"], **options)
    server.settle()
    report = failed(1, job, 1, kind)
    server.say(worker, report)
    server.commit()
    server.restart()
    held = Held(job, [0], [1])
    peer = server.open()
    server.worker_says_hello(peer, "w")
    server.say(peer, *([held, Heartbeat()] if named else []), report)
    server.settle()
    assert server.take(peer, Recorded) == [Recorded(1)]
    assert server.tasks(peer) == [(job, 0, 2, b"a")]
    assert not server.results(job)
    server.say(peer, failed(2, job, 2, kind))
    server.commit()
    assert server.results(job)[0].kind == kind


def test_a_failure_that_is_not_on_disk_counts_after_a_restart(server: Harness) -> None:
    worker = server.worker()
    job = server.submit(server.client(), [b"a"], retries=1, retry_seconds=0.0)
    server.settle()
    server.say(worker, failed(1, job, 1))
    server.live(1.0, worker)
    server.settle()
    assert server.tasks(worker)[-1] == (job, 0, 2, b"a")
    server.say(worker, failed(2, job, 2))
    server.restart()
    worker = server.worker(held=(Held(job, [0], [2]),))
    server.say(worker, failed(2, job, 2))
    server.commit()
    assert server.results(job)[0].kind == "error", "both of its tries have failed"


@pytest.mark.parametrize("kind", ["error", "timeout", "memory", "crashed", "made up"])
@pytest.mark.parametrize("wanted", [True, False])
def test_only_what_the_job_says_is_tried_again(server: Harness, kind: str, wanted: bool) -> None:
    counts_as = "error" if kind == "made up" else kind
    others = {"error", "timeout", "memory", "crashed"} - {counts_as}
    worker = server.worker()
    retry_on = [counts_as] if wanted else sorted(others)
    job = server.submit(server.client(), [b"a"], retries=3, retry_on=retry_on, retry_seconds=0.0)
    server.say(worker, failed(1, job, 1, kind))
    server.commit()
    if wanted:
        assert server.results(job) == {}
    else:
        assert server.results(job)[0].kind == kind


@pytest.mark.parametrize(("options", "most"), [({}, 5), ({"crashes": 2}, 2), ({"crashes": 7}, 7)])
def test_a_task_crashes_as_often_as_its_job_says(
    server: Harness, options: dict[str, Any], most: int
) -> None:
    worker = server.worker()
    job = server.submit(server.client(), [b"a"], **options)
    for attempt in range(1, most + 1):
        server.settle()
        assert server.tasks(worker) == [(job, 0, attempt, b"a")]
        server.say(worker, failed(attempt, job, attempt, "crashed"))
    server.commit()
    assert server.results(job)[0].kind == "crashed"


def test_a_lost_worker_fails_what_may_not_crash(server: Harness) -> None:
    client, worker = server.client(), server.worker()
    job = server.submit(client, [b"a"], retry_on=["error"])
    server.settle()
    server.close(worker)
    server.live(limits.GRACE_SECONDS + 1, client)
    server.commit()
    assert server.results(job)[0].kind == "crashed"
    assert server.results(job)[0].error.endswith("1 times")


def test_a_payload_of_the_wrong_shape_is_not_tried_again(server: Harness) -> None:
    worker = server.worker()
    job = server.submit(server.client(), [b"a"], retries=5)
    server.say(worker, failed(1, job, 1, "payload"))
    server.commit()
    assert server.results(job)[0].kind == "payload"


def test_pauses_double_and_are_cut_by_up_to_a_half() -> None:
    options = Options(retry_seconds=2.0)
    for failures in range(40):
        whole = min(2.0 * 2**failures, limits.RETRY_SECONDS_MOST)
        pauses = [pause(options, failures, 1, number, 1) for number in range(200)]
        assert all(whole / 2 <= one <= whole for one in pauses)
        assert max(pauses) - min(pauses) > 0.4 * whole
        assert len(set(pauses)) > 190


def test_a_pause_hangs_on_nothing_but_the_attempt() -> None:
    options = Options(retry_seconds=1.0)
    assert pause(options, 0, 3, 4, 5) == pause(options, 0, 3, 4, 5)
    assert pause(options, 0, 3, 4, 5) != pause(options, 0, 3, 4, 6)
    assert pause(options, 0, 2**31 - 1, 2**32 - 2, 2**31 - 1) <= 1.0
    assert pause(Options(retry_seconds=0.0), 3, 1, 1, 1) == 0.0


def test_the_options_of_crashes() -> None:
    assert crash_limit(Options()) == limits.CRASH_LIMIT
    assert crash_limit(Options(crashes=9)) == 9
    assert crash_limit(Options(crashes=9, retry_on=("error",))) == 1
    assert not is_tried_again(Options(retry_on=()), "error")
