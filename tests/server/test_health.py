"""Workers on which tasks fail that succeed elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dc import limits
from dc.messages_parts import Failure
from dc.messages_worker import Done, Failed, Stop
from dc.server.health import SICK, TRIAL, WELL, Health, Process
from tests.server.harness import Harness

BAD, GOOD = ("bad", "1"), ("good", "1")


def make_sick(health: Health, now: float = 0.0) -> None:
    for number in range(limits.SICK_TASKS):
        assert not health.failed(BAD, 1, number, "no such file", now)
    proofs = list(range(limits.SICK_PROOFS))
    assert health.succeeded(GOOD, 1, proofs[:-1], now) == []
    assert health.succeeded(GOOD, 1, proofs[-1:], now) == [BAD]


def test_a_worker_is_sick_when_what_it_failed_succeeds_elsewhere() -> None:
    health = Health()
    make_sick(health)
    health.validate()
    assert health.state(BAD) == SICK
    assert health.slots(BAD, 8) == 0
    assert "5 different tasks" in health.reason(BAD)
    assert "3 of them then succeeded" in health.reason(BAD)
    assert "no such file" in health.reason(BAD)
    assert health.until(BAD) == limits.SICK_SECONDS
    assert (health.state(GOOD), health.slots(GOOD, 8), health.reason(GOOD)) == (WELL, 8, "")
    assert health.count() == 1


def test_all_proofs_may_come_at_once() -> None:
    health = Health()
    for number in range(2 * limits.SICK_TASKS):
        health.failed(BAD, 1, number, "no", 0.0)
        health.failed(("other", "1"), 1, number % 4, "no", 0.0)
    assert health.succeeded(GOOD, 1, range(2 * limits.SICK_TASKS), 0.0) == [BAD]
    assert health.state(("other", "1")) == WELL
    health.validate()


def test_proofs_may_come_before_the_last_failure() -> None:
    health = Health()
    for number in range(limits.SICK_TASKS - 1):
        health.failed(BAD, 1, number, "no", 0.0)
    assert health.succeeded(GOOD, 1, [0, 1, 2, 3], 0.0) == []
    assert health.failed(BAD, 1, 9, "no", 0.0)


@pytest.mark.parametrize("spoiled", ["success", "same task", "bad tasks", "own success", "gone"])
def test_a_worker_is_well_without_proof(spoiled: str) -> None:
    health = Health()
    for number in range(10 * limits.SICK_TASKS):
        health.failed(BAD, 1, 0 if spoiled == "same task" else number, "no", 0.0)
        if spoiled == "success" and number % 4 == 3:
            assert not health.well(BAD)
    if spoiled == "bad tasks":
        for number in range(10 * limits.SICK_TASKS):
            health.failed_for_good(1, number)
    if spoiled == "gone":
        health.job_gone(1)
    if spoiled == "success":
        health.well(BAD)
    proved_by = BAD if spoiled == "own success" else GOOD
    assert health.succeeded(proved_by, 1, range(1000), 0.0) == []
    assert health.state(BAD) == WELL
    health.validate()


def test_a_sick_worker_is_tried_again_and_again_for_longer() -> None:
    health, now = Health(), 0.0
    make_sick(health)
    for times in range(10):
        pause = min(limits.SICK_SECONDS * 2**times, limits.SICK_SECONDS_MOST)
        assert health.due(now + pause - 1) == []
        now += pause
        assert health.due(now) == [BAD]
        assert (health.state(BAD), health.slots(BAD, 8), health.slots(BAD, 0)) == (TRIAL, 1, 0)
        assert health.due(now) == []
        assert health.failed(BAD, 2, times, "still no", now)
        assert not health.failed(BAD, 2, 100 + times, "a leftover", now)
    assert health.well(BAD)
    assert health.state(BAD) == WELL
    health.validate()


def test_what_is_remembered_is_bounded() -> None:
    health = Health()
    for number in range(2 * limits.SICK_OPEN_TASKS):
        health.failed(BAD, 1, number, "no", 0.0)
    for number in range(2 * limits.SICK_WORKERS):
        health.failed((f"w{number}", ""), 1, number, "no", 0.0)
    health.validate()
    assert len(health._records) == limits.SICK_WORKERS
    assert sum(len(one.open) for one in health._records.values()) <= limits.SICK_WORKERS


KEYS = [("a", "1"), ("a", "2"), ("b", "1"), ("c", "1")]
STEP = st.tuples(
    st.sampled_from(["failed", "failed", "failed", "succeeded", "for good", "gone", "due"]),
    st.sampled_from(KEYS),
    st.integers(1, 2),
    st.integers(0, 9),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEP, max_size=80))
def test_any_order_of_events_leaves_it_whole(steps: list[tuple[str, Process, int, int]]) -> None:
    health, now = Health(), 0.0
    for kind, key, job, number in steps:
        now += 10.0
        before = {one: health.state(one) for one in KEYS}
        if kind == "failed":
            assert health.failed(key, job, number, "no", now) == (
                before[key] != SICK and health.state(key) == SICK
            )
        elif kind == "succeeded":
            assert health.well(key) == (before[key] != WELL)
            for sick in health.succeeded(key, job, range(number), now):
                assert sick != key
                assert (before[sick], health.state(sick)) == (WELL, SICK)
        elif kind == "for good":
            health.failed_for_good(job, number)
        elif kind == "gone":
            health.job_gone(job)
        else:
            assert all(health.state(one) == TRIAL for one in health.due(now))
        health.validate()


# --- in the reactor ---------------------------------------------------------------------------


def with_a_sick_worker() -> tuple[Harness, int, int, int]:
    """Return a server on which the worker `bad` has just been found sick, and its job."""
    server = Harness()
    bad = server.worker("bad", slots=8)
    job = server.submit(server.client(), [b"a"] * 8, retries=3, retry_seconds=0.0)
    server.settle()
    held = server.tasks(bad)
    good = server.worker("good", slots=8)
    for at, (_, number, attempt, _) in enumerate(held[: limits.SICK_TASKS]):
        failure = Failure("error", "no such file")
        server.say(bad, Failed(at + 1, job, number, attempt, 0.1, failure))
    assert len(server.reactor.workers.health._records) == 1
    # The tasks come back; the good worker alone takes them, for the bad one has no room.
    bad_slots = server.reactor.workers.by_peer[bad]
    server.reactor.board.scheduler.set_slots(bad_slots.id, 3)
    server.live(1.0, bad, good)
    server.settle()
    again = server.tasks(good)
    server.reactor.board.scheduler.set_slots(bad_slots.id, 8)
    server.answer(good, 1, again[: limits.SICK_PROOFS])
    server.settle()
    return server, bad, good, job


def test_a_sick_worker_gets_nothing_and_what_it_had_not_begun_goes_to_others() -> None:
    server, bad, good, job = with_a_sick_worker()
    worker = server.reactor.workers.by_peer[bad]
    assert server.reactor.workers.health.state(worker.process) == SICK
    stopped = [number for stop in server.take(bad, Stop) for number in stop.numbers]
    assert sorted(stopped) == [5, 6, 7]
    assert [row[1] for row in server.tasks(good)] == [5, 6, 7]
    assert not server.tasks(bad)
    assert server.reactor.board.scheduler.worker_load(worker.id)[:2] == (0, 0)
    assert job in server.reactor.board.jobs


def test_a_sick_worker_is_tried_with_one_slot_and_a_success_makes_it_well() -> None:
    server, bad, good, _ = with_a_sick_worker()
    server.submit(server.client(), [b"b"] * 50)
    server.live(limits.SICK_SECONDS - 5, bad, good)
    server.settle()
    server.take(bad, Stop)
    assert not server.tasks(bad)
    server.live(6, bad, good)
    server.settle()
    rows = server.tasks(bad)
    assert len(rows) == 1
    server.say(bad, Done(9, rows[0][0], [rows[0][1]], [rows[0][2]], [10.0], [b"B"]))
    assert len(server.tasks(bad)) == 8


@pytest.mark.parametrize(("run", "tasks"), [("run 1", 0), ("run 2", 8)])
def test_a_sick_worker_stays_sick_over_a_connection_but_not_over_a_new_start(
    run: str, tasks: int
) -> None:
    server, bad, _, _ = with_a_sick_worker()
    server.close(bad)
    server.submit(server.client(), [b"b"] * 50)
    bad = server.worker("bad", slots=8, run=run)
    server.settle()
    assert len(server.tasks(bad)) == tasks
