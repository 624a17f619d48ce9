"""Submissions at the server: begun, left, gone on with, taken over; keys."""

from __future__ import annotations

from typing import Any

import pytest

from dc import limits
from dc.messages import Refused
from dc.messages_client import (
    Accepted,
    Cancel,
    EndOfJob,
    Payloads,
    Status,
    Stored,
    Submit,
    Subscribe,
    Unsubscribe,
    Watch,
)
from dc.records import JobEnded, NewJob, NewTasks
from tests.server.harness import Harness

NEW = Submit(1, "echo", "", {}, "k")
AGAIN = Submit(2, "echo", "", {}, "k", resume=True)
GONE = "its submitter is gone after {} tasks: go on under its key k, or cancel it"


@pytest.fixture
def server() -> Harness:
    return Harness()


def refusals(server: Harness, client: int) -> list[tuple[int, str]]:
    return [(one.request, one.code) for one in server.take(client, Refused)]


def status(server: Harness, client: int, job: int = 1) -> Status:
    server.say(client, Watch(90, job), Unsubscribe(90))
    server.settle()
    return server.take(client, Status)[-1]


def cut_off(server: Harness, *, commit: bool = True) -> int:
    """A job of three tasks whose client has gone; return another client."""
    client = server.client()
    server.say(client, NEW, Payloads(1, 0, [b"0", b"1", b"2"]))
    if commit:
        server.commit()
    server.close(client)
    return server.client()


def test_a_whole_job_in_one_frame(server: Harness) -> None:
    client = server.client()
    server.say(client, NEW, Payloads(1, 0, [b"a"]), EndOfJob(1))
    [accepted] = server.take(client, Accepted)
    assert (accepted.job, accepted.stored, accepted.ended) == (1, 0, False)
    assert [type(one) for one in server.unwritten] == [NewJob, NewTasks, JobEnded]
    assert not server.take(client, Stored)
    server.commit()
    assert server.take(client, Stored) == [Stored(1, 1, False), Stored(1, 1, True)]


def test_a_job_stays_open_when_its_client_goes(server: Harness) -> None:
    client = cut_off(server)
    worker = server.worker(slots=3)
    server.answer(worker, 1, server.tasks(worker))
    server.commit()
    found = status(server, client)
    assert (found.state, found.counts.done, found.note) == ("open", 3, GONE.format(3))
    assert 1 in server.reactor.board.jobs
    server.say(client, AGAIN)
    assert status(server, client).note == ""


@pytest.mark.parametrize("commit", [True, False])
def test_it_is_gone_on_with_by_its_key(server: Harness, commit: bool) -> None:
    client = cut_off(server, commit=commit)
    server.say(client, AGAIN)
    assert server.take(client, Accepted) == [
        Accepted(2, 1, "echo", "2", "msgpack", "msgpack", 3, False)
    ]
    assert server.take(client, Stored) == ([Stored(2, 3, False)] if commit else [])
    server.say(client, Payloads(2, 3, [b"3"]), EndOfJob(2))
    server.commit()
    assert server.take(client, Stored)[-1] == Stored(2, 4, True)
    assert [type(r) for r in server.written] == [NewJob, NewTasks, NewTasks, JobEnded]
    assert server.stored_payloads(1) == [b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize("finished", [True, False])
def test_a_whole_job_is_only_named(server: Harness, finished: bool) -> None:
    """From the store, once it has finished and left the memory."""
    first = server.client()
    server.say(first, NEW, Payloads(1, 0, [b"a", b"b"]), EndOfJob(1))
    server.commit()
    if finished:
        worker = server.worker(slots=2)
        server.answer(worker, 1, server.tasks(worker))
        server.settle()
        assert not server.reactor.board.jobs
    client = server.client()
    server.say(client, AGAIN)
    server.settle()
    assert [(a.job, a.stored, a.ended) for a in server.take(client, Accepted)] == [(1, 2, True)]
    assert server.take(client, Stored) == [Stored(2, 2, True)]
    assert len(server.records(NewJob, 1)) == 1


def test_an_end_that_is_not_on_disk_yet_is_told_to_who_resumes(server: Harness) -> None:
    first, second = server.client(), server.client()
    server.say(first, NEW, Payloads(1, 0, [b"a"]), EndOfJob(1))
    server.close(first)
    server.say(second, AGAIN)
    assert server.take(second, Accepted)[0].ended
    assert not server.take(second, Stored)
    server.commit()
    assert server.take(second, Stored) == [Stored(2, 1, False), Stored(2, 1, True)]


def test_a_key_that_is_not_there_begins_a_job(server: Harness) -> None:
    client = server.client()
    server.say(client, AGAIN)
    assert not server.take(client, Accepted)  # the store is asked first
    server.settle()
    assert [(a.job, a.stored) for a in server.take(client, Accepted)] == [(1, 0)]
    server.say(client, Payloads(2, 0, [b"a"]), EndOfJob(2))
    server.settle()
    assert server.take(client, Stored)[-1] == Stored(2, 1, True)


def test_two_that_ask_for_a_new_key_at_once_make_one_job(server: Harness) -> None:
    older, newer = server.client(), server.client()
    for client in (older, newer):
        server.say(client, AGAIN)
    server.settle()
    assert [a.job for a in server.take(newer, Accepted)] == [1]
    assert refusals(server, older) == [(2, "key_conflict")]
    assert len(server.reactor.board.jobs) == 1


def test_who_asks_and_goes_makes_no_job(server: Harness) -> None:
    client = server.client()
    server.say(client, AGAIN)
    server.close(client)
    server.settle()
    assert not server.reactor.board.jobs


def test_the_first_of_two_connections_is_told_and_what_it_still_sends_is_dropped(
    server: Harness,
) -> None:
    first, second = server.client(), server.client()
    server.say(first, NEW, Payloads(1, 0, [b"0"]))
    server.say(second, AGAIN)
    assert refusals(server, first) == [(1, "key_conflict")]
    server.say(first, Payloads(1, 1, [b"late"]), EndOfJob(1))
    server.say(second, Payloads(2, 1, [b"1"]), EndOfJob(2))
    server.commit()
    assert server.stored_payloads(1) == [b"0", b"1"]
    assert not server.take(first, Stored)
    assert first not in server.closed


def test_what_comes_late_over_an_older_connection_changes_nothing(server: Harness) -> None:
    older, newer = server.client(), server.client()
    server.say(newer, AGAIN)
    server.settle()
    server.say(older, AGAIN)
    assert refusals(server, older) == [(2, "key_conflict")]
    server.say(older, NEW, Payloads(1, 0, [b"again"]), EndOfJob(1))
    assert refusals(server, older) == [(1, "key_conflict")]
    server.say(newer, Payloads(2, 0, [b"a"]), EndOfJob(2))
    worker = server.worker()
    server.answer(worker, 1, server.tasks(worker))
    server.settle()
    assert not server.reactor.board.jobs
    server.say(older, NEW, Payloads(1, 0, [b"again"]), EndOfJob(1))
    server.settle()
    assert refusals(server, older) == [(1, "key_conflict")]
    assert server.results(1) == {0: b"A"}
    assert not server.reactor.board.jobs


@pytest.mark.parametrize(
    ("submit", "code"),
    [
        (Submit(2, "stubborn", "", {}, "k", resume=True), "key_conflict"),
        (Submit(2, "echo", "1", {}, "k", resume=True), "key_conflict"),
        (Submit(2, "echo", "", {}, "k"), "key_conflict"),
        (Submit(2, "echo", "", {}, "", resume=True), "options"),
    ],
)
def test_a_key_that_does_not_fit(server: Harness, submit: Submit, code: str) -> None:
    client = cut_off(server)
    server.say(client, submit, Payloads(2, 0, [b"passed over"]), EndOfJob(2))
    assert refusals(server, client) == [(2, code)]
    assert server.stored_payloads(1) == [b"0", b"1", b"2"]
    assert client not in server.closed


def test_a_cancelled_job_is_not_gone_on_with(server: Harness) -> None:
    client = cut_off(server)
    server.say(client, Cancel(5, 1))
    server.settle()
    server.say(client, AGAIN)
    server.settle()
    assert refusals(server, client) == [(2, "cancelled")]
    assert status(server, client).note == ""


def test_a_submission_that_is_given_up_is_deserted(server: Harness) -> None:
    client = server.client()
    server.say(client, NEW, Payloads(1, 0, [b"0"]), Unsubscribe(1))
    server.say(client, Payloads(1, 1, [b"late"]), EndOfJob(1))
    assert status(server, client).note == GONE.format(1)
    server.say(client, AGAIN, Payloads(2, 1, [b"1"]), EndOfJob(2), Unsubscribe(2))
    server.commit()
    assert server.take(client, Stored)[-1] == Stored(2, 2, True)


@pytest.mark.parametrize(
    "batch",
    [
        [NEW, NEW],
        [AGAIN, AGAIN],
        [NEW, Payloads(2, 0, [b""])],
        [NEW, EndOfJob(1), Payloads(1, 0, [b""])],
        [NEW, EndOfJob(1), EndOfJob(1)],
        [NEW, Payloads(1, 1, [b""])],
    ],
)
def test_what_breaks_the_rules_of_submitting(server: Harness, batch: list[Any]) -> None:
    client = server.client()
    server.say(client, *batch)
    server.settle()
    assert refusals(server, client) == [(-1, "protocol")]
    assert client in server.closed


# --- while the store is asked for a key ----------------------------------------------------------


def forgotten(server: Harness, how: str) -> int:
    """A job of two tasks under the key; return another client. `how` says what of it is where."""
    first = server.client()
    end = [EndOfJob(1)] if how != "open" else []
    server.say(first, NEW, Payloads(1, 0, [b"a", b"b"]), *end)
    server.commit()
    if how != "open":
        worker = server.worker(slots=2)
        server.answer(worker, 1, server.tasks(worker))
        server.settle()
        assert not server.reactor.board.jobs
    server.close(first)
    if how != "key known":
        server.reactor.clients.submissions._keys.clear()
    return server.client()


def all_at_once(server: Harness, client: int, batch: list[Any]) -> None:
    server.say(client, *batch)


def one_by_one(server: Harness, client: int, batch: list[Any]) -> None:
    for message in batch:
        server.say(client, message)


def behind_the_answer(server: Harness, client: int, batch: list[Any]) -> None:
    for message in batch:
        server.say(client, message)
        server.settle()


ORDERS = pytest.mark.parametrize("say", [all_at_once, one_by_one, behind_the_answer])
OF_ANOTHER = Submit(2, "stubborn", "", {}, "k", resume=True)


@ORDERS
@pytest.mark.parametrize("how", ["key known", "key in the store", "open"])
@pytest.mark.parametrize(
    "behind", [[EndOfJob(2)], [Payloads(2, 0, [b"0"]), EndOfJob(2)], [Unsubscribe(2), EndOfJob(2)]]
)
def test_what_follows_a_refused_resume_is_passed_over(
    server: Harness, how: str, behind: list[Any], say: Any
) -> None:
    client = forgotten(server, how)
    say(server, client, [OF_ANOTHER, *behind])
    server.settle()
    assert refusals(server, client) == [(2, "key_conflict")]
    assert client not in server.closed
    assert server.stored_payloads(1) == [b"a", b"b"]
    assert len(server.records(JobEnded, 1)) == (how != "open")


@ORDERS
def test_what_follows_the_resume_of_a_new_key_is_taken(server: Harness, say: Any) -> None:
    client = server.client()
    say(server, client, [AGAIN, Payloads(2, 0, [b"a"]), Payloads(2, 1, [b"b"]), EndOfJob(2)])
    server.settle()
    assert [(a.job, a.stored) for a in server.take(client, Accepted)] == [(1, 0)]
    assert server.take(client, Stored)[-1] == Stored(2, 2, True)
    assert server.stored_payloads(1) == [b"a", b"b"]


@ORDERS
def test_what_follows_a_resume_from_the_store_goes_on(server: Harness, say: Any) -> None:
    client = forgotten(server, "open")
    say(server, client, [AGAIN, Payloads(2, 2, [b"c"]), EndOfJob(2)])
    server.settle()
    assert [(a.job, a.stored) for a in server.take(client, Accepted)] == [(1, 2)]
    assert server.take(client, Stored)[-1] == Stored(2, 3, True)


@ORDERS
@pytest.mark.parametrize("how", ["key known", "key in the store", "open"])
def test_payloads_that_do_not_fit_the_resumed_job_break_the_rules(
    server: Harness, how: str, say: Any
) -> None:
    client = forgotten(server, how)
    say(server, client, [AGAIN, Payloads(2, 0, [b"again"])])
    server.settle()
    assert refusals(server, client) == [(-1, "protocol")]
    assert client in server.closed
    assert server.stored_payloads(1) == [b"a", b"b"]


@ORDERS
def test_other_requests_wait_too_and_are_taken_in_order(server: Harness, say: Any) -> None:
    client = forgotten(server, "key in the store")
    batch = [
        AGAIN,
        Submit(3, "echo", "", {}, "another", resume=True),
        Payloads(3, 0, [b"x"]),
        Watch(4, 1),
        Submit(5, "echo", "", {}, "a third", resume=True),
        EndOfJob(5),
        EndOfJob(3),
    ]
    say(server, client, batch)
    server.settle()
    accepted = server.take(client, Accepted)
    assert [(a.request, a.job) for a in accepted] == [(2, 1), (3, 2), (5, 3)]
    assert [(s.request, s.state) for s in server.take(client, Status)] == [(4, "done")]
    ended = {s.request: s.count for s in server.take(client, Stored) if s.ended}
    assert ended == {2: 2, 3: 1, 5: 0}
    assert client not in server.closed


def test_nothing_is_taken_of_who_goes_while_its_key_is_looked_for(server: Harness) -> None:
    client = server.client()
    server.say(client, AGAIN, Payloads(2, 0, [b"a"]), EndOfJob(2))
    [held] = server.reactor.clients.by_peer.values()
    assert len(held.held) == 2
    server.close(client)
    assert not held.held
    server.settle()
    assert not server.reactor.board.jobs


def test_who_is_not_read_meanwhile_is_not_silent(server: Harness) -> None:
    client = server.client()
    server.say(client, AGAIN)
    server.pass_time(10 * limits.SILENCE_SECONDS)
    assert client not in server.closed
    server.settle()
    assert len(server.take(client, Accepted)) == 1
    server.pass_time(2 * limits.SILENCE_SECONDS)
    assert client in server.closed


# --- what is remembered --------------------------------------------------------------------------


def test_refused_submissions_are_remembered_up_to_a_bound(
    server: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REFUSED_SUBMISSIONS", 3)
    client = server.client()
    for request in range(1, 6):
        server.say(client, Submit(request, "nonsense", "", {}))
    for request in (3, 4, 5):
        server.say(client, Payloads(request, 0, [b""]), EndOfJob(request))
    assert client not in server.closed
    server.say(client, EndOfJob(2))
    assert client in server.closed


def test_keys_are_remembered_up_to_a_bound_and_then_found_in_the_store(
    server: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "KNOWN_KEYS", 2)
    client = cut_off(server)
    for number in range(3):
        server.say(client, Submit(10 + number, "echo", "", {}, f"other {number}"))
    server.commit()
    server.take(client, Accepted)
    server.say(client, AGAIN)
    server.settle()
    assert [(a.job, a.stored) for a in server.take(client, Accepted)] == [(1, 3)]
    server.say(client, Payloads(2, 3, [b"3"]), EndOfJob(2))
    server.settle()
    assert server.take(client, Stored)[-1] == Stored(2, 4, True)


def test_a_restart_keeps_what_was_cut_off() -> None:
    before = Harness()
    cut_off(before)
    server = Harness(next_job=2, next_sequence=1)
    server.written = list(before.written)
    row = server.stored_job(1)
    assert row is not None
    server.recover(row)
    client, worker = server.client(), server.worker(slots=4)
    assert status(server, client).note == GONE.format(3)
    server.say(client, AGAIN)
    server.settle()
    assert server.take(client, Stored) == [Stored(2, 3, False)]
    server.say(client, Payloads(2, 3, [b"3"]), EndOfJob(2), Subscribe(4, 1, True))
    server.settle()
    server.answer(worker, 1, server.tasks(worker))
    server.settle()
    assert server.results(1) == {0: b"0", 1: b"1", 2: b"2", 3: b"3"}
