"""The worker's reactor by examples: one rule, one test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from dc import limits
from dc.messages import (
    PROTOCOL,
    Assign,
    Blob,
    Done,
    Failed,
    Failure,
    Goodbye,
    Heartbeat,
    Held,
    Hello,
    Message,
    Recorded,
    Refused,
    Returned,
    Running,
    Stop,
    TypeId,
    Welcome,
)
from dc.pipe import Busy, InFile, Ran, Ready
from dc.worker import events as ev
from dc.worker.identity import Identity
from dc.worker.reactor import WorkerReactor

Kind = TypeVar("Kind")
READY = Ready([TypeId("work", "1")], {"gpu": "none"}, {"bad": "SyntaxError: no"})


class Bench:
    """A reactor and a clock; `out` is what the last event brought about."""

    def __init__(self, slots: int = 1, *, is_default: bool = False, online: bool = True) -> None:
        identity = Identity(
            "box",
            is_default=is_default,
            key="k",
            slots=slots,
            software="test",
            labels={"os": "linux", "gpu": "?"},
            own_labels={"room": "12"},
        )
        self.now = 0.0
        self.reactor = WorkerReactor(identity, "/s")
        self.out: list[ev.Action] = self.reactor.start(self.now)
        for index in range(slots):
            self.do(ev.ExecutorReady(index, READY))
        if online:
            self.do(ev.Connected())
            self.hear(Welcome(PROTOCOL, "test", []))

    def do(self, event: ev.Event) -> None:
        self.out = self.reactor.handle(event, self.now)
        self.reactor.validate()

    def hear(self, message: Message) -> None:
        self.do(ev.Received(message))

    def assign(self, *numbers: int, job: int = 1, attempt: int = 1, timeout: float = 0.0) -> None:
        payloads: list[bytes | Blob] = [b"%d" % number for number in numbers]
        attempts = [attempt] * len(numbers)
        self.hear(Assign(job, "work", "1", timeout, list(numbers), attempts, payloads))

    def ran(
        self,
        *numbers: int,
        job: int = 1,
        attempt: int = 1,
        slot: int = 0,
        seconds: float = 0.001,
        outcomes: Sequence[bytes | InFile | Failure] = (),
    ) -> None:
        count = len(numbers)
        results = list(outcomes) or [b"r"] * count
        ran = Ran(job, list(numbers), [attempt] * count, [seconds] * count, results)
        self.do(ev.ExecutorSaid(slot, ran))

    def busy(self, number: int, *rest: int, slot: int = 0, elapsed: float = 0.05) -> None:
        self.do(ev.ExecutorSaid(slot, Busy(1, number, 1, elapsed, list(rest), [1] * len(rest))))

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.do(ev.Tick())

    def flush(self) -> list[Any]:
        self.do(ev.Flush())
        return self.sent

    @property
    def sent(self) -> list[Any]:
        return [action.message for action in self.of(ev.Send)]

    @property
    def runs(self) -> list[tuple[int, list[int]]]:
        return [(action.executor, action.run.numbers) for action in self.of(ev.Execute)]

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [action for action in self.out if isinstance(action, kind)]


def short_job(slots: int = 1) -> Bench:
    """A bench where job 1 is known to have tasks of 1 ms."""
    bench = Bench(slots)
    bench.assign(1000)
    bench.ran(1000)
    bench.flush()
    return bench


# --- the connection -------------------------------------------------------------------------------


def test_connects_once_an_executor_is_ready() -> None:
    bench = Bench(online=False)
    assert bench.of(ev.Connect)
    assert "plugin bad is broken: SyntaxError: no" in [one.text for one in bench.of(ev.Say)]
    bench.do(ev.Connected())
    (hello,) = bench.sent
    assert isinstance(hello, Hello)
    assert hello.about is not None
    assert (hello.about.name, hello.about.slots, hello.about.key) == ("box", 1, "k")
    assert hello.about.types == [TypeId("work", "1")]
    assert hello.about.labels == {"os": "linux", "gpu": "none", "room": "12"}
    assert hello.about.broken == {"bad": "SyntaxError: no"}


def test_what_plugins_say_is_cut_to_what_the_server_takes() -> None:
    identity = Identity(
        "n", is_default=True, key="k", slots=1, software="t", own_labels={"mine": "1"}
    )
    labels = {f"label {number}": "x" * 1000 for number in range(100)}
    identity.learn(Ready([TypeId("t" * 999, "1")], labels, {"b": "y" * 10**6}))
    about = identity.about()
    assert len(about.labels) == limits.LABELS
    assert about.labels["mine"] == "1"
    assert max(map(len, about.labels.values())) == limits.TEXT_CHARS
    assert len(about.types[0].name) == limits.TEXT_CHARS
    assert len(about.broken["b"]) == limits.ERROR_CHARS


def test_heartbeat_only_when_nothing_else_was_sent() -> None:
    bench = Bench()
    bench.tick(limits.HEARTBEAT_SECONDS - 0.1)
    assert bench.sent == []
    bench.tick(0.1)
    assert bench.sent == [Heartbeat()]
    bench.tick(0.1)
    assert bench.sent == []


def test_silent_server_is_dropped() -> None:
    bench = Bench()
    bench.tick(limits.SILENCE_SECONDS - 1)
    bench.hear(Heartbeat())
    bench.tick(limits.SILENCE_SECONDS - 0.1)
    assert not bench.of(ev.Drop)
    bench.tick(0.1)
    assert bench.of(ev.Drop)
    bench.tick(100)
    assert not bench.of(ev.Drop)


def test_server_that_breaks_the_rules_is_dropped() -> None:
    bench = Bench()
    bench.hear(Assign(1, "work", "1", 0, [1, 2], [1], [b"", b""]))
    assert "rules" in bench.of(ev.Drop)[0].reason
    bench = Bench(online=False)
    bench.do(ev.Connected())
    bench.assign(1)
    assert bench.of(ev.Drop)
    bench = Bench()
    bench.hear(Recorded(1))
    assert bench.of(ev.Drop)


def test_default_name_gives_way_to_the_next() -> None:
    bench = Bench(is_default=True, online=False)
    names = []
    for _ in range(3):
        bench.do(ev.Connected())
        names.append(bench.sent[0].about.name)
        bench.hear(Refused(-1, "duplicate_name", "taken"))
        assert bench.of(ev.Drop)[0].at_once
        bench.do(ev.Disconnected())
    assert names == ["box", "box-2", "box-3"]


def test_given_name_that_is_taken_ends_the_worker() -> None:
    bench = Bench(online=False)
    bench.do(ev.Connected())
    bench.hear(Refused(-1, "duplicate_name", "box is taken"))
    assert bench.out == [ev.Finish("box is taken")]


def test_refused_after_a_welcome_is_no_reason_to_end() -> None:
    bench = Bench()
    bench.do(ev.Disconnected())
    bench.do(ev.Connected())
    bench.hear(Refused(-1, "version", "too old"))
    assert not bench.of(ev.Finish)
    assert bench.of(ev.Drop) == [ev.Drop("the server says: too old")]


# --- batches --------------------------------------------------------------------------------------


def test_unknown_job_runs_one_task_at_a_time() -> None:
    bench = Bench(slots=2)
    bench.assign(1, 2, 3, 4)
    assert bench.runs == [(0, [1]), (1, [2])]


def test_short_tasks_run_in_batches_with_one_ahead() -> None:
    bench = short_job()
    bench.assign(*range(50))
    assert bench.runs == [(0, list(range(10))), (0, list(range(10, 20)))]
    bench.ran(*range(10))
    assert bench.runs == [(0, list(range(20, 30)))]


def test_batches_follow_the_measured_time_and_have_a_limit() -> None:
    bench = Bench()
    bench.assign(0)
    bench.ran(0, seconds=1e-7)
    bench.assign(*range(1, 2001))
    assert [len(numbers) for _, numbers in bench.runs] == [limits.EXECUTOR_BATCH_TASKS] * 2
    bench = Bench()
    bench.assign(0)
    bench.ran(0, seconds=1.0)
    bench.assign(1, 2, 3)
    assert bench.runs == [(0, [1])]


def test_batch_is_bounded_in_bytes() -> None:
    bench = short_job()
    payloads: list[bytes | Blob] = [b"x" * limits.INLINE_BYTES] * 40
    bench.hear(Assign(1, "work", "1", 0, list(range(40)), [1] * 40, payloads))
    bench.ran(*range(10), seconds=1e-6)
    bench.ran(*range(10, 20), seconds=1e-6)
    sizes = [sum(map(len, one.run.payloads)) for one in bench.of(ev.Execute)]  # type: ignore[arg-type]
    assert sizes
    assert max(sizes) <= limits.BATCH_BYTES


def test_small_assignments_join_to_one_batch() -> None:
    bench = short_job()
    bench.assign(1)
    for number in range(2, 12):
        bench.assign(number)
    bench.ran(1)
    assert (0, list(range(3, 12))) in bench.runs


def test_busy_gives_tasks_to_others_in_their_old_order() -> None:
    bench = short_job(slots=2)
    bench.assign(*range(20))
    assert bench.runs == [(0, list(range(10))), (1, list(range(10, 20)))]
    bench.assign(*range(20, 30))
    assert bench.runs == [(0, list(range(20, 30)))]
    bench.ran(0)
    bench.busy(1, *range(2, 10), *range(20, 30))
    assert bench.runs == [(1, list(range(2, 10)) + [20, 21])]
    bench.assign(30)
    assert bench.runs == []


def test_long_task_is_reported_once_per_connection() -> None:
    bench = Bench()
    bench.assign(1)
    bench.tick(0.1)
    assert bench.sent == []
    bench.tick(0.1)
    assert bench.sent == [Running(1, [1], [1], [0.2])]
    bench.tick(1.0)
    assert bench.sent == []
    bench.do(ev.Disconnected())
    bench.tick(1.0)
    bench.do(ev.Connected())
    bench.hear(Welcome(PROTOCOL, "test", []))
    assert [type(message) for message in bench.sent] == [Held, Running]


# --- reports --------------------------------------------------------------------------------------


def test_outcomes_of_one_turn_go_in_one_report() -> None:
    bench = short_job(slots=2)
    bench.assign(*range(20))
    bench.ran(*range(10))
    assert bench.out == [ev.FlushSoon()]
    bench.ran(*range(10, 20), slot=1)
    assert bench.out == []
    (done,) = bench.flush()
    assert done == Done(2, 1, list(range(20)), [1] * 20, [0.001] * 20, [b"r"] * 20)


def test_report_is_cut_by_bytes() -> None:
    bench = short_job()
    bench.assign(*range(10))
    bench.ran(*range(10), outcomes=[b"x" * 100_000] * 10)
    reports = bench.flush()
    assert [len(one.numbers) for one in reports] == [5, 5]
    assert [one.sequence for one in reports] == [2, 3]


def test_everything_unrecorded_is_sent_again_behind_held() -> None:
    bench = Bench()
    bench.assign(1, 2, 3)
    bench.ran(1)
    first = bench.flush()
    bench.do(ev.Disconnected())
    bench.ran(2, outcomes=[Failure("error", "no")])
    assert bench.flush() == []
    bench.do(ev.Connected())
    bench.hear(Welcome(PROTOCOL, "test", []))
    assert bench.sent[0] == Held(1, [1, 2, 3], [1, 1, 1])
    assert bench.sent[1:2] == first
    assert bench.sent[2].failure == Failure("error", "no")
    bench.hear(Recorded(1))
    bench.do(ev.Disconnected())
    bench.do(ev.Connected())
    bench.hear(Welcome(PROTOCOL, "test", []))
    assert bench.sent[0] == Held(1, [2, 3], [1, 1])
    assert [one.sequence for one in bench.sent[1:]] == [2]


# --- attempts -------------------------------------------------------------------------------------


def test_known_attempt_is_ignored_and_a_higher_one_replaces_it() -> None:
    bench = Bench()
    bench.assign(1, 2)
    bench.assign(1, 2)
    assert bench.out == []
    bench.assign(2, attempt=2)
    assert bench.out == []
    bench.assign(1, attempt=2)
    assert bench.of(ev.Kill) == [ev.Kill(0)]
    bench.do(ev.ExecutorDied(0, "killed"))
    assert bench.of(ev.StartExecutor)
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs == [(0, [2])]
    bench.ran(2, attempt=2)
    assert bench.runs == [(0, [1])]


def test_stop_kills_what_runs_and_forgets_what_waits() -> None:
    bench = Bench()
    bench.assign(1, 2, 3)
    bench.hear(Stop(1, [1, 2], [1, 1]))
    assert bench.out == [ev.Kill(0)]
    bench.ran(1)
    assert bench.flush() == []
    bench.do(ev.ExecutorDied(0, "killed"))
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs == [(0, [3])]


def test_stopped_task_in_a_batch_kills_only_what_runs_it() -> None:
    bench = short_job()
    bench.assign(*range(5))
    bench.hear(Stop(1, [3], [1]))
    assert bench.out == []
    bench.ran(0, 1, 2)
    bench.busy(3, 4)
    assert bench.of(ev.Kill) == [ev.Kill(0)]
    bench.do(ev.ExecutorDied(0, "killed"))
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs == [(0, [4])]


def test_silent_executor_with_a_stopped_task_is_killed() -> None:
    bench = short_job()
    bench.assign(*range(5))
    bench.hear(Stop(1, [0], [1]))
    bench.tick(limits.STOP_SECONDS - 0.1)
    assert not bench.of(ev.Kill)
    bench.tick(0.1)
    assert bench.of(ev.Kill) == [ev.Kill(0)]


# --- time limits and deaths -----------------------------------------------------------------------


def test_time_limit_kills_and_blames_one() -> None:
    bench = Bench(slots=1)
    bench.assign(0, timeout=2.0)
    bench.ran(0)
    bench.flush()
    bench.assign(1, 2, 3, timeout=2.0)
    bench.busy(1, 2, 3)
    bench.tick(1.9)
    assert not bench.of(ev.Kill)
    bench.tick(0.1)
    assert bench.of(ev.Kill) == [ev.Kill(0)]
    bench.do(ev.ExecutorDied(0, "killed"))
    assert bench.of(ev.StartExecutor)
    (failed,) = bench.flush()
    assert (failed.number, failed.failure.kind) == (1, "timeout")
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs[0] == (0, [2, 3])


def test_result_that_was_in_the_pipe_beats_the_time_limit() -> None:
    bench = Bench()
    bench.assign(1, timeout=1.0)
    bench.tick(1.0)
    assert bench.of(ev.Kill)
    bench.ran(1)
    bench.do(ev.ExecutorDied(0, "killed"))
    (done,) = bench.flush()
    assert isinstance(done, Done)


def test_time_limit_of_code_that_keeps_the_executor_from_speaking() -> None:
    bench = Bench()
    bench.assign(0, timeout=2.0)
    bench.ran(0)
    bench.assign(1, 2, timeout=2.0)
    bench.tick(2.0 + limits.UNHEARD_SECONDS)
    assert bench.of(ev.Kill)
    bench.do(ev.ExecutorDied(0, "killed"))
    bench.tick(1.0)
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs == [(0, [1])]
    bench.tick(2.0)
    bench.do(ev.ExecutorDied(0, "killed"))
    reports = bench.flush()
    assert [one.failure.kind for one in reports if isinstance(one, Failed)] == ["timeout"]


def test_single_task_is_blamed_for_a_death() -> None:
    bench = Bench()
    bench.assign(1)
    bench.do(ev.ExecutorDied(0, "killed by signal 11 (SIGSEGV)"))
    (failed,) = bench.flush()
    assert failed.failure.kind == "crashed"
    assert "SIGSEGV" in failed.failure.error


def test_several_tasks_are_tried_alone_before_one_is_blamed() -> None:
    bench = short_job()
    bench.assign(1, 2, 3)
    assert bench.runs == [(0, [1, 2, 3])]
    bench.do(ev.ExecutorDied(0, "exit status 1"))
    assert bench.flush() == []
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs == [(0, [1])]
    bench.ran(1)
    assert bench.runs == [(0, [2])]
    bench.do(ev.ExecutorDied(0, "exit status 1"))
    done, failed = bench.flush()
    assert (done.numbers, failed.number, failed.failure.kind) == ([1], 2, "crashed")


def test_executor_that_achieves_nothing_starts_ever_later() -> None:
    bench = Bench()
    pauses = []
    for _ in range(9):
        bench.do(ev.ExecutorDied(0, "exit status 1"))
        began = bench.now
        while not bench.of(ev.StartExecutor):
            bench.tick(0.0625)
        pauses.append(bench.now - began)
    wanted = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert all(0 <= got - want < 0.0625 for got, want in zip(pauses, wanted, strict=True)), pauses
    bench.do(ev.ExecutorReady(0, READY))
    bench.assign(1)
    bench.ran(1)
    bench.do(ev.ExecutorDied(0, "exit status 1"))
    assert bench.of(ev.StartExecutor)


def test_executor_that_reports_what_it_was_not_given_is_replaced() -> None:
    bench = Bench()
    bench.assign(1)
    bench.ran(7)
    assert bench.of(ev.Kill)
    bench.do(ev.ExecutorDied(0, "killed"))
    assert bench.flush() == []
    bench.tick(1.0)
    bench.do(ev.ExecutorReady(0, READY))
    bench.ran(7)
    bench.do(ev.ExecutorDied(0, "killed"))
    (failed,) = bench.flush()
    assert "not given" in failed.failure.error


# --- files ----------------------------------------------------------------------------------------


def blobs(bench: Bench, *numbers: int) -> None:
    payloads: list[bytes | Blob] = [Blob(b"d" * 32, 50_000) for _ in numbers]
    bench.hear(Assign(1, "work", "1", 0, list(numbers), [1] * len(numbers), payloads))


def test_large_payloads_are_fetched_two_at_a_time() -> None:
    bench = Bench(slots=3)
    blobs(bench, 1, 2, 3)
    assert bench.out == [ev.Fetch(1, 1, 1, 50_000), ev.Fetch(1, 2, 1, 50_000)]
    file = InFile("/s/p1", 50_000)
    bench.do(ev.Fetched(1, 1, 1, file))
    assert bench.of(ev.Fetch) == [ev.Fetch(1, 3, 1, 50_000)]
    assert bench.of(ev.Execute)[0].run.payloads == [file]
    bench.ran(1)
    assert bench.of(ev.RemoveFile) == [ev.RemoveFile("/s/p1")]


def test_fetch_is_tried_again_and_fails_the_task_in_the_end() -> None:
    bench = Bench()
    blobs(bench, 1)
    for _ in range(limits.TRANSFER_TRIES - 1):
        bench.do(ev.FetchFailed(1, 1, 1, "404 no such task"))
        assert not bench.of(ev.Fetch)
        bench.tick(limits.RECONNECT_SECONDS_MOST)
        assert bench.of(ev.Fetch)
        bench.hear(Heartbeat())
    bench.do(ev.FetchFailed(1, 1, 1, "404 no such task"))
    (failed,) = bench.flush()
    assert failed.failure == Failure("error", "could not fetch payload: 404 no such task")


def test_fetches_that_fail_without_a_connection_do_not_count() -> None:
    bench = Bench()
    blobs(bench, 1)
    for _ in range(20):
        bench.do(ev.Disconnected())
        bench.do(ev.FetchFailed(1, 1, 1, "gone"))
        bench.do(ev.Connected())
        bench.hear(Welcome(PROTOCOL, "test", []))
        assert bench.of(ev.Fetch)


def test_stopped_fetch_leaves_no_file() -> None:
    bench = Bench()
    blobs(bench, 1)
    bench.hear(Stop(1, [1], [1]))
    bench.do(ev.Fetched(1, 1, 1, InFile("/s/p1", 50_000)))
    assert bench.out == [ev.RemoveFile("/s/p1")]


def test_large_result_is_put_before_it_is_reported() -> None:
    bench = Bench()
    bench.assign(1)
    file = InFile("/s/executor-0-1/result", 70_000, b"h" * 32)
    bench.ran(1, outcomes=[file], seconds=0.5)
    assert bench.out == [ev.PutBlob(1, 1, 1, file)]
    for _ in range(20):
        bench.do(ev.BlobPutFailed(1, 1, 1, "broken", False))
        bench.tick(limits.RECONNECT_SECONDS_MOST)
        bench.hear(Heartbeat())
        assert not bench.of(ev.Drop)
    bench.do(ev.ExecutorDied(0, "exit status 1"))
    assert bench.of(ev.ClearFolder) == [ev.ClearFolder("/s/executor-0-1", [file.path])]
    bench.do(ev.BlobPut(1, 1, 1))
    assert ev.RemoveFile(file.path) in bench.out
    assert bench.flush() == [Done(1, 1, [1], [1], [0.5], [Blob(b"h" * 32, 70_000)])]


def test_result_that_is_refused_fails_its_task() -> None:
    bench = Bench()
    bench.assign(1)
    bench.ran(1, outcomes=[InFile("/s/r", 70_000, b"h" * 32)])
    for _ in range(limits.TRANSFER_TRIES):
        bench.do(ev.BlobPutFailed(1, 1, 1, "400 another hash", True))
        bench.tick(limits.SILENCE_SECONDS - 1)
        bench.hear(Heartbeat())
    (failed,) = bench.flush()
    assert failed.failure.error == "could not put result: 400 another hash"


# --- the end --------------------------------------------------------------------------------------


def test_leaving_returns_what_is_not_done_and_waits_for_the_record() -> None:
    bench = Bench()
    bench.assign(1, 2, 3)
    bench.ran(1)
    bench.do(ev.Leave())
    assert bench.of(ev.Kill)
    bench.assign(4)
    bench.do(ev.ExecutorDied(0, "killed"))
    assert not bench.of(ev.StartExecutor)
    done, returned = bench.flush()
    assert isinstance(done, Done)
    assert isinstance(returned, Returned)
    assert sorted(returned.numbers) == [2, 3, 4]
    assert not bench.of(ev.Finish)
    bench.hear(Recorded(2))
    assert bench.out == [ev.Send(Goodbye()), ev.Finish()]


def test_leaving_does_not_wait_for_ever() -> None:
    bench = Bench()
    bench.assign(1, 2)
    bench.ran(1, outcomes=[InFile("/s/r", 70_000, b"h" * 32)])
    bench.do(ev.Leave())
    bench.tick(limits.LEAVE_SECONDS)
    kinds = [type(message) for message in bench.sent]
    assert kinds == [Heartbeat, Returned, Goodbye]
    assert bench.of(ev.Finish)


def test_leaving_without_a_connection_and_without_results_is_quick() -> None:
    bench = Bench()
    bench.assign(1)
    bench.do(ev.Disconnected())
    bench.do(ev.Leave())
    bench.do(ev.ExecutorDied(0, "killed"))
    bench.flush()
    assert bench.of(ev.Finish)


def test_statistics() -> None:
    bench = Bench()
    bench.assign(1, 2, 3)
    blobs(bench, 4)
    bench.ran(1)
    bench.flush()
    now = bench.reactor.statistics()
    assert (now.fetching, now.queued, now.given, now.unrecorded) == (1, 0, 2, 1)
    assert (now.done, now.failed, now.executors, now.connected) == (1, 0, 1, True)
