"""What an operator should look at: each kind when it is there, and gone when it is not."""

from __future__ import annotations

from typing import Any

from dc import limits_shown, limits_store
from dc.messages_client import Submit
from dc.messages_parts import Failure
from dc.messages_worker import Failed
from dc.server.attention import FAILING_TASKS, PAUSED_SECONDS
from dc.server.commands import OrderWorkers, PauseJob, ResumeJob, Which
from dc.server.events import Troubled
from dc.view_server import Attention
from tests.server.harness import Harness


def look(server: Harness) -> list[Attention]:
    server.settle()
    server.commit()
    server.live(limits_shown.ATTENTION_SECONDS + 1, *server.reactor.workers.by_peer)
    return server.reactor.attention.look()


def kinds(server: Harness) -> list[str]:
    return [one.kind for one in look(server)]


def job(server: Harness, *payloads: bytes, **options: Any) -> int:
    client = max(server.reactor.clients.by_peer, default=0) or server.client()
    return server.submit(client, list(payloads) or [b"a"], **options)


def test_nothing_is_said_where_nothing_is_wrong() -> None:
    server = Harness()
    assert kinds(server) == []
    server.worker("w")
    job(server)
    assert kinds(server) == []


def test_trouble_comes_first_and_goes() -> None:
    server = Harness()
    job(server)
    assert kinds(server) == ["no_workers"]
    server.feed(Troubled("the disk is full"))
    assert [one.kind for one in look(server)] == ["trouble", "no_workers"]
    assert "the disk is full" in look(server)[0].text
    server.feed(Troubled(""))
    server.worker("w")
    assert kinds(server) == []


def test_a_disk_that_is_nearly_full() -> None:
    server = Harness()
    chronicle = server.reactor.chronicle
    reserve = limits_store.RESERVE_BYTES
    for free, low in ((9, False), (1.9, True), (2.5, True), (3.1, False)):
        chronicle.look_at_disk(int(free * reserve), 10**15)
        assert kinds(server) == (["disk"] if low else []), free


def test_plugins_that_are_broken() -> None:
    server = Harness()
    server.reactor.chronicle.look_at_broken({f"p{at}": f"plugin p{at} is <b>" for at in range(9)})
    found = look(server)
    assert [one.kind for one in found] == ["plugin"] * 6
    assert found[-1].text == "4 more plugins cannot be used"
    server.reactor.chronicle.look_at_broken({})
    assert kinds(server) == []


def test_jobs_that_nobody_can_run_are_told_once_for_each_need() -> None:
    server = Harness()
    server.worker("w")
    for _ in range(3):
        job(server, requires={"room": "3"})
    (found,) = look(server)
    assert (found.kind, found.level, found.link) == ("impossible", "error", "/jobs/1")
    assert "job 1 and 2 others like it" in found.text
    assert "room" in found.text
    server.worker("v", labels={"room": "3"})
    assert kinds(server) == []


def test_a_worker_that_is_away() -> None:
    server = Harness()
    peer = server.worker("w/1")
    job(server)
    server.settle()
    server.close(peer)
    server.worker("v", types=())
    (found,) = [one for one in look(server) if one.kind == "away"]
    assert "worker w/1" in found.text
    assert found.since is not None
    assert found.since <= server.now + 1e9


def test_a_job_that_fails_and_one_that_was_left() -> None:
    server = Harness()
    peer = server.worker("w", slots=50)
    job(server, *[b"x"] * (FAILING_TASKS + 5))
    server.settle()
    tasks = server.tasks(peer)
    for at, (number, task, attempt, _) in enumerate(tasks[: FAILING_TASKS + 1], start=1):
        server.say(peer, Failed(at, number, task, attempt, 0.1, Failure("error", "no")))
    client = server.client()
    server.say(client, Submit(77, "echo", "", {}))
    server.settle()
    server.close(client)
    found = {one.kind: one for one in look(server)}
    assert found.keys() == {"failing", "deserted"}
    assert found["failing"].text.startswith("job 1 fails: 11 tasks of it did, 100%")
    assert found["deserted"].link == "/jobs/2"


def test_what_has_been_paused_for_long() -> None:
    server = Harness()
    peer = server.worker("w")
    number = job(server)
    server.settle()
    server.decide(PauseJob(number))
    server.decide(OrderWorkers(Which(["w"]), "pause"))
    assert kinds(server) == []
    server.live(PAUSED_SECONDS + 2 * limits_shown.HISTORY_SECONDS, peer)
    assert sorted(one.text for one in look(server)) == [
        "job 1 has been paused for long: resume it, or cancel it", "worker w is paused",
    ]  # fmt: skip
    server.decide(ResumeJob(number))
    server.decide(OrderWorkers(Which(["w"]), "resume"))
    assert kinds(server) == []


def test_the_list_is_short_whatever_happens() -> None:
    server = Harness()
    server.worker("w", types=())
    for at in range(30):
        job(server, requires={"room": str(at)})
    found = look(server)
    assert len(found) == 6
    assert found[-1].text == "25 more jobs need what no worker has"


def test_a_look_serves_for_a_while() -> None:
    server = Harness()
    job(server)
    first = look(server)
    assert server.reactor.attention.look() is first
