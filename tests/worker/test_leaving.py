"""The worker's reactor under orders: slots, rest, drain, stop, restart, deletion, the set time."""

from __future__ import annotations

from typing import Literal

import pytest

from dc import limits_worker as limits
from dc.messages import PROTOCOL, Heartbeat, Refused, Welcome
from dc.messages_parts import Blob
from dc.messages_worker import Assign, End, Goodbye, Held, Leaving, Recorded, Rest, Returned, Slots
from dc.pipe import InFile
from dc.worker import events as ev
from dc.worker.leaving import DELETED
from tests.worker.bench import READY, Bench, short_job


def returned(bench: Bench) -> list[int]:
    """Return what is handed back in this turn."""
    return sorted(n for one in bench.flush() if isinstance(one, Returned) for n in one.numbers)


def record_all(bench: Bench) -> None:
    bench.flush()
    bench.hear(Recorded(bench.reactor._board.reports.sequence))


# --- slots ----------------------------------------------------------------------------------------


def test_more_slots_start_executors_that_get_what_waits() -> None:
    bench = Bench()
    bench.assign(1, 2, 3)
    bench.hear(Slots(3))
    assert [one.executor for one in bench.of(ev.StartExecutor)] == [1, 2]
    bench.do(ev.ExecutorReady(1, READY))
    assert bench.runs == [(1, [2])]
    bench.do(ev.ExecutorReady(2, READY))
    assert bench.runs == [(2, [3])]


def test_the_cpus_are_no_more_than_the_user_said_whatever_the_slots() -> None:
    bench = Bench(slots=2, cpus=2)
    bench.assign(1, 2, 3)
    bench.hear(Slots(3))
    bench.do(ev.ExecutorReady(2, READY))
    assert not bench.runs
    bench.ran(1)
    assert bench.runs == [(0, [3])]


def test_slots_that_are_taken_back_take_their_cpus_with_them() -> None:
    bench = Bench()
    bench.hear(Slots(4))
    for index in (1, 2, 3):
        bench.do(ev.ExecutorReady(index, READY))
    bench.assign(1, 2, 3, resources={"cpus": 2.0})
    assert len(bench.runs) == 2
    bench.hear(Slots(2))
    bench.ran(1, seconds=1.0)
    assert not bench.runs, "there are two cpus, and both are in use"
    bench.ran(2, slot=1, seconds=1.0)
    assert bench.runs == [(0, [3])]


def test_slots_that_are_too_many_end_when_their_tasks_are_done() -> None:
    bench = Bench(slots=3)
    bench.assign(1, 2)
    bench.hear(Slots(1))
    assert [one.executor for one in bench.of(ev.Kill)] == [2], "the idle one, at once"
    bench.do(ev.ExecutorDied(2, "killed"))
    assert not bench.of(ev.StartExecutor)
    bench.assign(3)
    assert not bench.runs
    bench.ran(2, slot=1, seconds=1.0)
    assert [one.executor for one in bench.of(ev.Kill)] == [1]
    bench.do(ev.ExecutorDied(1, "killed"))
    assert not bench.of(ev.StartExecutor)
    assert not bench.of(ev.Say), "nobody is to blame"
    bench.ran(1)
    assert bench.runs == [(0, [3])]
    assert bench.reactor.statistics().executors == 1


def test_a_slot_that_is_wanted_again_starts_again() -> None:
    bench = Bench(slots=2)
    bench.hear(Slots(1))
    bench.hear(Slots(2))
    assert not bench.of(ev.StartExecutor), "its process is not gone yet"
    bench.do(ev.ExecutorDied(1, "killed"))
    assert [one.executor for one in bench.of(ev.StartExecutor)] == [1]


def test_slots_of_a_batch_ahead_are_run_before_the_end() -> None:
    bench = short_job(slots=2)
    bench.assign(*range(40))
    bench.hear(Slots(1))
    bench.ran(*range(10, 20), slot=1)
    assert not bench.of(ev.Kill)
    bench.ran(*range(30, 40), slot=1)
    assert [one.executor for one in bench.of(ev.Kill)] == [1]


def test_the_servers_welcome_says_the_slots() -> None:
    bench = Bench(slots=2, online=False)
    bench.do(ev.Connected())
    bench.hear(Welcome(PROTOCOL, "test", [], "a", 4))
    assert [one.executor for one in bench.of(ev.StartExecutor)] == [2, 3]
    bench.do(ev.Disconnected())
    bench.do(ev.Connected())
    bench.hear(Welcome(PROTOCOL, "test", [], "a"))
    assert [one.executor for one in bench.of(ev.Kill)] == [2, 3]


# --- rest -----------------------------------------------------------------------------------------


def test_at_rest_what_has_not_begun_goes_back() -> None:
    bench = Bench()
    bench.assign(1, 2, 3)
    bench.hear(Assign(1, "work", "1", 0, [4], [1], [Blob(b"d" * 32, 9)]))
    assert bench.of(ev.Fetch)
    bench.hear(Rest())
    assert returned(bench) == [2, 3, 4]
    bench.ran(1)
    assert not bench.runs
    assert not bench.of(ev.Kill)
    bench.assign(5)
    assert bench.runs == [(0, [5])], "resumed"


def test_at_rest_what_an_executor_gives_back_goes_back_too() -> None:
    bench = short_job()
    bench.assign(*range(10))
    bench.hear(Rest())
    assert returned(bench) == []
    bench.busy(0, *range(1, 10))
    assert returned(bench) == list(range(1, 10))


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [False, True])
def test_drained_it_ends_once_all_is_done_and_recorded(again: bool) -> None:
    bench = Bench()
    bench.do(ev.Restored("a"))
    bench.assign(1, 2)
    bench.hear(End(drained=True, again=again, text="so it is"))
    assert "so it is" in bench.of(ev.Say)[0].text
    assert Leaving() in bench.sent
    assert returned(bench) == [2]
    bench.assign(3)
    assert returned(bench) == [3], "what was on its way goes back at once"
    bench.ran(1, outcomes=[InFile("/s/r", 70_000, b"h" * 32)])
    bench.tick(2 * limits.LEAVE_SECONDS)
    assert not bench.of(ev.Kill), "its result is not at the server"
    bench.do(ev.BlobPut(1, 1, 1))
    record_all(bench)
    assert bench.of(ev.Kill)
    bench.do(ev.ExecutorDied(0, "killed"))
    assert bench.of(ev.Finish) == [ev.Finish("", again)]
    assert Goodbye() in bench.sent


def test_drained_while_it_is_cut_off_it_waits_for_the_server() -> None:
    bench = Bench()
    bench.do(ev.Restored("a"))
    bench.assign(1)
    bench.hear(End(drained=True, again=False))
    bench.do(ev.Disconnected())
    bench.ran(1)
    bench.flush()
    bench.tick(1.0)
    assert not bench.of(ev.Finish)
    bench.do(ev.Connected())
    bench.hear(Welcome(PROTOCOL, "test", [], "a"))
    kinds = [type(message) for message in bench.sent]
    assert kinds.index(Held) < kinds.index(Leaving), "the server knows before it may give tasks"
    record_all(bench)
    bench.do(ev.ExecutorDied(0, "killed"))
    assert bench.of(ev.Finish)


def test_stopped_it_gives_up_what_runs() -> None:
    bench = Bench()
    bench.assign(1, 2)
    bench.hear(End(drained=False, again=True))
    assert bench.of(ev.Kill)
    bench.do(ev.ExecutorDied(0, "killed"))
    assert returned(bench) == [1, 2]
    bench.hear(Recorded(1))
    assert bench.of(ev.Finish) == [ev.Finish("", again=True)]


def test_whoever_drains_can_be_stopped() -> None:
    bench = Bench()
    bench.assign(1)
    bench.hear(End(drained=True, again=True))
    assert not bench.of(ev.Kill)
    bench.hear(End(drained=False, again=False))
    assert bench.of(ev.Kill)
    bench.do(ev.ExecutorDied(0, "killed"))
    record_all(bench)
    assert bench.of(ev.Finish) == [ev.Finish()]


def test_a_signal_takes_back_a_restart() -> None:
    bench = Bench()
    bench.assign(1)
    bench.hear(End(drained=True, again=True))
    bench.do(ev.Leave())
    bench.do(ev.ExecutorDied(0, "killed"))
    record_all(bench)
    assert bench.of(ev.Finish) == [ev.Finish()]


@pytest.mark.parametrize("power", ["off", "reboot", "reread"])
def test_an_order_to_the_computer_is_told_when_all_is_done(power: Literal["off"]) -> None:
    bench = Bench(orders=["off", "reboot", "reread"])
    bench.assign(1)
    bench.hear(End(drained=True, again=False, text="so it is", power=power))
    assert "so it is" in bench.of(ev.Say)[0].text
    assert not bench.of(ev.Finish), "what runs is finished first"
    bench.ran(1)
    record_all(bench)
    bench.do(ev.ExecutorDied(0, "killed"))
    assert bench.of(ev.Finish) == [ev.Finish("", again=False, power=power)]
    assert Goodbye() in bench.sent


def test_a_signal_takes_back_an_order_to_the_computer() -> None:
    bench = Bench(orders=["off"])
    bench.assign(1)
    bench.hear(End(drained=True, again=False, power="off"))
    bench.do(ev.Leave())
    bench.do(ev.ExecutorDied(0, "killed"))
    record_all(bench)
    assert bench.of(ev.Finish) == [ev.Finish()]


@pytest.mark.parametrize("orders", [(), ("reboot",)])
def test_a_worker_does_nothing_to_a_computer_that_is_not_for_that(orders: tuple[str, ...]) -> None:
    bench = Bench(orders=orders)
    bench.assign(1)
    bench.hear(End(drained=False, again=False, power="off"))
    (drop,) = bench.of(ev.Drop)
    assert "orders off" in drop.reason
    assert not bench.of(ev.Kill)
    assert not bench.of(ev.Finish)


def test_a_signal_lets_what_runs_finish_for_a_while() -> None:
    bench = Bench()
    bench.assign(1, 2)
    bench.do(ev.Leave(10.0))
    assert Leaving() in bench.sent
    assert returned(bench) == [2]
    bench.tick(9.9)
    assert not bench.of(ev.Kill)
    bench.tick(0.2)
    assert bench.of(ev.Kill)
    bench.do(ev.ExecutorDied(0, "killed"))
    assert returned(bench) == [1]


def test_a_deleted_worker_says_so_and_ends_whatever_it_has() -> None:
    bench = Bench()
    bench.assign(1)
    bench.hear(Refused(-1, "worker_deleted", "deleted; join anew by --new-key"))
    assert bench.of(ev.Say) == [ev.Say("deleted; join anew by --new-key")]
    assert bench.of(ev.Finish) == [ev.Finish("", power=DELETED)]


def test_it_leaves_when_it_has_had_nothing_to_do_for_so_long() -> None:
    bench = Bench(idle_exit=60.0)
    bench.tick(0.1)
    for _ in range(10):
        bench.hear(Heartbeat())
        bench.tick(5.0)
    bench.assign(1)
    bench.tick(5.0)
    bench.tick(100.0)
    assert not bench.of(ev.Kill)
    bench.ran(1)
    bench.flush()
    bench.do(ev.Connected())
    bench.hear(Welcome(PROTOCOL, "test", []))
    record_all(bench)
    bench.tick(59.0)
    assert not bench.of(ev.Kill)
    bench.tick(2.0)
    assert bench.of(ev.Kill)
    assert "nothing to do for 60 s" in bench.of(ev.Say)[0].text
