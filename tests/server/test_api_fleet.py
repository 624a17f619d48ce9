"""What the API shows of workers, and their names, asked over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from dc import limits
from dc.messages import PROTOCOL, Heartbeat, Hello
from dc.messages_worker import About, Running, TypeId, Vitals
from dc.server.events import Opened, Received
from dc.server.worker_views import vitals_view
from tests.server.harness import Harness
from tests.server.test_api import connect, serving


async def test_a_worker_is_renamed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        connect(served, "lab-1", 1)
        connect(served, "lab-2", 2)
        status, view = await served.ask(
            "PATCH", "/api/workers/lab-1", {"name": "fast", "note": "n"}
        )
        assert (status, view["name"], view["own_name"], view["note"]) == (200, "fast", "lab-1", "n")
        assert (await served.store.workers())[0].called == "fast"
        status, problem = await served.ask("PATCH", "/api/workers/lab-2", {"name": "fast"})
        assert (status, problem["code"]) == (409, "duplicate_name")
        for name in ("a*", "", "\u202ea", "x" * (limits.TEXT_CHARS + 1), 7):
            status, problem = await served.ask("PATCH", "/api/workers/lab-2", {"name": name})
            assert status == (200 if name == "" else 400), name
        status, view = await served.ask("PATCH", "/api/workers/fast", {"name": None})
        assert (status, view["name"]) == (200, "lab-1")
        body = {"all": True, "set": {"name": "x"}}
        assert (await served.ask("POST", "/api/workers/set", body))[0] == 400


async def test_names_are_exact_where_that_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for peer, name in enumerate(("lab-*", "lab-1"), 1):
            connect(served, name, peer)
        body = {"names": ["lab-*"], "exact": True}
        _, answer = await served.ask("POST", "/api/workers/pause", body)
        assert [one["name"] for one in answer["workers"]] == ["lab-*"]


async def test_many_are_meant_by_name(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        names = [f"w{number}" for number in range(500)]
        for peer, name in enumerate(names, 1):
            connect(served, name, peer)
        body = {"names": names, "exact": True}
        status, answer = await served.ask("POST", "/api/workers/pause", body)
        assert (status, len(answer["workers"])) == (200, 500)


async def test_how_a_computer_is(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        connect(served, "lab-1", 1)
        _, view = await served.ask("GET", "/api/workers/lab-1")
        assert view["vitals"] is None
        assert (view["software"], view["key"], view["rate"]) == ("dc", "key of l", 0.0)
        assert view["own_labels"] == {"os": "linux"}
        told = Vitals(processors=0.25, memory_used=1.5e9, memory_total=4e9, mains=0.0, battery=0.5)
        served.app.feed(Received(1, [told]))
        _, view = await served.ask("GET", "/api/workers/lab-1")
        vitals = view["vitals"]
        assert vitals.pop("at") > 0
        assert vitals == {
            "processors": 0.25, "memory_used": 1_500_000_000, "memory_total": 4_000_000_000,
            "disk_free": None, "temperature": None, "battery": 0.5, "mains": False,
            "dc_memory": None, "dc_processors": None,
        }  # fmt: skip


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0, 1e18])
def test_whatever_it_says_can_be_shown(value: float) -> None:
    server = Harness()
    peer = server.worker("w")
    said = Vitals(**dict.fromkeys(structs.asdict(Vitals()), value))
    server.say(peer, said)
    worker = server.reactor.workers.roster.by_peer[peer]
    view = vitals_view(worker)
    assert view is not None
    assert view.at == server.now + 1e9
    assert (view.battery is None) == (value < 0)


def test_what_failed_lately_and_how_quick_it_is() -> None:
    server = Harness()
    peer = server.worker("w", slots=4)
    server.submit(server.client(), [b"p"] * 40, retries=0)
    server.settle()
    worker = server.reactor.workers.roster.by_peer[peer]
    sequence = 0
    while tasks := server.tasks(peer):
        sequence += 1
        server.answer(peer, sequence, tasks)
        server.settle()
    assert worker.tally.failing == 0.0
    assert worker.tally.rate(server.now) == pytest.approx(4.0), "40 within ten seconds"


async def test_what_runs_since_when(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        about = About("w", "key of w", 1, [TypeId("demo", "1")], {}, {}, "run")
        served.app.feed(Opened(1, "10.0.0.1:5"))
        hello = Hello(PROTOCOL, "worker", "dc", ["orders"], about)
        served.app.feed(Received(1, [hello, Heartbeat()]))
        side = served.app.reactor.workers
        [(job, number, attempt, _)] = side.tasks_of(side.roster.by_peer[1], 9)
        _, view = await served.ask("GET", "/api/workers/w")
        [running] = view["running"]
        assert (running["type"], running["began"]) == ("demo", None), "it may not have begun"
        served.app.feed(Received(1, [Running(job, [number], [attempt], [100.0])]))
        _, view = await served.ask("GET", "/api/workers/w")
        [running] = view["running"]
        assert running["began"] == pytest.approx(side.roster.by_peer[1].since - 100, abs=20)


async def test_who_fails_most_is_listed_first(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for peer, name in enumerate(("ann", "bob", "eve"), 1):
            connect(served, name, peer)
            worker = served.app.reactor.workers.roster.by_peer[peer]
            worker.done, worker.failed = 10, peer % 3
            for _ in range(peer):
                worker.tally.done(10, served.app.reactor.board.now)
            worker.tally.failed()
            worker.vitals = Vitals(processors=peer / 4) if peer > 1 else None
        for sort, names in {
            "failing": ["ann", "bob", "eve"],
            "failed": ["bob", "ann", "eve"],
            "rate": ["eve", "bob", "ann"],
            "processors": ["eve", "bob", "ann"],
        }.items():
            _, answer = await served.ask("GET", f"/api/workers?sort={sort}&order=desc")
            assert [one["name"] for one in answer["workers"]] == names, sort
        for sort in ("held", "memory", "done", "slots", "name", "state"):
            seen = []
            path = f"/api/workers?sort={sort}&limit=1"
            while path:
                _, answer = await served.ask("GET", path)
                seen += [one["name"] for one in answer["workers"]]
                path = (
                    answer["next"] and f"/api/workers?sort={sort}&limit=1&cursor={answer['next']}"
                )
            assert sorted(seen) == ["ann", "bob", "eve"], sort
