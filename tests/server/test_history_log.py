"""History and presence: what the reactor notes of each step, and what a chart is given."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from dc import limits_shown
from dc.blobs import BlobFolder
from dc.errors import OptionsError, UnknownWorker
from dc.messages import PROTOCOL, Hello
from dc.messages_worker import About
from dc.plugins import Plugins
from dc.records_shown import EventFilter, History, HistoryStep, Presences
from dc.server.app import ServerApp, Settings
from dc.server.events import Opened, Received, Stopping
from dc.server.history import HistoryLog, chart, choose, step_at
from dc.server.types import PluginTypes
from dc.server.views import Views
from dc.store import Store
from dc.store_sqlite import open_store
from tests.server.harness import Harness

STEP = limits_shown.HISTORY_SECONDS
IDLE = limits_shown.HISTORY_IDLE_SECONDS


def steps_of(server: Harness) -> list[HistoryStep]:
    return [one for record in server.written if isinstance(record, History) for one in record.steps]


def live(server: Harness, seconds: float) -> None:
    for _ in range(int(seconds)):
        server.live(1.0, *server.reactor.workers.by_peer, *server.reactor.clients.by_peer)
        server.commit()


def test_a_step_says_what_was_done_in_it_and_how_it_stands() -> None:
    server = Harness()
    peer, client = server.worker("w", slots=2), server.client()
    server.submit(client, [b"a", b"b", b"c"])
    server.settle()
    server.answer(peer, 1, server.tasks(peer)[:1])
    live(server, STEP + 1)
    (step, *_) = steps_of(server)
    assert (step.at, step.done, step.failed) == (step_at(1e9 + 1000), 1, 0)
    assert step.queued + step.running == 2
    assert (step.workers, step.slots, step.away, step.busy) == (1, 2, 0, 2)
    assert step.bytes > 0
    live(server, STEP)
    assert [one.done for one in steps_of(server)] == [1] + [0] * (len(steps_of(server)) - 1)


def test_an_idle_server_writes_once_a_minute_and_leaves_no_gap() -> None:
    server = Harness()
    live(server, 10 * IDLE)
    records = [one for one in server.written if isinstance(one, History)]
    assert len(records) <= 11
    times = [one.at for one in steps_of(server)]
    assert times == list(range(times[0], times[-1] + 1, STEP))
    assert len(times) >= 9 * IDLE / STEP


def test_what_changes_is_written_when_its_step_is_over() -> None:
    server = Harness()
    live(server, 3 * IDLE)
    count = len(steps_of(server))
    server.worker("w")
    live(server, STEP + 1)
    assert steps_of(server)[-1].workers == 1
    assert len(steps_of(server)) > count


def test_a_server_that_stops_writes_the_step_that_has_begun() -> None:
    server = Harness()
    server.worker("w")
    server.feed(Stopping())
    server.commit()
    assert [one.workers for one in steps_of(server)] == [1]


def test_no_step_waits_in_memory_without_end_while_the_disk_is_full() -> None:
    server = Harness()
    for at in range(3 * limits_shown.HISTORY_KEPT[STEP]):
        server.now += STEP
        if at % 2:
            server.worker(f"w{at}", slots=at) if at < 100 else None
        server.reactor.board.now, server.reactor.board.wall = server.now, server.now + 1e9
        server.reactor.board.out = []
        server.reactor.board.counters.outcomes["done"] += 1
        server.reactor.chronicle.tick()
    assert len(server.reactor.chronicle.history.waiting) <= limits_shown.HISTORY_KEPT[STEP]


def test_a_clock_that_is_set_back_or_forward_leaves_whole_steps() -> None:
    log = HistoryLog()
    for total, wall in enumerate((1000.0, 1012.0, 1003.0, 1004.0, 9000.0, 9011.0), start=1):
        if log.is_over(wall):
            log.end(HistoryStep(step_at(wall), total, 0, 0, 0, 0, 0, 0, 0, 0))
    assert [(one.at, one.done) for one in log.waiting] == [
        (1000, 2), (1010, 1), (1000, 2), (9000, 1),
    ]  # fmt: skip


# --- charts ---------------------------------------------------------------------------------------


@given(
    st.sets(st.integers(0, 3000), max_size=40),
    st.integers(0, 30_000),
    st.integers(1, 30_000),
    st.integers(1, limits_shown.HISTORY_POINTS),
)
def test_a_chart_has_each_step_once(places: set[int], since: int, span: int, points: int) -> None:
    until, now = since + span, 30_000.0
    base, long = choose(since, until, points, now)
    assert base in limits_shown.HISTORY_KEPT
    assert long % base == 0
    steps = [HistoryStep(at * base, 1, 0, at, 0, 0, 0, 0, 0, 0) for at in sorted(places)]
    found = chart(steps, since, until, long, points)
    assert 1 <= len(found.at) <= points
    assert all(len(column) == len(found.at) for column in found.series.values())
    assert found.at == [found.at[0] + at * long for at in range(len(found.at))]
    assert found.at[-1] < until <= found.at[-1] + long
    for at, done, queued in zip(
        found.at, found.series["done"], found.series["queued"], strict=True
    ):
        mine = [one for one in steps if at <= one.at < at + long]
        assert done == (len(mine) or None)
        assert queued == (mine[-1].queued if mine else None)


@pytest.mark.parametrize(
    ("span", "ago", "points", "expected"),
    [
        (3600, 0, 360, (10, 10)),
        (3600, 0, 30, (60, 120)),
        (7200, 0, 1000, (10, 10)),
        (86400, 0, 360, (60, 240)),
        (86400, 10 * 86400, 360, (600, 600)),
        (30 * 86400, 0, 360, (7200, 7200)),
        (600 * 86400, 0, 100, (7200, 72 * 7200)),
        (3600, 10**9, 360, (7200, 7200)),
    ],
)
def test_which_steps_a_chart_is_read_in(
    span: int, ago: int, points: int, expected: tuple[int, int]
) -> None:
    now = 2e9
    assert choose(now - ago - span, now - ago, points, now) == expected


# --- presence -------------------------------------------------------------------------------------


def presences(server: Harness) -> list[tuple[str, bool, int]]:
    rows = {}
    for record in server.written:
        if isinstance(record, Presences):
            rows.update({(row.key, row.since): row for row in record.rows})
    return [(row.key, row.until is not None, row.done) for row in rows.values()]


def test_who_is_away_and_comes_back_was_here_all_along() -> None:
    server = Harness()
    peer, client = server.worker("w", key="k"), server.client()
    server.submit(client, [b"a"])
    server.settle()
    (task,) = server.tasks(peer)
    server.close(peer)
    live(server, 2)
    server.worker("w", key="k", held=())
    live(server, 2)
    assert presences(server) == [("k", False, 0)]
    server.settle()
    again = max(server.reactor.workers.by_peer)
    server.answer(again, 1, server.tasks(again) or [task])
    server.commit()
    server.close(again)
    live(server, 2)
    assert presences(server) == [("k", True, 1)]
    server.worker("w", key="k")
    live(server, 2)
    assert presences(server) == [("k", True, 1), ("k", False, 0)]


def test_what_ended_on_a_worker_that_stays_is_written_now_and_then() -> None:
    server = Harness()
    peer, client = server.worker("w", key="k"), server.client()
    live(server, 2)
    server.submit(client, [b"a"])
    server.settle()
    server.answer(peer, 1, server.tasks(peer))
    live(server, limits_shown.PRESENCE_FIGURES_SECONDS + 2)
    assert presences(server) == [("k", False, 1)]


# --- over restarts --------------------------------------------------------------------------------


class Life:
    """One process of a server over a store, by its own clock."""

    def __init__(self, store: Store, folder: Path, wall: float) -> None:
        self.wall = wall
        settings = Settings("dc test", "http://127.0.0.1:1", folder, wall)
        types = PluginTypes(Plugins())
        self.app = ServerApp(store, BlobFolder(folder), types, settings, lambda: self.wall)
        self.views = Views(self.app)

    async def run(self, seconds: int, *, stop: bool) -> None:
        await self.app.recover()
        async with trio.open_nursery() as nursery:
            await nursery.start(self.app.run)
            about = About("w", "k", 2, [], {}, run="run 1")
            self.app.feed(Opened(1, "here"))
            hello = Hello(PROTOCOL, "worker", "dc", [], about)
            self.app.feed(Received(1, [hello]))
            for _ in range(seconds):
                await trio.sleep(1.0)
                self.wall += 1.0
            if stop:
                self.app.stop()
            else:  # as if it was killed
                nursery.cancel_scope.cancel()


async def test_the_past_outlives_a_server_that_is_stopped_or_killed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    store = await open_store(tmp_path)
    first = Life(store, tmp_path, 1e9)
    await first.run(25, stop=False)
    second = Life(store, tmp_path, 1e9 + 100)
    await second.run(15, stop=True)
    third = Life(store, tmp_path, 1e9 + 200)
    await third.run(12, stop=True)
    kinds = [one.kind for one in await store.events(EventFilter(kind="server"), 0, 99, 99)][::-1]
    lives = ("started", "started", "stopped", "started", "stopped")
    assert kinds == [f"server.{one}" for one in lives]
    found = await store.events(EventFilter(kind="server.started"), 0, 99, 99)
    assert [one.level for one in found] == ["info", "warning", "info"]
    history = await third.views.history.between(1e9, 1e9 + 220, 1000)
    workers = dict(zip(history.at, history.series["workers"], strict=True))
    assert [workers[1e9 + at] for at in (0, 40, 100, 110, 200)] == [1, None, 1, 1, 1]
    known = await third.views.history.of_worker("w")
    assert [one.since for one in known.presence] == [1e9 + 200, 1e9 + 100, 1e9]
    assert all(one.until is not None for one in known.presence[1:])
    assert 1e9 < (known.presence[2].until or 0) <= 1e9 + 30
    with pytest.raises(UnknownWorker):
        await third.views.history.of_worker("nobody")
    with pytest.raises(OptionsError):
        await third.views.history.between(5, 5, 10)
    assert len((await third.views.history.last()).at) == 1
    await store.aclose()
