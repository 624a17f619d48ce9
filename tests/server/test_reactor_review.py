"""What a review found: odd reports of workers, and reads that run ahead of their commit."""

from __future__ import annotations

import pytest

from dc import limits
from dc.errors import ProtocolError
from dc.messages import Codec as MessageCodec
from dc.messages import FromPeer
from dc.messages_client import Finished, Subscribe
from dc.messages_worker import Done
from dc.records import Outcomes
from dc.server.events import Committed, OutcomesLoaded
from tests.server.harness import Harness


def test_a_run_time_of_any_length_is_taken() -> None:
    server = Harness()
    job = server.submit(server.client(), [b"a", b"b"])
    server.settle()
    worker = server.worker(slots=2)
    server.say(worker, Done(1, job, [0], [1], [1e12], [b"A"]))
    server.say(worker, Done(2, job, [1], [1], [0.1], [b"B"]))
    server.settle()
    assert server.results(job) == {0: b"A", 1: b"B"}


def test_a_read_that_runs_ahead_of_its_commit_doubles_nothing() -> None:
    server = Harness()
    client = server.client()
    job = server.submit(client, [b"a", b"b", b"c", b"d"])
    server.settle()
    worker = server.worker(slots=4)
    tasks = server.tasks(worker)
    server.answer(worker, 1, tasks[:1])
    server.settle()
    server.say(client, Subscribe(9, job, False))
    server.answer(worker, 2, tasks[1:2])
    server.answer(worker, 3, tasks[2:3])
    # Both are on disk and the read finds them; only then the loop hears of the commit.
    server.written += server.unwritten
    count, server.unwritten, server.loads = len(server.unwritten), [], []
    server.feed(OutcomesLoaded(client, 9, server.records(Outcomes, job)))
    server.feed(Committed(count))
    server.settle()
    server.answer(worker, 4, tasks[3:])
    server.settle()
    sent = [number for message in server.take(client, Finished) for number in message.numbers]
    assert sent == [0, 1, 2, 3]


def test_a_large_result_does_not_come_inline() -> None:
    codec = MessageCodec(FromPeer)
    fitting, large = (bytes(limits.INLINE_BYTES + more) for more in (0, 1))
    done = Done(1, 1, [0], [1], [0.1], [fitting])
    assert codec.decode(codec.encode([done])) == [done]
    with pytest.raises(ProtocolError, match="not a batch"):
        codec.decode(codec.encode([Done(1, 1, [0], [1], [0.1], [large])]))
