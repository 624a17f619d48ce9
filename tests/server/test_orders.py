"""What operators ask of workers: whom they mean, what these are told, and where tasks go."""

from __future__ import annotations

from typing import Any

import pytest

from dc import limits
from dc.errors import DcError, NotPossible, OptionsError, UnknownWorker, WorkerDeleted
from dc.messages import Heartbeat, Refused, Welcome
from dc.messages_worker import End, Goodbye, Held, Leaving, Rest, Returned, Running, Slots
from dc.records import WorkerRow, Workers
from dc.server.commands import OrderWorkers, SetWorkers, Which
from dc.server.events import LoadPayloads, Stopping
from tests.server.harness import Harness, M


def do(server: Harness, action: Any, *names: str, **more: Any) -> object:
    return server.decide(OrderWorkers(Which(list(names)), action, **more))


def change(server: Harness, name: str, **more: Any) -> object:
    return server.decide(SetWorkers(Which([name]), **more))


def state(server: Harness, name: str) -> str:
    side = server.reactor.workers
    worker = side.roster.named(name)
    return side.state_of(worker)[0] if worker is not None else "gone"


def row(server: Harness, name: str) -> WorkerRow:
    found = server.reactor.workers.register.get(f"key of {name}")
    assert found is not None
    return found


def had(server: Harness, peer: int, kind: type[M]) -> M:
    (message,) = server.take(peer, kind)
    return message


def busy(slots: int = 1, tasks: int = 3, **worker: Any) -> tuple[Harness, int, int]:
    """A server with one worker and one job, some of whose tasks are with it."""
    server = Harness()
    peer = server.worker("w", slots=slots, **worker)
    job = server.submit(server.client(), [b"p%d" % n for n in range(tasks)], retries=0)
    server.settle()
    server.take(peer, Welcome)
    return server, peer, job


# --- pause, drain, resume -----------------------------------------------------------------------


@pytest.mark.parametrize(("action", "shown"), [("pause", "paused"), ("drain", "draining")])
def test_a_worker_takes_no_more_until_it_is_resumed(action: str, shown: str) -> None:
    server, peer, job = busy()
    tasks = server.tasks(peer)
    assert tasks
    assert do(server, action, "w") == ["key of w"]
    had(server, peer, Rest)
    assert state(server, "w") == shown
    numbers, attempts = [t[1] for t in tasks[1:]], [t[2] for t in tasks[1:]]
    server.say(peer, Returned(1, job, numbers, attempts))
    assert not server.tasks(peer), "it was given again what it had handed back"
    server.answer(peer, 2, tasks[:1])
    server.settle()
    assert server.results(job).keys() == {0}
    do(server, action, "w")
    assert not server.take(peer, Rest), "it is told once"
    do(server, "resume", "w")
    assert state(server, "w") == "connected"
    left = server.tasks(peer)
    assert [task[1] for task in left] == [1, 2]
    server.answer(peer, 3, left)
    server.settle()
    assert len(server.results(job)) == 3


def test_a_decision_holds_over_restarts_of_both_sides_and_for_who_is_away() -> None:
    server, peer, _ = busy()
    do(server, "pause", "w")
    server.restart()
    peer = server.worker("w")
    assert state(server, "w") == "paused"
    had(server, peer, Rest)
    client = server.client()
    server.submit(client, [b"x"])
    assert not server.tasks(peer)
    server.close(peer)
    assert state(server, "w") == "gone"
    do(server, "resume", "w")
    peer = server.worker("w", run="run 2")
    assert state(server, "w") == "connected"
    assert not server.take(peer, Rest)
    server.settle()
    assert server.tasks(peer)


def test_tasks_whose_payloads_are_read_do_not_go_to_a_paused_worker() -> None:
    server = Harness(window=10)
    job = server.submit(server.client(), [b"payload %d" % n for n in range(4)])
    server.commit()
    peer = server.worker("w", slots=4)
    assert any(isinstance(load, LoadPayloads) for load in server.loads)
    do(server, "pause", "w")
    given = server.tasks(peer)
    held = server.reactor.board.scheduler.held(server.reactor.workers.by_peer[peer].id)
    assert sorted(task[1] for task in given) == sorted(number for _, number, _ in held)
    assert len(given) < 4
    do(server, "resume", "w")
    server.settle()
    more = server.tasks(peer)
    assert {task[:2] for task in given + more} == {(job, number) for number in range(4)}


def test_a_worker_of_an_older_dc_is_paused_without_being_told() -> None:
    server, peer, _ = busy(obeys=False)
    do(server, "pause", "w")
    assert not server.take(peer, Rest)
    tasks = server.tasks(peer)
    server.answer(peer, 1, tasks)
    server.settle()
    assert not server.tasks(peer)
    assert isinstance(do(server, "stop", "w"), NotPossible)
    change(server, "w", slots=4)
    assert not server.take(peer, Slots)
    assert server.reactor.workers.by_peer[peer].about.slots == 1, "it has no more"


# --- orders -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "more", "drained", "again"),
    [
        ("drain", {"leave": True}, True, False),
        ("stop", {}, False, False),
        ("restart", {}, True, True),
        ("restart", {"now": True}, False, True),
    ],
)
def test_an_order_is_for_the_process_that_is_here(
    action: str, more: dict[str, bool], drained: bool, again: bool
) -> None:
    server, peer, _ = busy()
    tasks = server.tasks(peer)
    do(server, action, "w", **more)
    end = had(server, peer, End)
    assert (end.drained, end.again) == (drained, again)
    assert "operator" in end.text
    assert state(server, "w") == "draining"
    server.close(peer)
    peer = server.worker("w", held=(Held(1, [t[1] for t in tasks], [t[2] for t in tasks]),))
    assert had(server, peer, End) == end, "the same process hears it again"
    assert not server.tasks(peer)
    server.say(peer, Goodbye())
    server.close(peer)
    server.settle()
    assert state(server, "w") == "gone"
    peer = server.worker("w", run="run 2")
    assert state(server, "w") == "connected"
    assert not server.take(peer, End)
    again_given = server.tasks(peer)
    assert {task[1] for task in again_given} >= {task[1] for task in tasks}
    scheduler = server.reactor.board.scheduler
    for task in again_given:
        found = scheduler.state(task[0], task[1])
        assert found is not None
        assert found[2] == 0, "its worker was blamed"


def test_an_order_outlives_the_server_but_not_the_process() -> None:
    server, _, _ = busy()
    do(server, "stop", "w")
    server.restart()
    peer = server.worker("w")
    had(server, peer, End)
    server.restart()
    peer = server.worker("w", run="run 2")
    assert not server.take(peer, End)


def test_who_does_not_stop_loses_its_tasks_without_blame() -> None:
    server, peer, job = busy()
    tasks = server.tasks(peer)
    server.say(peer, Running(job, [tasks[0][1]], [tasks[0][2]], [1.0]))
    do(server, "stop", "w")
    other = server.worker("other", slots=3)
    server.live(limits.ORDER_SECONDS + 2, peer, other)
    server.settle()
    assert peer in server.closed
    state_ = server.reactor.board.scheduler.state(job, 0)
    assert state_ is not None
    assert (state_[2], server.reactor.board.refusals.total()) == (0, 0)
    assert {task[1] for task in server.tasks(other)} >= {tasks[0][1]}


def test_a_worker_that_is_away_loses_what_it_has_when_it_is_stopped() -> None:
    server, peer, _ = busy()
    tasks = server.tasks(peer)
    server.close(peer)
    assert state(server, "w") == "away"
    do(server, "stop", "w")
    other = server.worker("other")
    assert {task[1] for task in server.tasks(other)} >= {task[1] for task in tasks[:1]}
    peer = server.worker("w")
    had(server, peer, End)


def test_who_is_told_to_end_is_not_called_back() -> None:
    server, _, _ = busy()
    do(server, "drain", "w", leave=True)
    for action in ("resume", "pause", "drain"):
        refused = do(server, action, "w")
        assert isinstance(refused, NotPossible)
        assert "told to leave" in str(refused)
    assert do(server, "stop", "w") == ["key of w"], "but it can be told to hurry"


def test_an_order_that_nobody_can_hear_is_taken_back() -> None:
    server, peer, _ = busy()
    do(server, "stop", "w")
    server.close(peer)
    server.pass_time(limits.GRACE_SECONDS + 2)
    assert state(server, "w") == "gone"
    assert do(server, "resume", "w") == ["key of w"]
    peer = server.worker("w")
    assert not server.take(peer, End)
    server.settle()
    assert server.tasks(peer)


def test_who_was_paused_is_found_by_that_wherever_it_is() -> None:
    server, peer, _ = busy(tasks=0)
    do(server, "pause", "w")
    server.close(peer)
    assert state(server, "w") == "gone"
    assert server.decide(OrderWorkers(Which(states=["paused"]), "resume")) == ["key of w"]


def test_a_server_that_stops_writes_down_who_was_there_to_the_last() -> None:
    server = Harness()
    peer = server.worker("w")
    server.live(60.0, peer)
    server.commit()
    assert row(server, "w").seen < server.now + 1e9 - 50
    server.feed(Stopping())
    server.commit()
    server.restart()
    assert row(server, "w").seen == server.now + 1e9


def test_nobody_who_is_gone_can_be_ordered_about() -> None:
    server, peer, _ = busy(tasks=0)
    server.close(peer)
    assert isinstance(do(server, "restart", "w"), NotPossible)
    server.worker("other")
    assert server.decide(OrderWorkers(Which(all=True), "stop")) == ["key of other"]


# --- deleting -----------------------------------------------------------------------------------


def test_a_deleted_worker_is_refused_until_it_has_a_new_key() -> None:
    server, peer, job = busy()
    tasks = server.tasks(peer)
    assert do(server, "delete", "w") == ["key of w"]
    refused = had(server, peer, Refused)
    assert refused.code == WorkerDeleted.code
    assert "--new-key" in refused.text
    assert peer in server.closed
    server.say(peer, Heartbeat())
    server.restart()
    again = server.open()
    server.worker_says_hello(again, "w")
    assert had(server, again, Refused).code == WorkerDeleted.code
    assert isinstance(do(server, "resume", "w"), UnknownWorker), "it is not there any more"
    new = server.worker("w", key="another key")
    given = server.tasks(new)
    assert {task[1] for task in given} >= {task[1] for task in tasks}
    server.answer(new, 1, given)
    server.settle()
    server.answer(new, 2, server.tasks(new))
    server.settle()
    assert len(server.results(job)) == 3


def test_a_worker_that_is_away_is_deleted_with_what_it_has() -> None:
    server, peer, _ = busy()
    tasks = server.tasks(peer)
    server.close(peer)
    do(server, "delete", "w")
    other = server.worker("other")
    assert {task[1] for task in server.tasks(other)} >= {tasks[0][1]}


# --- slots, labels, note --------------------------------------------------------------------------


def test_slots_are_the_operators_until_they_are_taken_back() -> None:
    server = Harness()
    peer = server.worker("w", slots=4)
    scheduler, side = server.reactor.board.scheduler, server.reactor.workers
    change(server, "w", slots=2)
    assert had(server, peer, Slots).count == 2
    assert scheduler.worker_load(side.by_peer[peer].id)[1] == 2
    server.close(peer)
    peer = server.worker("w", slots=4)
    assert had(server, peer, Welcome).slots == 2
    assert scheduler.worker_load(side.by_peer[peer].id)[1] == 2
    change(server, "w", slots=None)
    assert had(server, peer, Slots).count == 4
    assert scheduler.worker_load(side.by_peer[peer].id)[1] == 4
    change(server, "w", slots=8)
    assert scheduler.worker_load(side.by_peer[peer].id)[1] == 8


@pytest.mark.parametrize("said", [{}, {"cpus": 2.0}])
def test_the_cpus_follow_the_slots(said: dict[str, float]) -> None:
    server, peer, _ = busy(slots=1, tasks=9, resources=said)
    matching, worker = server.reactor.board.matching, server.reactor.workers.by_peer[peer]
    change(server, "w", slots=4)
    assert server.reactor.board.scheduler.worker_taken(worker.id) == 4
    assert matching.by_name(matching.amounts_of(worker.about)) == {"cpus": 40_000}
    change(server, "w", slots=None)
    most = said.get("cpus", 1.0) * 10_000
    assert matching.by_name(matching.amounts_of(worker.about)) == {"cpus": most}


def test_the_cpus_that_its_user_has_said_cap_a_workers_slots() -> None:
    server, peer, _ = busy(slots=2, tasks=9, resources={"cpus": 2.0}, fixed_cpus=True)
    worker = server.reactor.workers.by_peer[peer]
    change(server, "w", slots=4)
    assert server.reactor.board.scheduler.worker_taken(worker.id) == 2


def test_fewer_cpus_than_slots_are_what_its_user_has_said() -> None:
    server, peer, _ = busy(slots=2, tasks=9, resources={"cpus": 1.0})
    worker = server.reactor.workers.by_peer[peer]
    assert server.reactor.board.scheduler.worker_taken(worker.id) == 1
    change(server, "w", slots=4)
    assert server.reactor.board.scheduler.worker_taken(worker.id) == 1


def test_a_sick_worker_has_no_more_slots_than_its_health_allows() -> None:
    server = Harness()
    peer = server.worker("w", slots=4)
    side = server.reactor.workers
    worker = side.by_peer[peer]
    for number in range(limits.SICK_TASKS):
        side.health.failed(worker.process, 1, number, "no", server.now)
    side.health.succeeded(("other", ""), 1, range(limits.SICK_TASKS), server.now)
    change(server, "w", slots=8)
    assert server.reactor.board.scheduler.worker_load(worker.id)[1] == 0
    server.live(limits.SICK_SECONDS + 2, peer)
    assert state(server, "w") == "trial"
    change(server, "w", slots=2)
    assert server.reactor.board.scheduler.worker_load(worker.id)[1] == 1
    do(server, "pause", "w")
    assert server.reactor.board.scheduler.worker_load(worker.id)[1] == 0
    assert state(server, "w") == "paused"


def test_an_operators_labels_count_for_what_jobs_require() -> None:
    server = Harness()
    peer = server.worker("w", labels={"os": "linux", "room": "1"})
    job = server.submit(server.client(), [b"x"], requires={"room": "3", "floor": "2"})
    server.settle()
    assert not server.tasks(peer)
    change(server, "w", labels={"room": "3", "floor": "2"})
    tasks = server.tasks(peer)
    assert [task[:2] for task in tasks] == [(job, 0)]
    server.answer(peer, 1, tasks)
    change(server, "w", labels={"room": None})
    other = server.submit(server.client(), [b"y"], requires={"room": "1", "os": "linux"})
    server.settle()
    assert [task[:2] for task in server.tasks(peer)] == [(other, 0)], "its own label is back"
    assert row(server, "w").labels == {"floor": "2"}


def test_there_is_room_for_so_many_labels() -> None:
    server = Harness()
    server.worker("w")
    change(server, "w", labels={str(n): "x" for n in range(limits.LABELS)})
    refused = change(server, "w", labels={"one more": "x"})
    assert isinstance(refused, OptionsError)
    assert len(row(server, "w").labels) == limits.LABELS


def test_a_note_is_kept() -> None:
    server = Harness()
    server.worker("w")
    change(server, "w", note="fan broken")
    server.restart()
    assert row(server, "w").note == "fan broken"
    change(server, "w", note="")
    assert not row(server, "w").note


# --- whom they mean -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "meant"),
    [
        (Which(["lab-1"]), "lab-1"),
        (Which(["lab-*"]), "lab-1 lab-2"),
        (Which(["lab-?", "desk"]), "lab-1 lab-2 desk"),
        (Which(["*"], labels={"room": "3"}), "lab-2 desk"),
        (Which(labels={"room": "3"}, states=["connected"]), "desk"),
        (Which(states=["gone"]), "old"),
        (Which(all=True), "lab-1 lab-2 desk old"),
        (Which(all=True, states=["paused"]), "lab-2"),
    ],
)
def test_which_workers_are_meant(which: Which, meant: str) -> None:
    server = some_workers()
    assert set(server.decide(SetWorkers(which, note="x"))) == {  # type: ignore[call-overload]
        f"key of {name}" for name in meant.split()
    }


@pytest.mark.parametrize(
    ("which", "error", "says"),
    [
        (Which(), OptionsError, "say which workers"),
        (Which(["nobody"]), UnknownWorker, "no worker is called nobody"),
        (Which(["desk", "nobody"]), UnknownWorker, "nobody"),
        (Which(["x-*"]), UnknownWorker, "x-*"),
        (Which(["lab-*"], exact=True), UnknownWorker, "lab-"),
        (Which(["desk"], states=["sick"]), UnknownWorker, "desk, sick"),
        (Which(labels={"room": "4"}), UnknownWorker, "room=4"),
    ],
)
def test_nobody_is_meant(which: Which, error: type[DcError], says: str) -> None:
    server = some_workers()
    before = list(server.written)
    answer = server.decide(OrderWorkers(which, "pause"))
    assert type(answer) is error
    assert says in str(answer)
    assert server.written == before, "something was done all the same"


def some_workers() -> Harness:
    server = Harness()
    server.close(server.worker("old"))
    server.worker("lab-1", labels={"room": "1"})
    server.worker("lab-2", labels={"room": "3"})
    server.worker("desk", labels={"room": "3"})
    do(server, "pause", "lab-2")
    server.pass_time(2.0)
    server.commit()
    return server


# --- leaving by themselves ------------------------------------------------------------------------


def test_a_worker_that_leaves_gets_no_more() -> None:
    server, peer, job = busy()
    tasks = server.tasks(peer)
    server.say(peer, Leaving())
    server.say(peer, Returned(1, job, [t[1] for t in tasks[1:]], [t[2] for t in tasks[1:]]))
    server.settle()
    assert not server.tasks(peer)
    server.close(peer)
    peer = server.open()
    server.worker_says_hello(peer, "w")
    server.say(peer, Held(job, [tasks[0][1]], [tasks[0][2]]), Leaving(), Heartbeat())
    assert not server.tasks(peer)
    assert server.reactor.workers.by_peer[peer].ready


def test_nothing_is_given_in_the_last_seconds_of_a_life() -> None:
    server = Harness()
    peer = server.worker("w", leaves_in=30.0)
    client = server.client()
    server.submit(client, [b"x"])
    assert len(server.tasks(peer)) == 1
    server.live(30.0 - limits.LAST_SECONDS + 1, peer, client)
    server.submit(client, [b"x"])
    server.settle()
    assert not server.tasks(peer)
    server.close(peer)
    peer = server.worker("w", leaves_in=0.0)
    server.settle()
    assert server.tasks(peer), "it stays now"


# --- remembering ----------------------------------------------------------------------------------


def test_who_comes_and_goes_is_written_at_the_next_tick() -> None:
    server = Harness()
    peer = server.worker("w")
    assert not server.unwritten
    server.pass_time(1.0)
    (record,) = (one for one in server.unwritten if isinstance(one, Workers))
    assert [one.name for one in record.rows] == ["w"]
    server.commit()
    server.pass_time(1.0)
    assert not server.unwritten
    server.now += 5
    server.close(peer)
    server.pass_time(1.0)
    server.commit()
    assert row(server, "w").seen == server.now + 1e9 - 1.0
    server.restart()
    assert [one.name for one in server.reactor.workers.register.gone()] == ["w"]


def test_a_worker_that_is_known_from_the_disk_has_its_name() -> None:
    server, peer, job = busy()
    task = server.tasks(peer)[0]
    server.say(peer, Running(job, [task[1]], [task[2]], [1.0]))
    server.pass_time(1.0)
    server.settle()
    server.restart()
    assert state(server, "w") == "away"
