"""Workers that rest, for their computer is in use by somebody else: what the server makes of it."""

from __future__ import annotations

from typing import Any

from dc import limits
from dc.messages import Heartbeat, Welcome
from dc.messages_worker import Held, Resting, Returned, Running, Stop
from dc.server.commands import OrderWorkers, Which
from dc.server.metrics_reactor import _worker_states
from tests.server.harness import Harness

PERSON = "somebody uses this computer"


def state(server: Harness, name: str = "w") -> tuple[str, str]:
    side = server.reactor.workers
    worker = side.roster.named(name)
    assert worker is not None
    return side.state_of(worker)


def busy(tasks: int = 3, **options: Any) -> tuple[Harness, int, int]:
    """A server with one worker, of one slot, and one job, some of whose tasks are with it."""
    server = Harness()
    peer = server.worker("w", slots=1)
    job = server.submit(server.client(), [b"p%d" % n for n in range(tasks)], retries=0, **options)
    server.settle()
    (welcome,) = server.take(peer, Welcome)
    assert "resting" in welcome.capabilities
    return server, peer, job


def test_it_gets_nothing_until_it_rests_no_more_and_is_shown_with_its_reason() -> None:
    server, peer, job = busy()
    (first, *rest) = server.tasks(peer)
    server.say(peer, Resting(PERSON))
    assert state(server) == ("resting", f"resting: {PERSON}")
    server.say(peer, Returned(1, job, [t[1] for t in rest], [t[2] for t in rest]))
    server.settle()
    assert not server.tasks(peer)
    server.answer(peer, 2, [first])
    server.say(peer, Resting("another reason"))
    assert state(server)[1] == "resting: another reason"
    assert not server.tasks(peer)
    server.say(peer, Resting(""))
    server.settle()
    assert state(server) == ("connected", "")
    assert server.tasks(peer), "others wait"


def test_what_it_has_stays_its_own_whatever_its_time_limit() -> None:
    server, peer, job = busy(1, timeout=30.0)
    held = server.tasks(peer)
    server.say(peer, Running(job, [0], [1], [1.0]), Resting(PERSON))
    server.live(900.0, peer)
    server.commit()
    assert server.results(job) == {}
    assert not server.take(peer, Stop)
    server.say(peer, Resting(""), Running(job, [0], [1], [2.0]))
    server.live(30.0, peer)
    assert server.results(job) == {}
    server.answer(peer, 1, held)
    server.commit()
    assert server.results(job) == {0: b"P0"}


def test_afterwards_its_time_limit_holds_again() -> None:
    server, peer, job = busy(1, timeout=30.0)
    server.tasks(peer)
    server.say(peer, Running(job, [0], [1], [1.0]), Resting(PERSON))
    server.live(300.0, peer)
    server.say(peer, Resting(""), Running(job, [0], [1], [1.0]))
    server.live(29.0 + limits.DEADLINE_GRACE_SECONDS + 2, peer)
    server.commit()
    assert server.results(job)[0].kind == "timeout"


def test_what_it_moves_goes_to_others_and_is_no_failed_attempt() -> None:
    server, peer, job = busy(1)
    ((_, number, attempt, _),) = server.tasks(peer)
    server.say(peer, Running(job, [0], [1], [1.0]), Resting(PERSON))
    other = server.worker("other")
    server.settle()
    assert not server.tasks(other)
    server.say(peer, Returned(1, job, [number], [attempt]))
    server.settle()
    moved = server.tasks(other)
    assert [task[:2] for task in moved] == [(job, 0)]
    server.answer(other, 1, moved)
    server.commit()
    assert server.results(job) == {0: b"P0"}, "with no retries at all"


def test_one_that_comes_back_while_it_rests_gets_nothing_in_between() -> None:
    server, peer, job = busy()
    tasks = server.tasks(peer)
    server.close(peer)
    peer = server.open()
    server.worker_says_hello(peer, "w")
    held = Held(job, [t[1] for t in tasks], [t[2] for t in tasks])
    server.say(peer, held, Resting(PERSON), Heartbeat())
    server.say(peer, Returned(1, job, held.numbers[1:], held.attempts[1:]))
    server.settle()
    assert not server.tasks(peer)
    assert state(server)[0] == "resting"
    server.close(peer)
    peer = server.open()
    server.worker_says_hello(peer, "w")
    server.say(peer, Held(job, held.numbers[:1], held.attempts[:1]), Heartbeat())
    assert state(server)[0] == "connected", "it does not say so any more"


def test_an_operators_word_is_shown_before_its_own_and_holds_after_it() -> None:
    server, peer, _ = busy()
    server.tasks(peer)
    server.say(peer, Resting(PERSON))
    server.decide(OrderWorkers(Which(["w"]), "pause"))
    assert state(server)[0] == "paused"
    server.say(peer, Resting(""))
    assert state(server)[0] == "paused"
    server.decide(OrderWorkers(Which(["w"]), "resume"))
    server.say(peer, Resting(PERSON))
    assert state(server)[0] == "resting"


def test_workers_that_rest_are_counted() -> None:
    server, peer, _ = busy()
    server.worker("other")
    side = server.reactor.workers
    assert _worker_states(side)["resting"] == 0
    server.say(peer, Resting(PERSON))
    found = _worker_states(side)
    assert (found["resting"], found["connected"]) == (1, 1)
    server.close(peer)
    found = _worker_states(side)
    assert (found["resting"], found["away"]) == (0, 1)
