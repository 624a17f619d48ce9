"""Archives on their way to workers: who is told of which, before and after edits and restarts."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from dc import limits, limits_plugins
from dc.messages_client import Accepted, Payloads, Submit
from dc.messages_parts import Failure, Plugin
from dc.messages_worker import Assign, Failed
from dc.records import NewJob, NewPlugin
from dc.server.commands import RetryTasks
from dc.server.events import PluginsAdded
from dc.server.shipping import Shipped, fits_python, to_install
from tests.server.harness import Harness

TAKES: Final = {"takes_plugins": True}
OLD: Final = Shipped(Plugin(b"1" * 32, 100, "shipped"))
NEW: Final = Shipped(Plugin(b"2" * 32, 200, "shipped"))
HERE: Final = {"python": "3.11.7", "os": "linux", "arch": "x86_64"}


@pytest.fixture
def server() -> Harness:
    harness = Harness()
    harness.types.archives = [OLD]
    return harness


def taker(server: Harness, name: str = "lab-7", **taking: Any) -> int:
    return server.worker(name, slots=8, types=(), labels=HERE, taking={**TAKES, **taking})


def assigned(server: Harness, peer: int) -> list[tuple[int, Plugin | None]]:
    return [(message.job, message.plugin) for message in server.take(peer, Assign)]


def test_only_who_has_no_code_is_told_of_an_archive(server: Harness) -> None:
    own = server.worker("own", types=("shipped",), taking=TAKES)
    job = server.submit(server.client(), [b"a"], "shipped")
    assert assigned(server, own) == [(job, None)]
    without = taker(server)
    job = server.submit(server.client(), [b"a"], "shipped")
    assert assigned(server, without) == [(job, OLD.plugin)]
    other = server.submit(server.client(), [b"a"], "echo")
    assert assigned(server, without) == []  # `echo` is in no archive
    assert server.reactor.board.jobs[other].shipped is None


def test_a_job_keeps_its_archive_over_edits_and_restarts(server: Harness) -> None:
    client = server.client()
    before = server.submit(client, [b"a", b"b"], "shipped")
    server.types.archives.append(NEW)
    after = server.submit(client, [b"c"], "shipped")
    server.commit()
    assert [server.records(NewJob, job)[0].plugin[:1] for job in (before, after)] == [b"1", b"2"]
    worker = taker(server)
    told = dict(assigned(server, worker))
    assert told == {before: OLD.plugin, after: NEW.plugin}
    server.restart()
    worker = taker(server, "another")
    server.settle()
    told = dict(assigned(server, worker))
    assert told == {before: OLD.plugin, after: NEW.plugin}
    assert server.reactor.board.running == {b"1" * 32: 1, b"2" * 32: 1}


def test_the_archives_of_unfinished_jobs_are_counted(server: Harness) -> None:
    worker, client = taker(server), server.client()
    for _ in range(2):
        server.submit(client, [b"a"], "shipped")
    server.commit()
    running = server.reactor.board.running
    assert running == {OLD.plugin.digest: 2}
    server.answer(worker, 1, server.tasks(worker))
    server.commit()
    server.settle()
    assert running == {}


def test_failed_tasks_that_run_again_run_the_same_archive(server: Harness) -> None:
    job = server.submit(server.client(), [b"a"], "shipped")
    worker = taker(server)
    ((_, number, attempt, _),) = server.tasks(worker)
    failure = Failure("payload", "of no use")
    server.say(worker, Failed(1, job, number, attempt, 0.1, failure))
    server.commit()
    server.settle()
    assert not server.reactor.board.running
    server.types.archives.append(NEW)
    assert server.decide(RetryTasks(job)) == 1
    assert assigned(server, worker) == [(job, OLD.plugin)]


def test_who_goes_on_submitting_goes_on_with_the_same_archive(server: Harness) -> None:
    first = server.client()
    server.say(first, Submit(1, "shipped", "1", {}, "key"), Payloads(1, 0, [b"a"]))
    server.commit()
    server.close(first)
    server.types.archives.append(NEW)
    second = server.client()
    server.say(second, Submit(1, "shipped", "1", {}, "key", resume=True))
    server.settle()
    server.say(second, Payloads(1, 1, [b"b"]))
    (accepted,) = server.take(second, Accepted)
    worker = taker(server)
    assert set(assigned(server, worker)) == {(accepted.job, OLD.plugin)}


def test_new_versions_are_written_before_the_jobs_that_name_them(server: Harness) -> None:
    record = NewPlugin(b"2" * 32, 200, "shipped", b"{}", b"[]", 1.0)
    server.feed(PluginsAdded([record]))
    server.submit(server.client(), [b"a"], "shipped")
    kinds = [type(one) for one in server.unwritten]
    assert kinds.index(NewPlugin) < kinds.index(NewJob)
    server.commit()
    server.reactor.validate()


def test_an_archive_that_is_not_known_any_more_is_not_shipped(server: Harness) -> None:
    job = server.submit(server.client(), [b"a"], "shipped")
    server.commit()
    server.types.archives = []
    server.restart()
    worker = taker(server)
    assert assigned(server, worker) == []
    own = server.worker("own", types=("shipped",))
    server.settle()
    assert assigned(server, own) == [(job, None)]


def test_a_job_of_an_earlier_dc_runs_what_is_in_service_at_the_start(server: Harness) -> None:
    server.types.archives = []
    job = server.submit(server.client(), [b"a"], "shipped")
    server.commit()
    assert server.records(NewJob, job)[0].plugin == b""
    server.types.archives = [OLD]
    server.restart()
    server.types.archives.append(NEW)
    worker = taker(server)
    server.settle()
    assert assigned(server, worker) == [(job, OLD.plugin)]
    assert server.reactor.board.running == {OLD.plugin.digest: 1}
    server.answer(worker, 1, [(job, 0, 1, b"a")])
    server.commit()
    server.settle()
    assert server.reactor.board.running == {}


# --- why nobody gets it -------------------------------------------------------------------------


def warning(server: Harness, shipped: Shipped) -> str:
    """Submit a job that is pinned to an archive; return the warning, which is also the reason."""
    server.types.archives = [shipped]
    client = server.client()
    job = server.submit(client, [b"a"], "shipped")
    (accepted,) = server.take(client, Accepted)
    reason = server.reactor.whys.of_task(server.reactor.board.jobs[job], 0)
    assert reason is not None
    assert reason.text == accepted.warning
    assert server.reactor.board.state(server.reactor.board.jobs[job])[2] == reason.text
    return reason.text


def named(**fields: Any) -> Shipped:
    return Shipped(Plugin(b"3" * 32, 1, "wordcount"), **fields)


def test_it_must_be_signed(server: Harness) -> None:
    taker(server, trusts=[b"k" * 32])
    must = "needs plugin wordcount, which must be signed by a key that lab-7 trusts; it is "
    assert warning(server, named()) == must + "not signed"
    signed = Shipped(Plugin(b"3" * 32, 1, "wordcount", b"j" * 32, b"s" * 64))
    assert warning(server, signed) == must + "signed by another"
    mine = Shipped(Plugin(b"3" * 32, 1, "wordcount", b"k" * 32, b"s" * 64))
    server.types.archives = [mine]
    client = server.client()
    server.submit(client, [b"a"], "shipped")
    assert server.take(client, Accepted)[0].warning == ""


def test_once_it_is_signed_what_waits_goes_on(server: Harness) -> None:
    worker = taker(server, trusts=[b"k" * 32])
    plain = server.worker("plain", types=(), labels=HERE, taking=TAKES)
    client = server.client()
    jobs = [server.submit(client, [b"a"] * 2, "shipped", **more) for more in ({}, {"weight": 2})]
    assert {job for job, _ in assigned(server, plain)} <= set(jobs)
    assert assigned(server, worker) == []
    signed = replace(OLD.plugin, signer=b"k" * 32, signature=b"s" * 64)
    record = NewPlugin(
        *(signed.digest, 100, "shipped", b"{}", b"[]", 1.0), signed.signer, b"s" * 64
    )
    server.feed(PluginsAdded([record]))
    server.types.archives = [replace(OLD, plugin=signed)]
    assert {plugin.signer for _, plugin in assigned(server, worker) if plugin} == {b"k" * 32}
    later = server.submit(client, [b"b"], "shipped")
    assert server.reactor.board.jobs[later].class_ == server.reactor.board.jobs[jobs[0]].class_
    server.commit()
    server.reactor.validate()


@pytest.mark.parametrize(
    ("shipped", "text"),
    [
        (
            named(python=">=3.13"),
            "needs Python >=3.13; no worker has more than 3.11.7 (nearest: lab-7)",
        ),
        (
            named(python="<3.11,>=3.9"),
            "needs Python <3.11,>=3.9; no worker has that (nearest: lab-7, which has 3.11.7)",
        ),
        (
            named(platforms=("darwin", "linux-arm64")),
            "needs darwin or linux-arm64; no worker is that "
            "(nearest: lab-7, which is linux-x86_64)",
        ),
        (
            named(dependencies=("numpy>=2", "pywin32; sys_platform=='win32'")),
            "needs numpy>=2 installed; no worker that could run it installs dependencies "
            "(nearest: lab-7)",
        ),
    ],
)
def test_it_cannot_run_there(server: Harness, shipped: Shipped, text: str) -> None:
    taker(server)
    assert warning(server, shipped) == text


def test_what_a_worker_cannot_use_is_noted(server: Harness) -> None:
    """It may be anything that a worker says, as often as it likes."""
    worker = taker(server)
    for at in range(50):
        archive = Shipped(Plugin(bytes([at]) * 32, 1, "shipped"))
        server.types.archives.append(archive)
        server.submit(server.client(), [b"a"], "shipped")
        ((job, number, attempt, _),) = server.tasks(worker)
        error = f"plugin 'shipped' cannot be used by this worker: {'no space ' * 1000}"
        failure = Failure("payload", error)
        server.say(worker, Failed(at + 1, job, number, attempt, 0.1, failure))
    noted = server.reactor.workers.roster.by_name["lab-7"].unusable
    assert list(noted)[-1] == bytes([49]) * 32
    assert len(noted) == limits_plugins.UNUSABLE_NOTED
    assert {len(why) for why in noted.values()} == {limits.NOTE_CHARS}


def test_nobody_takes_plugins(server: Harness) -> None:
    server.worker("own")
    text = "no connected worker has task type shipped 1, and none takes plugins from the server"
    assert warning(server, named()) == text


def test_the_nearest_lacks_least(server: Harness) -> None:
    taker(server, "lab-1", trusts=[b"k" * 32])
    taker(server, "lab-2")
    assert "nearest: lab-2" in warning(server, named(python=">=3.13", dependencies=("numpy",)))


def test_what_keeps_a_worker_from_all_that_waits(server: Harness) -> None:
    server.types.archives = [named(python=">=3.13")]
    server.submit(server.client(), [b"a"], "shipped")
    taker(server)
    worker = server.reactor.workers.roster.named("lab-7")
    assert worker is not None
    reason = server.reactor.whys.of_worker(worker)
    assert reason is not None
    assert (
        reason.text == "every waiting task is of a task type that it does not have and cannot get"
    )


def test_other_needs_are_told_once_the_code_can_be_had(server: Harness) -> None:
    server.types.archives = [named()]
    taker(server)
    client = server.client()
    server.submit(client, [b"a"], "shipped", resources={"gpus": 1.0})
    (accepted,) = server.take(client, Accepted)
    assert accepted.warning == "needs 1 gpu; no worker has any (nearest: lab-7)"


# --- words of others ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["", "three", "3.11.x", "3." + "9" * 4000])
def test_a_version_of_python_that_is_none(version: str) -> None:
    assert not fits_python("<3.11", version)


@pytest.mark.parametrize("dependency", ["!!", "x; nonsense", "x; python_version ~= '3'", ""])
def test_a_dependency_that_cannot_be_told_counts(dependency: str) -> None:
    assert to_install([dependency], HERE) == [dependency]
