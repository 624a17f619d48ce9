"""What the API shows of workers, refused answers and trouble."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from dc import limits
from dc.blobs import BlobFolder
from dc.errors import UnknownJob, UnknownTask, UnknownWorker
from dc.messages import PROTOCOL, Heartbeat, Hello
from dc.messages_client import Options, Submit
from dc.messages_parts import Message
from dc.messages_worker import About, Done
from dc.plugins import Plugins
from dc.records import JobEnded, Leases, NewJob, NewTasks
from dc.server.app import ServerApp, Settings
from dc.server.events import Closed, Opened, Received, Tick, Troubled
from dc.server.health import SICK
from dc.server.types import PluginTypes
from dc.server.views import Views
from dc.store_memory import MemoryStore
from dc.view_workers import RunningView
from tests.server.harness import Type

Clock = trio.testing.MockClock


class Seen:
    """A server without sockets, and what is to be seen of it."""

    def __init__(self, app: ServerApp) -> None:
        self.app = app
        self.views = Views(app)
        self.peers = 0

    def say(self, peer: int, *messages: Message) -> None:
        self.app.feed(Received(peer, list(messages)))

    def connect(self, name: str, key: str) -> int:
        self.peers += 1
        self.app.feed(Opened(self.peers, "10.0.0.1:5"))
        about = About(name, key, 2, [], {}, {}, "run")
        self.say(self.peers, Hello(PROTOCOL, "worker", "dc", [], about), Heartbeat())
        return self.peers


async def started(tmp_path: Path) -> Seen:
    """A server that was started again while a worker ran a task."""
    store = MemoryStore()
    new = NewJob(1, "echo", "1", Options(), "bytes", "bytes", 1.0)
    lease = Leases(1, "0123456789abcdef", [0], [1])
    await store.commit([new, NewTasks(1, 0, [b"a", b"b"]), JobEnded(1, 2, 1.0), lease])
    settings = Settings("dc test", "http://127.0.0.1:1", tmp_path, 0.0)
    app = ServerApp(store, BlobFolder(tmp_path), PluginTypes(Plugins()), settings)
    await app.recover()
    app.feed(Tick())
    return Seen(app)


async def test_a_worker_that_is_away_is_shown_with_the_time_left(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    seen = await started(tmp_path)
    await trio.sleep(0.5)
    seen.app.feed(Tick())
    [view] = seen.views.workers.all()
    assert (view.name, view.state, view.held) == ("01234567", "away", 1)
    assert view.lapses_in == limits.GRACE_SECONDS - 0.5
    assert view.running == [RunningView(1, 0, 1, None, "echo", None)]
    assert (await seen.views.server.status()).away == 1
    assert "away for 0 s" in view.why
    peer = seen.connect("lab", "0123456789abcdef")
    [here] = seen.views.workers.all()
    assert here.state == "connected"
    seen.app.feed(Closed(peer))
    [view] = seen.views.workers.all()
    assert (view.name, view.state, view.held) == ("lab", "gone", 0), "it named no task"
    assert view.seen is not None
    with pytest.raises(UnknownWorker, match="no worker is called nobody"):
        seen.views.workers.one("nobody")


async def test_a_sick_worker_is_shown_with_the_reason(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    seen = await started(tmp_path)
    seen.connect("lab", "lab key")
    health, process = seen.app.reactor.workers.health, ("lab key", "run")
    now = trio.current_time()
    for number in range(limits.SICK_TASKS):
        health.failed(process, 1, number, "<no such file>", now)
    health.succeeded(("other", ""), 1, range(limits.SICK_TASKS), now)
    assert health.state(process) == SICK
    view = seen.views.workers.one("lab")
    assert view.state == "sick"
    assert view.why.endswith("the last error: <no such file>; tried again in 60 s")
    assert (await seen.views.server.status()).sick == 1
    health.due(now + limits.SICK_SECONDS)
    assert "tried again with one slot" in seen.views.workers.one("lab").why


async def test_refused_answers_are_counted_by_code(tmp_path: Path, autojump_clock: Clock) -> None:
    seen = await started(tmp_path)
    status = await seen.views.server.status()
    assert status.refused == {}
    worker = seen.connect("lab", "lab key")
    seen.say(worker, Done(1, 1, [0, 7], [1, 1], [0.1, 0.1], [b"x", b"y"]))
    assert (await seen.views.server.status()).refused == {"not_held": 1, "unknown_task": 1}


async def test_trouble_is_shown(tmp_path: Path, autojump_clock: Clock) -> None:
    seen = await started(tmp_path)
    seen.app.committer.trouble = "no space left"
    seen.app.feed(Troubled("no space left"))
    assert (await seen.views.server.status()).trouble == "no space left"
    await trio.lowlevel.checkpoint()


async def test_a_job_that_is_not_on_disk_yet_is_shown(
    tmp_path: Path, autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = await started(tmp_path)
    echo = Type("echo", "1")
    monkeypatch.setattr(seen.app.reactor.board.types, "get", lambda *_: echo)
    seen.app.feed(Opened(7, "10.0.0.1:5"))
    seen.say(7, Hello(PROTOCOL, "client", "dc", []), Submit(1, "echo", "1", {"name": "new"}))
    job = max(seen.app.reactor.board.jobs)
    assert await seen.app.store.job(job) is None
    view = await seen.views.jobs.one(job)
    assert (view.job, view.name, view.state) == (job, "new", "open")
    assert await seen.views.tasks.some(job, 0, 10, False) == []
    with pytest.raises(UnknownTask):
        await seen.views.tasks.one(job, 0)
    with pytest.raises(UnknownJob):
        await seen.views.jobs.one(job + 1)


async def test_why_workers_idle_is_looked_at_once_for_a_list(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    seen = await started(tmp_path)
    for at in range(20):
        seen.connect(f"lab-{at}", f"{at:032x}")
    whys, looks = seen.app.reactor.whys, []
    for views in (await seen.views.workers.first(10), seen.views.workers.all()):
        assert sum(one.state == "connected" and bool(one.why) for one in views) >= 9
        looks.append(whys._look)
    assert looks[0] is looks[1] is not None
    seen.views.workers.one("lab-3")
    assert whys._look is not looks[0], "who asks for one worker is told how it is now"
