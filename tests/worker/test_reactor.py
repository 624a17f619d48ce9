"""The worker's reactor by examples: the connection, batches, reports, attempts."""

from __future__ import annotations

from dc import limits, limits_worker
from dc.messages import PROTOCOL, Heartbeat, Hello, Refused, Welcome
from dc.messages_parts import Blob, Failure
from dc.messages_worker import Assign, Done, Held, Recorded, Running, Stop, TypeId
from dc.pipe import Halt, Ready
from dc.worker import events as ev
from dc.worker.identity import Identity
from tests.worker.bench import READY, Bench, short_job

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
    assert [len(numbers) for _, numbers in bench.runs] == [limits_worker.EXECUTOR_BATCH_TASKS] * 2
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
    assert bench.runs == [(1, [*range(2, 10), 20, 21])]
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
    assert [type(message) for message in bench.sent] == [Held, Heartbeat, Running]


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
    assert bench.sent[:2] == [Held(1, [1, 2, 3], [1, 1, 1]), Heartbeat()]
    assert bench.sent[2:3] == first
    assert bench.sent[3].failure == Failure("error", "no")
    bench.hear(Recorded(1))
    bench.do(ev.Disconnected())
    bench.do(ev.Connected())
    bench.hear(Welcome(PROTOCOL, "test", []))
    assert bench.sent[:2] == [Held(1, [2, 3], [1, 1]), Heartbeat()]
    assert [one.sequence for one in bench.sent[2:]] == [2]


# --- attempts -------------------------------------------------------------------------------------


def test_known_attempt_is_ignored_and_a_higher_one_replaces_it() -> None:
    bench = Bench()
    bench.assign(1, 2)
    bench.assign(1, 2)
    assert bench.out == []
    bench.assign(2, attempt=2)
    assert bench.out == []
    bench.assign(1, attempt=2)
    assert bench.halted == [(0, 1, 1)]
    bench.tick(limits_worker.STOP_SECONDS)
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
    assert bench.out == [ev.Interrupt(0, Halt(1, 1, 1, "cancelled", "stopped"))]
    bench.tick(limits_worker.STOP_SECONDS)
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
    assert bench.halted == [(0, 3, 1)]
    bench.tick(limits_worker.STOP_SECONDS)
    assert bench.of(ev.Kill) == [ev.Kill(0)]
    bench.do(ev.ExecutorDied(0, "killed"))
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs == [(0, [4])]


def test_silent_executor_with_a_stopped_task_is_killed() -> None:
    bench = short_job()
    bench.assign(*range(5))
    bench.hear(Stop(1, [0], [1]))
    bench.tick(limits_worker.STOP_SECONDS - 0.1)
    assert not bench.of(ev.Kill)
    bench.tick(0.1)
    assert bench.of(ev.Kill) == [ev.Kill(0)]
