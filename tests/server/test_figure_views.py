"""What the API shows of jobs in figures: of a server on a store in memory, without sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from dc import limits_shown
from dc.blobs import BlobFolder
from dc.errors import UnknownJob
from dc.messages import PROTOCOL, Heartbeat, Hello
from dc.messages_client import Options
from dc.messages_parts import Failure, Message
from dc.messages_worker import About, Done, Failed, Running, TypeId
from dc.plugins import Plugins
from dc.records import (
    AttemptEnd,
    AttemptEnds,
    Attempts,
    JobEnded,
    JobFigures,
    NewJob,
    NewTasks,
    Outcomes,
    Record,
    Retried,
)
from dc.server.api_figures import FiguresApi, TimelineQuery, TraceQuery
from dc.server.app import ServerApp, Settings
from dc.server.events import Opened, Received, Tick
from dc.server.routes import Call
from dc.server.types import PluginTypes
from dc.server.views import Views
from dc.store_memory import MemoryStore
from tests.server.test_timelines import check

Clock = trio.testing.MockClock
EPOCH = 1e9
NO = Failure("error", "no 7", "trace")


def job(tasks: int, number: int = 1, **options: Any) -> list[Record]:
    return [
        NewJob(number, "echo", "1", Options(**options), "bytes", "bytes", EPOCH - 1000),
        NewTasks(number, 0, [b"x"] * tasks),
        JobEnded(number, tasks, EPOCH - 1000),
    ]


def outcomes(sequence: int, numbers: list[int], at: float, time: float, **more: Any) -> Outcomes:
    size = len(numbers)
    results: list[Any] = [more.get("outcome", b"r")] * size
    worker = more.get("worker", "w")
    return Outcomes(sequence, 1, worker, EPOCH + at, numbers, [1] * size, [time] * size, results)


class Server:
    """A server that was started on some records."""

    def __init__(self, app: ServerApp) -> None:
        self.app = app
        self.views = Views(app)
        self.api = FiguresApi(self.views, app)
        self.store = app.store

    def call(self, query: Any, job: int = 1) -> Call[Any, Any]:
        request: Any = None
        return Call(request, {"job": job}, query, None)

    def say(self, *messages: Message) -> None:
        self.app.feed(Received(1, list(messages)))

    def join(self, slots: int = 2) -> None:
        self.app.feed(Opened(1, "127.0.0.1:1"))
        about = About("w", "key", slots, [TypeId("echo", "1")], {}, {}, "run")
        self.say(Hello(PROTOCOL, "worker", "dc", [], about), Heartbeat())


async def started(tmp_path: Path, *records: Record) -> Server:
    store = MemoryStore()
    await store.commit(list(records))
    settings = Settings("dc test", "http://127.0.0.1:1", tmp_path, 0.0)
    app = ServerApp(
        store,
        BlobFolder(tmp_path),
        PluginTypes(Plugins()),
        settings,
        lambda: EPOCH + trio.current_time(),
    )
    await app.recover()
    app.feed(Tick())
    return Server(app)


async def test_figures_of_a_finished_job_are_counted_and_kept(
    tmp_path: Path, autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_shown, "FIGURES_KEPT_TASKS", 3)
    monkeypatch.setattr(limits_shown, "FIGURES_READ_BYTES", 1)
    records = [outcomes(n + 1, [n], -500.0 + n, 2.0, worker=f"w{n % 2}") for n in range(3)]
    failed = outcomes(4, [3], -400.0, 0.5, outcome=NO)
    server = await started(tmp_path, *job(4), *records, failed)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.app.run)
        view = await server.api._figures(server.call(None))
        assert view.seconds == 6.5
        assert sum(view.run_times.counts) == 4
        assert len(view.run_times.counts) == len(view.run_times.bounds) + 1
        assert [(one.worker, one.done, one.failed) for one in view.workers] == [
            ("w0", 2, 0), ("w", 0, 1), ("w1", 1, 0),
        ]  # fmt: skip
        (group,) = view.failures
        assert (group.kind, group.error, group.count, group.first) == ("error", "no 7", 1, 3)
        assert group.workers == {"w": 1}
        await server.app.committer.wait_idle()
        kept = await server.store.figures(1)
        assert isinstance(kept, JobFigures)
        assert kept.sequence == 4
        assert await server.api._figures(server.call(None)) == view
        shown = await server.views.jobs.one(1)
        assert shown.started_at == EPOCH - 502.0
        assert (shown.left, shown.rate) == (None, None)
        assert shown.finished_at is not None
        (listed,) = await server.views.jobs.newest(None, 10)
        assert (listed.finished_at, listed.rate) == (shown.finished_at, None)
        with pytest.raises(UnknownJob):
            await server.api._figures(server.call(None, 2))
        server.app.stop()


async def test_a_task_is_shown_with_its_attempts(tmp_path: Path, autojump_clock: Clock) -> None:
    ends = [
        AttemptEnd(0, 1, "a", "error", EPOCH - 90, EPOCH - 95, 5.0, "no", "trace"),
        AttemptEnd(0, 2, "b", "lost", EPOCH - 80, EPOCH - 85),
        AttemptEnd(1, 1, "c", "returned", EPOCH - 70),
    ]
    again = Attempts(1, [1], [1], [0], [0])
    last = Outcomes(1, 1, "d", EPOCH - 60, [0], [2], [3.0], [NO])
    server = await started(tmp_path, *job(2, retries=5), AttemptEnds(1, ends), last, again)
    task = await server.views.tasks.one(1, 0)
    assert task.attempts is not None
    first, final = task.attempts
    assert (first.attempt, first.worker, first.end, first.seconds) == (1, "a", "error", 5.0)
    assert first.failure is not None
    assert (first.failure.error, first.failure.traceback) == ("no", "trace")
    assert (final.attempt, final.worker, final.end) == (2, "d", "error"), "it came back"
    assert (final.began, final.ended) == (EPOCH - 63, EPOCH - 60)
    queued = await server.views.tasks.one(1, 1)
    assert [one.end for one in queued.attempts or ()] == ["returned"]
    server.join()
    assigned = await server.views.tasks.one(1, 1)
    assert [one.end for one in assigned.attempts or ()] == ["returned", "assigned"]
    server.say(Running(1, [1], [assigned.attempt], [0.5]))
    running = await server.views.tasks.one(1, 1)
    assert running.began == EPOCH + trio.current_time() - 0.5
    assert running.attempts is not None
    assert (running.attempts[-1].end, running.attempts[-1].began) == ("running", running.began)


async def test_a_timeline_has_single_attempts_where_there_are_few(
    tmp_path: Path, autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [outcomes(n + 1, [n], -500.0 + 10 * n, 20.0) for n in range(10)]
    lost = AttemptEnds(1, [AttemptEnd(3, 1, "gone", "lost", EPOCH - 480, EPOCH - 490)])
    server = await started(tmp_path, *job(12), *records, lost)
    view = await server.api._timeline(server.call(TimelineQuery()))
    assert view.spans is not None
    assert len(view.spans) == 11
    assert {span.slot for span in view.spans if span.worker == "w"} == {0, 1}
    assert [lane.worker for lane in view.lanes] == ["w"]
    assert view.since <= EPOCH - 520
    monkeypatch.setattr(limits_shown, "SPANS_SHOWN", 5)
    assert (await server.api._timeline(server.call(TimelineQuery()))).spans is None
    query = TimelineQuery(EPOCH - 505, EPOCH - 499, 400)
    part = await server.api._timeline(server.call(query))
    assert part.spans is not None
    assert [span.number for span in part.spans if span.worker == "w"] == [0, 1, 2]
    empty = await server.api._timeline(server.call(TimelineQuery(EPOCH + 50, EPOCH + 10)))
    assert (empty.lanes, empty.spans) == ([], [])


async def test_a_trace_has_all_attempts(tmp_path: Path, autojump_clock: Clock) -> None:
    records = [outcomes(n + 1, [n], -500.0 + 10 * n, 20.0) for n in range(10)]
    ends = [AttemptEnd(3, 1, "gone", "lost", EPOCH - 480, EPOCH - 490)]
    server = await started(tmp_path, *job(12), *records, AttemptEnds(1, ends))

    async def trace(limit: int) -> list[dict[str, Any]]:
        response = await server.api._trace(server.call(TraceQuery(limit)))
        assert isinstance(response.body, AsyncIterable)
        body = b"".join([piece async for piece in response.body])
        return check(json.loads(body))

    complete = await trace(1000)
    assert sorted(event["args"]["task"] for event in complete) == [0, 1, 2, 3, 3, *range(4, 10)]
    assert [event["cat"] for event in complete].count("lost") == 1
    assert len(await trace(4)) == 4


async def test_the_time_that_is_left(tmp_path: Path, autojump_clock: Clock) -> None:
    server = await started(tmp_path, *job(100))
    left = (await server.views.jobs.one(1)).left
    assert left is not None
    assert (left.tasks, left.likely) == (100, None)
    server.join()
    await trio.sleep(10.0)
    shown = await server.views.jobs.one(1)
    assert shown.left is not None
    assert "no task of it has finished" in shown.left.basis
    assert (await server.views.overview.look()).left.likely is None
    sequence = 0
    async with trio.open_nursery() as nursery:
        await nursery.start(server.app.run)
        for number in range(20):
            await trio.sleep(5.0)
            sequence += 1
            state = server.app.reactor.board.scheduler.state(1, number)
            assert state is not None
            failed = Failed(sequence, 1, number, state[1], 10.0, NO)
            done = Done(sequence, 1, [number], [state[1]], [10.0], [b""])
            server.say(failed if number == 5 else done)
        await server.app.committer.wait_idle()
        shown = await server.views.jobs.one(1)
        assert shown.left is not None
        assert shown.left.low is not None
        assert shown.left.high is not None
        assert shown.left.tasks == 80
        assert shown.left.low < 400 < shown.left.high < 1200
        assert shown.rate is not None
        assert shown.finished_at is None
        (listed,) = await server.views.jobs.newest(None, 10)
        assert listed.rate == pytest.approx(shown.rate, rel=0.2)
        overview = await server.views.overview.look()
        assert overview.left.low is not None
        assert overview.left.high is not None
        assert overview.left.low < 400 < overview.left.high < 1200
        (failure,) = overview.failures
        assert (failure.job, failure.group.error) == (1, "no 7")
        server.app.stop()


async def test_figures_that_lack_a_retry_are_counted_anew(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    failed = outcomes(1, [0], -400.0, 0.5, outcome=NO)
    server = await started(tmp_path, *job(1), failed, Retried(1, [0], [2]))
    view = await server.api._figures(server.call(None))
    assert (view.failures, view.seconds) == ([], 0.0)
