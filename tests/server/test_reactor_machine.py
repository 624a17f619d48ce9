"""The server's reactor under any order of events, against a ledger that only counts.

The machine plays workers, clients and the disk. What must hold after every step: `validate()`; no
task has two outcomes on disk; nothing is acknowledged or reaches a subscriber that is not
on disk; and at the end, once everybody has answered, every task of every job has its outcome and
every subscriber has had each exactly once.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dc.messages import (
    Cancel,
    Consumed,
    Done,
    EndOfResults,
    Failed,
    Failure,
    Finished,
    Heartbeat,
    Held,
    Payload,
    Recorded,
    Refused,
    Returned,
    Running,
    Stop,
    Subscribe,
)
from dc.records import Outcomes
from tests.server.harness import Harness

Task = tuple[int, int, int, Payload]


class PlayedWorker:
    """A worker as the protocol asks it to be: it keeps reports until they are acknowledged."""

    def __init__(self, name: str, slots: int) -> None:
        self.name = name
        self.slots = slots
        self.peer = -1
        self.holds: dict[tuple[int, int], Task] = {}
        self.sequence = 0
        self.reports: dict[int, Any] = {}

    def report(self, server: Harness, make: Any) -> None:
        self.sequence += 1
        self.reports[self.sequence] = make(self.sequence)
        if self.peer >= 0:
            server.say(self.peer, self.reports[self.sequence])

    def hear(self, server: Harness) -> None:
        """Take what the server has said."""
        for job, number, attempt, payload in server.tasks(self.peer):
            self.holds[job, number] = (job, number, attempt, payload)
        for stop in server.take(self.peer, Stop):
            for number, attempt in zip(stop.numbers, stop.attempts, strict=True):
                if self.holds.get((stop.job, number), (0, 0, -1))[2] == attempt:
                    del self.holds[stop.job, number]
        for recorded in server.take(self.peer, Recorded):
            for sequence in [s for s in self.reports if s <= recorded.sequence]:
                del self.reports[sequence]

    def connect(self, server: Harness) -> None:
        held: dict[int, list[Task]] = {}
        for task in self.holds.values():
            held.setdefault(task[0], []).append(task)
        said = [
            Held(job, [t[1] for t in tasks], [t[2] for t in tasks]) for job, tasks in held.items()
        ]
        self.peer = server.worker(self.name, slots=self.slots, held=tuple(said))
        for report in self.reports.values():
            server.say(self.peer, report)


class ReactorMachine(RuleBasedStateMachine):
    """Everybody around the reactor."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Harness(window=200)
        self.workers = [PlayedWorker(f"w{number}", 1 + number) for number in range(3)]
        self.client = self.server.client()
        self.totals: dict[int, int] = {}
        self.cancelled: set[int] = set()
        self.streams: dict[int, tuple[int, bool, list[int]]] = {}
        self.ended: set[int] = set()
        self.refused: set[int] = set()

    # --- what happens ---------------------------------------------------------------------------

    @rule(count=st.integers(0, 30), retries=st.integers(0, 1), priority=st.integers(0, 2))
    @precondition(lambda self: len(self.totals) < 5)
    def submit(self, count: int, retries: int, priority: int) -> None:
        payloads: list[Payload] = [b"p%d" % number for number in range(count)]
        job = self.server.submit(self.client, payloads, retries=retries, priority=priority)
        self.totals[job] = count

    @rule(at=st.integers(0, 2))
    def connect(self, at: int) -> None:
        worker = self.workers[at]
        if worker.peer < 0:
            worker.connect(self.server)

    @rule(at=st.integers(0, 2), announced=st.booleans())
    def disconnect(self, at: int, announced: bool) -> None:
        worker = self.workers[at]
        if worker.peer >= 0:
            if announced:
                worker.hear(self.server)
            self.server.close(worker.peer)
            worker.peer = -1

    @rule(at=st.integers(0, 2), count=st.integers(1, 8), batch=st.booleans())
    def answer(self, at: int, count: int, batch: bool) -> None:
        worker = self.workers[at]
        tasks = list(worker.holds.values())[:count]
        for job in sorted({task[0] for task in tasks}):
            mine = [task for task in tasks if task[0] == job]
            for part in [mine] if batch else [[task] for task in mine]:
                for task in part:
                    del worker.holds[task[0], task[1]]
                numbers, attempts = [t[1] for t in part], [t[2] for t in part]
                results: list[Any] = [b"%s by %s" % (t[3], worker.name.encode()) for t in part]
                times = [0.002] * len(part)
                worker.report(
                    self.server,
                    lambda s, j=job, n=numbers, a=attempts, t=times, r=results: Done(
                        s, j, n, a, t, r
                    ),
                )

    @rule(at=st.integers(0, 2), kind=st.sampled_from(["error", "crashed", "payload", "returned"]))
    def give_up(self, at: int, kind: str) -> None:
        worker = self.workers[at]
        if not worker.holds:
            return
        job, number, attempt, _ = worker.holds.pop(next(iter(worker.holds)))
        if kind == "returned":
            worker.report(self.server, lambda s: Returned(s, job, [number], [attempt]))
        else:
            failure = Failure(kind, "no")
            worker.report(self.server, lambda s: Failed(s, job, number, attempt, 0.1, failure))

    @rule(at=st.integers(0, 2))
    def say_running(self, at: int) -> None:
        worker = self.workers[at]
        if worker.peer >= 0 and worker.holds:
            job, number, attempt, _ = next(iter(worker.holds.values()))
            self.server.say(worker.peer, Running(job, [number], [attempt], [0.5]))

    @rule(ordered=st.booleans(), at=st.integers(0, 4))
    @precondition(lambda self: self.totals)
    def subscribe(self, ordered: bool, at: int) -> None:
        job = sorted(self.totals)[at % len(self.totals)]
        request = 100 + len(self.streams)
        self.streams[request] = (job, ordered, [])
        self.server.say(self.client, Subscribe(request, job, ordered))

    @rule(at=st.integers(0, 4))
    @precondition(lambda self: self.totals)
    def cancel(self, at: int) -> None:
        job = sorted(self.totals)[at % len(self.totals)]
        self.cancelled.add(job)
        self.server.say(self.client, Cancel(50, job))

    @rule()
    def commit(self) -> None:
        self.server.commit()

    @rule()
    def settle(self) -> None:
        self.server.settle()

    @rule(seconds=st.floats(0.1, 5.0))
    def pass_time(self, seconds: float) -> None:
        for peer in [self.client, *(w.peer for w in self.workers if w.peer >= 0)]:
            self.server.say(peer, Heartbeat())
        self.server.pass_time(seconds)

    # --- what must hold -------------------------------------------------------------------------

    @invariant()
    def nobody_is_told_what_is_not_on_disk(self) -> None:
        server = self.server
        on_disk = {
            (record.job, number)
            for record in server.written
            if isinstance(record, Outcomes)
            for number in record.numbers
        }
        for worker in self.workers:
            if worker.peer < 0:
                continue
            before = dict(worker.reports)
            worker.hear(server)
            for sequence in set(before) - set(worker.reports):
                report = before[sequence]
                unwritten = {
                    (record.job, number)
                    for record in server.unwritten
                    if isinstance(record, Outcomes)
                    for number in record.numbers
                }
                if isinstance(report, Done):
                    assert unwritten.isdisjoint((report.job, n) for n in report.numbers)
        self.hear_as_client(on_disk)

    def hear_as_client(self, on_disk: set[tuple[int, int]]) -> None:
        server = self.server
        for message in server.take(self.client, Finished):
            job, ordered, had = self.streams[message.request]
            assert {(job, number) for number in message.numbers} <= on_disk
            assert not set(had) & set(message.numbers), "an outcome came twice"
            assert message.request not in self.ended
            if ordered:
                assert message.numbers == list(range(len(had), len(had) + len(message.numbers)))
            had += message.numbers
            server.say(self.client, Consumed(message.request, message.size))
        self.ended |= {message.request for message in server.take(self.client, EndOfResults)}
        self.refused |= {message.request for message in server.take(self.client, Refused)}

    @invariant()
    def no_task_is_recorded_twice(self) -> None:
        for job in self.totals:
            self.server.results(job)

    def teardown(self) -> None:
        """Let everybody finish; then everything must be there."""
        for _ in range(200):
            for worker in self.workers:
                if worker.peer < 0:
                    worker.connect(self.server)
                self.answer(self.workers.index(worker), 1000, batch=True)
            self.server.settle()
            self.nobody_is_told_what_is_not_on_disk()
            if not self.server.reactor.board.jobs and not any(w.holds for w in self.workers):
                break
            self.pass_time(1.0)
        for job, total in self.totals.items():
            if job not in self.cancelled:
                assert set(self.server.results(job)) == set(range(total)), f"job {job} is not whole"
        for request, (job, _, had) in self.streams.items():
            if job not in self.cancelled:
                assert request in self.ended
                assert sorted(had) == list(range(self.totals[job]))
            else:
                assert request in self.ended | self.refused
        for worker in self.workers:
            assert not worker.reports, "a report was never acknowledged"
        assert not self.server.reactor.board.jobs
        assert self.server.reactor.board.window.used == 0


TestReactorMachine = ReactorMachine.TestCase
TestReactorMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
