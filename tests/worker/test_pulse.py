"""When a worker looks at its computer, and when it says how that is."""

from __future__ import annotations

from dc import limits_worker as limits
from dc.messages import PROTOCOL, Heartbeat, Welcome
from dc.messages_worker import Stop, Vitals
from dc.worker import events as ev
from tests.worker.bench import Bench

EVERY = limits.VITALS_SECONDS
VITALS = Vitals(processors=0.5)


def bench(*capabilities: str) -> Bench:
    """A worker that a server has just taken in which understands this."""
    made = Bench(online=False)
    made.do(ev.Connected())
    made.hear(Welcome(PROTOCOL, "test", list(capabilities)))
    return made


def looked(made: Bench, seconds: float = 0.1) -> bool:
    """Whether it looks once that time has passed; it says what it saw at once."""
    made.tick(seconds)
    if not made.of(ev.Measure):
        return False
    made.do(ev.Measured(VITALS))
    assert made.sent == [VITALS]
    return True


def test_a_worker_says_once_how_its_computer_is_when_it_is_taken_in() -> None:
    made = bench("vitals")
    assert looked(made)
    assert not any(looked(made) for _ in range(1000)), "it has nothing to do"
    made.do(ev.Disconnected())
    made.tick(EVERY)
    made.do(ev.Connected())
    made.hear(Welcome(PROTOCOL, "test", ["vitals"]))
    assert looked(made), "this server may have forgotten"


def test_it_says_so_while_it_has_tasks_and_once_afterwards() -> None:
    made = bench("vitals")
    assert looked(made)
    made.assign(1, 2)
    assert not looked(made, EVERY - 0.2)
    assert looked(made, 0.3)
    assert looked(made, EVERY)
    made.hear(Stop(1, [1, 2], [1, 1]))
    assert not looked(made, EVERY - 0.2), "tasks may come and go quickly"
    assert looked(made, 0.3)
    assert not looked(made, 10 * EVERY)


def test_a_server_that_does_not_understand_it_is_told_nothing() -> None:
    made = bench()
    made.assign(1)
    assert not any(looked(made, 1.0) for _ in range(20))
    assert Heartbeat() in made.sent or not made.sent


def test_one_look_at_a_time_and_none_is_sent_to_another_server() -> None:
    made = bench("vitals")
    made.assign(1)
    made.tick(0.1)
    assert made.of(ev.Measure)
    made.tick(2 * EVERY)
    assert not made.of(ev.Measure), "the last look has not come back"
    made.do(ev.Disconnected())
    made.do(ev.Measured(VITALS))
    assert made.sent == []
    made.do(ev.Connected())
    made.hear(Welcome(PROTOCOL, "test", []))
    made.do(ev.Measured(VITALS))
    assert VITALS not in made.sent
    assert not looked(made, EVERY)


def test_what_it_says_is_a_sign_of_life() -> None:
    made = bench("vitals")
    made.assign(1)
    assert looked(made)
    heartbeats = 0
    for _ in range(100):
        made.tick(0.1)
        heartbeats += made.sent.count(Heartbeat())
        if made.of(ev.Measure):
            made.do(ev.Measured(VITALS))
    assert heartbeats <= 2
