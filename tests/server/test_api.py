"""The API's door: which path takes which method, what a body may be, what a problem looks like."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from msgspec import Struct

from dc import limits, limits_http
from dc.blobs import BlobFolder
from dc.errors import StoreError, StoreFull
from dc.http import Request, Response
from dc.messages import PROTOCOL, Heartbeat, Hello
from dc.messages_client import Options
from dc.messages_parts import Failure
from dc.messages_worker import About
from dc.plugins import Plugins
from dc.records import JobEnded, NewJob, NewTasks, Outcomes
from dc.server.api_body import read_body
from dc.server.app import ServerApp, Settings
from dc.server.commands import CancelJob
from dc.server.cursors import cursor_of
from dc.server.events import Opened, Received
from dc.server.problems import BadRequest
from dc.server.site import Site
from dc.server.types import PluginTypes
from dc.store_memory import MemoryStore

JSON = {"Content-Type": "application/json"}


class Body:
    """The body of one request."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def next_piece(self, request: Request) -> bytes:
        piece, self._data = self._data[:1000], self._data[1000:]
        return piece

    async def move_to(self, request: Request, sink: Callable[[memoryview], object]) -> int:
        raise NotImplementedError


def request(
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    chunked: bool = False,
) -> Request:
    pairs = {"Host": "localhost", **(headers or {})}
    pairs |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    encoded = [(name.encode(), value.encode()) for name, value in pairs.items()]
    return Request(Body(body), method, path, "1.1", encoded)


class Served:
    """A server without a socket."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        settings = Settings("dc test", "http://127.0.0.1:1", folder, 0.0)
        blobs, types = BlobFolder(folder), PluginTypes(Plugins())
        self.app = ServerApp(self.store, blobs, types, settings)
        self.site = Site(self.app)

    async def ask(self, method: str, path: str, value: Any = None) -> tuple[int, Any]:
        body = b"" if value is None else msgspec.json.encode(value)
        answer = await self.site.answer(request(method, path, body, JSON if body else {}))
        assert isinstance(answer, Response)
        assert isinstance(answer.body, bytes)
        if "json" not in answer.content_type:
            return answer.status, answer.body.decode()
        return answer.status, msgspec.json.decode(answer.body)


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    """Serve two jobs of one task: job 1 is open, job 2 finished long ago."""
    served = Served(folder)
    for job in (1, 2):
        await served.store.commit([NewJob(job, "demo", "1", Options(), "bytes", "bytes", 1.0)])
    await served.store.commit([NewTasks(1, 0, [b"x"]), JobEnded(1, 1, 2.0), JobEnded(2, 0, 2.0)])
    await served.app.recover()
    async with trio.open_nursery() as nursery:
        await nursery.start(served.app.run)
        yield served
        served.app.stop()


# --- paths and methods --------------------------------------------------------------------------


async def test_a_path_has_its_methods_and_no_others(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for method, path, allowed in (
            ("POST", "/api/status", "GET, HEAD"),
            ("DELETE", "/api/jobs/1", "GET, PATCH, HEAD"),
            ("GET", "/api/jobs/1/cancel", "POST"),
        ):
            answer = await served.site.answer(request(method, path))
            assert isinstance(answer, Response)
            assert (answer.status, dict(answer.headers)["Allow"]) == (405, allowed)
        for path in ("/api/nothing", "/api/jobs/1/nothing", "/api", "/api/status/more"):
            status, problem = await served.ask("GET", path)
            assert (status, problem["code"]) == (404, "not_found")
        assert (await served.ask("HEAD", "/api/jobs/1"))[0] == 200


async def test_a_page_of_another_site_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        bad = request("POST", "/api/jobs/1/cancel", headers={"Origin": "http://evil.example"})
        answer = await served.site.answer(bad)
        assert isinstance(answer, Response)
        assert (answer.status, answer.content_type) == (403, "application/problem+json")
        assert (await served.ask("GET", "/api/jobs/1"))[1]["state"] == "queued"


# --- commands -----------------------------------------------------------------------------------


async def test_a_job_is_cancelled_once_and_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for _ in range(2):
            status, view = await served.ask("POST", "/api/jobs/1/cancel")
            assert (status, view["state"]) == (200, "cancelled")
        row = await served.store.job(1)
        assert row is not None
        assert row.cancelled_at is not None


async def test_a_finished_job_stays_as_it_is(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert (await served.ask("POST", "/api/jobs/2/cancel"))[1]["state"] == "done"
        assert not served.app.reactor.board.jobs.keys() - {1}, "it has left memory again"


async def test_an_unknown_job_is_said_to_be_unknown(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for path in ("/api/jobs/77/cancel", "/api/jobs/x/cancel"):
            status, problem = await served.ask("POST", path)
            assert (status, problem["code"]) == (404, "unknown_job")


async def test_who_asks_is_told_when_the_disk_does_not_take_it(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with serving(tmp_path) as served:
        served.store.fail = StoreFull("the disk is full")
        status, problem = await served.ask("POST", "/api/jobs/1/cancel")
        assert (status, problem["code"]) == (503, StoreError.code)
        assert "the disk is full" in problem["detail"]
        served.store.fail = None
        assert await served.app.ask(CancelJob(1)) is None
        assert (await served.ask("GET", "/api/jobs/1"))[1]["state"] == "cancelled"


# --- lists --------------------------------------------------------------------------------------


async def pages(served: Served, path: str, rows: str) -> list[dict[str, Any]]:
    """Return all rows of a list, page by page."""
    found: list[dict[str, Any]] = []
    cursor, mark = "", "&" if "?" in path else "?"
    while True:
        status, page = await served.ask("GET", f"{path}{mark}limit=2{cursor}")
        assert status == 200, page
        found += page[rows]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


async def test_jobs_are_listed_page_by_page(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for job, name in ((3, "Beta"), (4, "alpha"), (5, "100% beta_1")):
            options = Options(name=name, submitter="ann" if job > 3 else "bob")
            await served.store.commit([NewJob(job, "x", "1", options, "bytes", "bytes", 9.0 - job)])
            await served.store.commit([JobEnded(job, 0, 20.0 - job)])
        for query, numbers in (
            ("", [5, 4, 3, 2, 1]),
            ("?order=asc", [1, 2, 3, 4, 5]),
            ("?sort=name", [1, 2, 5, 4, 3]),
            ("?sort=created", [3, 4, 5, 2, 1]),
            ("?sort=finished", [1, 3, 4, 5, 2]),
            ("?search=BETA", [5, 3]),
            ("?search=%25", [5]),
            ("?submitter=ann", [5, 4]),
            ("?type=demo", [2, 1]),
            ("?state=queued", [1]),
            ("?state=done&type=demo", [2]),
            ("?state=queued,done,failed&order=asc", [1, 2, 3, 4, 5]),
            ("?state=running", []),
            ("?before=3", [2, 1]),
        ):
            found = await pages(served, f"/api/jobs{query}", "jobs")
            assert [job["job"] for job in found] == numbers, query


async def test_tasks_are_listed_by_their_states(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        tasks = NewTasks(3, 0, [b"x"] * 7)
        new = NewJob(3, "demo", "1", Options(), "bytes", "bytes", 1.0)
        await served.store.commit([new, tasks, JobEnded(3, 7, 2.0)])
        failed = Failure("error", "no")
        done = Outcomes(
            1, 3, "w", 3.0, [0, 2, 4, 5], [1] * 4, [0.1] * 4, [b"r", failed, failed, b"r"]
        )
        await served.store.commit([done])
        for query, numbers in (
            ("", [0, 1, 2, 3, 4, 5, 6]),
            ("?first=5", [5, 6]),
            ("?state=failed", [2, 4]),
            ("?failed=1", [2, 4]),
            ("?state=done", [0, 5]),
            ("?state=finished", [0, 2, 4, 5]),
            ("?state=unfinished", [1, 3, 6]),
        ):
            found = await pages(served, f"/api/jobs/3/tasks{query}", "tasks")
            assert [task["number"] for task in found] == numbers, query


async def test_workers_are_listed_page_by_page(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for peer, name in enumerate(("lab-3", "lab-1", "Lab-2", "desk"), 1):
            connect(served, name, peer)
        await served.ask("PATCH", "/api/workers/desk", {"slots": 2, "labels": {"room": "3"}})
        await served.ask("POST", "/api/workers/pause", {"names": ["lab-1"]})
        for query, names in (
            ("", ["Lab-2", "desk", "lab-1", "lab-3"]),
            ("?order=desc", ["lab-3", "lab-1", "desk", "Lab-2"]),
            ("?sort=slots&order=asc", ["desk", "Lab-2", "lab-1", "lab-3"]),
            ("?sort=state", ["Lab-2", "desk", "lab-3", "lab-1"]),
            ("?search=LAB", ["Lab-2", "lab-1", "lab-3"]),
            ("?label=room=3", ["desk"]),
            ("?state=paused,sick", ["lab-1"]),
        ):
            found = await pages(served, f"/api/workers{query}", "workers")
            assert [worker["name"] for worker in found] == names, query


@pytest.mark.parametrize(
    "query",
    ["cursor=x", "cursor=%F0%9F%98%80", "cursor=WyJqb2JzIiwxXQ", "limit=0", "limit=-1", "limit=x",
     "limit=1001", "before=null", "order=null", "limit=1e2",
     f"limit={'9' * 60}", "limit=1&limit=1", "nothing=1", "state=odd",
     "before=-1", "before=1&sort=name", "order=up", "sort=why", f"search={'x' * 300}"],
)  # fmt: skip
async def test_a_query_that_is_not_taken(tmp_path: Path, query: str) -> None:
    async with serving(tmp_path) as served:
        status, problem = await served.ask("GET", f"/api/jobs?{query}")
        assert (status, problem["code"] in ("query", "cursor")) == (400, True), problem


async def test_a_cursor_is_of_its_list_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        cursor = (await served.ask("GET", "/api/jobs?limit=1"))[1]["next"]
        assert (await served.ask("GET", f"/api/jobs?cursor={cursor}&limit=5"))[1]["next"] is None
        forged = cursor_of("jobs by job, down", ["text", 1])
        for path in (
            f"/api/jobs?order=asc&cursor={cursor}",
            f"/api/jobs/1/tasks?cursor={cursor}",
            f"/api/workers?cursor={cursor}",
            f"/api/jobs?cursor={forged}",
            f"/api/jobs?cursor={cursor_of('jobs by job, down', [1, 2**70])}",
            f"/api/workers?cursor={cursor_of('workers by name, up', [1, 'a', 'b'])}",
            f"/api/jobs/1/tasks?cursor={cursor_of('all tasks of job 1', -1)}",
        ):
            status, problem = await served.ask("GET", path)
            assert (status, problem["code"]) == (400, "cursor"), path


# --- workers ------------------------------------------------------------------------------------


def connect(served: Served, name: str, peer: int) -> None:
    """Have a worker come."""
    about = About(name, f"key of {name}", 4, [], {"os": "linux"}, {}, "run")
    served.app.feed(Opened(peer, "10.0.0.1:5"))
    hello = Hello(PROTOCOL, "worker", "dc", ["orders"], about)
    served.app.feed(Received(peer, [hello, Heartbeat()]))


async def test_workers_are_changed_one_by_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        connect(served, "lab-1", 1)
        change = {"slots": 2, "note": "hot", "labels": {"room": "3"}}
        status, view = await served.ask("PATCH", "/api/workers/lab-1", change)
        assert (status, view["slots"], view["own_slots"], view["note"]) == (200, 2, 4, "hot")
        assert view["labels"] == {"os": "linux", "room": "3"}
        taken_back = {"slots": None, "labels": {"room": None}}
        _, view = await served.ask("PATCH", "/api/workers/lab-1", taken_back)
        assert (view["slots"], view["labels"], view["note"]) == (4, {"os": "linux"}, "hot")
        assert view == (await served.ask("GET", "/api/workers/lab-1"))[1]
        assert (await served.store.workers())[0].note == "hot"
        for _ in range(2):
            status, answer = await served.ask("DELETE", "/api/workers/lab-1")
            if status == 404:
                break
            assert answer == {"deleted": ["lab-1"]}
        assert status == 404, "it is not there any more"
        for method in ("GET", "PATCH", "DELETE"):
            status, problem = await served.ask(method, "/api/workers/lab-1")
            assert (status, problem["code"]) == (404, "unknown_worker")


async def test_workers_are_changed_by_a_filter(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for peer, name in enumerate(("lab-1", "lab-2", "desk"), 1):
            connect(served, name, peer)
        status, answer = await served.ask("POST", "/api/workers/pause", {"names": ["lab-*"]})
        assert status == 200
        assert {one["name"]: one["state"] for one in answer["workers"]} == {
            "lab-1": "paused", "lab-2": "paused",
        }  # fmt: skip
        _, answer = await served.ask("POST", "/api/workers/resume", {"states": ["paused"]})
        assert [one["state"] for one in answer["workers"]] == ["connected"] * 2
        body = {"labels": {"os": "linux"}, "set": {"note": "x"}}
        _, answer = await served.ask("POST", "/api/workers/set", body)
        assert [one["note"] for one in answer["workers"]] == ["x"] * 3
        _, answer = await served.ask("POST", "/api/workers/drain", {"all": True, "leave": True})
        assert [one["state"] for one in answer["workers"]] == ["draining"] * 3
        status, problem = await served.ask("POST", "/api/workers/resume", {"all": True})
        assert (status, problem["code"]) == (409, "not_possible")
        _, answer = await served.ask("POST", "/api/workers/restart", {"all": True, "now": True})
        assert len(answer["workers"]) == 3
        _, answer = await served.ask("POST", "/api/workers/delete", {"names": ["lab-?"]})
        assert answer == {"deleted": ["lab-1", "lab-2"]}
        desk = (await served.ask("GET", "/api/workers/desk"))[1]
        assert "told to restart now by an operator: restarts now" in desk["why"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/workers/drain", {}, 400),
        ("/api/workers/drain", {"names": ["nobody"]}, 404),
        ("/api/workers/drain", {"name": ["desk"]}, 400),
        ("/api/workers/drain", {"names": ["desk"], "now": True}, 400),
        ("/api/workers/pause", {"names": "desk"}, 400),
        ("/api/workers/pause", {"names": ["x"] * (limits.WORKER_NAMES + 1)}, 400),
        ("/api/workers/set", {"all": True, "set": {"slots": -1}}, 400),
        ("/api/workers/set", {"all": True, "set": {"slots": limits.WORKER_SLOTS + 1}}, 400),
        ("/api/workers/set", {"all": True, "set": {"note": "x" * (limits.NOTE_CHARS + 1)}}, 400),
        ("/api/workers/set", {"all": True, "set": {"labels": {"a": 1}}}, 400),
        ("/api/workers/desk", {"all": True}, 405),
    ],
)
async def test_what_is_not_taken_of_workers(
    tmp_path: Path, path: str, body: dict[str, Any], status: int
) -> None:
    async with serving(tmp_path) as served:
        connect(served, "desk", 1)
        assert (await served.ask("POST", path, body))[0] == status
        assert (await served.ask("GET", "/api/workers/desk"))[1]["state"] == "connected"


# --- bodies -------------------------------------------------------------------------------------


class Wish(Struct, forbid_unknown_fields=True):
    """A body."""

    name: str = ""
    count: int = 0


async def test_a_body_is_json() -> None:
    assert await read_body(request("POST", "/"), Wish) == Wish()
    said = request("POST", "/", b'{"name": "a"}', {"Content-Type": "Application/JSON; charset=x"})
    assert await read_body(said, Wish) == Wish("a")
    in_chunks = request("POST", "/", b'{"count": 3}', JSON, chunked=True)
    assert await read_body(in_chunks, Wish) == Wish("", 3)


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"{}", {}, 415, "Content-Type: application/json"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "Content-Type: application/json"),
        (b'{"nmae": "a"}', JSON, 400, "nmae"),
        (b'{"count": "x"}', JSON, 400, "count"),
        (b"{", JSON, 400, "truncated"),
        (b"\xff", JSON, 400, "body"),
        (b'"\xff"', JSON, 400, "body"),
        (b"[" * 5000, JSON, 400, "body"),
        (b"[]", JSON, 400, "object"),
        (b" " * (limits_http.COMMAND_BYTES + 1), JSON, 413, str(limits_http.COMMAND_BYTES)),
    ],
)
async def test_a_body_that_is_not_taken(
    body: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    for chunked in (False, True):
        with pytest.raises(BadRequest, match=says) as bad:
            await read_body(request("POST", "/", body, headers, chunked=chunked), Wish)
        code = {413: "too_large", 415: "media_type"}.get(status, "body")
        assert (bad.value.status, bad.value.code) == (status, code)
