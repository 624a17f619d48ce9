"""The metrics: what a scrape says, against the state; what bounds it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dc import limits, limits_shown
from dc.http import Response
from dc.messages_parts import Failure
from dc.messages_worker import Failed
from dc.server.commands import CancelJob, OrderWorkers, PauseJob, Which
from dc.server.counters import Counters
from dc.server.metrics_reactor import WORKER_STATES, of_reactor
from dc.server.request_tally import OTHER, RequestTally, route_of
from tests.server.harness import Harness
from tests.server.scrapes import Samples, by_label, families, open_families, samples
from tests.server.test_api import Served, request, serving
from tests.server.test_health import with_a_sick_worker


def read(server: Harness) -> Samples:
    return samples(list(of_reactor(server.reactor)))


async def scrape(served: Served, accept: str = "") -> tuple[str, str]:
    answer = await served.site.answer(request("GET", "/metrics", headers={"Accept": accept}))
    assert isinstance(answer, Response)
    assert isinstance(answer.body, bytes)
    return answer.body.decode(), answer.content_type


# --- tasks and jobs -----------------------------------------------------------------------------


def test_tasks_are_counted_by_state_and_by_what_became_of_them() -> None:
    server = Harness()
    peer = server.worker("w", slots=3)
    server.submit(server.client(), [b"p%d" % n for n in range(30)], retries=1)
    server.settle()
    given = server.tasks(peer)
    values = read(server)
    states = by_label(values, "dc_tasks", "state")
    assert states["assigned"] + states["running"] == len(given)
    assert sum(states.values()) == 30
    assert values["dc_slots_busy", ()] == values["dc_slots", ()] == 3

    job, number, attempt, _ = given[0]
    server.say(peer, Failed(1, job, number, attempt, 2.0, Failure("error", "it raised")))
    server.answer(peer, 2, given[1:3], seconds=0.4)
    values = read(server)
    assert by_label(values, "dc_attempts_retried_total", "kind")["error"] == 1
    outcomes = by_label(values, "dc_tasks_finished_total", "outcome")
    assert outcomes["done"] == 2
    assert sum(outcomes.values()) == 2
    assert values["dc_task_run_seconds_count", (("type", "echo"),)] == 2
    assert values["dc_task_run_seconds_sum", (("type", "echo"),)] == pytest.approx(0.8)
    assert values["dc_task_run_seconds_bucket", (("le", "0.5"), ("type", "echo"))] == 2
    assert values["dc_task_run_seconds_bucket", (("le", "0.1"), ("type", "echo"))] == 0
    assert values["dc_tasks_submitted_total", ()] == 30


def test_jobs_are_counted_by_state_and_at_their_end() -> None:
    server = Harness()
    client = server.client()
    jobs = [server.submit(client, [b"p"]) for _ in range(3)]
    server.settle()
    server.now += 50
    server.decide(PauseJob(jobs[0]))
    server.decide(CancelJob(jobs[1]))
    values = read(server)
    assert by_label(values, "dc_jobs", "state") == {
        "open": 0,
        "paused": 1,
        "queued": 1,
        "running": 0,
        "waiting": 0,
    }
    assert by_label(values, "dc_jobs_finished_total", "state")["cancelled"] == 1
    assert values["dc_jobs_submitted_total", ()] == 3
    assert values["dc_oldest_job_age_seconds", ()] == 50

    peer = server.worker("w")
    server.answer(peer, 1, server.tasks(peer))
    server.settle()
    values = read(server)
    assert by_label(values, "dc_jobs_finished_total", "state") == {
        "cancelled": 1,
        "done": 1,
        "failed": 0,
    }


def test_what_a_worker_makes_up_is_no_label() -> None:
    counters = Counters()
    for number in range(1000):
        counters.record([Failure(f"kind {number}", "")], 1, 0)
        counters.try_again(f"kind {number}")
        counters.ran(f"type {number}", [1.0])
    assert counters.outcomes["other"] == counters.again["other"] == 1000
    assert len(counters.times) == limits_shown.TIMED_TYPES + 1
    assert sum(sum(one.counts) for one in counters.times.values()) == 1000


# --- workers ------------------------------------------------------------------------------------


def counted(server: Harness) -> dict[str, float]:
    found = by_label(read(server), "dc_workers", "state")
    assert set(found) == set(WORKER_STATES)
    return {state: value for state, value in found.items() if value}


def one_by_one(server: Harness) -> Counter[str]:
    side = server.reactor.workers
    return Counter(side.state_of(worker)[0] for worker in side.roster.by_key.values())


def test_workers_are_counted_by_state() -> None:
    server = with_a_sick_worker()[0]
    for name in ("paused", "drained", "leaving", "idle"):
        server.worker(name, slots=2)
    server.decide(OrderWorkers(Which(["paused"]), "pause"))
    server.decide(OrderWorkers(Which(["drained"]), "drain"))
    server.decide(OrderWorkers(Which(["leaving"]), "stop"))
    assert counted(server) == one_by_one(server)
    assert {"paused", "draining", "sick", "connected"} <= set(counted(server))
    server.decide(OrderWorkers(Which(["paused"]), "resume"))
    server.pass_time(limits.SICK_SECONDS + 1)
    assert counted(server) == one_by_one(server)


def test_a_worker_that_is_away_is_counted_as_that() -> None:
    server = Harness()
    peer = server.worker("w", slots=3)
    server.submit(server.client(), [b"p"] * 5)
    server.settle()
    server.close(peer)
    assert counted(server) == one_by_one(server) == {"away": 1}
    values = read(server)
    assert values["dc_slots", ()] == 0


# --- the page -----------------------------------------------------------------------------------


async def test_both_formats_say_the_same(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await scrape(served)
        text, kind = await scrape(served)
        assert kind.startswith("text/plain; version=0.0.4")
        found = samples(families(text))
        opened, kind = await scrape(served, "application/openmetrics-text;version=1.0.0,*/*;q=0.1")
        assert kind.startswith("application/openmetrics-text; version=1.0.0")
        assert samples(open_families(opened)).keys() == found.keys()
        assert found["dc_store_writable", ()] == 1
        version = {dict(labels)["version"] for name, labels in found if name == "dc_build_info"}
        assert len(version) == 1


async def test_each_family_has_words_and_a_name_by_the_rules(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        text, _ = await scrape(served)
        for family in families(text):
            assert family.name.startswith(("dc_", "process_")), family.name
            assert family.documentation.endswith(".")
            assert family.type in ("counter", "gauge", "histogram")
            for sample in family.samples:
                assert not set(sample.labels) & {"job", "task", "worker", "name", "peer"}


async def test_requests_are_counted_by_route(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for job in range(5):
            await served.ask("GET", f"/api/jobs/{job}")
        await served.ask("POST", "/api/status")
        await served.site.answer(request("GET", "/", headers={"Host": "evil.example"}))
        found = samples(families((await scrape(served))[0]))

    def count(method: str, route: str, status: str) -> float:
        labels = ("method", method), ("route", route), ("status", status)
        return found["dc_http_requests_total", labels]

    assert count("GET", "/api/jobs/*", "2xx") == 2
    assert count("GET", "/api/jobs/*", "4xx") == 3
    assert count("POST", "/api/status", "4xx") == 1
    assert count("GET", "/", "4xx") == 1
    assert found["dc_http_request_seconds_count", ()] == 7


async def test_only_reading_is_allowed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        answer = await served.site.answer(request("POST", "/metrics"))
        assert isinstance(answer, Response)
        assert answer.status == 405


def test_paths_that_clients_make_up_stay_few() -> None:
    tally = RequestTally()
    for number in range(10_000):
        words = ["api", "jobs", "tasks", "workers"]
        path = "/".join(words[(number >> 2 * at) % 4] for at in range(7))
        tally.count("GET", f"/{path}", 404, 0.001)
        tally.count(f"METHOD{number}", f"/x{number}", 200, 0.001)
    assert len(tally.counts) <= limits_shown.COUNTED_ROUTES + 5
    assert sum(tally.counts.values()) == 20_000
    assert route_of("/a" * 100) == OTHER
    assert route_of('/api/jobs/"\n') == "/api/jobs/*"
