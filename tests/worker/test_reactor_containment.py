"""The worker's reactor where tasks are stopped, use too much, or leave something behind."""

from __future__ import annotations

from dc import limits_worker as limits
from dc.messages_parts import Failure
from dc.messages_worker import Done, Failed, Slots, Stop
from dc.worker import events as ev
from tests.worker.bench import READY, Bench, short_job

# --- stopping softly ------------------------------------------------------------------------------


def test_task_that_stops_by_itself_needs_no_kill() -> None:
    bench = Bench()
    bench.assign(1, 2)
    bench.hear(Stop(1, [1], [1]))
    assert bench.halted == [(0, 1, 1)]
    bench.ran(1, outcomes=[Failure("cancelled", "stopped")])
    assert bench.runs == [(0, [2])]
    assert bench.flush() == []
    bench.tick(limits.STOP_SECONDS)
    assert not bench.of(ev.Kill)


def test_task_is_halted_once() -> None:
    bench = Bench()
    bench.assign(1)
    bench.hear(Stop(1, [1], [1]))
    bench.tick(0.1)
    assert bench.out == []


def test_stop_shortens_the_grace_of_a_time_limit() -> None:
    bench = Bench()
    bench.assign(1, timeout=1.0)
    bench.tick(1.0)
    assert bench.halted == [(0, 1, 1)]
    bench.hear(Stop(1, [1], [1]))
    bench.tick(limits.STOP_SECONDS)
    assert bench.out == [ev.Kill(0)]
    bench.do(ev.ExecutorDied(0, "killed"))
    assert bench.flush() == []


def test_task_that_dies_of_its_time_limit_ran_out_of_time() -> None:
    bench = Bench()
    bench.assign(1, timeout=1.0)
    bench.tick(1.0)
    bench.do(ev.ExecutorDied(0, "killed by signal 15 (SIGTERM)"))
    (failed,) = bench.flush()
    assert failed.failure == Failure("timeout", "ran longer than its time limit of 1 s")


def test_result_within_the_grace_counts() -> None:
    bench = Bench()
    bench.assign(1, timeout=1.0)
    bench.tick(1.0)
    bench.ran(1, seconds=1.5)
    (done,) = bench.flush()
    assert isinstance(done, Done)


# --- too much -------------------------------------------------------------------------------------


def test_task_that_uses_too_much_fails_and_no_other() -> None:
    bench = short_job()
    bench.assign(1, 2, 3)
    bench.do(ev.Exceeded(0, "memory", "used 2 GiB", (1, 2)))
    assert bench.of(ev.Kill) == [ev.Kill(0)]
    bench.do(ev.ExecutorDied(0, "killed"))
    (failed,) = bench.flush()
    assert (failed.number, failed.failure) == (2, Failure("memory", "used 2 GiB"))
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs == [(0, [1, 3])]


def test_without_knowing_which_uses_too_much_each_runs_alone() -> None:
    bench = short_job()
    bench.assign(1, 2)
    bench.do(ev.Exceeded(0, "memory", "used 2 GiB"))
    bench.do(ev.ExecutorDied(0, "killed"))
    assert bench.flush() == []
    bench.tick(limits.EXECUTOR_PAUSE_SECONDS)
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs == [(0, [1])]
    bench.do(ev.Exceeded(0, "memory", "used 2 GiB"))
    bench.do(ev.ExecutorDied(0, "killed"))
    (failed,) = bench.flush()
    assert (failed.number, failed.failure.kind) == (1, "memory")


def test_what_was_measured_too_late_is_nothing() -> None:
    bench = Bench()
    bench.assign(1)
    bench.ran(1)
    bench.do(ev.Exceeded(0, "memory", "used 2 GiB", (1, 1)))
    assert bench.out == []
    bench.assign(2)
    bench.do(ev.Exceeded(0, "memory", "used 2 GiB", (1, 1)))
    assert bench.out == []


def test_kernel_that_kills_for_memory_is_told_from_a_crash() -> None:
    bench = Bench()
    bench.assign(1)
    bench.do(ev.ExecutorDied(0, "killed by signal 9 (SIGKILL)", "memory"))
    (failed,) = bench.flush()
    assert failed.failure.kind == "memory"


# --- replaced -------------------------------------------------------------------------------------


def test_retired_executor_is_replaced_at_once_and_nobody_is_blamed() -> None:
    bench = short_job()
    bench.assign(1, 2, 3)
    bench.ran(1)
    bench.retire("it has run 1,000 tasks")
    assert bench.out == [ev.Kill(0)]
    bench.do(ev.ExecutorDied(0, "killed"))
    assert [type(one) for one in bench.out] == [ev.ClearFolder, ev.StartExecutor]
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs == [(0, [2, 3])]
    bench.ran(2, 3)
    assert not [one for one in bench.flush() if isinstance(one, Failed)]


def test_retired_executor_of_a_closing_slot_is_not_replaced() -> None:
    bench = short_job(slots=2)
    bench.assign(*range(40))
    bench.hear(Slots(1))
    bench.ran(10, slot=1)
    bench.retire("it has run 1,000 tasks", slot=1)
    assert bench.out == [ev.Kill(1)]
    bench.do(ev.ExecutorDied(1, "killed"))
    assert not bench.of(ev.StartExecutor)
    bench.ran(*range(10))
    assert {executor for executor, _ in bench.runs} == {0}, "what it had not begun, too"


def test_what_a_task_has_left_is_in_the_log() -> None:
    bench = short_job()
    bench.assign(1)
    bench.ran(1)
    bench.retire("task 1/1 left behind: threads", left=True)
    (say,) = bench.of(ev.Say)
    assert say.text == "executor 0 is replaced: task 1/1 left behind: threads"


def test_dying_executor_that_retires_is_not_killed_twice() -> None:
    bench = Bench()
    bench.assign(1, timeout=1.0)
    bench.tick(1.0)
    bench.tick(limits.TIME_LIMIT_GRACE_SECONDS)
    assert bench.out == [ev.Kill(0)]
    bench.retire()
    assert bench.out == []


# --- limits and variables -------------------------------------------------------------------------


def test_limits_and_variables_go_with_each_batch() -> None:
    bench = Bench()
    bench.assign(1, limits={"memory": 2**30}, environment={"COLOUR": "red"})
    (execute,) = bench.of(ev.Execute)
    assert execute.run.limits == {"memory": 2**30}
    assert execute.run.environment == {"COLOUR": "red"}


def test_other_limits_need_no_other_executor() -> None:
    bench = Bench()
    bench.assign(1, limits={"memory": 2**30})
    bench.ran(1)
    bench.assign(1, job=2)
    assert bench.runs == [(0, [1])]


def test_other_variables_or_niceness_need_a_fresh_executor() -> None:
    for confines in ({"limits": {"nice": 5}}, {"environment": {"COLOUR": "red"}}):
        bench = Bench()
        bench.assign(1)
        bench.ran(1)
        bench.assign(1, job=2, **confines)
        assert bench.out == [ev.Kill(0)]
        bench.do(ev.ExecutorDied(0, "killed"))
        bench.do(ev.ExecutorReady(0, READY))
        assert bench.runs == [(0, [1])]
        assert bench.of(ev.Execute)[0].run.job == 2


def test_idle_executor_that_suits_goes_before_one_that_has_to_be_replaced() -> None:
    bench = Bench(slots=2)
    bench.assign(1)
    bench.ran(1)
    bench.assign(1, job=2, environment={"COLOUR": "red"})
    assert bench.runs == [(1, [1])]
    assert not bench.of(ev.Kill)
