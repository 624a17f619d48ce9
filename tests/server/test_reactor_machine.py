"""The server's reactor under any order of events, against a ledger that only watches.

The machine plays workers, clients, the disk and the clock: workers vanish with and without notice,
come back as the same or another process, over a new connection beside the old one, in time or too
late, with reports of long ago, and lie; the server is killed. What must hold after every step:
`validate()`; what the ledger says of each action; no task has two outcomes on disk; nothing is
acknowledged or reaches a subscriber that is not on disk; and at the end, once everybody has
answered, every task of every job has its outcome and every subscriber has had each exactly once.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dc import limits
from dc.errors import DcError, WorkerDeleted
from dc.messages import Heartbeat, Refused
from dc.messages_client import Cancel, Consumed, EndOfResults, Finished, Subscribe
from dc.messages_parts import Blob, Failure, Payload
from dc.messages_worker import (
    Appliance,
    Assign,
    Cached,
    Done,
    End,
    Failed,
    Goodbye,
    Held,
    Recorded,
    Rest,
    Resting,
    Returned,
    Running,
    Stop,
)
from dc.records import JobCancelled, Outcomes
from dc.server.commands import (
    CancelTasks,
    ChangeJob,
    OrderWorkers,
    PauseJob,
    ResumeJob,
    RetryTasks,
    SetWorkers,
    WakeWorkers,
    Which,
)
from dc.server.events import Asked
from tests.server.counted import counted, summed
from tests.server.ledger import Ledger, attempts_in, name_of

Task = tuple[int, int, int, Payload]
INPUTS = tuple(Blob(b"%032d" % size, size * limits.INPUT_BYTES_PER_SECOND) for size in (3, 30))


BOOTED = Appliance("1.0", ["52:54:00:12:34:56"], ["off", "reboot"])


class PlayedWorker:
    """A worker as the protocol asks it to be: it keeps reports until they are acknowledged.

    They are in its journal: another process of it has them, too, but not what it was running.
    """

    def __init__(self, name: str, slots: int) -> None:
        self.name = name
        self.slots = slots
        self.run = 1
        self.peer = -1
        self.holds: dict[tuple[int, int], Task] = {}
        self.sequence = 0
        self.reports: dict[int, Any] = {}
        self.keys = 0  # that it has had, beside the first

    @property
    def takes(self) -> bool:
        """Whether it gets the code of `shipped` from the server: but for one, all do."""
        return self.slots > 1

    @property
    def appliance(self) -> Appliance | None:
        """What its computer was booted from: one has a disk of its own."""
        return BOOTED if self.slots > 1 else None

    @property
    def key(self) -> str:
        return f"{self.name}#{self.keys}" if self.keys else self.name

    def joins_anew(self) -> None:
        """Do what a worker does that was deleted: it is another one from now on."""
        self.peer = -1
        self.keys += 1
        self.run += 1
        self.sequence = 0
        self.holds, self.reports = {}, {}

    def report(self, server: Ledger, make: Any) -> None:
        self.sequence += 1
        self.reports[self.sequence] = make(self.sequence)
        if self.peer >= 0:
            server.hear(self.peer, self.reports[self.sequence])

    def hear(self, server: Ledger) -> None:
        """Take what the server has said."""
        mail = server.sent.get(self.peer, [])
        server.sent[self.peer] = []
        if is_deleted(mail):
            self.joins_anew()
            return
        for message in mail:
            if isinstance(message, Assign):
                self._take(server, message)
            elif isinstance(message, Stop):
                for number, attempt in zip(message.numbers, message.attempts, strict=True):
                    if self.holds.get((message.job, number), (0, 0, -1))[2] == attempt:
                        del self.holds[message.job, number]
            elif isinstance(message, Recorded):
                for sequence in [s for s in self.reports if s <= message.sequence]:
                    del self.reports[sequence]
            elif isinstance(message, Rest):
                self.hand_back(server, list(self.holds)[self.slots :])
            elif isinstance(message, End):
                known = self.appliance.orders if self.appliance else []
                assert message.power in ("", *known), "its computer cannot do that"
                self.hand_back(server, list(self.holds))
                self.say_goodbye(server)
                return

    def hand_back(self, server: Ledger, keys: list[tuple[int, int]]) -> None:
        for key in keys:
            job, number, attempt, _ = self.holds.pop(key)
            self.report(server, lambda s, j=job, n=number, a=attempt: Returned(s, j, [n], [a]))

    def say_goodbye(self, server: Ledger) -> None:
        server.leaves(self.name)
        server.hear(self.peer, Goodbye())
        server.close(self.peer)
        self.peer = -1
        self.run += 1
        self.holds.clear()

    def _take(self, server: Ledger, message: Assign) -> None:
        """Take tasks, but hand back what was reported before: the server has forgotten that."""
        shipped = server.pinned[message.job] if self.takes and message.type == "shipped" else None
        assert message.plugin == shipped, "not the archive that the job was submitted with"
        reported = self.named()
        for number, attempt, payload in zip(
            message.numbers, message.attempts, message.payloads, strict=True
        ):
            job = message.job
            if (job, number) not in self.holds and reported.get((job, number)) == attempt:
                self.report(server, partial(returned, job, number, attempt))
            else:
                self.holds[job, number] = (job, number, attempt, payload)

    def named(self) -> dict[tuple[int, int], int]:
        """Return the attempts that it has, those of unrecorded reports included."""
        found = {}
        for report in self.reports.values():
            if isinstance(report, Failed):
                found[report.job, report.number] = report.attempt
            else:
                for number, attempt in zip(report.numbers, report.attempts, strict=True):
                    found[report.job, number] = attempt
        for key, task in self.holds.items():
            found[key] = max(task[2], found.get(key, 0))
        return found

    def connect(self, server: Ledger) -> None:
        """Connect, in place of a connection that may still be open."""
        named = self.named()
        held = [Held(job, [number], [attempt]) for (job, number), attempt in named.items()]
        self.peer = server.open()
        server.names[self.peer] = self.name
        server.comes_back(self.name, named)
        server.worker_says_hello(
            *(self.peer, self.name),
            slots=self.slots,
            key=self.key,
            run=f"run {self.run}",
            types=("echo", "stubborn") if self.takes else ("echo", "stubborn", "shipped"),
            taking={"takes_plugins": self.takes, "appliance": self.appliance},
        )
        if is_deleted(server.sent[self.peer]):
            self.joins_anew()
            return
        server.hear(self.peer, *held)
        server.hear(self.peer, Heartbeat(), *list(self.reports.values()))


def failed(job: int, number: int, attempt: int, kind: str, sequence: int) -> Failed:
    return Failed(sequence, job, number, attempt, 0.1, Failure(kind, "no"))


def returned(job: int, number: int, attempt: int, sequence: int) -> Returned:
    return Returned(sequence, job, [number], [attempt])


class ReactorMachine(RuleBasedStateMachine):
    """Everybody around the reactor."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Ledger()
        self.workers = [PlayedWorker(f"w{number}", 1 + number) for number in range(3)]
        self.client = self.server.client()
        self.totals: dict[int, int] = {}
        self.streams: dict[int, tuple[int, bool, list[int]]] = {}
        self.ended: set[int] = set()
        self.refused: set[int] = set()
        self.requests = 100

    # --- what happens ---------------------------------------------------------------------------

    @rule(
        count=st.integers(0, 30),
        retries=st.integers(0, 2),
        priority=st.integers(0, 2),
        grace=st.sampled_from([0.0, 0.0, 60.0]),
        after=st.sampled_from(["", "", "whole", "each"]),
        type_=st.sampled_from(["echo", "shipped"]),
        inputs=st.sampled_from([(), (), INPUTS[:1], INPUTS]),
    )
    @precondition(lambda self: len(self.totals) < 5)
    def submit(
        self,
        count: int,
        retries: int,
        priority: int,
        grace: float,
        after: str,
        type_: str,
        inputs: tuple[Blob, ...],
    ) -> None:
        payloads: list[Payload] = [b"p%d" % number for number in range(count)]
        self.server.graces[max(self.totals, default=0) + 1] = grace or limits.GRACE_SECONDS
        options: dict[str, Any] = {}
        former = max(self.totals, default=0)
        if after and former:
            options = {"after": [former], "each": after == "each"}
            self.server.after[former + 1] = (former, after == "each")
        options |= {"retries": retries, "priority": priority, "grace": grace}
        options["inputs"] = {blob.name: blob for blob in inputs}
        job = self.server.submit(self.client, payloads, type_, **options)
        assert job in self.server.graces
        self.server.pinned[job] = self.server.types.archives[-1].plugin
        self.totals[job] = count
        self.server.commit()

    @rule()
    def edit(self) -> None:
        """The plugin of `shipped` is changed: jobs that are there keep what they have."""
        self.server.edit()

    @rule(at=st.integers(0, 2), anew=st.booleans())
    def connect(self, at: int, anew: bool) -> None:
        """A worker comes, or comes back; its old connection may still be open."""
        worker = self.workers[at]
        if anew:
            worker.run += 1
            worker.holds.clear()
        worker.connect(self.server)

    @rule(at=st.integers(0, 2), which=st.integers(0, 1), drops=st.booleans())
    def cache(self, at: int, which: int, drops: bool) -> None:
        """A worker has something in its cache from now on, or not any more."""
        worker = self.workers[at]
        if worker.peer >= 0:
            digests = [INPUTS[which].digest]
            self.server.hear(worker.peer, Cached([], digests) if drops else Cached(digests))

    @rule(at=st.integers(0, 2), announced=st.booleans(), closed=st.booleans())
    def disconnect(self, at: int, announced: bool, closed: bool) -> None:
        """A connection breaks; what is under way is lost, and the server may not notice."""
        worker = self.workers[at]
        if worker.peer >= 0:
            if announced:
                worker.hear(self.server)
            if closed:
                self.server.close(worker.peer)
            worker.peer = -1

    @rule(at=st.integers(0, 2))
    def goodbye(self, at: int) -> None:
        worker = self.workers[at]
        if worker.peer >= 0:
            worker.hear(self.server)
        if worker.peer >= 0:
            worker.say_goodbye(self.server)

    @rule(at=st.integers(0, 2), reason=st.sampled_from(["", "somebody", "hours"]))
    def says_that_it_rests(self, at: int, reason: str) -> None:
        """Somebody uses a worker's computer; it has said so, and is given nothing."""
        worker = self.workers[at]
        if worker.peer >= 0:
            self.server.hear(worker.peer, Resting(reason))
            known = self.server.reactor.workers.roster.by_peer.get(worker.peer)
            if reason and known is not None:
                room = self.server.reactor.board.scheduler.worker_load(known.id)[1]
                assert not room, "it has room while it rests"

    # --- operators ------------------------------------------------------------------------------

    @rule(at=st.integers(0, 2), action=st.sampled_from(["pause", "drain", "resume"]))
    def decide(self, at: int, action: Any) -> None:
        """A worker is paused, drained or resumed, wherever it is."""
        name = self.workers[at].name
        before = set(self.server.resting)
        if action == "resume":
            self.server.resting.discard(name)
        if isinstance(self.operator(OrderWorkers(Which([name]), action)), DcError):
            self.server.resting = before
        elif action != "resume":
            self.server.rests(name)

    @rule(
        at=st.integers(0, 2),
        order=st.sampled_from(["leave", "stop", "restart", "power-off", "reboot", "reread"]),
        now=st.booleans(),
    )
    def order(self, at: int, order: str, now: bool) -> None:
        """A worker is told to end: it may lose what it has, and need not be waited for."""
        name = self.workers[at].name
        action: Any = "drain" if order == "leave" else order
        command = OrderWorkers(Which([name]), action, leave=order == "leave", now=now)
        self.ends(name, command)

    @rule(at=st.integers(0, 2))
    def wake(self, at: int) -> None:
        """A worker's computer is called to wake: that is possible if it is known and not here."""
        name = self.workers[at].name
        known = self.server.reactor.workers.register.get(self.workers[at].key)
        refused = self.operator(WakeWorkers(Which([name])))
        here = self.server.reactor.workers.roster.by_name.get(name)
        if known is None:
            assert refused is not None
        elif refused is None:
            assert here is None, "who is here was woken"
            assert self.workers[at].appliance, "a computer with a disk was woken"

    @rule(at=st.integers(0, 2), really=st.booleans())
    def delete(self, at: int, really: bool) -> None:
        name = self.workers[at].name
        if really and self.ends(name, OrderWorkers(Which([name]), "delete")):
            self.server.resting.discard(name)

    def ends(self, name: str, command: Any) -> bool:
        """Have a worker told to end; whether it is. What it had may go to others at once."""
        self.server.ending = name
        told = not isinstance(self.operator(command), DcError)
        self.server.ending = ""
        if told:
            self.server.leaves(name)
        return told

    @rule(at=st.integers(0, 2), slots=st.sampled_from([0, 1, 3]))
    def set_slots(self, at: int, slots: int) -> None:
        self.operator(SetWorkers(Which([self.workers[at].name]), slots=slots))

    def operator(self, command: Any) -> object:
        """Ask for something; return what is wrong with it, if that is said at once."""
        answers: list[object] = []
        on_disk = not self.server.unwritten
        self.server.feed(Asked(command, answers.append))
        wrong = [answer for answer in answers if isinstance(answer, DcError)]
        assert wrong or on_disk or not answers, "told before it was on disk"
        return wrong[0] if wrong else None

    @rule(down=st.floats(0.0, 1000.0))
    @precondition(lambda self: self.totals)
    def restart(self, down: float) -> None:
        """The server is killed; what it had not written is gone, and all connections."""
        self.server.now += down
        on_disk = {r.job for r in self.server.written if isinstance(r, JobCancelled)}
        self.server.void = on_disk
        self.server.restart()
        for worker in self.workers:
            worker.peer = -1
        self.streams, self.ended, self.refused = {}, set(), set()
        self.client = self.server.client()

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

    @rule(
        at=st.integers(0, 2),
        count=st.integers(1, 8),
        kind=st.sampled_from(["error", "crashed", "payload", "returned"]),
    )
    def give_up(self, at: int, count: int, kind: str) -> None:
        worker = self.workers[at]
        for key in list(worker.holds)[:count]:
            job, number, attempt, _ = worker.holds.pop(key)
            if kind == "returned":
                worker.report(self.server, partial(returned, job, number, attempt))
            else:
                worker.report(self.server, partial(failed, job, number, attempt, kind))

    @rule(
        at=st.integers(0, 2),
        job=st.integers(1, 4),
        number=st.integers(0, 7),
        attempt=st.integers(1, 4),
        unsure=st.sampled_from([True, True, False]),
        kind=st.sampled_from(["done", "failed", "returned", "held", "running"]),
    )
    def lie(self, at: int, job: int, number: int, attempt: int, unsure: bool, kind: str) -> None:
        """A worker speaks of what it may never have been given.

        Of what was not given out since a restart the server must take a worker's word. Reports are
        kept until they are acknowledged, and told again over any restarts; a worker that is not
        connected says so when it is. What it says that it holds, it keeps to.
        """
        worker = self.workers[at]
        if unsure and self.server.unsure:  # about as new as what is on disk
            job, number = sorted(self.server.unsure)[number % len(self.server.unsure)]
            attempt = max(1, self.server.unsure[job, number] + attempt - 2)
        if kind == "held":
            worker.holds.setdefault((job, number), (job, number, attempt, b"lie"))
            if worker.peer >= 0:
                self.server.hear(worker.peer, Held(job, [number], [attempt]))
        elif kind == "running":
            if worker.peer >= 0:
                self.server.hear(worker.peer, Running(job, [number], [attempt], [0.3]))
        elif kind == "done":
            worker.report(self.server, lambda s: Done(s, job, [number], [attempt], [0.1], [b"lie"]))
        elif kind == "failed":
            worker.report(self.server, partial(failed, job, number, attempt, "error"))
        else:
            worker.report(self.server, partial(returned, job, number, attempt))

    @rule(at=st.integers(0, 2), count=st.integers(1, 3))
    def say_running(self, at: int, count: int) -> None:
        worker = self.workers[at]
        if worker.peer >= 0:
            for job, number, attempt, _ in list(worker.holds.values())[:count]:
                self.server.hear(worker.peer, Running(job, [number], [attempt], [0.5]))

    @rule(ordered=st.booleans(), at=st.integers(0, 4))
    @precondition(lambda self: self.totals)
    def subscribe(self, ordered: bool, at: int) -> None:
        job = sorted(self.totals)[at % len(self.totals)]
        self.requests += 1
        self.streams[self.requests] = (job, ordered, [])
        self.server.say(self.client, Subscribe(self.requests, job, ordered))

    @rule(at=st.integers(0, 4))
    @precondition(lambda self: self.totals)
    def cancel(self, at: int) -> None:
        job = sorted(self.totals)[at % len(self.totals)]
        self.server.say(self.client, Cancel(50, job))

    @rule(at=st.integers(0, 4), now=st.booleans(), resume=st.booleans())
    @precondition(lambda self: self.totals)
    def pause_or_resume(self, at: int, now: bool, resume: bool) -> None:
        job = sorted(self.totals)[at % len(self.totals)]
        self.server.ask_for(ResumeJob(job) if resume else PauseJob(job, now))

    @rule(
        at=st.integers(0, 4), priority=st.integers(-1, 3), weight=st.sampled_from([0.5, 1.0, 7.0])
    )
    @precondition(lambda self: self.totals)
    def change(self, at: int, priority: int, weight: float) -> None:
        job = sorted(self.totals)[at % len(self.totals)]
        self.server.ask_for(ChangeJob(job, {"priority": priority, "weight": weight}))

    @rule(at=st.integers(0, 4), first=st.integers(0, 30), count=st.integers(1, 30))
    @precondition(lambda self: self.totals)
    def cancel_tasks(self, at: int, first: int, count: int) -> None:
        job = sorted(self.totals)[at % len(self.totals)]
        self.server.ask_for(CancelTasks(job, [(first, first + count)]))

    @rule(at=st.integers(0, 4), all_=st.booleans())
    @precondition(lambda self: self.totals)
    def retry(self, at: int, all_: bool) -> None:
        job = sorted(self.totals)[at % len(self.totals)]
        self.server.ask_for(RetryTasks(job, None if all_ else [(0, 31)]))

    @property
    def cancelled(self) -> set[int]:
        """The jobs that were cancelled, by whomever."""
        return self.server.void

    @rule()
    def commit(self) -> None:
        self.server.commit()

    @rule()
    def settle(self) -> None:
        self.server.settle()

    @rule(seconds=st.sampled_from([0.5, 3.0, 3.0, 12.0, 35.0, 65.0]))
    def pass_time(self, seconds: float) -> None:
        while seconds > 0:
            for worker in self.workers:
                if worker.peer >= 0:
                    self.server.hear(worker.peer, Heartbeat())
            self.server.say(self.client, Heartbeat())
            self.server.pass_time(min(seconds, limits.HEARTBEAT_SECONDS))
            seconds -= limits.HEARTBEAT_SECONDS

    @rule(seconds=st.floats(2.0, 100.0))
    def stand_still(self, seconds: float) -> None:
        self.server.stand_still(seconds)

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
            before, key = dict(worker.reports), worker.key
            worker.hear(server)
            if worker.key != key:
                continue  # it was deleted, and its reports with it
            unwritten = {
                ((record.job, number), (name_of(record.worker), attempt))
                for record in server.unwritten
                if isinstance(record, Outcomes)
                for number, attempt in zip(record.numbers, record.attempts, strict=True)
            }
            for sequence in set(before) - set(worker.reports):
                if isinstance(before[sequence], Done):
                    told = {(task, (worker.name, a)) for task, a in attempts_in(before[sequence])}
                    assert unwritten.isdisjoint(told)
        self.hear_as_client(on_disk)

    def hear_as_client(self, on_disk: set[tuple[int, int]]) -> None:
        server = self.server
        for message in server.take(self.client, Finished):
            job, ordered, had = self.streams[message.request]
            assert {(job, number) for number in message.numbers} <= on_disk
            again = job in server.retried and not ordered
            assert again or not set(had) & set(message.numbers), "an outcome came twice"
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

    @invariant()
    def figures_are_those_of_the_outcomes_that_stand(self) -> None:
        reactor = self.server.reactor
        for number, job in reactor.board.jobs.items():
            figures = reactor.control.tallies.get(job)
            if figures is not None:
                assert summed(figures) == counted(self.server.standing_after(number, 0))

    def teardown(self) -> None:
        """Let everybody finish; then everything must be there."""
        for job in self.totals:
            self.server.ask_for(ResumeJob(job))
        for at in range(len(self.workers)):
            self.says_that_it_rests(at, "")
        for _ in range(200):
            for worker in self.workers:
                if worker.name in self.server.resting:
                    self.decide(self.workers.index(worker), "resume")
                if worker.peer < 0 or worker.peer in self.server.closed:
                    worker.connect(self.server)
                self.answer(self.workers.index(worker), 1000, batch=True)
            self.server.settle()
            self.nobody_is_told_what_is_not_on_disk()
            if not self.server.reactor.board.jobs and not any(
                worker.holds or worker.reports for worker in self.workers
            ):
                break
            self.pass_time(5.0)
        for job, total in self.totals.items():
            if job not in self.cancelled:
                assert set(self.server.results(job)) == set(range(total)), f"job {job} is not whole"
        for request, (job, _, had) in self.streams.items():
            if job not in self.cancelled:
                assert request in self.ended
                assert sorted(set(had)) == list(range(self.totals[job]))
            else:
                assert request in self.ended | self.refused
        for worker in self.workers:
            assert not worker.reports, "a report was never acknowledged"
        assert not self.server.reactor.board.jobs
        assert self.server.reactor.board.window.used == 0


def is_deleted(mail: list[Any]) -> bool:
    """Whether a worker is told that it was deleted."""
    return any(isinstance(one, Refused) and one.code == WorkerDeleted.code for one in mail)


TestReactorMachine = ReactorMachine.TestCase
TestReactorMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
