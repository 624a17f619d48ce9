"""A naive observer of the server: it sees what goes in and out, and holds the server to its word.

It knows for each task who was given it last (`newest`), and whether that worker may still count on
it (`leases`). Of some it is `unsure`, as the server is, because they were not given out since a
restart, and it was not written down who had them: there the server must take the word of whoever
names such a task first, with an attempt that is not below the one on disk. True or not, it has the
task then, as if it had been given to it. It knows nothing of queues, crashes, or how the server
remembers anything.
"""

from __future__ import annotations

from dc import limits
from dc.messages_parts import Failure, Message, Plugin
from dc.messages_worker import Assign, Done, Failed, Held, Returned, Stop
from dc.records import JobCancelled, JobChanged, Outcomes, Record, Retried
from dc.server.events import Action, LoadPayloads, Send, Write
from dc.server.shipping import Shipped
from tests.server.harness import Harness

Task = tuple[int, int]
Holder = tuple[str, int]

FAILED = Failure("error", "")
RESTING = ("paused", "draining")


class Ledger(Harness):
    """A harness that checks each action against what was before it."""

    def __init__(self) -> None:
        self.newest: dict[Task, Holder] = {}
        self.given: set[tuple[Task, Holder]] = set()
        self.leases: dict[Task, Holder] = {}
        self.loading: dict[tuple[Task, int], int] = {}  # the connection whose payload is read
        self.graces: dict[int, float] = {}
        self.names: dict[int, str] = {}
        self.heard: dict[str, float] = {}
        self.recorded: set[Task] = set()
        self.unsure: dict[Task, int] = {}  # the attempt on disk
        self.stops: set[tuple[Task, Holder]] = set()  # said by the server in this step
        self.void: set[int] = set()
        self.paused: set[int] = set()
        self.retried: set[int] = set()
        self.wanted_again: set[Task] = set()  # by an operator, whatever they wait for
        self.after: dict[int, tuple[int, bool]] = {}
        self.resting: set[str] = set()  # whom operators have take nothing
        self.ending = ""  # whom an operator has come to an end just now
        self.pinned: dict[int, Plugin] = {}  # the archive that was newest when a job came
        super().__init__(window=200)
        self.edit()

    # --- what goes in ---------------------------------------------------------------------------

    def edit(self) -> None:
        """Put another version of `shipped` into service."""
        digest = bytes([len(self.types.archives)]) * 32
        self.types.archives.append(Shipped(Plugin(digest, 1, "shipped")))

    def hear(self, peer: int, *messages: Message) -> None:
        """Have a worker say something on an open connection."""
        name = self.names[peer]
        self.heard[name] = self.now
        results: list[Task] = []
        held: list[tuple[Task, Holder, bool]] = []
        for message in messages:
            for task, attempt in attempts_in(message):
                self.take_word(name, task, attempt)
                has = self.has(name, task, attempt)
                if isinstance(message, Held):
                    held.append((task, (name, attempt), has))
                elif has and isinstance(message, Done):
                    results.append(task)
                elif has:
                    del self.leases[task]
        self.stops.clear()
        self.say(peer, *messages)
        for task in results:
            taken = task in self.recorded or task[0] in self.void
            assert taken, f"the result of {task} was not taken from {name}, who has it"
        for named in held:
            self.is_told(*named)

    def take_word(self, name: str, task: Task, attempt: int) -> None:
        """Let a worker have what it names, if nobody knows better, and it is not to wait."""
        known = attempt < self.unsure.get(task, attempt + 1) or task[0] in self.void
        if not known and not self.waits(task):
            self.is_given(name, task, attempt)
            self.loading.pop((task, attempt), None)

    def waits(self, task: Task) -> bool:
        """Whether the server has not found yet, since it was restarted, that a task is let in."""
        job = self.reactor.board.jobs.get(task[0])
        return job is not None and job.tail.closed and job.tail.has(task[1])

    def has(self, name: str, task: Task, attempt: int) -> bool:
        """Whether a worker may count on an attempt: it was sent, and has not come to its end."""
        loaded_for = self.loading.get((task, attempt))
        gone = loaded_for is not None and loaded_for not in self.reactor.workers.by_peer
        return self.leases.get(task) == (name, attempt) and not gone

    def is_told(self, task: Task, holder: Holder, its_own: bool) -> None:
        """A worker has named an attempt; what it was not told to stop is its own."""
        if (task, holder) in self.stops:
            assert not its_own or task[0] in self.void, f"{task} was taken from {holder}"
        else:
            assert task not in self.recorded, f"{holder} goes on with {task}, which is recorded"
            assert self.newest.get(task) == holder, f"{task} is not with {holder}"
            assert (task, holder) in self.given, f"{task} was never given to {holder}"
            self.leases[task] = holder

    def is_given(self, name: str, task: Task, attempt: int) -> None:
        """A worker has a task now, by the server's word or its own."""
        self.newest[task] = self.leases[task] = (name, attempt)
        self.given.add((task, (name, attempt)))
        self.unsure.pop(task, None)

    def comes_back(self, name: str, named: dict[Task, int]) -> None:
        """A worker is about to connect: it counts on what it names, and on nothing else."""
        self.heard[name] = self.now
        for task, holder in list(self.leases.items()):
            if holder[0] == name and named.get(task) != holder[1]:
                del self.leases[task]

    def leaves(self, name: str) -> None:
        """A worker says goodbye."""
        for task, holder in list(self.leases.items()):
            if holder[0] == name:
                del self.leases[task]

    def rests(self, name: str) -> None:
        """An operator has a worker take nothing: what it was not sent is nobody's."""
        for (task, attempt), peer in list(self.loading.items()):
            if self.names.get(peer) == name and self.leases.get(task) == (name, attempt):
                del self.loading[task, attempt], self.leases[task]
        self.resting.add(name)

    # --- what goes out --------------------------------------------------------------------------

    def perform(self, action: Action) -> None:
        super().perform(action)
        if isinstance(action, Write):
            self.on_write(action.record)
        elif isinstance(action, LoadPayloads):
            self.on_given(self.names[action.peer], action)
            for number, attempt in zip(action.numbers, action.attempts, strict=True):
                self.loading[(action.job, number), attempt] = action.peer
        elif isinstance(action, Send) and isinstance(action.message, Assign):
            self.on_given(self.names[action.peer], action.message)
            for number, attempt in zip(
                action.message.numbers, action.message.attempts, strict=True
            ):
                self.loading.pop(((action.message.job, number), attempt), None)
        elif isinstance(action, Send) and isinstance(action.message, Stop):
            self.on_stop(self.names[action.peer], action.message)

    def on_write(self, record: Record) -> None:
        if isinstance(record, Outcomes):
            self.on_outcomes(record)
        elif isinstance(record, JobCancelled):
            self.void.add(record.job)
        elif isinstance(record, JobChanged):
            self.paused = self.paused - {record.job} | ({record.job} if record.paused else set())
        elif isinstance(record, Retried):
            assert record.job not in self.void, "a retry of a cancelled job"
            self.retried.add(record.job)
            for number in record.numbers:
                self.recorded.remove((record.job, number))
                self.wanted_again.add((record.job, number))

    def on_outcomes(self, record: Outcomes) -> None:
        assert record.job not in self.void, "an outcome of a cancelled job"
        for number, attempt in zip(record.numbers, record.attempts, strict=True):
            task, holder = (record.job, number), (name_of(record.worker), attempt)
            assert task not in self.recorded, f"{task} has its outcome already"
            if not record.worker:  # it was ended, by an operator or for what it came after
                self.recorded.add(task)
                self.leases.pop(task, None)
                self.unsure.pop(task, None)
                continue
            assert self.newest.get(task) == holder, f"{task} is not with {holder}"
            assert (task, holder) in self.given, f"{task} was never with {holder}"
            self.recorded.add(task)
            self.leases.pop(task, None)

    def on_given(self, name: str, message: Assign | LoadPayloads) -> None:
        assert name not in self.resting, f"{name} is given something, and takes nothing"
        for number, attempt in zip(message.numbers, message.attempts, strict=True):
            task = (message.job, number)
            if self.newest.get(task) == (name, attempt):
                continue  # its payload has come from the store
            assert task not in self.recorded, f"{task} has its outcome already"
            assert message.job not in self.void, f"{task} was cancelled"
            assert message.job not in self.paused, f"{task} is of a paused job"
            self.check_waited(task)
            if task in self.leases:
                self.check_lapsed(task)
            before = self.newest.get(task)
            assert before is None or attempt > before[1], f"{task}: attempt {attempt} again"
            assert attempt > self.unsure.get(task, 0), f"{task}: attempt {attempt} is on disk"
            self.is_given(name, task, attempt)

    def check_waited(self, task: Task) -> None:
        """Nothing of a job is given out before what it waits for has come to the disk."""
        former, each = self.after.get(task[0], (0, False))
        if not former or former in self.retried or task in self.wanted_again:
            return
        row, results = self.stored_job(former), self.results(former)
        assert row is not None
        whole = row.ended and len(results) == row.counts.total
        own = each and not isinstance(results.get(task[1], FAILED), Failure)
        assert own or (whole and not row.counts.failed), f"{task} came before job {former} was done"

    def check_lapsed(self, task: Task) -> None:
        holder, attempt = self.leases[task]
        if holder == self.ending:
            return
        loaded_for = self.loading.get((task, attempt))
        if loaded_for is not None and loaded_for not in self.reactor.workers.by_peer:
            return  # it was never sent, and the connection that it was for is gone
        silent = self.now - self.heard[holder]
        assert silent >= self.graces[task[0]] - 1e-6, f"{task} is with {holder}, {silent:g} s away"

    def on_stop(self, name: str, message: Stop) -> None:
        for number, attempt in zip(message.numbers, message.attempts, strict=True):
            self.stops.add(((message.job, number), (name, attempt)))
            if self.leases.get((message.job, number)) == (name, attempt):
                del self.leases[message.job, number]

    # --- the server -----------------------------------------------------------------------------

    def submitted(self, job: int, grace: float) -> None:
        self.graces[job] = grace or limits.GRACE_SECONDS

    def stand_still(self, seconds: float) -> None:
        for name in self.heard:
            self.heard[name] += max(0.0, seconds - limits.TICK_SECONDS)
        super().stand_still(seconds)

    def restart(self) -> None:
        """Only what is on disk is known afterwards."""
        last = {r.job: r.paused for r in self.written if isinstance(r, JobChanged)}
        self.paused = {job for job, paused in last.items() if paused}
        jobs = set(self.graces) - self.void
        self.recorded = {(job, number) for job in jobs for number in self.results(job)}
        self.leases, self.names, self.loading = {}, {}, {}
        self.newest, self.unsure = {}, {}
        for job in jobs:
            left = self.unfinished(job)
            for number, attempt, name in zip(
                left.numbers, left.attempts, left.workers, strict=True
            ):
                name = name_of(name)
                self.unsure[job, number] = attempt
                if name:
                    del self.unsure[job, number]
                    self.newest[job, number] = self.leases[job, number] = (name, attempt)
                    self.heard[name] = self.now
        self.resting = {row.name for row in self.stored_workers() if row.state in RESTING}
        super().restart()


def name_of(key: str) -> str:
    """Return the name of the worker of a key; it may have had others before."""
    return key.partition("#")[0]


def attempts_in(message: Message) -> list[tuple[Task, int]]:
    """Return the attempts that a worker names as its own in a message."""
    if isinstance(message, Failed):
        return [((message.job, message.number), message.attempt)]
    if isinstance(message, (Done, Held, Returned)):
        rows = zip(message.numbers, message.attempts, strict=True)
        return [((message.job, number), attempt) for number, attempt in rows]
    return []
