"""The API's description, and that all routes refuse what does not fit in the same way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from msgspec import Struct
from openapi_spec_validator import validate

from dc import errors
from dc import limits_http as limits
from dc.http import Response
from dc.server import openapi
from dc.server.api_rows import Cursor
from dc.server.kept_answers import KeptAnswers
from dc.server.openapi import attributes, operation_id, statuses_of
from dc.server.problems import OF_REQUESTS, STATUSES, BadRequest
from dc.server.routes import Call, Route, Router
from dc.view_server import Problem
from tests.server.test_api import JSON, Served, request, serving

NOT_THERE = ((404, "unknown_job"), (404, "unknown_task"))


@asynccontextmanager
async def described(folder: Path) -> AsyncIterator[tuple[Served, dict[str, Any]]]:
    async with serving(folder) as served:
        status, found = await served.ask("GET", "/api/openapi.json")
        assert status == 200
        yield served, found


async def test_the_description_is_valid(tmp_path: Path) -> None:
    async with described(tmp_path) as (_, found):
        validate(found)
        ids = [one["operationId"] for path in found["paths"].values() for one in path.values()]
        assert len(ids) == len(set(ids))
        tags = {tag["name"] for tag in found["tags"]}
        for methods in found["paths"].values():
            for said in methods.values():
                assert set(said["tags"]) <= tags
                assert said["summary"]
        schemas = msgspec.json.encode(found["paths"]).decode() + str(found["components"])
        assert all(
            f"#/components/schemas/{name}" in schemas for name in found["components"]["schemas"]
        )


async def test_every_path_is_there(tmp_path: Path) -> None:
    """What is described is answered with something else than: there is no such path."""
    async with described(tmp_path) as (served, found):
        for path in found["paths"]:
            asked = path
            for name, value in (
                ("job", "1"),
                ("task", "0"),
                ("code", "query"),
                ("sha256", "a" * 64),
            ):
                asked = asked.replace(f"{{{name}}}", value)
            answer = await served.site.answer(request("OPTIONS", asked.replace("{name}", "x")))
            assert isinstance(answer, Response)
            assert answer.status == 405, path


def routes(served: Served) -> list[Route]:
    return served.site._router.routes


def filled(route: Route, value: str = "1") -> str:
    path = route.path
    for name in route.fields:
        path = path.replace(f"{{{name}}}", value)
    return path


async def problem(served: Served, *asked: Any, **options: Any) -> tuple[int, Problem, Response]:
    answer = await served.site.answer(request(*asked, **options))
    assert isinstance(answer, Response)
    assert answer.content_type == "application/problem+json", (asked, answer)
    assert isinstance(answer.body, bytes)
    said = msgspec.json.decode(answer.body, type=Problem)
    assert said.status == answer.status
    assert said.detail
    assert said.type == f"/api/problems/{said.code}"
    return answer.status, said, answer


async def test_all_routes_refuse_in_the_same_way(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for route in routes(served):
            path = filled(route)
            status, said, answer = await problem(served, "OPTIONS", path)
            assert (status, said.code) == (405, "not_allowed")
            assert route.method in dict(answer.headers)["Allow"]
            status, said, _ = await problem(served, route.method, f"{path}?nonsense=1")
            assert (status, said.code) == (400, "query"), route.path
            host = {"Host": "evil.example"}
            assert (await problem(served, route.method, path, headers=host))[0] == 421
            if route.is_change:
                for head in ({"Origin": "http://evil"}, {"Sec-Fetch-Site": "cross-site"}):
                    status, said, _ = await problem(served, route.method, path, headers=head)
                    assert (status, said.code) == (403, "cross_site")
            if isinstance(route.body, type):
                await refuses_bodies(served, route, path)


async def refuses_bodies(served: Served, route: Route, path: str) -> None:
    for body, head, code in (
        (b"{}", {}, "media_type"),
        (b'{"nonsense": 1}', JSON, "body"),
        (b"[]", JSON, "body"),
        (b'{"names": 1e999}', JSON, "body"),
        (b'{"names": NaN}', JSON, "body"),
        (b"[" * 9000, JSON, "body"),
        (b" " * (limits.COMMAND_BYTES + 1), JSON, "too_large"),
    ):
        status, said, _ = await problem(served, route.method, path, body, head)
        assert (status, said.code) == (OF_REQUESTS[code][0], code), (route.path, body[:20])


async def test_what_is_not_there_is_a_404(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for route in routes(served):
            fields = set(route.fields) & {"job", "task"}
            if not fields or isinstance(route.body, str):
                continue
            body = b"{}" if route.body else b""
            if route.path.endswith("/tasks/cancel"):
                body = b'{"tasks": [[0, 0]]}'
            for value in ("77", "x", "-1", "9" * 30, "%C3%A9"):
                asked = route.method, filled(route, value), body, JSON if body else {}
                status, said, _ = await problem(served, *asked)
                assert (status, said.code) in NOT_THERE, asked


async def test_every_kind_of_problem_is_described(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for code in (*OF_REQUESTS, *(kind.code for kind in STATUSES)):
            status, said = await served.ask("GET", f"/api/problems/{code}")
            assert (status, said["code"]) == (200, code)
            assert said["title"]
        assert (await served.ask("GET", "/api/problems/nonsense"))[0] == 404


class Asked(Struct, forbid_unknown_fields=True):
    """A query.

    Attributes:
        cursor: where to go on; this is told
            on two lines.
        first, last: both of these.
        flag: yes or no.
    """

    cursor: Cursor = ""
    first: int | None = None
    last: int | None = None
    flag: bool = False


async def nothing(_: Call[None, None]) -> object:
    return {}


def test_a_route_says_all_of_itself() -> None:
    route = Route(
        "POST", "/api/things/{name}/go-on", nothing, dict[str, int], "Go on", "server",
        query=Asked, body=Asked, problems=(errors.UnknownJob, errors.StoreFull), also=(204,),
    )  # fmt: skip
    assert operation_id(route) == "post_things_name_go_on"
    assert attributes(Asked)["cursor"] == "where to go on; this is told on two lines."
    assert attributes(Asked)["last"] == "both of these."
    assert list(statuses_of(route)) == [
        *(400, 401, 403, 404, 408, 409, 413, 414, 415, 421, 422, 429, 503, 507)
    ]
    found = openapi.description([route], "1")
    said = found["paths"]["/api/things/{name}/go-on"]["post"]
    fields = {one["name"]: one["schema"] for one in said["parameters"]}
    assert fields["first"] == {"type": "integer"}
    assert fields["flag"]["enum"] == ["true", "false", "1", "0"]
    assert set(said["responses"]) == {"200", "204", *map(str, statuses_of(route))}


async def may_ask(*_: object) -> None:
    """Let everybody ask."""


async def test_a_fixed_path_goes_before_one_with_fields() -> None:
    async def fixed(_: Call[None, None]) -> object:
        return "fixed"

    async def named(call: Call[None, None]) -> object:
        return call.name

    router = Router(
        [
            Route("GET", "/a/{name}", named, str, "", "server"),
            Route("GET", "/a/b", fixed, str, "", "server"),
            Route("DELETE", "/a/{name}", named, str, "", "server"),
        ],
        may_ask,
    )
    for method, path, body in (
        ("GET", "/a/b", b'"fixed"'),
        ("DELETE", "/a/b", b'"b"'),
        ("GET", "/a/%2Fc%20", b'"/c "'),
    ):
        answer = await router.answer(request(method, path))
        assert answer.body == body


@pytest.mark.parametrize("method", ["TRACE", "BREW", "get", "OPTIONS"])
async def test_a_method_that_a_path_does_not_have(tmp_path: Path, method: str) -> None:
    """`Allow` names all that a path takes: of /api/workers/drain, also what a worker drain does."""
    async with serving(tmp_path) as served:
        for path, allowed in (
            ("/api/status", "GET, HEAD"),
            ("/api/workers/drain", "DELETE, GET, HEAD, PATCH, POST"),
            ("/api/jobs/1/tasks/cancel", "POST"),
            ("/api/jobs/x", "GET, HEAD, PATCH"),
            ("/blobs", "POST"),
            ("/metrics", "GET, HEAD"),
            ("/api/backup", "GET"),
            ("/", "GET, HEAD"),
        ):
            status, said, answer = await problem(served, method, path)
            assert (status, said.code) == (405, "not_allowed"), path
            assert ", ".join(sorted(dict(answer.headers)["Allow"].split(", "))) == allowed


async def test_what_is_no_number_of_a_job_is_no_job(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for method, path in (
            ("GET", "/api/jobs/-1"),
            ("PATCH", "/api/jobs/x"),
            ("GET", "/api/jobs/1/tasks/x"),
            ("GET", "/jobs/77/tasks/0/payload"),
            ("GET", "/jobs/77/tasks/0/output"),
        ):
            body = b"{}" if method == "PATCH" else b""
            status, said, _ = await problem(served, method, path, body, JSON if body else {})
            assert (status, said.code) == (404, "unknown_job"), path


@pytest.mark.parametrize("path", ["/api/jobs/1/", "/api/jobs/1"])
async def test_a_slash_at_the_end_is_no_matter(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as served:
        assert (await served.ask("GET", path))[0] == 200


# --- answers that are kept ----------------------------------------------------------------------


async def test_a_change_is_made_once_under_its_key(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        head = {**JSON, "Idempotency-Key": "k"}
        first = await served.site.answer(request("PATCH", "/api/jobs/1", b'{"priority": 7}', head))
        assert (await served.ask("PATCH", "/api/jobs/1", {"priority": 3}))[1]["priority"] == 3
        again = await served.site.answer(request("PATCH", "/api/jobs/1", b'{"priority":7}', head))
        assert isinstance(first, Response)
        assert isinstance(again, Response)
        assert (again.status, again.body) == (200, first.body)
        assert dict(again.headers)["Idempotency-Replayed"] == "true"
        assert (await served.ask("GET", "/api/jobs/1"))[1]["priority"] == 3
        for path, body in (
            ("/api/jobs/1", b'{"priority": 8}'),
            ("/api/jobs/2", b'{"priority": 7}'),
        ):
            status, said, _ = await problem(served, "PATCH", path, body, head)
            assert (status, said.code) == (422, "key_reused")
        head["Idempotency-Key"] = "x" * 257
        status, said, _ = await problem(served, "POST", "/api/jobs/77/cancel", b"", head)
        assert (status, said.code) == (400, "request")


async def test_what_was_not_done_may_be_tried_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        head = {"Idempotency-Key": "k"}
        for _ in range(2):
            assert (await problem(served, "POST", "/api/jobs/77/cancel", b"", head))[0] == 404


async def test_kept_answers_are_bounded(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(limits, "KEPT_ANSWERS", 3)
    kept, made = KeptAnswers(), []

    async def make() -> Response:
        await trio.lowlevel.checkpoint()
        made.append(1)
        return Response(200, b"x" * 10)

    for number in range(10):
        await kept.answer(str(number), b"", make)
    assert len(kept._by_key) <= 4
    await kept.answer("9", b"", make)
    assert len(made) == 10
    await trio.sleep(limits.KEPT_ANSWER_SECONDS + 1)
    await kept.answer("9", b"", make)
    assert len(made) == 11
    assert kept._bytes == 10


async def test_one_answer_is_made_at_a_time() -> None:
    kept, go = KeptAnswers(), trio.Event()

    async def make() -> Response:
        await go.wait()
        return Response(200, b"")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.answer, "k", b"", make)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(BadRequest, match="not answered yet") as busy:
            await kept.answer("k", b"", make)
        assert busy.value.status == 409
        go.set()
