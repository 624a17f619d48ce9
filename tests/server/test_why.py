"""Why a task waits and why a worker idles: one true sentence each."""

from __future__ import annotations

from typing import Any

import pytest

from dc import limits
from dc.messages_client import Accepted, Payloads, Status, Submit, Watch
from dc.messages_parts import Failure
from dc.messages_worker import Failed, Running
from dc.server.commands import PauseJob
from dc.server.events import Tick, Troubled
from dc.server.reason import Reason
from dc.server.why import Whys, clock
from tests.server.harness import Harness


@pytest.fixture
def server() -> Harness:
    return Harness()


def whys(server: Harness) -> Whys:
    return server.reactor.whys


def of_task(server: Harness, job: int, number: int) -> Reason | None:
    return whys(server).of_task(server.reactor.board.jobs[job], number)


def of_worker(server: Harness, name: str) -> Reason | None:
    worker = server.reactor.workers.roster.named(name)
    assert worker is not None
    return whys(server).of_worker(worker)


def text(reason: Reason | None) -> str:
    assert reason is not None
    return reason.text


# --- no worker can run it -----------------------------------------------------------------------


def test_no_worker_is_connected(server: Harness) -> None:
    job = server.submit(server.client(), [b"a"])
    assert text(of_task(server, job, 0)) == "no worker is connected"


def test_nobody_has_the_task_type(server: Harness) -> None:
    client = server.client()
    server.worker("lab", types=("other",))
    job = server.submit(client, [b"a"])
    assert text(of_task(server, job, 0)) == "no connected worker has task type echo 2"
    assert text(of_worker(server, "lab")) == (
        "every waiting task is of a task type that it does not have"
    )


def test_nobody_has_enough(server: Harness) -> None:
    client = server.client()
    server.worker("lab-6", slots=4)
    server.worker("lab-7", resources={"gpus": 1})
    job = server.submit(client, [b"a"], resources={"gpus": 2})
    reason = of_task(server, job, 0)
    assert text(reason) == "needs 2 gpus; no worker has more than 1 (nearest: lab-7)"
    assert reason is not None
    assert reason.figures == {
        "resource": "gpus",
        "needs": 20_000,
        "most": 10_000,
        "nearest": "lab-7",
    }
    assert text(of_worker(server, "lab-6")) == "every waiting task needs gpus; it has none"
    assert text(of_worker(server, "lab-7")) == "every waiting task needs 2 gpus or more; it has 1"


def test_a_job_that_its_deadline_has_ended(server: Harness) -> None:
    worker, client = server.worker("desk"), server.client()
    number = server.submit(client, [b"x"], deadline=server.now + 1e9 + 5.0)
    server.settle()
    job = server.reactor.board.jobs[number]
    server.live(10.0, worker, client)
    assert job.holds.overdue
    server.settle()
    assert job.finished
    assert whys(server).held(job) is None


def test_nobody_has_any(server: Harness) -> None:
    client = server.client()
    server.worker("lab")
    job = server.submit(client, [b"a"], resources={"memory": 4 * 2**30})
    assert text(of_task(server, job, 0)) == (
        "needs 4 GiB of memory; no worker has any (nearest: lab)"
    )


def test_nobody_has_the_label(server: Harness) -> None:
    client = server.client()
    server.worker("attic")
    job = server.submit(client, [b"a"], requires={"os": "plan9"})
    assert text(of_task(server, job, 0)) == (
        "needs os=plan9; no worker has that (nearest: attic, which has no os)"
    )
    server.worker("lab", labels={"os": "linux", "python": "3.9"})
    assert text(of_task(server, job, 0)) == (
        "needs os=plan9; no worker has that (nearest: lab, which has os=linux)"
    )
    job = server.submit(client, [b"a"], requires={"python": ">=3.11"})
    assert text(of_task(server, job, 0)) == (
        "needs python>=3.11; no worker has that (nearest: lab, which has python=3.9)"
    )


def test_nobody_has_all_of_it(server: Harness) -> None:
    client = server.client()
    server.worker("a", labels={"os": "linux"})
    server.worker("b", labels={"os": "x"}, resources={"gpus": 1})
    job = server.submit(client, [b"a"], requires={"os": "linux"}, resources={"gpus": 1})
    assert text(of_task(server, job, 0)) == (
        "needs os=linux, 1 gpu; no worker that has task type echo 2 has all of that "
        "(nearest: b, which lacks os=linux)"
    )


def test_none_of_the_alternatives(server: Harness) -> None:
    client = server.client()
    server.worker("lab", slots=4)
    several = [{"resources": {"gpus": 1}, "requires": {"os": "x"}}, {"resources": {"cpus": 8}}]
    job = server.submit(client, [b"a"], alternatives=several)
    reason = of_task(server, job, 0)
    assert text(reason) == (
        "none of its 2 alternatives has a worker; "
        "the nearest needs 8 cpus; no worker has more than 4 (nearest: lab)"
    )
    assert reason is not None
    assert reason.figures["alternative"] == 1


def test_a_job_that_nobody_can_run_warns_at_once(server: Harness) -> None:
    client = server.client()
    server.submit(client, [b"a"], requires={"os": "linux"})
    assert server.take(client, Accepted)[0].warning == "", "nobody is here: that is no surprise"
    server.worker("lab")
    server.submit(client, [b"a"], resources={"gpus": 1})
    [accepted] = server.take(client, Accepted)
    assert accepted.warning == "needs 1 gpu; no worker has any (nearest: lab)"
    server.submit(client, [b"a"])
    assert server.take(client, Accepted)[0].warning == ""


# --- those that can take nothing now ------------------------------------------------------------


def test_the_worker_of_a_task_is_away(server: Harness) -> None:
    client, worker = server.client(), server.worker("lab")
    job = server.submit(client, [b"a", b"b"])
    server.say(worker, Running(job, [0], [1], [0.5]))
    assert of_task(server, job, 0) is None
    server.close(worker)
    since = server.now + 1e9
    until = since + limits.GRACE_SECONDS
    assert text(of_task(server, job, 0)) == (
        f"its worker lab is away since {clock(since)}, lease until {clock(until)}"
    )
    assert text(of_task(server, job, 1)) == "the only worker that can run it, lab, is away"


def test_several_are_not_here(server: Harness) -> None:
    client = server.client()
    peers = [server.worker(f"w{at}") for at in range(3)]
    for _ in peers:
        server.submit(client, [b"a"])
    job = server.submit(client, [b"a"])
    for peer in peers:
        server.close(peer)
    reason = of_task(server, job, 0)
    assert text(reason) == "none of the 3 workers that can run it takes tasks now: 3 away"


def test_nothing_is_handed_out(server: Harness) -> None:
    client = server.client()
    server.feed(Troubled("disk full"))
    server.worker("lab")
    job = server.submit(client, [b"a"])
    assert text(of_task(server, job, 0)) == "nothing is handed out: disk full"
    assert text(of_worker(server, "lab")) == "nothing is handed out: disk full"
    server.feed(Troubled(""))
    server.feed(Tick(stalled=True))
    other = server.submit(client, [b"b"])
    assert text(of_task(server, other, 0)) == "nothing is handed out: the disk does not keep up"


# --- those that are busy ------------------------------------------------------------------------


def test_behind_tasks_of_higher_priority(server: Harness) -> None:
    client = server.client()
    server.worker("lab")
    server.submit(client, [b"a"] * 1201, priority=1)
    server.submit(client, [b"a"] * 7, priority=1, requires={"os": "x"})
    job = server.submit(client, [b"b"])
    reason = of_task(server, job, 0)
    assert text(reason) == "behind 1,200 tasks of higher priority"
    assert reason == Reason("behind", text(reason), {"tasks": 1200})


def test_all_slots_are_taken(server: Harness) -> None:
    client = server.client()
    server.worker("lab", slots=2)
    job = server.submit(client, [b"a"] * 9)
    assert text(of_task(server, job, 8)) == (
        "all 2 slots of the only worker, lab, that can run it are taken"
    )
    server.worker("attic", slots=6)
    assert text(of_task(server, job, 8)) == (
        "all 8 slots of the 2 workers that can run it are taken"
    )
    assert text(of_task(server, job, 0)) == (
        "is with lab, which has not begun it or has not said so yet"
    )


def test_tried_again(server: Harness) -> None:
    client, worker = server.client(), server.worker("lab")
    job = server.submit(client, [b"a"], type_="stubborn", retry_seconds=5.0)
    server.say(worker, Failed(1, job, 0, 1, 0.1, Failure("error", "no")))
    reason = of_task(server, job, 0)
    assert reason is not None
    assert reason.kind == "delayed"
    assert 0 < reason.figures["seconds"] <= 7.5
    server.pass_time(8)
    assert text(of_task(server, job, 0)).startswith("is with lab")


def test_a_job_that_is_not_surely_its_own_waits(server: Harness) -> None:
    client = server.client()
    server.worker("lab")
    job = server.submit(client, [b"a"])
    server.reactor.board.jobs[job].holds.unsure = True
    assert whys(server).of_job(server.reactor.board.jobs[job]).kind == "unsure"


def test_a_worker_that_leaves_too_soon_for_it(server: Harness) -> None:
    client, worker = server.client(), server.worker("lab", slots=3, leaves_in=60.0)
    job = server.submit(client, [b"a"] * 8)
    tasks = server.tasks(worker)
    server.answer(worker, 1, tasks[:1], seconds=500.0)
    reason = whys(server).of_job(server.reactor.board.jobs[job])
    assert reason.kind == "late"
    assert reason.text == (
        "its tasks take about 500.0 s, and the only worker with room for it, lab, leaves in 60 s"
    )
    server.answer(worker, 2, tasks[1:], seconds=500.0)
    assert text(of_worker(server, "lab")) == (
        "it leaves in 60 s, and all that waits and that it can run takes longer"
    )
    server.worker("attic", leaves_in=90.0)
    assert text(of_task(server, job, 7)) == (
        "its tasks take about 500.0 s, and the 2 workers with room for it leave before that"
    )
    server.live(58.0, worker)
    assert text(of_worker(server, "lab")) == "it is about to leave, and takes nothing more"


# --- jobs that are held -------------------------------------------------------------------------


def test_a_task_that_waits_for_one_of_another_job(server: Harness) -> None:
    client, worker = server.client(), server.worker("lab", slots=9)
    first = server.submit(client, [b"a"] * 3)
    second = server.submit(client, [b"a"] * 3, after=[first], each=True)
    server.settle()
    assert text(of_task(server, second, 2)) == f"waits for task {first}/2"
    job = server.reactor.board.jobs[second]
    assert whys(server).of_job(job).text == f"waits, task by task, for job {first}"
    server.answer(worker, 1, [one for one in server.tasks(worker) if one[1] == 1])
    server.settle()
    assert [one[:2] for one in server.tasks(worker)] == [(second, 1)]
    assert text(of_task(server, second, 1)).startswith("is with lab")
    assert text(of_task(server, second, 2)) == f"waits for task {first}/2"
    assert whys(server).of_job(job).kind == "each", "none of it may be handed out"
    server.worker("attic")
    assert text(of_worker(server, "attic")) == "all that waits is held back"
    server.decide(PauseJob(second))
    assert text(of_task(server, second, 2)).startswith("paused")


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"after": [1]}, "after", "waits for job 1"),
        ({"not_before": 2e9}, "not_before", "waits until 2033-05-18 03:33:20 UTC"),
    ],
)
def test_a_job_that_is_held_says_what_for(
    server: Harness, options: dict[str, Any], kind: str, sentence: str
) -> None:
    client = server.client()
    server.worker("lab")
    server.submit(client, [b"a"])
    job = server.submit(client, [b"a"], **options)
    server.settle()
    reason = of_task(server, job, 0)
    assert reason is not None
    assert (reason.kind, reason.text) == (kind, sentence)
    assert whys(server).of_job(server.reactor.board.jobs[job]) == reason


# --- workers and notes --------------------------------------------------------------------------


def test_a_worker_for_which_there_is_nothing(server: Harness) -> None:
    client = server.client()
    server.worker("lab")
    assert text(of_worker(server, "lab")) == "nothing waits"
    server.submit(client, [b"a"], requires={"os": "x"})
    assert text(of_worker(server, "lab")) == "nothing waits that it can run"
    server.submit(client, [b"a"])
    assert of_worker(server, "lab") is None


def test_a_job_that_is_held_says_so_before_all_else(server: Harness) -> None:
    client = server.client()
    server.worker("lab")
    job = server.submit(client, [b"a"] * 3, requires={"os": "x"})
    server.reactor.board.jobs[job].holds.paused = True
    assert text(of_task(server, job, 0)).startswith("paused")
    assert text(of_worker(server, "lab")) == "all that waits is held back"
    whys(server).task_tests.append(lambda _, n: Reason("own", "its own") if n == 1 else None)
    assert text(of_task(server, job, 1)) == "its own"
    assert text(of_task(server, job, 2)).startswith("paused")


def test_the_note_of_a_job_follows_who_comes_and_goes(server: Harness) -> None:
    client = server.client()
    server.say(client, Submit(1, "echo", "", {}), Payloads(1, 0, [b"a"]))
    server.say(client, Watch(2, 1))
    assert server.take(client, Status)[-1].note == "no worker is connected"
    server.worker("lab", types=("other",))
    server.pass_time(1)
    server.say(client, Watch(3, 1))
    note = server.take(client, Status)[-1].note
    assert note == "no connected worker has task type echo 2"
