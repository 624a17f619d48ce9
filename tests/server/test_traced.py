"""The trace context of jobs, as the server gives it to workers."""

from __future__ import annotations

from dc import trace_context
from dc.messages_worker import Assign
from tests.server.harness import Harness
from tests.test_trace_context import SAID


def given(server: Harness, peer: int) -> list[tuple[str, bool]]:
    return [(one.traceparent, one.traced) for one in server.take(peer, Assign)]


def test_a_worker_is_told_the_trace_of_a_job() -> None:
    server = Harness(server="folder")
    peer = server.worker("w", slots=2)
    client = server.client()
    traced = server.submit(client, [b"p"], traceparent=SAID)
    plain = server.submit(client, [b"p"])
    server.settle()
    own = trace_context.of_job("", "folder", plain)
    assert traced < plain
    assert given(server, peer) == [(SAID, True), (own, False)]


def test_it_is_the_same_after_a_restart() -> None:
    server = Harness(server="folder")
    client = server.client()
    for options in ({"traceparent": SAID}, {}):
        server.submit(client, [b"p"], **options)
    server.settle()
    server.restart()
    server.settle()
    peer = server.worker("w", slots=2)
    server.settle()
    assert given(server, peer) == [(SAID, True), (trace_context.of_job("", "folder", 2), False)]
