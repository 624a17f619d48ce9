"""The head and the tail of a job's queue: small heads, long tails, restarts, against counting."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dc.messages_client import Cancel, EndOfJob, Payloads, Submit
from dc.messages_parts import Failure, Payload
from dc.messages_worker import Assign, Done, Failed, Held, Recorded, Returned, Running, Stop
from dc.records import JobEnded, NewJob, NewTasks, Outcomes
from dc.server.events import LoadHead, LoadPayloads, Prefetch
from dc.server.heads import HeadLimits
from tests.server.harness import Harness

SMALL = HeadLimits(one=4, all=10, least=2, piece=3)
ROOM = 100_000


def numbered(count: int, first: int = 0) -> list[Payload]:
    return [b"task %d" % number for number in range(first, first + count)]


def queued(server: Harness, job: int) -> int:
    """Return how many queued tasks of a job the scheduler knows."""
    return server.reactor.board.scheduler.job_counts(job)[0]


def work_off(server: Harness, peer: int, sequence: int = 1) -> list[int]:
    """Have a worker do all that it gets; return the numbers in the order in which they came."""
    order: list[int] = []
    for turn in range(sequence, sequence + 1000):
        server.settle()
        tasks = server.tasks(peer)
        if not tasks:
            return order
        for _, number, _, payload in tasks:
            assert payload == b"task %d" % number
        order += [number for _, number, _, _ in tasks]
        server.answer(peer, turn * 10, tasks)
    raise AssertionError("it does not end")


def do_one_slowly(server: Harness, peer: int, sequence: int) -> None:
    """Have a worker do the one task that it has; it gets one at a time for as long as it does."""
    [(job, number, attempt, payload)] = server.tasks(peer)
    assert payload == b"task %d" % number
    server.say(peer, Done(sequence, job, [number], [attempt], [5.0], [payload]))


# --- tasks of this process --------------------------------------------------------------------


def test_the_scheduler_knows_the_head_alone() -> None:
    server = Harness(heads=SMALL)
    job = server.submit(server.client(), numbered(100))
    assert queued(server, job) == 4
    state, counts, _ = server.reactor.board.state(server.reactor.board.jobs[job])
    assert (state, counts.queued, counts.total) == ("queued", 100, 100)


def test_a_short_job_has_no_tail() -> None:
    server = Harness(heads=SMALL)
    job = server.submit(server.client(), numbered(4))
    assert queued(server, job) == 4
    assert server.reactor.board.jobs[job].tail.count == 0


def test_a_long_job_runs_in_order_and_asks_no_disk() -> None:
    server = Harness(heads=SMALL)
    job = server.submit(server.client(), numbered(100))
    server.settle()
    worker = server.worker(slots=2)
    assert not server.loads
    assert work_off(server, worker) == list(range(100))
    assert len(server.results(job)) == 100


def test_a_head_is_filled_up_while_tasks_are_handed_out() -> None:
    server = Harness(heads=SMALL)
    server.submit(server.client(), numbered(30))
    server.worker(slots=20)
    # One worker takes what the scheduler knows at a time, and is asked again until it is full.
    [worker] = server.reactor.workers.roster.by_peer.values()
    assert server.reactor.board.scheduler.worker_load(worker.id)[0] == 20


def test_a_crowd_of_jobs_has_small_heads() -> None:
    server = Harness(heads=SMALL)
    client = server.client()
    jobs = [server.submit(client, numbered(50)) for _ in range(8)]
    assert [queued(server, job) for job in jobs] == [4, 4, 4, 2, 2, 2, 2, 2]
    worker = server.worker(slots=3)
    assert len(work_off(server, worker)) == 400


def test_a_job_of_high_priority_is_not_overtaken_at_the_end_of_its_head() -> None:
    server = Harness(heads=HeadLimits(one=8, all=100, least=2, piece=3))
    client = server.client()
    server.submit(client, numbered(40))
    high = server.submit(client, numbered(40), priority=1)
    server.settle()
    worker = server.worker(slots=4)
    came: list[int] = []
    for turn in range(1, 20):
        tasks = server.tasks(worker)
        came += [task[0] for task in tasks]
        server.answer(worker, turn * 10, tasks)
        server.settle()
    assert came[:40] == [high] * 40


def test_two_long_jobs_share_though_only_their_heads_are_known() -> None:
    server = Harness(heads=SMALL)
    client = server.client()
    first, second = server.submit(client, numbered(30)), server.submit(client, numbered(30))
    worker = server.worker(slots=2)
    came: list[int] = []
    for turn in range(1, 100):
        tasks = server.tasks(worker)
        came += [task[0] for task in tasks]
        server.answer(worker, turn * 10, tasks)
        server.settle()
    assert came.count(first) == came.count(second) == 30
    ahead = [2 * came[:end].count(first) - end for end in range(60)]
    assert max(map(abs, ahead)) <= 10, "more than a turn of tasks of a hundredth of a second"


def test_a_cancelled_job_drops_its_tail_at_once() -> None:
    server = Harness(heads=SMALL)
    client = server.client()
    job = server.submit(client, numbered(50))
    server.say(client, Cancel(9, job))
    assert server.reactor.board.jobs[job].tail.count == 0
    server.settle()
    assert not server.reactor.board.jobs
    assert server.reactor.board.window.used == 0


def test_a_job_that_grows_while_it_runs() -> None:
    server = Harness(heads=SMALL)
    client = server.client()
    server.say(client, Submit(7, "echo", "", {}))
    worker = server.worker(slots=2)
    order: list[int] = []
    for first in range(0, 60, 6):
        server.say(client, Payloads(7, first, numbered(6, first)))
        order += work_off(server, worker, first + 1)
    server.say(client, EndOfJob(7))
    server.settle()
    assert order == list(range(60))
    assert not server.reactor.board.jobs


# --- payloads -----------------------------------------------------------------------------------


def test_payloads_of_the_tail_are_read_ahead() -> None:
    server = Harness(heads=SMALL, window=8 * 70)
    job = server.submit(server.client(), numbered(60))
    server.settle()
    assert server.reactor.board.window.used == 0, "one batch does not fit"
    worker = server.worker(slots=1)
    kinds: list[type] = []
    for turn in range(60):
        kinds += [type(load) for load in server.loads]
        server.settle()
        do_one_slowly(server, worker, turn + 1)
    server.settle()
    assert len(server.results(job)) == 60
    assert kinds.count(LoadPayloads) == 1, "only the first task is not at hand"
    assert kinds.count(Prefetch) == 20


def test_what_does_not_fit_is_read_when_it_is_wanted() -> None:
    server = Harness(heads=SMALL, window=10)
    job = server.submit(server.client(), numbered(20))
    server.settle()
    worker = server.worker(slots=1)
    assert [type(load) for load in server.loads] == [LoadPayloads]
    assert work_off(server, worker) == list(range(20))
    assert len(server.results(job)) == 20


def test_the_payloads_of_other_jobs_make_room() -> None:
    server = Harness(heads=SMALL, window=8 * 70)
    client = server.client()
    low = server.submit(client, numbered(8))
    server.settle()
    board = server.reactor.board
    assert board.jobs[low].at_hand.size > 0
    high = server.submit(client, numbered(30), priority=1)
    server.settle()
    worker = server.worker(slots=1)
    server.settle()
    assert board.jobs[high].at_hand.size > 0
    assert board.jobs[low].at_hand.size < 8 * 60
    assert len(work_off(server, worker)) == 38


# --- after a restart ------------------------------------------------------------------------------


def restarted(count: int, done: list[int], **options: Any) -> tuple[Harness, int]:
    """Return a server that was killed when these tasks of one job were done."""
    server = Harness(heads=SMALL, **options)
    job = server.submit(server.client(), numbered(count))
    server.settle()
    some = len(done)
    record = Outcomes(1, job, "w", 1.0, done, [1] * some, [0.1] * some, [b"x"] * some)
    server.written.append(record)
    server.restart()
    return server, job


def test_finished_tasks_in_the_middle_are_left_out() -> None:
    done = [0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 20, 39]
    server, job = restarted(40, done)
    assert queued(server, job) == 4
    worker = server.worker(slots=2)
    assert work_off(server, worker) == [n for n in range(40) if n not in done]
    assert not server.reactor.board.jobs


def test_the_next_page_is_asked_for_before_the_head_is_dry() -> None:
    server, job = restarted(40, [3])
    worker = server.worker(slots=1)
    server.settle()
    do_one_slowly(server, worker, 1)
    assert not any(isinstance(load, LoadHead) for load in server.loads)
    do_one_slowly(server, worker, 2)
    [head] = [load for load in server.loads if isinstance(load, LoadHead)]
    assert (head.first, head.limit) == (5, 3)
    assert queued(server, job) == 1, "the head is not dry yet"


def test_a_lease_in_the_tail_is_held_from_the_start() -> None:
    server = Harness(heads=SMALL)
    job = server.submit(server.client(), numbered(30))
    server.settle()
    worker = server.worker("far", slots=20)
    tasks = server.tasks(worker)
    assert [task[1] for task in tasks] == list(range(20))
    server.answer(worker, 1, tasks[:3])
    server.say(worker, Running(job, [15, 17], [1, 1], [1.0, 1.0]))
    server.settle()
    server.restart()
    board = server.reactor.board
    assert board.scheduler.job_counts(job)[3] == 2, "both run"
    assert board.jobs[job].tail.count == 30 - 3 - 2 - 4
    other = server.worker("near", slots=1)
    order = work_off(server, other)
    assert order == [n for n in range(3, 30) if n not in (15, 17)]
    back = server.worker("far", slots=20, held=(Held(job, [15, 17], [1, 1]),))
    assert not server.take(back, Stop)
    server.answer(back, 2, [tasks[15], tasks[17]])
    server.settle()
    assert len(server.results(job)) == 30
    assert not server.reactor.board.jobs


def test_a_page_that_comes_after_the_job_was_cancelled_is_ignored() -> None:
    server, job = restarted(40, [3])
    worker = server.worker(slots=3)
    assert any(isinstance(load, LoadHead) for load in server.loads)
    client = server.client()
    server.say(client, Cancel(9, job))
    server.settle()
    assert not server.tasks(worker)[3:]
    assert not server.reactor.board.jobs


def test_a_job_with_few_unfinished_tasks_reads_nothing_ahead() -> None:
    done = [number for number in range(400) if number % 50]
    server, _ = restarted(400, done)
    worker = server.worker(slots=1)
    assert not any(isinstance(load, Prefetch) for load in server.loads)
    assert work_off(server, worker) == list(range(0, 400, 50))


def test_many_jobs_after_a_restart_have_small_heads() -> None:
    server = Harness(heads=SMALL)
    client = server.client()
    jobs = [server.submit(client, numbered(50)) for _ in range(8)]
    server.settle()
    server.restart()
    assert [queued(server, job) for job in jobs] == [4, 4, 4, 2, 2, 2, 2, 2]


# --- any order of events --------------------------------------------------------------------------


class HeadMachine(RuleBasedStateMachine):
    """Jobs with long tails, workers that come and go, a server that is killed; all are counted."""

    window = ROOM

    def __init__(self) -> None:
        super().__init__()
        self.server = Harness(heads=SMALL, window=self.window)
        self.client = self.server.client()
        self.peers = [-1, -1]
        self.holds: list[dict[tuple[int, int], Any]] = [{}, {}]
        self.sequences = [0, 0]
        self.totals: dict[int, int] = {}
        self.cancelled: set[int] = set()
        self.given_back = False  # these are queued beside the head

    @rule(counts=st.lists(st.integers(1, 9), max_size=4), priority=st.integers(0, 1))
    @precondition(lambda self: len(self.totals) < 5)
    def submit(self, counts: list[int], priority: int) -> None:
        server, job = self.server, self.server.reactor.board.next_job
        server.say(self.client, Submit(job, "echo", "", {"priority": priority, "retries": 2}))
        first = 0
        for count in counts:
            server.say(self.client, Payloads(job, first, numbered(count, first)))
            first += count
        server.say(self.client, EndOfJob(job))
        self.totals[job] = first

    @rule(at=st.integers(0, 1))
    def connect(self, at: int) -> None:
        if self.peers[at] < 0:
            held: dict[int, list[tuple[int, int]]] = {}
            for job, number, attempt, _ in self.holds[at].values():
                held.setdefault(job, []).append((number, attempt))
            said = [
                Held(job, [number for number, _ in rows], [attempt for _, attempt in rows])
                for job, rows in held.items()
            ]
            self.peers[at] = self.server.worker(f"w{at}", slots=1 + 2 * at, held=tuple(said))

    @rule(at=st.integers(0, 1))
    def disconnect(self, at: int) -> None:
        if self.peers[at] >= 0:
            self.hear(at)
            self.server.close(self.peers[at])
            self.peers[at] = -1

    def hear(self, at: int) -> None:
        """Take what the server has said, in its order: an attempt may be stopped and come again."""
        server, holds = self.server, self.holds[at]
        kinds: tuple[type[Assign | Stop], ...] = (Assign, Stop)
        for message in server.take(self.peers[at], kinds):
            for place, (number, attempt) in enumerate(
                zip(message.numbers, message.attempts, strict=True)
            ):
                if isinstance(message, Assign):
                    payload = message.payloads[place]
                    assert payload == b"task %d" % number
                    holds[message.job, number] = (message.job, number, attempt, payload)
                elif holds.get((message.job, number), (0, 0, -1))[2] == attempt:
                    del holds[message.job, number]
        server.take(self.peers[at], Recorded)

    @rule(
        at=st.integers(0, 1),
        count=st.integers(1, 6),
        kind=st.sampled_from(["done", "done", "error", "back", "running"]),
    )
    def report(self, at: int, count: int, kind: str) -> None:
        if self.peers[at] < 0:
            return
        self.hear(at)
        for job, number, attempt, payload in list(self.holds[at].values())[:count]:
            self.sequences[at] += 1
            sequence = self.sequences[at]
            message: Any = Running(job, [number], [attempt], [0.3])
            if kind == "done":
                message = Done(sequence, job, [number], [attempt], [0.001], [payload])
            elif kind == "error":
                message = Failed(sequence, job, number, attempt, 0.1, Failure("error", "no"))
            elif kind == "back":
                message = Returned(sequence, job, [number], [attempt])
            self.given_back |= kind in ("error", "back")
            if kind != "running":
                del self.holds[at][job, number]
            self.server.say(self.peers[at], message)

    @rule(at=st.integers(0, 4))
    @precondition(lambda self: self.totals)
    def cancel(self, at: int) -> None:
        job = sorted(self.totals)[at % len(self.totals)]
        self.cancelled.add(job)
        self.server.say(self.client, Cancel(50, job))

    @rule()
    def settle(self) -> None:
        self.server.settle()

    @rule(whole=st.booleans())
    def restart(self, whole: bool) -> None:
        server = self.server
        submitted = (NewJob, NewTasks, JobEnded)
        if whole or any(isinstance(record, submitted) for record in server.unwritten):
            server.commit()
        for at in range(2):
            if self.peers[at] >= 0:
                self.hear(at)
            self.peers[at] = -1
        server.restart()
        self.client = server.client()

    @rule(seconds=st.floats(0.5, 40.0))
    def pass_time(self, seconds: float) -> None:
        self.given_back |= min(self.peers) < 0
        self.server.live(seconds, self.client, *(peer for peer in self.peers if peer >= 0))

    @invariant()
    def the_scheduler_knows_few(self) -> None:
        board = self.server.reactor.board
        for number, job in board.jobs.items():
            counts = board.counts(job)
            if not job.cancelled:
                known = counts.done + counts.failed + counts.assigned + counts.running
                assert known + counts.queued == self.totals[number]
        entered = sum(
            sum(board.scheduler.job_counts(n)) for n, j in board.jobs.items() if j.scheduled
        )
        limit = SMALL.all + SMALL.one + SMALL.least * len(board.jobs)
        others = sum(1 for holds in self.holds for _ in holds)
        assert entered <= limit + others + 60  # those given back, and those under way

    def teardown(self) -> None:
        for _ in range(300):
            for at in range(2):
                self.connect(at)
                self.report(at, 1000, "done")
            self.server.settle()
            if not self.server.reactor.board.jobs and not any(self.holds):
                break
            self.pass_time(1.0)
        for job, total in self.totals.items():
            if job not in self.cancelled:
                assert set(self.server.results(job)) == set(range(total)), f"job {job} is not whole"
        assert not self.server.reactor.board.jobs
        assert self.server.reactor.board.window.used == 0


class TightMachine(HeadMachine):
    """The same with little room for payloads."""

    window = 300


TestHeadMachine = HeadMachine.TestCase
TestTightMachine = TightMachine.TestCase
for case in (TestHeadMachine, TestTightMachine):
    case.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
