"""The server's thought: each rule by an example."""

from __future__ import annotations

import pytest

from dc import limits, trace_context
from dc.messages import PROTOCOL, Heartbeat, Hello, Refused, Welcome
from dc.messages_client import (
    Accepted,
    Cancel,
    Consumed,
    EndOfJob,
    EndOfResults,
    Finished,
    Payloads,
    Status,
    Stored,
    Submit,
    Subscribe,
    Unsubscribe,
    Watch,
)
from dc.messages_worker import About, Assign, Done, Recorded, Stop
from dc.records import JobEnded, NewJob, Outcomes
from dc.server.events import Tick
from tests.server.harness import Harness


@pytest.fixture
def server() -> Harness:
    return Harness()


# --- greeting ---------------------------------------------------------------------------------


def test_hello_is_answered_with_welcome(server: Harness) -> None:
    client = server.client()
    [welcome] = server.take(client, Welcome)
    assert welcome.version == PROTOCOL


def test_the_first_message_must_be_hello(server: Harness) -> None:
    peer = server.open()
    server.say(peer, Heartbeat(), Submit(1, "echo", "", {}))
    [refused] = server.take(peer, Refused)
    assert refused.code == "protocol"
    assert "Hello" in refused.text
    assert server.closed[peer].code == 1002


def test_another_version_is_told_which_side_to_update(server: Harness) -> None:
    peer = server.open()
    server.say(peer, Hello(PROTOCOL + 1, "client", "dc 9.9", []))
    [refused] = server.take(peer, Refused)
    assert refused.code == "version"
    assert "update dc test" in refused.text


def test_hello_twice_is_refused(server: Harness) -> None:
    client = server.client()
    server.say(client, Hello(PROTOCOL, "client", "dc", []))
    assert server.take(client, Refused)[0].code == "protocol"


def test_a_worker_must_say_what_it_is(server: Harness) -> None:
    peer = server.open()
    server.say(peer, Hello(PROTOCOL, "worker", "dc", []))
    assert server.take(peer, Refused)[0].code == "protocol"


@pytest.mark.parametrize(
    "message",
    [Submit(1, "echo", "", {}), Payloads(1, 0, [b""]), Watch(1, 1)],
)
def test_a_worker_cannot_do_what_clients_do(server: Harness, message: Submit) -> None:
    worker = server.worker()
    server.say(worker, message)
    assert server.take(worker, Refused)[0].code == "protocol"


def test_a_client_cannot_do_what_workers_do(server: Harness) -> None:
    client = server.client()
    server.say(client, Done(1, 1, [0], [1], [0.0], [b""]))
    assert server.take(client, Refused)[0].code == "protocol"


# --- submitting -------------------------------------------------------------------------------


def test_nothing_is_acknowledged_before_it_is_on_disk(server: Harness) -> None:
    client = server.client()
    job = server.submit(client, [b"a", b"b"])
    [accepted] = server.take(client, Accepted)
    request = accepted.request
    assert accepted == Accepted(request, job, "echo", "2", "msgpack", "msgpack", 0, False)
    assert not server.take(client, Stored)
    server.commit()
    assert server.take(client, Stored) == [Stored(request, 2, False), Stored(request, 2, True)]
    assert [type(r) for r in server.written[::2]] == [NewJob, JobEnded]


@pytest.mark.parametrize(
    ("submit", "code"),
    [
        (Submit(1, "nonsense", "", {}), "unknown_type"),
        (Submit(1, "echo", "7", {}), "unknown_type"),
        (Submit(1, "echo", "", {"priority": 10**9}), "options"),
        (Submit(1, "echo", "", {"timeout": "soon"}), "options"),
        (Submit(1, "echo", "", {"colour": "red"}), "options"),
    ],
)
def test_a_wrong_submission_is_named_and_the_client_stays(
    server: Harness, submit: Submit, code: str
) -> None:
    client = server.client()
    server.say(client, submit)
    [refused] = server.take(client, Refused)
    assert (refused.request, refused.code) == (1, code)
    server.submit(client, [b"a"])
    assert client not in server.closed


def test_the_types_options_are_defaults(server: Harness) -> None:
    client = server.client()
    server.submit(client, [b"a"], "stubborn", priority=3)
    server.submit(client, [b"a"], "stubborn", retries=1)
    server.commit()
    jobs = [record for record in server.written if isinstance(record, NewJob)]
    assert [(j.options.retries, j.options.priority) for j in jobs] == [(2, 3), (1, 0)]


@pytest.mark.parametrize(
    ("payload", "code", "text"),
    [
        (b"bad one", "payload", "payload 1 of job 1 does not fit echo: it is bad"),
        (b"x" * (limits.INLINE_BYTES + 1), "payload", "put it to /blobs"),
    ],
)
def test_a_wrong_payload_is_named_and_ends_its_submission_alone(
    server: Harness, payload: bytes, code: str, text: str
) -> None:
    client = server.client()
    server.say(client, Submit(1, "echo", "", {}))
    server.say(client, Payloads(1, 0, [b"good", payload]))
    [refused] = server.take(client, Refused)
    assert refused.code == code
    assert (refused.request, text in refused.text) == (1, True)
    server.say(client, Payloads(1, 2, [b"more"]), EndOfJob(1))
    server.commit()
    assert client not in server.closed
    assert [type(record) for record in server.written] == [NewJob]
    server.say(client, Watch(2, 1))
    [status] = server.take(client, Status)
    assert (status.state, status.note) == ("open", "its submitter is gone after 0 tasks: cancel it")


@pytest.mark.parametrize("message", [Payloads(9, 0, [b""]), EndOfJob(9)])
def test_a_job_that_is_not_being_submitted_gets_no_payloads(
    server: Harness, message: Payloads
) -> None:
    client = server.client()
    server.say(client, message)
    assert server.take(client, Refused)[0].code == "protocol"


def test_payloads_come_without_gaps(server: Harness) -> None:
    client = server.client()
    server.say(client, Submit(1, "echo", "", {}), Payloads(1, 1, [b"a"]))
    assert "expected 0" in server.take(client, Refused)[0].text


def test_a_job_without_tasks_is_done_at_once(server: Harness) -> None:
    client = server.client()
    job = server.submit(client, [])
    server.say(client, Subscribe(8, job, ordered=False))
    server.settle()
    assert server.take(client, EndOfResults) == [EndOfResults(8)]


# --- running ----------------------------------------------------------------------------------


def test_a_task_goes_out_and_its_result_comes_back(server: Harness) -> None:
    worker, client = server.worker(), server.client()
    job = server.submit(client, [b"a"])
    [assign] = server.take(worker, Assign)
    trace = trace_context.of_job("", "", job)
    assert assign == Assign(job, "echo", "2", 0.0, [0], [1], [b"a"], traceparent=trace)
    server.say(worker, Done(1, job, [0], [1], [0.25], [b"A"]))
    assert not server.take(worker, Recorded)
    server.commit()
    assert server.take(worker, Recorded) == [Recorded(1)]
    [record] = [r for r in server.written if isinstance(r, Outcomes)]
    assert (record.worker, record.numbers, record.times, record.outcomes) == (
        "w",
        [0],
        [0.25],
        [b"A"],
    )
    assert job not in server.reactor.board.jobs


def test_an_unknown_run_time_means_one_task_for_each_slot(server: Harness) -> None:
    worker = server.worker(slots=2)
    server.submit(server.client(), [b"a"] * 100)
    assert len(server.tasks(worker)) == 2


def test_credit_follows_the_measured_run_time(server: Harness) -> None:
    worker = server.worker()
    server.submit(server.client(), [b"a"] * 1000)
    server.answer(worker, 1, server.tasks(worker))
    held = len(server.tasks(worker))
    assert 50 <= held <= 1 + limits.CREDIT_SECONDS / 0.001


def test_a_worker_without_the_type_gets_nothing_and_the_job_says_so(server: Harness) -> None:
    worker, client = server.worker(types=("other",)), server.client()
    job = server.submit(client, [b"a"])
    server.say(client, Watch(3, job))
    assert not server.tasks(worker)
    [status] = server.take(client, Status)
    assert status.note == "no connected worker has task type echo 2"


def test_labels_choose_the_worker_also_for_those_that_were_here_before(server: Harness) -> None:
    red = server.worker("red", labels={"colour": "red"})
    blue = server.worker("blue", labels={"colour": "blue"})
    client = server.client()
    job = server.submit(client, [b"a"], requires={"colour": "blue"})
    assert not server.tasks(red)
    assert [row[0] for row in server.tasks(blue)] == [job]
    late = server.worker("late", labels={"colour": "red"})
    other = server.submit(client, [b"b"], requires={"colour": "red"})
    assert [row[0] for row in server.tasks(red) + server.tasks(late)] == [other]


def test_columns_of_unequal_length_are_refused(server: Harness) -> None:
    worker = server.worker()
    server.say(worker, Done(1, 1, [0, 1], [1], [0.1], [b"A"]))
    assert "1 attempts for 2 numbers" in server.take(worker, Refused)[0].text


# --- payloads beyond memory -------------------------------------------------------------------


def test_payloads_beyond_the_window_come_from_the_store() -> None:
    server = Harness(window=10)
    client = server.client()
    job = server.submit(client, [b"%04d" % number for number in range(20)])
    server.commit()
    assert server.reactor.board.window.used <= 10
    worker = server.worker(slots=20)
    server.settle()
    rows = server.tasks(worker)
    assert [(row[1], row[3]) for row in rows] == [(n, b"%04d" % n) for n in range(20)]
    server.answer(worker, 1, rows)
    server.commit()
    assert len(server.results(job)) == 20


# --- results ----------------------------------------------------------------------------------


def finished_numbers(server: Harness, client: int, request: int) -> list[int]:
    """Consume what a subscription has sent; return the numbers of its tasks."""
    numbers: list[int] = []
    while batch := server.take(client, Finished):
        for message in batch:
            assert message.request == request
            numbers += message.numbers
            server.say(client, Consumed(request, message.size))
        server.settle()
    return numbers


@pytest.mark.parametrize("when", ["before", "after", "between"])
@pytest.mark.parametrize("ordered", [False, True])
def test_every_result_reaches_a_subscriber_once(server: Harness, when: str, ordered: bool) -> None:
    client = server.client()
    workers = [server.worker(name, slots=5) for name in ("a", "b")]
    job = server.submit(client, [b"x"] * 10)
    server.commit()
    if when == "before":
        server.say(client, Subscribe(5, job, ordered))
        server.settle()
    for turn, worker in enumerate(reversed(workers)):
        if when == "between" and turn:
            server.say(client, Subscribe(5, job, ordered))
        server.answer(worker, 1, server.tasks(worker))
        server.settle()
    if when == "after":
        assert job not in server.reactor.board.jobs
        server.say(client, Subscribe(5, job, ordered))
        server.settle()
    numbers = finished_numbers(server, client, 5)
    assert sorted(numbers) == list(range(10))
    assert not ordered or numbers == list(range(10))
    assert server.take(client, EndOfResults) == [EndOfResults(5)]
    assert job not in server.reactor.board.jobs


def test_a_slow_client_is_sent_no_more_than_its_window(server: Harness) -> None:
    client, worker = server.client(), server.worker()
    big = b"r" * limits.INLINE_BYTES
    total = 3 * limits.STREAM_BYTES // limits.INLINE_BYTES
    job = server.submit(client, [b"x"] * total)
    server.say(client, Subscribe(5, job, False))
    sequence = 0
    while rows := server.tasks(worker):
        for row in rows:
            sequence += 1
            server.say(worker, Done(sequence, row[0], [row[1]], [row[2]], [1e-6], [big]))
        server.settle()
    unconsumed = [message for message in server.sent[client] if isinstance(message, Finished)]
    assert sum(message.size for message in unconsumed) <= limits.STREAM_BYTES + limits.MIB
    assert sorted(finished_numbers(server, client, 5)) == list(range(total))
    assert server.take(client, EndOfResults)


def test_subscriptions_of_one_connection_are_bounded(server: Harness) -> None:
    client = server.client()
    job = server.submit(client, [b"a"])
    server.settle()
    for request in range(limits.STREAMS + 1):
        server.say(client, Subscribe(request, job, False))
    [refused] = server.take(client, Refused)
    assert (refused.request, refused.code) == (limits.STREAMS, "not_permitted")
    server.say(client, Unsubscribe(0), Subscribe(99, job, False))
    assert not server.take(client, Refused)


def test_a_request_used_again_lets_go_of_its_first_job(server: Harness) -> None:
    client, worker = server.client(), server.worker()
    first, second = server.submit(client, [b"a"]), server.submit(client, [b"b"])
    server.say(client, Subscribe(5, first, True), Subscribe(5, second, True))
    for sequence in (1, 2):
        server.answer(worker, sequence, server.tasks(worker))
        server.settle()
    finished_numbers(server, client, 5)
    assert not server.reactor.board.jobs


def test_an_ended_subscription_gets_no_more(server: Harness) -> None:
    client, worker = server.client(), server.worker(slots=2)
    job = server.submit(client, [b"a", b"b"])
    server.say(client, Subscribe(5, job, False))
    server.settle()
    rows = server.tasks(worker)
    server.answer(worker, 1, rows[:1])
    server.settle()
    assert len(server.take(client, Finished)) == 1
    server.say(client, Unsubscribe(5))
    server.answer(worker, 2, rows[1:])
    server.settle()
    assert not server.take(client, Finished)
    assert not server.take(client, EndOfResults)


@pytest.mark.parametrize("message", [Subscribe(5, 99, False), Watch(5, 99), Cancel(5, 99)])
def test_an_unknown_job_is_named(server: Harness, message: Watch) -> None:
    client = server.client()
    server.say(client, message)
    server.settle()
    [refused] = server.take(client, Refused)
    assert (refused.request, refused.code) == (5, "unknown_job")
    assert client not in server.closed


def test_a_watcher_hears_of_changes_and_of_the_end(server: Harness) -> None:
    client, worker = server.client(), server.worker()
    job = server.submit(client, [b"a", b"b"])
    server.settle()
    server.say(client, Watch(4, job))
    assert [s.state for s in server.take(client, Status)] == ["running"]
    server.answer(worker, 1, server.tasks(worker))
    server.settle()
    server.pass_time(limits.STATUS_SECONDS)
    [status] = server.take(client, Status)
    assert (status.counts.total, status.counts.done) == (2, 1)
    server.answer(worker, 2, server.tasks(worker))
    server.settle()
    [status] = server.take(client, Status)
    assert (status.state, status.counts.done) == ("done", 2)


# --- cancelling -------------------------------------------------------------------------------


def test_cancel_stops_what_runs_and_forgets_what_waits(server: Harness) -> None:
    client, worker = server.client(), server.worker(slots=2)
    job = server.submit(client, [b"a"] * 10)
    server.say(client, Subscribe(5, job, False))
    server.settle()
    rows = server.tasks(worker)
    server.answer(worker, 1, rows[:1])
    server.say(client, Cancel(6, job))
    server.settle()
    stops = server.take(worker, Stop)
    assert sorted(n for stop in stops for n in stop.numbers) == list(range(1, 10))
    [status] = server.take(client, Status)
    assert (status.request, status.state) == (6, "cancelled")
    assert (status.counts.done, status.counts.cancelled) == (1, 9)
    [refused] = server.take(client, Refused)
    assert (refused.request, refused.code) == (5, "cancelled")
    server.say(worker, Done(2, job, [1], [1], [0.1], [b"late"]))
    server.commit()
    assert set(server.results(job)) == {0}
    assert job not in server.reactor.board.jobs


def test_a_large_job_is_cancelled_in_steps(server: Harness) -> None:
    client = server.client()
    job = server.submit(client, [b"a"] * 50_000)
    server.say(client, Cancel(6, job))
    assert server.reactor.board.jobs[job].scheduled
    server.settle()
    assert job not in server.reactor.board.jobs
    assert server.reactor.board.window.used == 0


@pytest.mark.parametrize("gone", [False, True])
def test_who_submits_a_cancelled_job_is_told_so_once(server: Harness, gone: bool) -> None:
    client, other = server.client(), server.client()
    server.say(client, Submit(7, "echo", "", {}), Payloads(7, 0, [b"a"]))
    server.say(other, Cancel(8, 1))
    if gone:
        server.settle()
        assert 1 not in server.reactor.board.jobs
    server.say(client, Payloads(7, 1, [b"b"]), Payloads(7, 2, [b"c"]), EndOfJob(7))
    server.settle()
    [refused] = server.take(client, Refused)
    assert (refused.request, refused.code) == (7, "cancelled")
    assert client not in server.closed


# --- silence ----------------------------------------------------------------------------------


def test_a_silent_peer_is_given_up(server: Harness) -> None:
    worker = server.worker()
    other = server.worker("other")
    for _ in range(int(limits.SILENCE_SECONDS) + 1):
        server.say(other, Heartbeat())
        server.pass_time(1.0)
    assert server.closed[worker].code == 1001
    assert other not in server.closed


def test_nobodys_silence_counts_while_the_disk_is_stalled(server: Harness) -> None:
    worker = server.worker()
    server.submit(server.client(), [b"a"])
    for _ in range(60):
        server.pass_time(1.0, stalled=True)
    assert not server.closed
    server.pass_time(limits.SILENCE_SECONDS - 1.0)
    assert not server.closed
    server.pass_time(2.0)
    assert server.closed[worker].code == 1001


def test_heartbeats_go_out_when_there_is_nothing_else_to_say(server: Harness) -> None:
    client = server.client()
    server.pass_time(limits.HEARTBEAT_SECONDS)
    assert not server.take(client, Heartbeat), "the peer's own heartbeat is still awaited"
    server.pass_time(limits.TICK_SECONDS)
    assert len(server.take(client, Heartbeat)) == 1
    server.pass_time(1.0)
    assert not server.take(client, Heartbeat)


def test_a_heartbeat_is_answered_by_one_if_nothing_else_was_said(server: Harness) -> None:
    client, worker = server.client(), server.worker("w")
    for _ in range(5):
        server.pass_time(limits.HEARTBEAT_SECONDS)
        for peer in (client, worker):
            server.say(peer, Heartbeat())
            assert len(server.take(peer, Heartbeat)) == 1, "one for one, and none beside"
            server.say(peer, Heartbeat())
            assert not server.take(peer, Heartbeat)
    server.pass_time(limits.SILENCE_SECONDS + 1)
    assert server.closed[client].code == 1001
    assert server.closed[worker].code == 1001


def test_small_delays_of_ticks_are_not_counted_as_silence(server: Harness) -> None:
    client = server.client()
    heard = server.now
    for _ in range(18):  # each a third of a second late: six seconds in all
        server.now += limits.TICK_SECONDS * 4 / 3
        server.feed(Tick())
    assert server.now - heard > limits.SILENCE_SECONDS + 3
    assert not server.closed
    server.pass_time(limits.SILENCE_SECONDS - 18 + 2)
    assert server.closed[client].code == 1001


def test_who_says_no_hello_is_closed(server: Harness) -> None:
    peer = server.open()
    server.pass_time(limits.HELLO_SECONDS + 1)
    assert server.closed[peer].code == 1008


def test_about_is_checked_by_the_wire() -> None:
    assert About("n", "k", 1, [], {}).broken == {}
