"""One submission over any number of connections, that break anywhere and deliver late.

The client's session and backlog and the server's reactor are the real ones. Between them are
queues: of messages that a lost connection still holds, which may reach the server at any later
time, and of a loss that the server learns of at any later time. The server may die, and with it
its connections and what was not committed. What must hold: what the client is told to be stored is
on disk; there is never more than one job of the key; and at the end that job has each task once,
in order, and its end.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dc import messages_parts, messages_worker
from dc.client.backlog import Backlog
from dc.client.session import Session
from dc.errors import ConnectionLost
from dc.records import JobEnded, NewJob
from dc.server.events import Committed
from tests.server.harness import Harness

MOST = 10**6


class Connection:
    """A connection, with what its client has sent and the server has not read yet."""

    def __init__(self, server: Harness, backlog: Backlog, *, resume: bool) -> None:
        self.session = Session("test", 0.0)
        self.peer = server.open()
        self.sent: deque[Any] = deque(self.session.take(0.0))
        self.told: deque[Any] = deque()
        self.exchange_with(server)
        self.submission = self.session.submit(backlog, "echo", "", {}, "k", resume=resume)

    def exchange_with(self, server: Harness) -> None:
        """Say Hello, and hear Welcome."""
        self.to_server(server, MOST)
        self.to_client(server, MOST)
        assert self.session.welcome is not None

    def to_server(self, server: Harness, count: int) -> None:
        """Deliver the next messages of the client."""
        while batch := self.session.take(0.0):
            self.sent += batch
        said = [self.sent.popleft() for _ in range(min(count, len(self.sent)))]
        if said:
            server.say(self.peer, *said)

    def to_client(self, server: Harness, count: int) -> None:
        """Deliver the next messages of the server."""
        self.told += server.take(self.peer, messages_parts.Message)
        said = [self.told.popleft() for _ in range(min(count, len(self.told)))]
        self.session.receive(said)


class SubmissionMachine(RuleBasedStateMachine):
    """Everything around one submission."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Harness()
        self.backlog = Backlog()
        self.lost: list[Connection] = []  # which the server still takes for open
        self.now = Connection(self.server, self.backlog, resume=False)
        self.pushed = 0

    @rule(count=st.integers(1, 5), read=st.integers(0, 3))
    def push(self, count: int, read: int = 0) -> None:
        if not self.backlog.ended:
            payloads: list[Any] = [b"%d" % (self.pushed + n) for n in range(count)]
            self.pushed += count
            self.now.session.send_payloads(self.now.submission, payloads, count)
            self.now.to_server(self.server, read)

    @rule()
    def end(self) -> None:
        if not self.backlog.ended:
            self.now.session.end_submission(self.now.submission)

    @rule(count=st.integers(1, 6))
    def server_reads(self, count: int) -> None:
        self.now.to_server(self.server, count)

    @rule(count=st.integers(1, 6))
    def client_reads(self, count: int) -> None:
        self.now.to_client(self.server, count)

    @rule(at=st.integers(0, 3), count=st.integers(1, 6))
    def server_reads_late(self, at: int, count: int) -> None:
        if self.lost:
            self.lost[at % len(self.lost)].to_server(self.server, count)

    @rule(at=st.integers(0, 3))
    def server_learns_of_a_loss(self, at: int) -> None:
        if self.lost:
            self.server.close(self.lost.pop(at % len(self.lost)).peer)

    @rule(count=st.integers(1, 3), read=st.integers(0, 6))
    def commit(self, count: int, read: int) -> None:
        server = self.server
        records, server.unwritten = server.unwritten[:count], server.unwritten[count:]
        server.written += records
        server.feed(Committed(len(records)))
        self.now.to_client(server, read)

    @rule()
    def settle(self) -> None:
        self.server.settle()

    @rule()
    def work(self) -> None:
        worker = self.server.worker(slots=8)
        self.server.answer(worker, 1, self.server.tasks(worker))
        self.server.say(worker, messages_worker.Goodbye())

    @rule(late=st.booleans())
    def cut(self, late: bool) -> None:
        while batch := self.now.session.take(0.0):
            self.now.sent += batch if late else []
        self.now.session.lose(ConnectionLost("cut"))
        self.lost.append(self.now)
        self.connect()

    @rule()
    def restart(self) -> None:
        self.now.session.lose(ConnectionLost("the server died"))
        self.lost.clear()
        self.server.restart()
        self.connect()

    def connect(self) -> None:
        self.now = Connection(self.server, self.backlog, resume=True)

    @invariant()
    def what_is_said_to_be_stored_is_on_disk(self) -> None:
        assert self.now.submission.error is None
        jobs = [record.job for record in self.server.written if isinstance(record, NewJob)]
        assert len(jobs) <= 1
        stored = self.server.stored_payloads(jobs[0]) if jobs else []
        assert self.backlog.stored <= len(stored)
        assert stored == [b"%d" % number for number in range(len(stored))]
        if self.backlog.whole:
            assert self.server.records(JobEnded, jobs[0])
            assert len(stored) == self.pushed

    def teardown(self) -> None:
        """Let all come through, what is late in the midst of it."""
        self.end()
        for count in (1, MOST, MOST, MOST):
            self.now.to_server(self.server, count)
            self.server.settle()
            for late in self.lost:
                late.to_server(self.server, count)
            self.now.to_client(self.server, MOST)
        self.what_is_said_to_be_stored_is_on_disk()
        assert self.backlog.whole
        assert self.backlog.unstored_bytes == 0
        worker = self.server.worker(slots=8)
        for sequence in range(1, self.pushed + 2):
            self.server.settle()
            self.server.answer(worker, sequence, self.server.tasks(worker))
        self.server.settle()
        assert not self.server.reactor.board.jobs


TestSubmissionMachine = SubmissionMachine.TestCase
TestSubmissionMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("stored", [0, 1])
def test_late_words_of_the_first_connection_make_no_second_job(stored: int) -> None:
    machine = SubmissionMachine()
    machine.push(2)
    machine.end()
    machine.server_reads(stored)
    machine.cut(late=True)
    machine.teardown()
