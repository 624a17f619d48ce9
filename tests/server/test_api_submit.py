"""Jobs that are submitted over HTTP: as one value, as lines, twice, wrongly, and broken off."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from dc import limits, limits_shown
from dc.errors import ConnectionLost, StoreFull
from dc.messages_parts import Blob
from tests.server.served import Answer, Pieces, Point, Served, request, serving

LINES = "application/x-ndjson"


async def submit_lines(served: Served, *lines: Any, breaks: bool = False, **headers: str) -> Answer:
    body = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    cut = [body[at : at + 7] for at in range(0, len(body), 7)]
    pieces = Pieces(*cut, breaks=breaks)
    return await served.send("POST", "/api/jobs", pieces, Content_Type=LINES, **headers)


async def job(served: Served, number: int) -> Any:
    return (await served.send("GET", f"/api/jobs/{number}")).json


async def test_a_job_as_one_value(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        options = {"name": "two", "priority": 3, "resources": {"cpus": 2}, "submitter": "me"}
        tasks = [{"x": 1}, {"x": 2, "raw": "AAE="}]
        answer = await served.post(
            "/api/jobs", {"type": "double", "options": options, "tasks": tasks}
        )
        assert (answer.status, answer.headers["Location"]) == (201, "/api/jobs/1")
        assert answer.json["tasks"] == 2
        assert answer.json["warning"] == ""
        view = await job(served, 1)
        assert (view["state"], view["name"], view["priority"]) == ("queued", "two", 3)
        assert (view["resources"], view["counts"]["total"]) == ({"cpus": 2}, 2)
        stored = await served.store.payloads(1, [0, 1])
        read = [msgspec.msgpack.decode(one, type=Point) for one in stored if isinstance(one, bytes)]
        assert read == [Point(1), Point(2, b"\x00\x01")]


async def test_who_submits_is_told_that_nobody_can_run_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.work()
        options = {"requires": {"colour": "green"}}
        answer = await served.post("/api/jobs", {"type": "double", "options": options})
        assert "colour" in answer.json["warning"]


async def test_a_job_as_lines(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        many = [{"x": number} for number in range(1000)]
        answer = await submit_lines(served, {"type": "double"}, *many)
        assert (answer.status, answer.json["tasks"]) == (201, 1000)
        assert (await job(served, 1))["counts"]["total"] == 1000
        [last] = await served.store.payloads(1, [999])
        assert last == msgspec.msgpack.encode(Point(999))


async def test_what_bytes_may_be(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        data = b"z" * 100
        digest = hashlib.sha256(data).digest()
        put = await served.send("PUT", f"/blobs/{digest.hex()}", data)
        assert put.status == 201
        tasks = ["héllo", {"base64": "AAE="}, {"blob": digest.hex(), "size": 100}, "", "x" * 70_000]
        answer = await served.post("/api/jobs", {"type": "copy", "tasks": tasks})
        assert answer.status == 201
        large = hashlib.sha256(b"x" * 70_000).digest()
        assert await served.store.payloads(1, range(5)) == [
            "héllo".encode(),
            b"\x00\x01",
            Blob(digest, 100),
            b"",
            Blob(large, 70_000),
        ]
        assert served.blobs.size(large) == 70_000


async def test_inputs_are_blobs(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        digest = hashlib.sha256(b"abc").digest()
        inputs = {"table": {"sha256": digest.hex(), "size": 3}}
        body = {"type": "copy", "options": {"inputs": inputs}, "tasks": ["x"]}
        answer = await served.post("/api/jobs", body)
        assert (answer.status, answer.json["code"]) == (404, "unknown_blob")
        await served.send("PUT", f"/blobs/{digest.hex()}", b"abc")
        assert (await served.post("/api/jobs", body)).status == 201
        assert (await job(served, 1))["inputs"] == inputs


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        ({"type": "nothing"}, 404, "unknown_type", "nothing"),
        ({"type": "double", "version": "99"}, 404, "unknown_type", "99"),
        ({"typ": "double"}, 400, "body", "typ"),
        ({"type": "double", "options": {"colour": 1}}, 400, "options", "colour"),
        ({"type": "double", "options": {"priority": "high"}}, 400, "options", "options"),
        ({"type": "copy", "options": {"inputs": {"a": 1}}}, 400, "options", "inputs"),
        ({"type": "double", "tasks": [{"x": 1}, {"x": "y"}]}, 400, "payload", "payload 1"),
        ({"type": "copy", "tasks": [{"base64": "%"}]}, 400, "payload", "base64"),
        ({"type": "copy", "tasks": [{"blob": "ff", "size": 1}]}, 400, "payload", "64"),
        ({"type": "copy", "tasks": [{"blob": "f" * 64}]}, 400, "payload", "size"),
        ({"type": "copy", "tasks": [{}]}, 400, "payload", "string"),
        ({"type": "copy", "tasks": [7]}, 400, "payload", "bytes"),
        ({"type": "copy", "tasks": [{"blob": "f" * 64, "size": 3}]}, 400, "payload", "not here"),
        (
            {"type": "copy", "tasks": ["x" * limits_shown.SUBMITTED_BYTES]},
            413,
            "too_large",
            "lines",
        ),
        ([], 400, "body", "object"),
    ],
)
async def test_what_is_refused(
    tmp_path: Path, body: Any, status: int, code: str, says: str
) -> None:
    async with serving(tmp_path) as served:
        answer = await served.post("/api/jobs", body)
        assert (answer.status, answer.json["code"]) == (status, code)
        assert says in answer.json["detail"]
        assert answer.kind == "application/problem+json"
        for number in list(served.app.reactor.board.jobs):
            assert (await job(served, number))["state"] == "cancelled"


async def test_other_bodies_are_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        answer = await served.send("POST", "/api/jobs", b"{}", Content_Type="text/plain")
        assert (answer.status, answer.json["code"]) == (415, "media_type")
        for body in (b"", b"\n\n", b'{"type"\n', b"\xff\n"):
            answer = await served.send("POST", "/api/jobs", Pieces(body), Content_Type=LINES)
            assert (answer.status, answer.json["code"]) == (400, "body")
        line = b'{"type":"copy"}\n"' + b"x" * limits_shown.LINE_BYTES
        answer = await served.send("POST", "/api/jobs", Pieces(line), Content_Type=LINES)
        assert (answer.status, answer.json["code"]) == (413, "too_large")
        answer = await served.post("/api/jobs", {"type": "copy"}, Idempotency_Key="x" * 2000)
        assert (answer.status, answer.json["code"]) == (400, "request")


# --- keys ---------------------------------------------------------------------------------------


async def test_the_same_key_is_the_same_job(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        body = {"type": "double", "tasks": [{"x": 1}, {"x": 2}]}
        first = await served.post("/api/jobs", body, Idempotency_Key='"once"')
        again = await served.post("/api/jobs", body, Idempotency_Key="once")
        assert (first.status, again.status) == (201, 200)
        assert first.json["job"] == again.json["job"] == 1
        assert again.json["tasks"] == 2
        lines = await submit_lines(
            served, {"type": "double"}, {"x": 1}, {"x": 2}, Idempotency_Key="once"
        )
        assert (lines.status, lines.json["job"]) == (200, 1)
        await served.send(
            "PATCH", "/api/jobs/1", b'{"priority": 5}', Content_Type="application/json"
        )
        again = await served.post("/api/jobs", body, Idempotency_Key="once")
        assert again.status == 200, "what an operator has changed since does not count"
        assert (await served.post("/api/jobs", body)).json["job"] == 2


@pytest.mark.parametrize(
    "other",
    [
        {"type": "copy", "tasks": ["a", "b"]},
        {"type": "double", "tasks": [{"x": 1}]},
        {"type": "double", "tasks": [{"x": 1}, {"x": 3}]},
        {"type": "double", "tasks": [{"x": 1}, {"x": 2}, {"x": 3}]},
        {"type": "double", "tasks": [{"x": 1}, {"x": 2}], "options": {"retries": 9}},
    ],
)
async def test_another_body_under_a_key_is_refused(tmp_path: Path, other: Any) -> None:
    async with serving(tmp_path) as served:
        body = {"type": "double", "tasks": [{"x": 1}, {"x": 2}]}
        await served.post("/api/jobs", body, Idempotency_Key="once")
        answer = await served.post("/api/jobs", other, Idempotency_Key="once")
        assert (answer.status, answer.json["code"]) == (422, "key_reused")
        assert (await job(served, 1))["counts"]["total"] == 2
        assert (await served.post("/api/jobs", body, Idempotency_Key="once")).status == 200


# --- what breaks off ----------------------------------------------------------------------------


async def test_a_body_that_breaks_off_leaves_nothing_to_run(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        with pytest.raises(ConnectionLost):
            await submit_lines(served, {"type": "double"}, {"x": 1}, {"x": 2}, breaks=True)
        view = await job(served, 1)
        assert (view["state"], view["counts"]["cancelled"]) == ("cancelled", 2)
        assert not served.app._connections.all()


async def test_one_with_a_key_is_gone_on_with(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        tasks = [{"x": number} for number in range(600)]
        with pytest.raises(ConnectionLost):
            await submit_lines(
                served, {"type": "double"}, *tasks[:500], breaks=True, Idempotency_Key="k"
            )
        view = await job(served, 1)
        assert (view["state"], view["counts"]["total"]) == ("open", 500)
        wrong = [{"x": 7}, *tasks[1:]]
        answer = await submit_lines(served, {"type": "double"}, *wrong, Idempotency_Key="k")
        assert answer.status == 422
        answer = await submit_lines(served, {"type": "double"}, *tasks, Idempotency_Key="k")
        assert (answer.status, answer.json) == (201, {"job": 1, "tasks": 600, "warning": ""})
        assert (await job(served, 1))["counts"]["total"] == 600


async def test_a_line_that_does_not_fit_cancels_the_job(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        answer = await submit_lines(served, {"type": "double"}, {"x": 1}, {"y": 1})
        assert (answer.status, answer.json["code"]) == (400, "payload")
        assert "payload 1" in answer.json["detail"]
        assert (await job(served, 1))["state"] == "cancelled"


async def test_two_at_a_time_under_one_key(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        answers: list[Answer] = []
        slow = Waiting(b'{"type":"double"}\n{"x":1}\n')

        async def ask(pieces: Pieces) -> None:
            headers = {"Content_Type": LINES, "Idempotency_Key": "k"}
            answers.append(await served.send("POST", "/api/jobs", pieces, **headers))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, slow)
            await trio.testing.wait_all_tasks_blocked(0.05)
            await ask(Pieces(b'{"type":"double"}\n{"x":1}\n{"x":2}\n'))
            slow.go.set()
        assert [answer.status for answer in answers] == [201, 409]
        assert answers[1].json["code"] == "in_progress"
        assert (await job(served, 1))["counts"]["total"] == 2


class Waiting(Pieces):
    """A body that stops and goes on when it is told to."""

    def __init__(self, *pieces: bytes) -> None:
        super().__init__(*pieces)
        self.go = trio.Event()

    async def next_piece(self, request: Any) -> bytes:
        if not self._pieces and not self.go.is_set():
            await self.go.wait()
            return b'{"x":2}\n'
        return await super().next_piece(request)


async def test_no_more_are_taken_than_there_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_shown, "SUBMITTING", 0)
    async with serving(tmp_path) as served:
        answer = await served.post("/api/jobs", {"type": "copy"})
        assert (answer.status, answer.json["code"]) == (429, "busy")


async def test_nothing_is_read_while_the_disk_is_behind(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNCOMMITTED_BYTES", 100_000)
    async with serving(tmp_path) as served:
        served.store.fail = StoreFull("the disk is full")
        line = msgspec.json.encode("x" * 60_000) + b"\n"
        body = Pieces(b'{"type":"copy"}\n', *[line] * 100)
        answers: list[Answer] = []

        async def ask() -> None:
            answers.append(await served.send("POST", "/api/jobs", body, Content_Type=LINES))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(3 * limits.SILENCE_SECONDS)
            assert not answers
            assert len(body._pieces) > 90
            served.store.fail = None
        assert [answer.status for answer in answers] == [201]
        assert answers[0].json["tasks"] == 100


async def test_the_end_of_the_server_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        slow = Waiting(b'{"type":"double"}\n{"x":1}\n')
        answers: list[Answer] = []

        async def ask() -> None:
            headers = {"Content_Type": LINES, "Idempotency_Key": "k"}
            answers.append(await served.send("POST", "/api/jobs", slow, **headers))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked(0.05)
            served.app.stop()
            await trio.testing.wait_all_tasks_blocked(0.05)
            slow.go.set()
        assert (answers[0].status, answers[0].json["code"]) == (503, "unavailable")


async def test_a_request_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        slow = Waiting(b'{"type":"double"}\n{"x":1}\n')
        with trio.move_on_after(0.05):
            await served.site.answer(request("POST", "/api/jobs", slow, Content_Type=LINES))
        assert not served.app._connections.all()
        assert (await job(served, 1))["state"] == "cancelled"
