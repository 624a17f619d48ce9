"""Who has which attempt: workers that are away, come back, come back as another, or do not."""

from __future__ import annotations

from typing import Any

import pytest

from dc import limits
from dc.errors import ProtocolError
from dc.messages import PROTOCOL, Heartbeat, Hello, Refused
from dc.messages_client import Cancel, Status, Watch
from dc.messages_parts import Failure
from dc.messages_worker import About, Done, Failed, Goodbye, Held, Recorded, Returned, Running, Stop
from dc.records import Attempts, Leases, Outcomes
from dc.server.events import Broken
from dc.server.heads import HeadLimits
from dc.server.leases import Lapsed
from tests.server.harness import Harness

GRACE = limits.GRACE_SECONDS


@pytest.fixture
def server() -> Harness:
    return Harness()


def workers_known(server: Harness) -> set[str]:
    return set(server.reactor.workers.roster.by_key)


# --- names and keys ---------------------------------------------------------------------------


def test_a_second_worker_of_one_name_is_refused(server: Harness) -> None:
    first = server.worker("lab")
    second = server.worker("lab", key="another")
    [refused] = server.take(second, Refused)
    assert refused.code == "duplicate_name"
    assert first not in server.closed


def test_the_name_of_a_worker_that_is_away_is_free(server: Harness) -> None:
    first = server.worker("lab")
    job = server.submit(server.client(), [b"a"])
    held = server.tasks(first)
    server.close(first)
    second = server.worker("lab", key="another")
    assert second not in server.closed
    third = server.worker("lab", held=(Held(job, [0], [1]),))
    assert server.take(third, Refused)[0].code == "duplicate_name"
    renamed = server.worker("lab-2", key="key of lab", held=(Held(job, [0], [1]),))
    server.answer(renamed, 1, held)
    server.commit()
    [record] = server.records(Outcomes, job)
    assert record.worker == "lab-2"


def test_a_worker_without_a_key_is_refused(server: Harness) -> None:
    peer = server.open()
    server.say(peer, Hello(PROTOCOL, "worker", "dc test", [], About("lab", "", 1, [], {})))
    assert server.take(peer, Refused)[0].code == "protocol"
    assert not workers_known(server)


# --- one worker, two connections --------------------------------------------------------------


def test_a_second_connection_of_a_worker_takes_over(server: Harness) -> None:
    first = server.worker("lab", slots=2)
    job = server.submit(server.client(), [b"a", b"b"])
    held = server.tasks(first)
    second = server.worker("lab", slots=2, held=(Held(job, [0, 1], [1, 1]),))
    assert server.closed[first].reason == "connected again elsewhere"
    server.say(first, Done(1, job, [0], [1], [0.1], [b"from the old connection"]))
    server.close(first)
    assert not server.tasks(second)
    server.answer(second, 1, held)
    server.commit()
    assert server.results(job) == {0: b"A", 1: b"B"}
    assert not server.records(Attempts, job)


def test_reports_are_acknowledged_where_they_came(server: Harness) -> None:
    first = server.worker("lab")
    job = server.submit(server.client(), [b"a"])
    server.answer(first, 57, server.tasks(first))
    second = server.worker("lab", run="run 2")
    server.commit()
    assert server.results(job) == {0: b"A"}
    assert not server.take(second, Recorded), "it has its own report 57 to come"


# --- away -------------------------------------------------------------------------------------


def test_a_worker_that_is_away_keeps_its_tasks_for_a_while(server: Harness) -> None:
    first, second = server.worker("first", slots=2), server.worker("second", slots=2)
    server.close(second)
    job = server.submit(server.client(), [b"a", b"b"])
    assert len(server.tasks(first)) == 2
    second = server.worker("second", slots=2)
    server.close(first)
    server.live(GRACE - 1, second)
    server.settle()
    assert not server.tasks(second)
    server.live(2, second)
    server.settle()
    assert server.tasks(second) == [(job, 0, 2, b"a"), (job, 1, 2, b"b")]
    assert workers_known(server) == {"key of second"}


@pytest.mark.parametrize("seconds", [5.0, 20.0])
@pytest.mark.parametrize("silent", [False, True])
def test_a_short_cut_changes_nothing(server: Harness, seconds: float, silent: bool) -> None:
    worker, other = server.worker("lab"), server.worker("other", types=("nothing",))
    job = server.submit(server.client(), [b"a"])
    held = server.tasks(worker)
    idle = server.worker("idle")
    if not silent:
        server.close(worker)
    server.live(seconds, other, idle)
    worker = server.worker("lab", held=(Held(job, [0], [1]),))
    assert not server.tasks(idle)
    assert not server.tasks(worker)
    server.answer(worker, 1, held)
    server.commit()
    assert server.results(job) == {0: b"A"}
    assert not server.records(Attempts, job)


@pytest.mark.parametrize(
    ("options", "grace"),
    [({}, GRACE), ({"long": True}, limits.LONG_GRACE_SECONDS), ({"long": True, "grace": 90.0}, 90)],
)
def test_the_grace_is_the_jobs(server: Harness, options: dict[str, Any], grace: float) -> None:
    worker = server.worker("lab")
    job = server.submit(server.client(), [b"a"], **options)
    assert server.tasks(worker)
    idle = server.worker("idle")
    server.close(worker)
    server.live(grace - 1, idle)
    server.settle()
    assert not server.tasks(idle)
    server.live(2, idle)
    server.settle()
    assert server.tasks(idle) == [(job, 0, 2, b"a")]


def test_the_tasks_of_one_job_lapse_without_the_others(server: Harness) -> None:
    worker = server.worker("lab", slots=2)
    client = server.client()
    short, long = server.submit(client, [b"a"]), server.submit(client, [b"b"], long=True)
    assert len(server.tasks(worker)) == 2
    idle = server.worker("idle", slots=2)
    server.close(worker)
    server.live(GRACE + 60, idle)
    server.settle()
    assert server.tasks(idle) == [(short, 0, 2, b"a")]
    worker = server.worker("lab", slots=2, held=(Held(short, [0], [1]), Held(long, [0], [1])))
    assert server.take(worker, Stop) == [Stop(short, [0], [1])]
    assert not server.tasks(idle)


def test_the_grace_begins_when_the_worker_was_last_heard(server: Harness) -> None:
    worker, idle = server.worker("lab"), server.worker("idle", types=("nothing",))
    server.submit(server.client(), [b"a"])
    server.live(limits.SILENCE_SECONDS + 2, idle)
    assert worker in server.closed
    [away] = server.reactor.workers.roster.away.values()
    left = server.reactor.workers.leases.lapses_in(away)
    assert left == pytest.approx(GRACE - limits.SILENCE_SECONDS - 2, abs=1.5)


def test_a_worker_that_holds_nothing_is_forgotten(server: Harness) -> None:
    server.close(server.worker("lab"))
    assert not workers_known(server)


def test_a_cancelled_job_takes_its_tasks_from_those_that_are_away(server: Harness) -> None:
    client, worker = server.client(), server.worker("lab")
    job = server.submit(client, [b"a"])
    server.settle()
    server.close(worker)
    server.reactor.clients.cancel(server.reactor.board.jobs[job], lambda: None)
    server.pass_time(1.0)
    assert not workers_known(server)


def test_a_job_that_is_being_cancelled_gets_no_records_of_lost_workers(
    server: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, worker = server.client(), server.worker("lab", slots=4)
    job = server.submit(client, [b"a"] * 4, crashes=1, timeout=1.0)
    server.settle()
    server.say(worker, Running(job, [2], [1], [0.2]))
    monkeypatch.setattr("dc.server.clients.CANCEL_STEP", 1)
    server.say(client, Cancel(6, job))
    server.live(15.0, client, worker)  # its time limit is over, and the next step is late
    server.close(worker)
    server.live(GRACE + 1, client)
    assert server.reactor.board.jobs[job].scheduled
    server.settle()
    assert server.results(job) == {}
    assert not server.records(Attempts, job)
    assert not server.reactor.board.jobs


def test_a_job_that_waits_says_which_workers_are_not_here(server: Harness) -> None:
    client, worker = server.client(), server.worker("lab")
    server.submit(client, [b"a"])
    waiting = server.submit(client, [b"b"])
    server.settle()
    server.close(worker)
    server.say(client, Watch(4, waiting))
    [status] = server.take(client, Status)
    assert status.note == "the only worker that can run it, lab, is away"


def test_a_goodbye_gives_back_at_once_and_blames_nobody(server: Harness) -> None:
    job = server.submit(server.client(), [b"a"])
    for attempt in range(1, 2 * limits.CRASH_LIMIT):
        worker = server.worker(f"w{attempt}")
        server.settle()
        assert server.tasks(worker) == [(job, 0, attempt, b"a")]
        returned = [Returned(1, job, [0], [attempt])] if attempt % 2 else []
        server.say(worker, *returned, Goodbye(), Heartbeat())
        server.close(worker)
    server.commit()
    assert {note.crashes[0] for note in server.records(Attempts, job)} == {0}
    assert not workers_known(server)


def test_a_task_that_loses_five_workers_fails_and_says_so(server: Harness) -> None:
    client = server.client()
    job = server.submit(client, [b"a"])
    for attempt in range(1, limits.CRASH_LIMIT + 1):
        worker = server.worker(f"w{attempt}")
        server.settle()
        assert server.tasks(worker) == [(job, 0, attempt, b"a")]
        server.close(worker)
        server.live(GRACE + 1, client)
    server.commit()
    failure = server.results(job)[0]
    assert failure.kind == "crashed"
    assert "5 times" in failure.error


def test_a_worker_that_breaks_the_rules_does_not_keep_its_tasks(server: Harness) -> None:
    bad, good = server.worker("bad"), server.worker("good", types=("nothing",))
    job = server.submit(server.client(), [b"a"])
    assert server.tasks(bad)
    server.feed(Broken(bad, ProtocolError("no batch")))
    good = server.worker("good")
    server.settle()
    assert server.tasks(good) == [(job, 0, 2, b"a")]
    bad = server.worker("bad", held=(Held(job, [0], [1]),))
    assert server.take(bad, Stop) == [Stop(job, [0], [1])]


# --- the server itself stands still -----------------------------------------------------------


def test_a_server_that_stood_still_takes_nothing_from_anybody(server: Harness) -> None:
    worker, gone = server.worker("lab", slots=2), server.worker("gone", slots=2)
    job = server.submit(server.client(), [b"a"] * 4, timeout=30.0)
    server.settle()
    running = {peer: server.tasks(peer) for peer in (worker, gone)}
    for peer, rows in running.items():
        numbers = [row[1] for row in rows]
        server.say(peer, Running(job, numbers, [1, 1], [0.2, 0.2]))
    server.close(gone)
    server.stand_still(3600.0)
    assert worker not in server.closed
    server.answer(worker, 1, running[worker])
    numbers = [row[1] for row in running[gone]]
    back = server.worker("gone", slots=2, held=(Held(job, numbers, [1, 1]),))
    server.answer(back, 1, running[gone])
    server.commit()
    assert server.results(job) == dict.fromkeys(range(4), b"A")


# --- coming back ------------------------------------------------------------------------------


def test_what_has_lapsed_and_nobody_has_got_is_the_workers_again(server: Harness) -> None:
    client, worker = server.client(), server.worker("lab")
    job = server.submit(client, [b"a"])
    held = server.tasks(worker)
    server.close(worker)
    server.live(GRACE + 1, client)
    assert not workers_known(server)
    worker = server.worker("lab", held=(Held(job, [0], [1]),))
    assert not server.take(worker, Stop)
    server.answer(worker, 1, held)
    server.commit()
    assert server.results(job) == {0: b"A"}
    crashes = [note.crashes for note in server.records(Attempts, job)]
    assert crashes == [[1], [0]], "its loss no longer counts, on disk neither"
    assert not server.reactor.board.refusals


def test_what_somebody_else_has_got_is_stopped(server: Harness) -> None:
    client, worker = server.client(), server.worker("lab")
    job = server.submit(client, [b"a"])
    server.settle()
    server.tasks(worker)
    server.close(worker)
    server.live(GRACE + 1, client)
    other = server.worker("other")
    server.settle()
    held = server.tasks(other)
    assert held == [(job, 0, 2, b"a")]
    worker = server.worker("lab", held=(Held(job, [0], [1]),))
    assert server.take(worker, Stop) == [Stop(job, [0], [1])]
    server.say(worker, Done(1, job, [0], [1], [0.1], [b"late"]))
    server.commit()
    assert server.results(job) == {}
    assert server.take(worker, Recorded) == [Recorded(1)]
    server.answer(other, 1, held)
    server.commit()
    assert server.results(job) == {0: b"A"}
    assert server.reactor.board.refusals == {"stale_attempt": 2}


@pytest.mark.parametrize("kind", ["done", "failed", "returned"])
def test_a_late_report_is_taken_while_nobody_has_the_task(server: Harness, kind: str) -> None:
    client, worker = server.client(), server.worker("lab")
    job = server.submit(client, [b"a"])
    server.tasks(worker)
    server.close(worker)
    server.live(GRACE + 1, client)
    reports = {
        "done": Done(1, job, [0], [1], [0.1], [b"late"]),
        "failed": Failed(1, job, 0, 1, 0.1, Failure("error", "no")),
        "returned": Returned(1, job, [0], [1]),
    }
    # Its first word is the report: it has room, and would be given the task again.
    worker = server.open()
    server.worker_says_hello(worker, "lab")
    server.say(worker, reports[kind])
    server.settle()
    if kind == "returned":
        assert server.tasks(worker) == [(job, 0, 2, b"a")]
    else:
        outcome = {"done": b"late", "failed": Failure("error", "no")}[kind]
        assert server.results(job) == {0: outcome}
    assert not server.reactor.board.refusals


@pytest.mark.parametrize(("run", "crashes"), [("run 1", 0), ("run 2", 1), ("", 1)])
def test_what_a_worker_does_not_name_is_queued_again(
    server: Harness, run: str, crashes: int
) -> None:
    worker = server.worker("lab", run="run 1" if run else "")
    job = server.submit(server.client(), [b"a"])
    server.settle()
    assert server.tasks(worker)
    server.close(worker)
    worker = server.worker("lab", run=run)
    server.settle()
    assert server.tasks(worker) == [(job, 0, 2, b"a")]
    assert [note.crashes for note in server.records(Attempts, job)] == [[crashes]]


def test_only_what_may_have_been_running_is_blamed_on_a_new_process(server: Harness) -> None:
    worker = server.worker("lab")
    job = server.submit(server.client(), [b"a"] * 50)
    server.settle()
    server.answer(worker, 1, server.tasks(worker))
    server.settle()
    held = [row[1] for row in server.tasks(worker)]
    assert len(held) > 10
    server.say(worker, Running(job, [held[3]], [1], [0.5]))
    server.worker("lab", run="run 2")
    server.commit()
    [note] = server.records(Attempts, job)
    blamed = [n for n, c in zip(note.numbers, note.crashes, strict=True) if c]
    assert sorted(blamed) == [held[0], held[3]]


def test_a_process_that_dies_before_it_names_anything_does_not_hide_the_last_one(
    server: Harness,
) -> None:
    worker = server.worker("lab")
    job = server.submit(server.client(), [b"a"])
    server.settle()
    server.close(worker)
    server.live(10)
    for _ in range(2):
        peer = server.open()
        server.worker_says_hello(peer, "lab", run="run 2")
        server.live(5)
        server.close(peer)
    [away] = server.reactor.workers.roster.away.values()
    left = server.reactor.workers.leases.lapses_in(away)
    assert left == pytest.approx(GRACE - 20.0), "only one that says what it holds renews"
    server.worker("lab", run="run 2")
    server.commit()
    assert [note.crashes for note in server.records(Attempts, job)] == [[1]]


def test_held_may_come_twice_and_late(server: Harness) -> None:
    worker = server.worker("lab", slots=2)
    job = server.submit(server.client(), [b"a", b"b"])
    server.settle()
    server.tasks(worker)
    server.close(worker)
    held = Held(job, [0, 1], [1, 1])
    worker = server.worker("lab", slots=2, held=(held, held))
    server.say(worker, held, Heartbeat(), held)
    assert not server.take(worker, Stop)
    server.say(worker, Held(job, [0], [2]), Held(99, [0], [1]), Held(job, [2**32 - 2], [2**31 - 1]))
    assert server.take(worker, Stop) == [
        Stop(job, [0], [2]),
        Stop(99, [0], [1]),
        Stop(job, [2**32 - 2], [2**31 - 1]),
    ]
    assert server.reactor.board.refusals == {"not_held": 1, "unknown_task": 2}
    assert not server.tasks(worker)


# --- restarts ---------------------------------------------------------------------------------


def with_a_running_task(server: Harness, **options: Any) -> tuple[int, int]:
    """Return a worker, and the job whose one task it runs, which is on disk."""
    worker = server.worker("lab")
    job = server.submit(server.client(), [b"a"], **options)
    server.settle()
    server.say(worker, Running(job, [0], [1], [0.2]))
    server.commit()
    return worker, job


def test_a_lease_is_written_when_a_task_is_reported_running_and_not_before(
    server: Harness,
) -> None:
    worker = server.worker("lab", slots=3)
    job = server.submit(server.client(), [b"a"] * 3)
    server.settle()
    assert not server.records(Leases, job)
    server.say(worker, Running(job, [0, 2], [1, 1], [0.2, 0.2]))
    server.say(worker, Running(job, [0, 1, 2], [1, 9, 1], [0.4, 0.4, 0.4]))
    server.commit()
    assert server.records(Leases, job) == [Leases(job, "key of lab", [0, 2], [1, 1])]


@pytest.mark.parametrize("away", [5.0, 590.0])
def test_running_tasks_survive_a_restart(server: Harness, away: float) -> None:
    _, job = with_a_running_task(server, long=True)
    server.restart()
    idle = server.worker("idle")
    server.live(away, idle)
    server.settle()
    assert not server.tasks(idle)
    [known] = server.reactor.workers.roster.away.values()
    assert known.name == "key of l"
    worker = server.worker("lab", held=(Held(job, [0], [1]),))
    server.say(worker, Done(1, job, [0], [1], [3600.0], [b"A"]))
    server.commit()
    assert server.results(job) == {0: b"A"}
    assert not server.tasks(idle)


def test_a_server_that_was_down_for_long_hands_out_nothing_again(server: Harness) -> None:
    _, job = with_a_running_task(server)
    server.now += 600.0
    server.restart()
    server.pass_time(1.0)
    idle = server.worker("idle")
    server.live(15.0, idle)
    worker = server.worker("lab", held=(Held(job, [0], [1]),))
    server.settle()
    assert not server.tasks(idle)
    server.say(worker, Done(1, job, [0], [1], [3600.0], [b"A"]))
    server.commit()
    assert server.results(job) == {0: b"A"}


def test_a_lease_from_before_a_restart_lapses_too(server: Harness) -> None:
    _, job = with_a_running_task(server)
    server.restart()
    idle = server.worker("idle")
    server.live(GRACE + 1, idle)
    server.settle()
    assert server.tasks(idle) == [(job, 0, 2, b"a")]
    assert [note.crashes for note in server.records(Attempts, job)] == [[1]]
    server.commit()
    server.restart()
    assert not workers_known(server), "the lease has ended on disk, too"


def test_short_tasks_are_found_again_after_a_restart(server: Harness) -> None:
    worker = server.worker("lab", slots=3)
    job = server.submit(server.client(), [b"a"] * 3)
    server.settle()
    held = server.tasks(worker)
    server.restart()
    worker = server.worker("lab", slots=3, held=(Held(job, [0, 1], [1, 1]),))
    server.settle()
    assert server.tasks(worker) == [(job, 2, 1, b"a")]
    server.answer(worker, 1, held)
    server.commit()
    assert len(server.results(job)) == 3
    server.say(worker, Done(2, job, [1], [1], [0.1], [b"twice"]))
    assert server.reactor.board.refusals == {"already_done": 1}


def test_a_head_that_is_all_found_again_is_followed_by_the_next_tasks() -> None:
    server = Harness(heads=HeadLimits(one=4, all=4, least=2, piece=4))
    worker = server.worker("lab", slots=4)
    job = server.submit(server.client(), [b"a"] * 6)
    server.settle()
    held = server.tasks(worker)
    server.restart()
    worker = server.worker("lab", slots=4, held=(Held(job, [0, 1, 2, 3], [1] * 4),))
    server.answer(worker, 1, held)
    server.settle()
    server.answer(worker, 2, server.tasks(worker))
    server.settle()
    assert len(server.results(job)) == 6


def test_what_a_worker_may_be_running_is_on_disk_once_it_is_back(server: Harness) -> None:
    worker = server.worker("lab")
    job = server.submit(server.client(), [b"a"], long=True)
    server.settle()
    server.close(worker)  # and what it said of its running task was lost with the connection
    server.worker("lab", held=(Held(job, [0], [1]),))
    server.commit()
    server.restart()
    idle = server.worker("idle")
    server.settle()
    assert not server.tasks(idle)


def test_a_running_task_that_is_handed_back_is_nobodys_on_disk(server: Harness) -> None:
    worker, job = with_a_running_task(server)
    server.say(worker, Returned(1, job, [0], [1]), Goodbye())
    server.commit()
    server.restart()
    idle = server.worker("idle")
    server.settle()
    assert server.tasks(idle) == [(job, 0, 2, b"a")]


def test_any_attempt_that_is_claimed_can_be_written_down(server: Harness) -> None:
    job = server.submit(server.client(), [b"a"])
    server.settle()
    server.restart()
    liar = server.worker("lab", held=(Held(job, [0], [2**31 - 1]),))
    assert server.take(liar, Stop)
    server.close(liar)
    server.restart()
    liar = server.worker("lab", held=(Held(job, [0], [2**30]),))
    server.say(liar, Goodbye())
    other = server.worker("other")
    server.settle()
    assert server.tasks(other) == [(job, 0, 2**30 + 1, b"a")]
    server.say(other, Goodbye())
    server.commit()
    server.restart()
    assert server.unfinished(job).attempts == [2**30]


# --- time limits ------------------------------------------------------------------------------


def test_an_overdue_task_is_ended_by_the_server(server: Harness) -> None:
    worker = server.worker()
    job = server.submit(server.client(), [b"a"], timeout=30.0)
    server.settle()
    server.say(worker, Running(job, [0], [1], [0.2]))
    server.live(39.0, worker)
    server.commit()
    assert server.results(job) == {}
    server.live(2.0, worker)
    server.commit()
    assert server.results(job)[0].kind == "timeout"
    assert server.take(worker, Stop) == [Stop(job, [0], [1])]


def test_a_time_limit_fails_nothing_while_the_worker_is_away(server: Harness) -> None:
    worker = server.worker()
    job = server.submit(server.client(), [b"a"], timeout=30.0, long=True)
    server.settle()
    held = server.tasks(worker)
    server.say(worker, Running(job, [0], [1], [0.2]))
    server.close(worker)
    server.live(300.0)
    server.settle()
    assert server.results(job) == {}
    worker = server.worker(held=(Held(job, [0], [1]),))
    server.answer(worker, 1, held)
    server.commit()
    assert server.results(job) == {0: b"A"}


# --- what is remembered -----------------------------------------------------------------------


def test_the_newest_lapsed_attempts_are_remembered() -> None:
    lapsed = Lapsed(limit=4)
    lapsed.add("a", 1, [(0, 1), (1, 1)])
    lapsed.add("b", 1, [(2, 1)])
    lapsed.add("a", 1, [(1, 2)])
    assert len(lapsed) == 3
    assert lapsed.has("a", 1, 1, 2)
    assert not lapsed.has("a", 1, 1, 1)
    assert not lapsed.has("b", 1, 0, 1)
    lapsed.add("c", 1, [(5, 1), (6, 1)])
    assert len(lapsed) == 4
    assert not lapsed.has("b", 1, 2, 1), "the oldest is forgotten"
    lapsed.discard("c", 1, 5)
    lapsed.discard("c", 1, 5)
    assert len(lapsed) == 3
    lapsed.add("d", 1, [])
    assert len(lapsed) == 3


def test_after_a_restart_no_word_is_taken_of_an_attempt_older_than_the_one_on_disk() -> None:
    server = Harness()
    worker = server.worker()
    job = server.submit(server.client(), [b"a"])
    for attempt in (1, 2):
        assert [task[:3] for task in server.tasks(worker)] == [(job, 0, attempt)]
        server.say(worker, Failed(attempt, job, 0, attempt, 0.1, Failure("crashed", "no")))
        server.commit()
    server.restart()
    back = server.worker(held=(Held(job, [0], [1]),))
    assert server.take(back, Stop) == [Stop(job, [0], [1])]
    server.say(back, Done(9, job, [0], [1], [0.1], [b"old"]))
    server.settle()
    assert not server.results(job)
    assert [task[:3] for task in server.tasks(back)] == [(job, 0, 3)]
