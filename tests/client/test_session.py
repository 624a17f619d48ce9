"""The session: messages in, what waits for what, flow control. No IO, no Trio."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import limits, limits_client, messages, messages_client
from dc.client.backlog import Backlog
from dc.client.cursor import Cursor
from dc.client.session import Session, Submission
from dc.client.values import Cutter, Records, Values
from dc.errors import (
    ConnectionLost,
    JobCancelled,
    KeyConflict,
    PayloadError,
    ProtocolError,
    ServerStopped,
    TaskFailed,
    UnknownJob,
    VersionError,
)
from dc.messages_client import Counts, Finished
from dc.messages_parts import Blob, Failure, Payload
from dc.tasktypes import untyped

ENOUGH = limits.STREAM_BYTES // limits_client.CONSUMED_SHARE  # consumed, for the server to be told


def welcomed() -> Session:
    session = Session("test", 0.0)
    assert session.take(0.0) == [messages.Hello(messages.PROTOCOL, "client", "test", [])]
    assert session.receive([messages.Welcome(1, "fake", [])]) == []
    return session


def submit(session: Session, type_: str = "square", **more: Any) -> Submission:
    return session.submit(Backlog(), type_, "", {}, **more)


def accepted(session: Session, job: int = 7) -> Submission:
    submission = submit(session)
    request = submission.request
    answer = messages_client.Accepted(request, job, "square", "1", "msgpack", "msgpack")
    assert session.receive([answer]) == [submission]
    session.take(0.0)
    return submission


def finished(request: int, cursor: int, numbers: list[int], size: int = 100) -> Finished:
    count = len(numbers)
    outcomes: list[Any] = [b"%d" % number for number in numbers]
    return Finished(
        request, cursor, "box", 1.0, size, numbers, [1] * count, [0.5] * count, outcomes
    )


def status(request: int, state: str) -> messages_client.Status:
    return messages_client.Status(request, 7, state, Counts(), "square", "1", "msgpack", "msgpack")


# --- submitting -----------------------------------------------------------------------------------


def test_a_submission_from_begin_to_end() -> None:
    session = welcomed()
    backlog = Backlog()
    submission = session.submit(backlog, "square", "2", {"priority": 1}, "k")
    session.send_payloads(submission, [b"a", b"b"], 2)
    session.send_payloads(submission, [b"c"], 1)
    session.end_submission(submission)
    assert session.take(0.0) == [
        messages_client.Submit(1, "square", "2", {"priority": 1}, "k"),
        messages_client.Payloads(1, 0, [b"a", b"b"]),
        messages_client.Payloads(1, 2, [b"c"]),
        messages_client.EndOfJob(1),
    ]
    answer = messages_client.Accepted(1, 7, "square", "2", "msgpack", "msgpack")
    assert session.receive([answer]) == [submission]
    assert submission.accepted == session.said["square", "2"] == answer
    assert session.receive([messages_client.Stored(1, 2, False)]) == [submission]
    assert (backlog.stored, backlog.whole, backlog.unstored_bytes) == (2, False, 1)
    session.receive([messages_client.Stored(1, 3, True)])
    assert (backlog.stored, backlog.whole, backlog.unstored_bytes) == (3, True, 0)
    session.forget(submission)
    assert not session.has_output


def test_unstored_bytes_are_bounded_but_one_batch_always_fits() -> None:
    session = welcomed()
    submission = accepted(session)
    backlog = submission.backlog
    assert backlog.has_room(10 * limits.UNSTORED_BYTES)
    session.send_payloads(submission, [b""], limits.UNSTORED_BYTES - 10)
    assert backlog.has_room(10)
    assert not backlog.has_room(11)
    session.receive([messages_client.Stored(1, 1, False)])
    assert backlog.has_room(11)


def test_messages_are_cut_into_batches_by_bytes() -> None:
    session = welcomed()
    submission = accepted(session)
    for _ in range(3):
        session.send_payloads(submission, [b"x"], limits.BATCH_BYTES)
    assert [len(session.take(0.0)) for _ in range(4)] == [1, 1, 1, 0]


def test_many_small_messages_make_no_batch_that_the_server_refuses() -> None:
    session = welcomed()
    for _ in range(limits.BATCH_MESSAGES):
        session.watch(7)
    sizes = []
    while batch := session.take(0.0):
        sizes.append(len(batch))
    assert sum(sizes) == limits.BATCH_MESSAGES
    assert max(sizes) < limits.BATCH_MESSAGES / 10


def test_a_refused_submission_has_the_named_error() -> None:
    session = welcomed()
    submission = submit(session, "nothing")
    assert session.receive([messages.Refused(1, "unknown_job", "no")]) == [submission]
    assert isinstance(submission.error, UnknownJob)


def test_a_job_cancelled_by_another_ends_its_submission() -> None:
    session = welcomed()
    submission = accepted(session)
    session.send_payloads(submission, [b"a"], 1)
    refusal = messages.Refused(submission.request, "cancelled", "job 7 was cancelled")
    assert session.receive([refusal]) == [submission]
    assert isinstance(submission.error, JobCancelled)
    assert session.receive([messages_client.Stored(1, 1, False)]) == []  # too late to matter


def test_a_submission_that_is_given_up_is_left() -> None:
    session = welcomed()
    submission = submit(session)
    session.forget(submission)
    session.forget(submission)
    assert session.take(0.0)[1:] == [messages_client.Unsubscribe(1)]
    assert (
        session.receive([messages_client.Accepted(1, 7, "square", "1", "msgpack", "msgpack")]) == []
    )


# --- going on with a submission -------------------------------------------------------------------


def resumed(backlog: Backlog, stored: int, *, ended: bool = False) -> tuple[Session, Submission]:
    """A submission that goes on over a new connection, where the server has `stored` tasks."""
    session = welcomed()
    submission = session.submit(backlog, "square", "", {}, "k", resume=True)
    assert session.take(0.0) == [messages_client.Submit(1, "square", "", {}, "k", True)]
    answer = messages_client.Accepted(1, 7, "square", "1", "msgpack", "msgpack", stored, ended)
    assert session.receive([answer]) == [submission]
    return session, submission


def cut_off(batches: list[list[Payload]]) -> Backlog:
    """The backlog of a submission whose connection was lost before anything was stored."""
    session, backlog = welcomed(), Backlog()
    submission = session.submit(backlog, "square", "", {}, "k")
    for batch in batches:
        session.send_payloads(submission, batch, 10 * len(batch))
    session.lose(ConnectionLost("cut"))
    return backlog


def test_what_the_server_lacks_is_sent_again_with_its_numbers() -> None:
    backlog = cut_off([[b"0", b"1"], [b"2", b"3", b"4"]])
    session, submission = resumed(backlog, 3)
    session.send_payloads(submission, [b"5"], 10)
    session.end_submission(submission)
    assert session.take(0.0) == [
        messages_client.Payloads(1, 3, [b"3", b"4"]),
        messages_client.Payloads(1, 5, [b"5"]),
        messages_client.EndOfJob(1),
    ]
    session.receive([messages_client.Stored(1, 3, False)])
    assert (backlog.stored, backlog.unstored_bytes) == (3, 40)  # batches count whole
    session.receive([messages_client.Stored(1, 6, True)])
    assert (backlog.whole, backlog.unstored_bytes) == (True, 0)


def test_what_comes_while_a_submission_is_taken_up_waits_for_the_answer() -> None:
    backlog = cut_off([[b"0"]])
    session = welcomed()
    submission = session.submit(backlog, "square", "", {}, "k", resume=True)
    session.send_payloads(submission, [b"1"], 1)
    session.end_submission(submission)
    assert [type(message) for message in session.take(0.0)] == [messages_client.Submit]
    session.receive([messages_client.Accepted(1, 7, "square", "1", "msgpack", "msgpack", 0)])
    assert session.take(0.0) == [
        messages_client.Payloads(1, 0, [b"0"]),
        messages_client.Payloads(1, 1, [b"1"]),
        messages_client.EndOfJob(1),
    ]


def test_an_end_that_came_through_is_not_sent_again() -> None:
    backlog = cut_off([[b"0"]])
    backlog.ended = True
    session, _ = resumed(backlog, 1, ended=True)
    assert session.take(0.0) == []
    session.receive([messages_client.Stored(1, 1, True)])
    assert backlog.whole


@pytest.mark.parametrize(("stored", "ended"), [(3, False), (2, True), (1, True)])
def test_another_submission_under_the_key_is_noticed(stored: int, ended: bool) -> None:
    session, submission = resumed(cut_off([[b"0", b"1"]]), stored, ended=ended)
    assert isinstance(submission.error, KeyConflict)
    assert session.take(0.0) == []


def test_a_server_that_has_lost_what_it_acknowledged_is_noticed() -> None:
    backlog = cut_off([[b"0", b"1"]])
    backlog.acknowledge(2, ended=False)
    _, submission = resumed(backlog, 1)
    assert "2 that were on its disk" in str(submission.error)


def test_tasks_of_an_earlier_process_are_taken_up_once_they_are_on_disk() -> None:
    backlog = Backlog(adopts=True)
    session, _ = resumed(backlog, 5)
    assert (backlog.total, backlog.stored) == (5, 0)
    session.lose(ConnectionLost("the server died, and 2 were not on disk"))
    session, submission = resumed(backlog, 3)
    session.receive([messages_client.Stored(1, 3, False)])
    assert backlog.take_up() == 3
    session.send_payloads(submission, [b"3"], 1)
    assert session.take(0.0) == [messages_client.Payloads(1, 3, [b"3"])]


# --- trouble --------------------------------------------------------------------------------------


def test_trouble_is_kept_and_wakes_those_who_watch() -> None:
    session = welcomed()
    watching, other = session.watch(7), session.watch(8)
    session.receive([status(1, "running")])
    watching.fresh = False
    assert session.receive([messages.Trouble("the disk is full")]) == [watching]
    assert (watching.fresh, other.fresh, session.trouble) == (True, False, "the disk is full")
    session.receive([messages.Trouble("")])
    assert session.trouble == ""


# --- results --------------------------------------------------------------------------------------


def test_results_are_handed_over_and_consumed() -> None:
    session = welcomed()
    subscription = session.subscribe(7, ordered=True, after=5)
    assert session.take(0.0) == [messages_client.Subscribe(1, 7, True, 5)]
    first, second = finished(1, 8, [5, 6, 7], ENOUGH), finished(1, 9, [8], 100)
    assert session.receive([first, second]) == [subscription, subscription]
    assert subscription.pop() == [first, second]
    assert not session.has_output
    session.consume(subscription)
    session.consume(subscription)
    assert session.take(0.0) == [messages_client.Consumed(1, ENOUGH + 100)]
    session.receive([messages_client.EndOfResults(1)])
    assert subscription.ended
    assert subscription.pop() == []
    session.forget(subscription)
    assert not session.has_output  # it had ended: no Unsubscribe


def test_results_are_handed_over_in_pieces() -> None:
    session = welcomed()
    subscription = session.subscribe(7, ordered=False, after=0)
    half = limits_client.HAND_OVER_BYTES // 2 + 1
    session.receive([finished(1, n + 1, [n], half) for n in range(5)])
    assert [len(subscription.pop()) for _ in range(4)] == [2, 2, 1, 0]


def test_a_forgotten_subscription_is_unsubscribed_and_its_results_dropped() -> None:
    session = welcomed()
    subscription = session.subscribe(7, ordered=True, after=0)
    session.take(0.0)
    session.forget(subscription)
    session.forget(subscription)
    assert session.take(0.0) == [messages_client.Unsubscribe(1)]
    assert session.receive([finished(1, 1, [0]), messages_client.EndOfResults(1)]) == []


def test_results_of_a_cancelled_job_end_with_its_error() -> None:
    session = welcomed()
    subscription = session.subscribe(7, ordered=True, after=0)
    session.receive([finished(1, 1, [0]), messages.Refused(1, "cancelled", "job 7 was cancelled")])
    assert len(subscription.pop()) == 1
    assert isinstance(subscription.error, JobCancelled)


def test_an_ordered_cursor_is_the_next_number() -> None:
    cursor = Cursor(ordered=True)
    assert cursor.after == 0
    batch = finished(1, 99, [0, 1, 2])
    assert cursor.advance(batch) is batch
    assert cursor.after == 3


def test_a_cursor_passes_only_with_the_next_one_and_drops_what_comes_again() -> None:
    cursor = Cursor(ordered=False)
    cursor.advance(finished(1, 4, [0, 3]))
    assert cursor.after == 0
    cursor.advance(finished(1, 6, [1, 2]))
    assert cursor.after == 4
    assert cursor.advance(finished(1, 6, [5])).numbers == [5]  # the record's second portion
    again = cursor.advance(finished(2, 6, [1, 2, 5, 9]))  # all of it, after a reconnect
    assert (again.numbers, again.outcomes, again.times) == ([9], [b"9"], [0.5])
    assert cursor.advance(finished(2, 6, [1, 9])).numbers == []
    assert cursor.after == 4


@given(
    records=st.lists(st.integers(1, 5), max_size=8),
    breaks=st.lists(st.integers(1, 6), max_size=6),
    portion=st.integers(1, 3),
)
def test_each_result_is_handed_over_once_over_any_breaks(
    records: list[int], breaks: list[int], portion: int
) -> None:
    """The server cuts records into portions that share a cursor; connections break anywhere."""
    stored, first = [], 0
    for sequence, count in enumerate(records, 1):
        stored.append((sequence, list(range(first, first + count))))
        first += count
    cursor, seen = Cursor(ordered=False), []
    for taken in [*breaks, 10**6]:
        batches = [
            finished(1, sequence, numbers[start : start + portion])
            for sequence, numbers in stored
            if sequence > cursor.after
            for start in range(0, len(numbers), portion)
        ]
        for batch in batches[:taken]:
            seen += cursor.advance(batch).numbers
    assert seen == list(range(first))


# --- states ---------------------------------------------------------------------------------------


def test_a_watch_keeps_only_the_last_state() -> None:
    session = welcomed()
    watching = session.watch(7)
    assert session.take(0.0) == [messages_client.Watch(1, 7)]
    session.receive([status(1, "queued"), status(1, "running")])
    assert watching.fresh
    assert watching.status == status(1, "running")
    assert not watching.final
    session.receive([status(1, "done")])
    assert watching.final
    session.forget(watching)
    assert not session.has_output


def test_a_watch_left_early_is_unsubscribed_and_a_cancellation_is_not() -> None:
    session = welcomed()
    watching, cancelling = session.watch(7), session.cancel(7)
    session.take(0.0)
    session.receive([status(cancelling.request, "running")])
    assert cancelling.fresh
    session.forget(cancelling)
    session.forget(watching)
    assert session.take(0.0) == [messages_client.Unsubscribe(watching.request)]


# --- the connection -------------------------------------------------------------------------------


def test_heartbeats_are_due_when_nothing_else_was_said() -> None:
    session = welcomed()
    assert session.heartbeat_at == limits.HEARTBEAT_SECONDS
    assert session.take(limits.HEARTBEAT_SECONDS - 0.01) == []
    assert session.take(5.0) == [messages.Heartbeat()]
    session.watch(7)
    session.take(7.0)
    assert session.heartbeat_at == 7.0 + limits.HEARTBEAT_SECONDS


def test_a_lost_connection_fails_everything_and_later_exchanges() -> None:
    session = welcomed()
    subscription, watching = session.subscribe(7, ordered=True, after=0), session.watch(7)
    session.receive([finished(1, 1, [0])])
    assert session.lose(ServerStopped("bye")) == [subscription, watching]
    assert isinstance(watching.error, ServerStopped)
    assert watching.error is not subscription.error
    assert len(subscription.pop()) == 1  # what had come is still handed over
    session.consume(subscription)
    session.forget(subscription)
    assert isinstance(session.watch(8).error, ServerStopped)
    assert session.take(100.0) == []


def test_a_submissions_fault_is_its_own_and_others_lost_their_connection() -> None:
    session = welcomed()
    submission, watching = accepted(session), session.watch(7)
    with pytest.raises(PayloadError, match="not an int") as caught:
        session.receive([messages.Refused(-1, "payload", "payload 3: not an int")])
    session.lose(caught.value)
    assert isinstance(submission.error, PayloadError)
    assert type(watching.error) is ConnectionLost
    assert "not an int" in str(watching.error)


def test_an_older_server_refuses_by_name() -> None:
    session = Session("test", 0.0)
    with pytest.raises(VersionError, match="update"):
        session.receive([messages.Refused(-1, "version", "update")])


@pytest.mark.parametrize(
    "batch",
    [
        [messages.Welcome(1, "again", [])],
        [finished(3, 1, [0])],
        [status(1, "done")],
        [messages_client.Stored(1, 5, False)],
        [messages_client.Stored(1, 0, True)],
        [messages_client.Stored(2, 0, False)],
        [messages_client.Accepted(2, 8, "square", "1", "bytes", "bytes")],
        [finished(2, 1, [])],
        [Finished(2, 1, "box", 1.0, 1, [0, 1], [1], [0.5], [b""])],
        [finished(2, 1, [0], -1)],
        [finished(2, 1, [0], 100 * limits.STREAM_BYTES)],
        [messages_client.EndOfResults(2), messages_client.EndOfResults(2)],
    ],
)
def test_a_server_that_breaks_the_rules(batch: list[Any]) -> None:
    session = welcomed()
    accepted(session)  # request 1
    session.subscribe(7, ordered=True, after=0)  # request 2
    session.watch(7)  # request 3
    with pytest.raises(ProtocolError):
        session.receive(batch)


def test_nothing_may_come_before_welcome() -> None:
    with pytest.raises(ProtocolError, match="before Welcome"):
        Session("test", 0.0).receive([messages.Heartbeat()])


# --- payloads and results -------------------------------------------------------------------------


def test_a_cutter_cuts_by_count_bytes_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BATCH_TASKS", 4)
    now = [0.0]
    cutter = Cutter(untyped("echo", "1", "bytes", "bytes"), lambda: now[0])
    payloads = iter([b"x"] * 6)
    cut = cutter.cut(payloads)
    assert (len(cut.payloads), cut.size, cut.last) == (4, 4, False)
    assert (len(cutter.cut(payloads).payloads), cutter.cut(payloads).last) == (2, True)
    big = bytes(limits.BATCH_BYTES)
    cut = cutter.cut(iter([b"", big, b""]))
    assert (cut.payloads, cut.large, cut.size, cut.last) == ([b"", big], [1], 64, False)

    def slow() -> Any:
        for _ in range(3):
            now[0] += limits_client.PAYLOAD_SECONDS
            yield b"s"

    assert len(cutter.cut(slow()).payloads) == 1


def test_views_of_a_batch() -> None:
    values = Values(7, None, "raise")
    batch = finished(1, 3, [0, 1, 2])
    assert list(values.each(batch) or ()) == [b"0", b"1", b"2"]
    outcomes: list[Payload | Failure] = [b"0", Failure("error", "no", "tb"), b"2"]
    mixed = Finished(1, 3, "box", 1.0, 9, [4, 5, 6], [1, 2, 1], [0.1] * 3, outcomes)
    iterator = values.each(mixed)
    assert iterator is not None
    assert next(iterator) == b"0"
    with pytest.raises(TaskFailed, match="task 5 of job 7"):
        next(iterator)
    records = list(Records(7, None).each(mixed) or ())
    assert [record.attempt for record in records] == [1, 2, 1]
    assert records[1].error is not None
    assert records[1].result is None
    large = Finished(1, 3, "box", 1.0, 9, [4], [1], [0.1], [Blob(bytes(32), 5)])
    assert values.each(large) is None
