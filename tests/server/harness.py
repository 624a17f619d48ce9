"""A reactor with everything around it played by the test: peers, the store, the clock."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec import structs

from dc import limits
from dc.errors import DcError, PayloadError, UnknownTaskType
from dc.messages import PROTOCOL, Heartbeat, Hello
from dc.messages_client import Counts, EndOfJob, Payloads, Submit
from dc.messages_parts import Failure, Message, Payload
from dc.messages_worker import About, Assign, Done, TypeId
from dc.records import (
    Attempts,
    JobCancelled,
    JobChanged,
    JobEnded,
    JobFigures,
    JobRow,
    Leases,
    NewJob,
    NewTasks,
    Outcomes,
    Record,
    Retried,
    SubmitterChanged,
    TaskCheckpoint,
    TaskRow,
    Unfinished,
    WorkerRow,
    Workers,
)
from dc.server.commands import Command
from dc.server.events import (
    Action,
    Answered,
    Asked,
    CheckpointsLoaded,
    Close,
    Closed,
    Committed,
    Continue,
    Continued,
    DropBlob,
    Event,
    HeadLoaded,
    JobLoaded,
    JobRecovered,
    KeyLoaded,
    LoadBare,
    LoadCheckpoints,
    LoadFailed,
    LoadFigures,
    LoadHead,
    LoadJob,
    LoadKey,
    LoadOutcomes,
    LoadPayloads,
    LoadSettled,
    LoadUnfinished,
    Opened,
    OutcomesLoaded,
    PayloadsLoaded,
    PayloadsPrefetched,
    Prefetch,
    Received,
    Send,
    TasksRecovered,
    Tick,
    WorkersRecovered,
    Write,
)
from dc.server.reactor import Reactor
from dc.server.shipping import Shipped

M = TypeVar("M", bound=Message)


COLUMNS = attrgetter("numbers", "attempts", "times", "outcomes")

BARE_RECORDS = 3
"""Of a page of LoadBare."""


MOST_ROUNDS = 1_000
"""Of commits and loads until a server rests; what was seen needs some ten."""


class Type:
    """A task type whose payloads are bytes that do not begin with `bad`."""

    def __init__(self, name: str, version: str, options: dict[str, object] | None = None) -> None:
        self.name = name
        self.version = version
        self.options = options or {}
        self.payload_codec = "msgpack"
        self.result_codec = "msgpack"

    def check_payload(self, payload: bytes) -> None:
        if payload.startswith(b"bad"):
            raise PayloadError("it is bad")


class SomeTypes:
    """`echo` 1 and 2, and `stubborn` with two retries.

    The code of `shipped` is in an archive, the newest of `archives`.
    """

    def __init__(self) -> None:
        self.archives: list[Shipped] = []

    def plugin(self, name: str, version: str) -> bytes:
        newest = self.archives[-1:] if name == "shipped" else []
        return newest[0].plugin.digest if newest else b""

    def shipped(self, plugin: bytes) -> Shipped | None:
        return next((one for one in self.archives if one.plugin.digest == plugin), None)

    def get(self, name: str, version: str = "", plugin: bytes = b"") -> Type:
        if name == "shipped":
            return Type(name, "1")
        if name == "stubborn":
            return Type(name, "1", {"retries": 2})
        if name != "echo" or version not in ("", "1", "2"):
            raise UnknownTaskType(f"unknown task type {name} {version}".rstrip())
        return Type(name, version or "2")


class Harness:
    """Feeds the reactor and keeps what comes out.

    Records are kept in `written` and are on disk only after `commit`; what the reactor wants loaded
    is answered from them by `settle`.
    """

    def __init__(self, **reactor: Any) -> None:
        self._options = reactor
        self.types = SomeTypes()
        self.reactor = Reactor(self.types, "dc test", **reactor)
        self.now = 1000.0
        self.sent: dict[int, list[Message]] = {}
        self.closed: dict[int, Close] = {}
        self.unwritten: list[Record] = []
        self.written: list[Record] = []
        self.loads: list[Action] = []
        self.dropped: list[bytes] = []
        self._peers = 0
        self._requests = 0
        self.feed(Tick())

    # --- events ---------------------------------------------------------------------------------

    def feed(self, event: Event) -> None:
        for action in self.reactor.handle(event, self.now, self.now + 1e9):
            self.perform(action)
        self.reactor.validate()

    def perform(self, action: Action) -> None:
        match action:
            case Send():
                self.sent.setdefault(action.peer, []).append(action.message)
            case Close():
                self.closed[action.peer] = action
            case Write():
                self.unwritten.append(action.record)
            case DropBlob(digest):
                self.dropped.append(digest)
            case _:
                self.loads.append(action)

    def commit(self) -> None:
        """Put everything on disk that was to be written."""
        while self.unwritten:
            records, self.unwritten = self.unwritten, []
            self.written += records
            self.feed(Committed(len(records)))

    def settle(self) -> None:
        """Commit and answer loads until nothing is left to do.

        Raises:
            AssertionError: there is always more, which would be a server that never rests.
        """
        rounds = itertools.count()
        while self.unwritten or self.loads:
            assert next(rounds) < MOST_ROUNDS, f"it does not settle: {self.loads[:3]}"
            self.commit()
            loads, self.loads = self.loads, []
            for load in loads:
                self.feed(self._answer(load))

    def pass_time(self, seconds: float, *, stalled: bool = False) -> None:
        """Let time pass as it does for a server that is well: tick by tick."""
        while seconds > 0:
            step = min(seconds, limits.TICK_SECONDS)
            self.now += step
            seconds -= step
            self.feed(Tick(stalled))

    def live(self, seconds: float, *peers: int) -> None:
        """Let time pass while these peers give signs of life."""
        while seconds > 0:
            self.pass_time(min(seconds, limits.HEARTBEAT_SECONDS))
            seconds -= limits.HEARTBEAT_SECONDS
            for peer in peers:
                self.say(peer, Heartbeat())

    def stand_still(self, seconds: float) -> None:
        """Let time pass in which the server's process does not run."""
        self.now += seconds
        self.feed(Tick())

    def _answer(self, load: Action) -> Event:
        match load:
            case LoadPayloads(peer, job, numbers, attempts, alternative):
                stored = self.stored_payloads(job)
                payloads = [stored[n] for n in numbers]
                return PayloadsLoaded(peer, job, numbers, attempts, payloads, alternative)
            case LoadCheckpoints(peer, job, numbers, attempts, payloads, alternative):
                saved = {one.number: one.data for one in self.records(TaskCheckpoint, job)}
                found = {number: saved[number] for number in numbers if number in saved}
                columns = numbers, attempts, payloads
                return CheckpointsLoaded(peer, job, *columns, found, alternative)
            case LoadOutcomes(peer, request, job, ordered, cursor, _):
                return OutcomesLoaded(peer, request, self.stored_outcomes(job, ordered, cursor))
            case LoadHead(job, first, limit):
                return self.stored_head(job, first, limit)
            case Prefetch(job, first, count):
                payloads = self.stored_payloads(job)[first : first + count]
                return PayloadsPrefetched(job, first, payloads)
            case LoadJob(job):
                return JobLoaded(job, self.stored_job(job))
            case LoadUnfinished(job, first, limit, then):
                return Answered(then, self.stored_head(job, first, limit).tasks)
            case LoadFailed(job, first, limit, then):
                return Answered(then, self.stored_failures(job, first, limit))
            case LoadSettled(job, numbers, then):
                known = {n: o for n, o in self.results(job).items() if n in numbers}
                failed = sorted(n for n, o in known.items() if isinstance(o, Failure))
                return Answered(then, (sorted(set(known).difference(failed)), failed))
            case LoadFigures(job, then):
                kept = self.records(JobFigures, job)
                retried = sum(len(one.numbers) for one in self.records(Retried, job))
                return Answered(then, (kept[-1] if kept else None, retried))
            case LoadBare(job, after, then):
                return Answered(then, self.standing_after(job, after)[:BARE_RECORDS])
            case LoadKey(key):
                return KeyLoaded(key, self.stored_key(key))
            case Continue(job):
                return Continued(job)
        raise AssertionError(load)

    def restart(self) -> None:
        """Kill the server and start it again on what is on disk. All connections are gone."""
        self.unwritten, self.loads, self.sent, self.closed = [], [], {}, {}
        jobs = [record.job for record in self.written if isinstance(record, NewJob)]
        sequences = [r.sequence for r in self.written if isinstance(r, Outcomes)]
        self.reactor = Reactor(
            self.types,
            "dc test",
            max(jobs, default=0) + 1,
            max(sequences, default=0) + 1,
            **self._options,
        )
        remembered = WorkersRecovered(self.stored_workers())
        assert not self.reactor.handle(remembered, self.now, self.now + 1e9)
        for record in self.written:
            if isinstance(record, SubmitterChanged):
                self.reactor.board.submitters.weights[record.name] = record.weight
        for job in jobs:
            row = self.stored_job(job)
            missing = row.counts.total - row.counts.done - row.counts.failed if row else 0
            if row is not None and row.cancelled_at is None and (missing or not row.ended):
                self.recover(row)
        self.feed(Tick())

    def recover(self, row: JobRow) -> None:
        """Feed the events of the start about one job; between them the reactor is not whole."""
        left = self.unfinished(row.job)
        leased = [n for n, key in zip(left.numbers, left.workers, strict=True) if key]
        asked = self.reactor.handle(JobRecovered(row), self.now, self.now + 1e9)
        if leased:
            event = TasksRecovered(rows_of(left, leased))
            asked += self.reactor.handle(event, self.now, self.now + 1e9)
        for action in asked:
            if isinstance(action, LoadHead):
                self.feed(self._answer(action))
            else:
                self.perform(action)

    def ask_for(self, command: Command) -> list[object]:
        """Ask for something as an operator; return where the answer will be."""
        answers: list[object] = []
        self.feed(Asked(command, answers.append))
        return answers

    # --- the store ------------------------------------------------------------------------------

    def unfinished(self, job: int) -> Unfinished:
        """Return what is on disk about the tasks that have no outcome."""
        done = self.results(job)
        past = {n: (0, 0, 0, "") for n in range(len(self.stored_payloads(job))) if n not in done}
        for record in self.written:
            if isinstance(record, Retried) and record.job == job:
                for number, attempt in zip(record.numbers, record.attempts, strict=True):
                    if number in past:
                        past[number] = (attempt, 0, 0, "")
            elif isinstance(record, Attempts) and record.job == job:
                columns = (record.attempts, record.crashes, record.failures)
                for number, *row in zip(record.numbers, *columns, strict=True):
                    if number in past:
                        past[number] = (row[0], row[1], row[2], "")
            elif isinstance(record, Leases) and record.job == job:
                for number, attempt in zip(record.numbers, record.attempts, strict=True):
                    if number in past:
                        past[number] = (attempt, *past[number][1:3], record.worker)
        rows = past.values()
        return Unfinished(
            job,
            list(past),
            [row[0] for row in rows],
            [row[1] for row in rows],
            [row[2] for row in rows],
            [row[3] for row in rows],
        )

    def stored_workers(self) -> list[WorkerRow]:
        rows: dict[str, WorkerRow] = {}
        for record in self.written:
            if isinstance(record, Workers):
                kept = {key: row for key, row in rows.items() if key not in record.forgotten}
                rows = kept | {row.key: row for row in record.rows}
        return sorted(rows.values(), key=lambda row: row.seen)

    def records(self, kind: type[Any] | tuple[type[Any], ...], job: int) -> list[Any]:
        return [r for r in self.written if isinstance(r, kind) and getattr(r, "job", 0) == job]

    def standing_after(self, job: int, after: int) -> list[Outcomes]:
        """Return the outcomes of a job after a sequence, without those that were set aside."""
        found = [r for r in self.records(Outcomes, job) if r.sequence > after]
        return [record for one in found if (record := self.standing(one)).numbers]

    def stored_payloads(self, job: int) -> list[Payload]:
        return [p for record in self.records(NewTasks, job) for p in record.payloads]

    def stored_head(self, job: int, first: int, limit: int) -> HeadLoaded:
        left = self.unfinished(job)
        numbers = [number for number in left.numbers if number >= first][:limit]
        page = rows_of(left, numbers)
        whole = len(numbers) < limit
        return HeadLoaded(page, limits.MAX_NUMBER + 1 if whole else numbers[-1] + 1)

    def stored_outcomes(self, job: int, ordered: bool, cursor: int) -> list[Outcomes]:
        records: list[Outcomes] = self.records(Outcomes, job)
        if not ordered:
            found = [self.standing(r) for r in records if r.sequence > cursor]
            return [r for r in found if r.numbers][:2]
        finished = self.results(job)
        rows = {
            n: Outcomes(r.sequence, job, r.worker, r.at, [n], [a], [t], [o])
            for r in records
            for n, a, t, o in zip(r.numbers, r.attempts, r.times, r.outcomes, strict=True)
            if n in finished
        }
        run: list[Outcomes] = []
        while cursor in rows and len(run) < 3:
            run.append(rows[cursor])
            cursor += 1
        return run

    def stored_job(self, job: int) -> JobRow | None:
        new = self.records(NewJob, job)
        if not new:
            return None
        outcomes = self.results(job).values()
        failed = sum(isinstance(outcome, Failure) for outcome in outcomes)
        cancelled = self.records(JobCancelled, job)
        changed = self.records(JobChanged, job)
        return JobRow(
            job,
            new[0].type,
            new[0].version,
            changed[-1].options if changed else new[0].options,
            new[0].payload,
            new[0].result,
            new[0].created,
            bool(self.records(JobEnded, job)),
            cancelled[0].at if cancelled else None,
            Counts(len(self.stored_payloads(job)), done=len(outcomes) - failed, failed=failed),
            new[0].key,
            changed[-1].paused if changed else False,
            cancelled[0].why if cancelled else "",
            sum(len(record.numbers) for record in self.records(Retried, job)),
            new[0].plugin,
        )

    def stored_key(self, key: str) -> JobRow | None:
        jobs = [r.job for r in self.written if isinstance(r, NewJob) and r.key == key]
        return self.stored_job(jobs[-1]) if jobs else None

    def results(self, job: int) -> dict[int, Any]:
        """Return what is on disk: the outcome of each finished task, each recorded once."""
        found: dict[int, Any] = {}
        for record in self.records((Outcomes, Retried), job):
            if isinstance(record, Retried):
                for number in record.numbers:
                    assert isinstance(found.pop(number), Failure), "a result was set aside"
                continue
            for number, outcome in zip(record.numbers, record.outcomes, strict=True):
                assert number not in found, f"task {number} recorded twice"
                found[number] = outcome
        return found

    def standing(self, record: Outcomes) -> Outcomes:
        """Return a record without the outcomes that were set aside since."""
        after = self.written[self.written.index(record) :]
        gone = {
            number
            for later in after
            if isinstance(later, Retried) and later.job == record.job
            for number in later.numbers
        }
        places = [at for at, number in enumerate(record.numbers) if number not in gone]
        names = ("numbers", "attempts", "times", "outcomes")
        columns = {name: [getattr(record, name)[at] for at in places] for name in names}
        return structs.replace(record, **columns)

    def stored_failures(self, job: int, first: int, limit: int) -> list[TaskRow]:
        rows = [
            TaskRow(job, n, 1, True, True, a, 0, record.worker, record.at, t, 0, o)
            for record in self.records(Outcomes, job)
            for n, a, t, o in zip(*COLUMNS(self.standing(record)), strict=True)
            if isinstance(o, Failure) and n >= first
        ]
        return sorted(rows, key=lambda row: row.number)[:limit]

    # --- peers ----------------------------------------------------------------------------------

    def open(self) -> int:
        self._peers += 1
        self.feed(Opened(self._peers, f"127.0.0.1:{self._peers}"))
        return self._peers

    def say(self, peer: int, *messages: Message) -> None:
        self.feed(Received(peer, list(messages)))

    def close(self, peer: int) -> None:
        self.feed(Closed(peer))

    def worker(
        self,
        name: str = "w",
        *,
        slots: int = 1,
        key: str = "",
        run: str = "run 1",
        types: tuple[str, ...] = ("echo", "stubborn"),
        labels: dict[str, str] | None = None,
        resources: dict[str, float] | None = None,
        held: tuple[Message, ...] = (),
        leaves_in: float = 0.0,
        obeys: bool = True,
        fixed_cpus: bool = False,
        taking: Mapping[str, Any] = MappingProxyType({}),
    ) -> int:
        peer = self.open()
        self.worker_says_hello(
            *(peer, name),
            slots=slots,
            key=key,
            run=run,
            types=types,
            labels=labels,
            resources=resources,
            leaves_in=leaves_in,
            obeys=obeys,
            fixed_cpus=fixed_cpus,
            taking=taking,
        )
        self.say(peer, *held, Heartbeat())
        return peer

    def worker_says_hello(
        self,
        peer: int,
        name: str,
        *,
        slots: int = 1,
        key: str = "",
        run: str = "run 1",
        types: tuple[str, ...] = ("echo", "stubborn"),
        labels: dict[str, str] | None = None,
        resources: dict[str, float] | None = None,
        leaves_in: float = 0.0,
        obeys: bool = True,
        fixed_cpus: bool = False,
        taking: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        ids = [TypeId(type_, version) for type_ in types for version in ("1", "2")]
        mine = key or f"key of {name}"
        about = About(
            *(name, mine, slots, ids, labels or {}, {}, run, leaves_in),
            resources=resources or {},
            fixed_cpus=fixed_cpus,
            **taking,
        )
        can = ["orders"] if obeys else []
        self.say(peer, Hello(PROTOCOL, "worker", "dc test", can, about))

    def decide(self, command: Command) -> object:
        """Do what an operator does; return the answer, which comes once all is on disk."""
        answers: list[object] = []
        self.feed(Asked(command, answers.append))
        if self.unwritten:
            assert not answers or isinstance(answers[0], DcError), "told before it was on disk"
        self.settle()
        (answer,) = answers
        return answer

    def client(self) -> int:
        peer = self.open()
        self.say(peer, Hello(PROTOCOL, "client", "dc test", []))
        return peer

    def submit(
        self, client: int, payloads: list[Payload], type_: str = "echo", **options: Any
    ) -> int:
        """Submit a whole job; return its number. It is not on disk before `commit`."""
        self._requests += 1
        request = 1000 + self._requests
        self.say(client, Submit(request, type_, "", options))
        job = max(self.reactor.board.jobs)
        for first in range(0, len(payloads), limits.BATCH_TASKS):
            part = payloads[first : first + limits.BATCH_TASKS]
            self.say(client, Payloads(request, first, part))
        self.say(client, EndOfJob(request))
        return job

    def take(self, peer: int, kind: type[M] | tuple[type[M], ...]) -> list[M]:
        """Take the messages of this kind, or kinds, that the peer has had since the last time."""
        mail = self.sent.get(peer, [])
        found = [message for message in mail if isinstance(message, kind)]
        self.sent[peer] = [message for message in mail if not isinstance(message, kind)]
        return found

    def tasks(self, peer: int) -> list[tuple[int, int, int, Payload]]:
        """Take what was assigned to a worker: (job, number, attempt, payload)."""
        return [
            (message.job, *row)
            for message in self.take(peer, Assign)
            for row in zip(message.numbers, message.attempts, message.payloads, strict=True)
        ]

    def answer(
        self,
        peer: int,
        sequence: int,
        tasks: list[tuple[int, int, int, Payload]],
        seconds: float = 0.001,
    ) -> None:
        """Have a worker report results: each payload in capitals, after so many seconds."""
        for offset, job in enumerate(sorted({task[0] for task in tasks})):
            mine = [task for task in tasks if task[0] == job]
            results: list[Payload] = [
                task[3].upper() if isinstance(task[3], bytes) else task[3] for task in mine
            ]
            numbers, attempts = [task[1] for task in mine], [task[2] for task in mine]
            times = [seconds] * len(mine)
            self.say(peer, Done(sequence + offset, job, numbers, attempts, times, results))


def rows_of(tasks: Unfinished, numbers: list[int]) -> Unfinished:
    """Return the rows of these tasks, which are among them."""
    places = [tasks.numbers.index(number) for number in numbers]
    return Unfinished(
        tasks.job,
        numbers,
        [tasks.attempts[at] for at in places],
        [tasks.crashes[at] for at in places],
        [tasks.failures[at] for at in places],
        [tasks.workers[at] for at in places],
    )
