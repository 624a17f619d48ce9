"""The worker's reactor while its computer is in use by somebody else."""

from __future__ import annotations

from dc import limits_worker as limits
from dc.messages import PROTOCOL, Heartbeat, Welcome
from dc.messages_worker import (
    Failed,
    Goodbye,
    Held,
    Recorded,
    Rest,
    Resting,
    Returned,
    Running,
    Slots,
    Stop,
)
from dc.worker import events as ev
from dc.worker.neighbour_events import InUse, Resume, Suspend
from tests.worker.bench import READY, Bench

AFTER = 600.0
PERSON = InUse("somebody uses this computer")
FREE = InUse("")


class Lent(Bench):
    """A worker whose server understands that it rests."""

    def __init__(self, slots: int = 1, *, understood: bool = True, idle_exit: float = 1e9) -> None:
        super().__init__(slots, online=False, idle_exit=idle_exit)
        self.reactor._giving_back._after = AFTER
        self.understood = understood
        self.connect()

    def connect(self) -> None:
        self.do(ev.Connected())
        self.hear(Welcome(PROTOCOL, "test", ["resting"] if self.understood else []))

    def tick(self, seconds: float) -> None:
        """Let time pass, in which the server is not silent."""
        self.now += seconds
        if self.reactor.is_welcome:
            self.hear(Heartbeat())
        self.do(ev.Tick())

    def returned(self) -> list[int]:
        return sorted(n for one in self.flush() if isinstance(one, Returned) for n in one.numbers)

    @property
    def stopped(self) -> list[int]:
        return [one.executor for one in self.of(Suspend)]

    @property
    def gone_on(self) -> list[int]:
        return [one.executor for one in self.of(Resume)]

    @property
    def killed(self) -> list[int]:
        return [one.executor for one in self.of(ev.Kill)]


def test_what_runs_stands_still_what_waits_goes_back_and_the_server_is_told_why() -> None:
    bench = Lent(slots=2)
    bench.assign(1, 2, 3, 4)
    bench.do(PERSON)
    assert bench.stopped == [0, 1]
    assert bench.sent == [Resting("somebody uses this computer")]
    assert bench.returned() == [3, 4]
    bench.assign(5, 6)
    assert not bench.runs
    assert bench.returned() == [5, 6], "it was on its way"
    bench.do(FREE)
    assert bench.gone_on == [0, 1]
    assert bench.sent == [Resting("")]
    bench.assign(7)
    bench.ran(1)
    assert bench.runs == [(0, [7])]


def test_what_is_on_its_way_back_and_is_given_once_more_does_not_run() -> None:
    """A server that was killed may have forgotten it, and would hear of it as returned and done."""
    bench = Lent()
    bench.do(PERSON)
    bench.assign(5)
    assert bench.returned() == [5]
    bench.do(FREE)
    bench.assign(5, 6)
    assert bench.runs == [(0, [6])]
    assert bench.returned() == [5]
    bench.reactor.validate()


def test_one_that_has_nothing_to_do_does_not_stand_still() -> None:
    bench = Lent(slots=2)
    bench.assign(1)
    bench.do(PERSON)
    assert bench.stopped == [0]
    bench.do(FREE)
    assert bench.gone_on == [0]


def test_the_same_reason_again_is_no_news_and_another_one_is() -> None:
    bench = Lent()
    bench.assign(1)
    bench.do(PERSON)
    bench.do(PERSON)
    assert not bench.out
    bench.do(InUse("it is outside of its hours"))
    assert bench.sent == [Resting("it is outside of its hours")]
    assert not bench.stopped


def test_time_limits_do_not_count_while_it_stands_still() -> None:
    bench = Lent()
    bench.assign(1, timeout=10.0)
    bench.tick(9.0)
    bench.do(PERSON)
    for _ in range(100):
        bench.tick(1.0)
        assert not bench.halted
        assert not bench.killed
    bench.do(FREE)
    bench.tick(0.5)
    assert not bench.halted
    bench.tick(0.6)
    assert bench.halted == [(0, 1, 1)]


def test_the_server_hears_how_long_it_has_run_but_for_that() -> None:
    bench = Lent()
    bench.assign(1)
    bench.tick(2.0)
    assert [one.elapsed for one in bench.sent if isinstance(one, Running)] == [[2.0]]
    bench.do(PERSON)
    bench.tick(100.0)
    bench.do(FREE)
    bench.tick(0.5)
    assert [one.elapsed for one in bench.sent if isinstance(one, Running)] == [[2.5]]


def test_its_run_time_is_without_that() -> None:
    bench = Lent()
    bench.assign(0)
    bench.ran(0)  # they are known to be short
    bench.flush()
    bench.assign(1, 2, 3)
    bench.do(PERSON)
    bench.tick(50.0)
    bench.do(FREE)
    bench.ran(1, seconds=0.25)
    bench.ran(2, seconds=51.0)
    bench.ran(3, seconds=60.0)
    times = [one for report in bench.flush() for one in getattr(report, "times", [])]
    assert times == [0.25, 1.0, 60.0], "the one that ran then, once"


def test_a_busy_task_stays_the_same_task_without_that_time() -> None:
    bench = Lent()
    bench.assign(1, timeout=5.0)
    bench.busy(1, elapsed=0.0)
    bench.tick(1.0)
    bench.do(PERSON)
    bench.tick(60.0)
    bench.do(FREE)
    bench.busy(1, elapsed=62.0)
    bench.tick(1.0)
    assert not bench.halted, "its own clock has gone on"


def test_after_a_while_they_are_killed_and_go_back_as_if_never_begun() -> None:
    bench = Lent(slots=2)
    bench.assign(1, 2)
    bench.do(PERSON)
    bench.tick(AFTER - 1)
    assert not bench.killed
    bench.tick(1.0)
    assert bench.killed == [0, 1]
    for index in (0, 1):
        bench.do(ev.ExecutorDied(index, "killed"))
    found = bench.flush()
    assert sorted(n for one in found for n in one.numbers) == [1, 2]
    assert all(isinstance(one, Returned) for one in found), "nobody is to blame"
    bench.tick(10.0)
    assert not bench.of(ev.StartExecutor), "not while somebody is here"
    assert bench.reactor.statistics().executors == 0
    bench.do(FREE)
    bench.tick(0.1)
    assert [one.executor for one in bench.of(ev.StartExecutor)] == [0, 1]
    bench.do(ev.ExecutorReady(0, READY))
    bench.assign(1, attempt=2)
    assert bench.runs == [(0, [1])]


def test_each_time_has_its_own_while() -> None:
    bench = Lent()
    bench.assign(1)
    for _ in range(3):
        bench.do(PERSON)
        bench.tick(AFTER - 1)
        bench.do(FREE)
        bench.tick(0.1)
        assert not bench.killed


def test_a_stopped_task_that_stands_still_is_killed_after_its_grace() -> None:
    bench = Lent()
    bench.assign(1)
    bench.do(PERSON)
    bench.hear(Stop(1, [1], [1]))
    bench.tick(limits.STOP_SECONDS)
    assert bench.killed == [0]
    bench.do(FREE)
    assert not bench.gone_on, "it is dying"
    bench.do(ev.ExecutorDied(0, "killed"))
    assert bench.flush() == []


def test_what_it_had_said_before_counts() -> None:
    bench = Lent()
    bench.assign(1)
    bench.do(PERSON)
    bench.ran(1)
    assert not bench.runs
    bench.tick(AFTER)
    assert bench.killed == [0], "it stands still: it is of no use before it goes on"
    bench.do(ev.ExecutorDied(0, "killed"))
    assert not [one for one in bench.flush() if isinstance(one, Failed | Returned)]


def test_a_server_that_is_met_meanwhile_is_told_before_it_sends_anything() -> None:
    bench = Lent()
    bench.assign(1)
    bench.do(ev.Disconnected())
    bench.do(PERSON)
    assert bench.stopped == [0]
    assert not bench.sent
    bench.connect()
    assert bench.sent[:3] == [
        Held(1, [1], [1]), Resting("somebody uses this computer"), Heartbeat()
    ]  # fmt: skip


def test_where_that_is_not_understood_what_waits_stays_here() -> None:
    bench = Lent(understood=False)
    bench.assign(1, 2)
    bench.do(PERSON)
    assert bench.stopped == [0]
    assert bench.sent == []
    bench.assign(3)
    assert bench.returned() == []
    assert not bench.runs
    bench.do(FREE)
    bench.ran(1)
    assert bench.runs == [(0, [2, 3])]


def test_an_operators_rest_and_slots_hold_beside_it() -> None:
    bench = Lent()
    bench.assign(1)
    bench.do(PERSON)
    bench.hear(Rest())
    bench.hear(Slots(3))
    assert not bench.of(ev.StartExecutor)
    bench.do(FREE)
    bench.tick(0.1)
    assert [one.executor for one in bench.of(ev.StartExecutor)] == [1, 2]


def test_it_leaves_at_once_all_the_same() -> None:
    bench = Lent()
    bench.assign(1)
    bench.do(PERSON)
    bench.do(ev.Leave())
    assert bench.killed == [0]
    bench.do(ev.ExecutorDied(0, "killed"))
    assert bench.returned() == [1]
    bench.hear(Recorded(bench.reactor._board.reports.sequence))
    assert Goodbye() in bench.sent


def test_a_time_in_use_is_no_idle_time() -> None:
    bench = Lent(idle_exit=100.0)
    bench.do(PERSON)
    for _ in range(5):
        bench.tick(99.0)
        assert not bench.of(ev.Finish)
    bench.do(FREE)
    bench.tick(99.0)
    assert bench.reactor.statistics().executors == 1
    bench.tick(2.0)
    assert bench.killed == [0]
