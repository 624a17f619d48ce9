"""Looks over the shoulders of the three that decide: the server's reactor, a worker's, a session.

Each is replaced, for the time of a run, by a subclass that does the same and tells the ledger what
went in and what came out. So nothing is changed in the product, and nothing is missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest import mock

from dc import limits
from dc.client import connection
from dc.client.session import Exchange, Session
from dc.messages import Heartbeat
from dc.messages_client import Accepted, Status, Stored, Submit
from dc.messages_parts import Message
from dc.server import app as server_app
from dc.server import events as server_events
from dc.server.heads import HeadLimits
from dc.server.reactor import Reactor
from dc.server.type_port import Types
from dc.testing.ledger import Ledger
from dc.testing.process import here
from dc.testing.server_rules import ServerRules
from dc.worker import app as worker_app
from dc.worker import events as worker_events
from dc.worker.reactor import WorkerReactor

VALIDATE_EVERY: Final = 8


@contextmanager
def watched(ledger: Ledger, rules: ServerRules) -> Iterator[None]:
    """Have the ledger told everything that is decided in this block."""
    with ExitStack() as stack:
        for module, name, kind in (
            (server_app, "Reactor", _server_reactor(ledger, rules)),
            (worker_app, "WorkerReactor", _worker_reactor(ledger)),
            (connection, "Session", _session(ledger)),
        ):
            stack.enter_context(mock.patch.object(module, name, kind))
        yield


def _server_reactor(ledger: Ledger, rules: ServerRules) -> type[Reactor]:
    trace = ledger.trace

    class WatchedReactor(Reactor):
        _events = 0

        def __init__(
            self, types: Types, software: str, job: int = 1, sequence: int = 1, server: str = ""
        ) -> None:
            heads = HeadLimits(
                limits.HEAD_TASKS,
                limits.HEADS_TASKS,
                limits.HEAD_TASKS_LEAST,
                limits.PREFETCH_TASKS,
            )
            window = limits.PAYLOAD_WINDOW_BYTES
            super().__init__(
                types, software, job, sequence, window=window, heads=heads, server=server
            )

        def handle(
            self, event: server_events.Event, now: float, wall: float
        ) -> list[server_events.Action]:
            process = here()
            assert process is not None
            actions = super().handle(event, now, wall)
            if not process.is_alive:
                return actions
            name = str(process)
            trace.add(name, "<", event)
            rules.happened(process, event)
            for action in actions:
                trace.add(name, ">", action)
                rules.decided(process, action)
            self._events += 1
            if self._events % VALIDATE_EVERY == 0:
                self.validate()
            return actions

    return WatchedReactor


def _worker_reactor(ledger: Ledger) -> type[WorkerReactor]:
    trace = ledger.trace

    class WatchedWorkerReactor(WorkerReactor):
        _events = 0

        def handle(self, event: worker_events.Event, now: float) -> list[worker_events.Action]:
            actions = super().handle(event, now)
            process = here()
            if process is not None and process.is_alive:
                name = str(process)
                if type(event) is not worker_events.Tick or actions:
                    trace.add(name, "<", event)
                for action in actions:
                    trace.add(name, ">", action)
                self._events += 1
                if self._events % VALIDATE_EVERY == 0:
                    self.validate()
            return actions

    return WatchedWorkerReactor


def _session(ledger: Ledger) -> type[Session]:
    trace = ledger.trace

    class WatchedSession(Session):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._asked: dict[int, int] = {}  # the submission by request

        def take(self, now: float) -> list[Message]:
            batch = super().take(now)
            for message in batch:
                if type(message) is Submit:
                    self._asked[message.request] = submission_of(message.options)
                if type(message) is not Heartbeat:
                    trace.add(str(here()), ">", message)
            return batch

        def receive(self, batch: Sequence[Any]) -> list[Exchange]:
            process = here()
            if process is not None and process.is_alive:
                for message in batch:
                    if type(message) is not Heartbeat:
                        trace.add(str(process), "<", message)
                    self._note(message)
            return super().receive(batch)

        def _note(self, message: Any) -> None:
            if isinstance(message, Accepted) and message.request in self._asked:
                ledger.accepted(self._asked[message.request], message.job)
            elif isinstance(message, Stored) and message.request in self._asked:
                ledger.stored(self._asked[message.request], message.count, message.ended)
            elif isinstance(message, Status) and message.state == "cancelled":
                ledger.cancelled_job(message.job)

    return WatchedSession


def submission_of(options: dict[str, Any]) -> int:
    """Return the number of a submission, which the name of its job says."""
    return int(options["name"])
