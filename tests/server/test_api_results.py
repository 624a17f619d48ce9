"""Results over HTTP: what a line has, and that a reader who goes on misses nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from dc import limits, limits_shown
from dc.errors import ConnectionLost
from dc.http import Response
from dc.messages_client import Options
from dc.messages_parts import Blob, Failure
from dc.records import JobEnded, NewJob, NewTasks, Outcomes
from dc.server.json_values import result_fields
from tests.server.served import Pieces, Served, read, request, serving


async def submit(served: Served, kind: str, *tasks: Any) -> int:
    answer = await served.post("/api/jobs", {"type": kind, "tasks": list(tasks)})
    assert answer.status == 201
    return int(answer.json["job"])


async def lines(served: Served, target: str) -> list[Any]:
    answer = await served.send("GET", target)
    assert (answer.status, answer.kind) == (200, "application/x-ndjson")
    return answer.lines


# --- one line -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "codec", "fields"),
    [
        (msgspec.msgpack.encode({"a": [1, None]}), "msgpack", {"result": {"a": [1, None]}}),
        (msgspec.msgpack.encode(b"\x00"), "msgpack", {"result": "AA=="}),
        (msgspec.msgpack.encode({(1, 2): 3}), "msgpack", {"base64": "gZIBAgM="}),
        (b"\xc1", "msgpack", {"base64": "wQ=="}),
        ("grün\n\t<b>".encode(), "bytes", {"text": "grün\n\t<b>"}),
        (b"a\x1bb", "bytes", {"base64": "YRti"}),
        (b"\xff", "bytes", {"base64": "/w=="}),
        (b"", "bytes", {"text": ""}),
        (Blob(b"\1" * 32, 5), "bytes", {"blob": "01" * 32, "size": 5}),
    ],
)
def test_a_result_in_json(result: bytes | Blob, codec: str, fields: dict[str, Any]) -> None:
    said = result_fields(result, codec)
    assert msgspec.json.decode(msgspec.json.encode(said)) == fields


async def test_what_is_there(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        job = await submit(served, "double", {"x": 1}, {"x": 2}, {"x": 3})
        assert await lines(served, f"/api/jobs/{job}/results") == []
        worker = served.work()
        tasks = sorted(worker.take())
        worker.done(tasks[2], msgspec.msgpack.encode(6))
        worker.failed(tasks[0], "no")
        first, second = await lines(served, f"/api/jobs/{job}/results")
        assert first | {"at": 0} == {
            "cursor": 1, "number": 2, "state": "done", "attempt": 1, "worker": "w", "at": 0,
            "time": 0.5, "result": 6,
        }  # fmt: skip
        failure = {"kind": "error", "error": "no", "traceback": "a traceback"}
        assert (second["cursor"], second["state"], second["failure"]) == (2, "failed", failure)
        assert await lines(served, f"/api/jobs/{job}/results?after=1") == [second]
        ordered = await lines(served, f"/api/jobs/{job}/results?ordered=true")
        assert [(line["number"], line["cursor"]) for line in ordered] == [(0, 1)]
        failed = await lines(served, f"/api/jobs/{job}/results?failed=true")
        assert [(line["number"], line["cursor"]) for line in failed] == [(0, 1)]
        assert await lines(served, f"/api/jobs/{job}/results?failed=true&after=1") == []


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/api/jobs/9/results", 404, "unknown_job"),
        ("/api/jobs/1/results?after=-1", 400, "query"),
        ("/api/jobs/1/results?after=x", 400, "query"),
        ("/api/jobs/1/results?since=1", 400, "query"),
    ],
)
async def test_what_is_refused(tmp_path: Path, target: str, status: int, code: str) -> None:
    async with serving(tmp_path) as served:
        await submit(served, "copy", "a")
        answer = await served.send("GET", target)
        assert (answer.status, answer.json["code"]) == (status, code)


# --- many ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordered", ["", "&ordered=true"])
async def test_who_goes_on_by_the_cursor_misses_nothing(
    tmp_path: Path, ordered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_shown, "READ_AT_ONCE", 10)
    monkeypatch.setattr(limits, "BATCH_BYTES", 4000)
    async with serving(tmp_path) as served:
        await write_job(served)
        whole = await lines(served, f"/api/jobs/7/results?after=0{ordered}")
        assert [line["number"] for line in whole] == list(range(100))
        for cut in range(0, 100, 9):
            after = whole[cut]["cursor"]
            rest = await lines(served, f"/api/jobs/7/results?after={after}{ordered}")
            assert whole[cut + 1 :] == rest[len(rest) - (99 - cut) :]
            assert len(rest) < 100 - cut + 25, "no more than a record comes again"


async def write_job(served: Served) -> None:
    numbers = list(range(100))
    await served.store.commit([NewJob(7, "copy", "1", Options(), "bytes", "bytes", 1.0)])
    await served.store.commit([NewTasks(7, 0, [b"x"] * 100), JobEnded(7, 100, 2.0)])
    for sequence, first in enumerate(range(0, 100, 25), 1):
        part = numbers[first : first + 25]
        results: list[bytes | Blob | Failure] = [b"%d" % number for number in part]
        columns = part, [1] * 25, [0.1] * 25, results
        await served.store.commit([Outcomes(sequence, 7, "w", 3.0, *columns)])


# --- followed -----------------------------------------------------------------------------------


async def test_a_job_is_followed_to_its_end(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        job = await submit(served, "copy", *"abc")
        worker = served.work()
        tasks = sorted(worker.take())
        worker.done(tasks[1], b"B")
        response = await served.site.answer(request("GET", f"/api/jobs/{job}/results?follow=true"))
        got: list[bytes] = []

        async def follow() -> None:
            got.append(await read(response))  # type: ignore[arg-type]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            await trio.testing.wait_all_tasks_blocked(0.02)
            assert not got
            worker.done(tasks[0], b"A")
            worker.done(tasks[2], b"C")
        found = [msgspec.json.decode(line) for line in got[0].splitlines()]
        assert [(line["number"], line["text"]) for line in found] == [(1, "B"), (0, "A"), (2, "C")]
        assert [line["cursor"] for line in found] == [1, 2, 3]
        ordered = await lines(served, f"/api/jobs/{job}/results?follow=true&ordered=true&after=1")
        assert [line["number"] for line in ordered] == [1, 2]
        assert len(served.app._connections.all()) == 1, "the worker alone"


async def test_a_cancelled_job_says_so_in_its_last_line(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        job = await submit(served, "copy", *"abc")
        await served.send("POST", f"/api/jobs/{job}/cancel")
        [last] = await lines(served, f"/api/jobs/{job}/results?follow=true")
        assert last["error"]["code"] == "cancelled"
        assert await lines(served, f"/api/jobs/{job}/results") == []


async def test_who_does_not_read_on_is_forgotten(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        job = await submit(served, "copy", "a")
        with trio.move_on_after(0.05):
            await lines(served, f"/api/jobs/{job}/results?follow=true")
        assert not served.app._connections.all()


async def test_who_follows_and_has_gone_is_found_out(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with serving(tmp_path) as served:
        job = await submit(served, "copy", "a")
        response = await served.site.answer(request("GET", f"/api/jobs/{job}/results?follow=true"))
        assert isinstance(response, Response)
        pieces: Any = response.body
        with trio.fail_after(20):
            assert (await anext(pieces)).strip() == b""
        await pieces.aclose()
        assert not served.app._connections.all()


# --- blobs --------------------------------------------------------------------------------------


async def test_a_blob_is_posted(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        data = bytes(range(256)) * 300
        digest = hashlib.sha256(data).hexdigest()
        for status in (201, 200):
            answer = await served.send("POST", "/blobs", data, Content_Type="image/png")
            assert (answer.status, answer.json) == (status, {"sha256": digest, "size": len(data)})
            assert answer.headers["Location"] == f"/blobs/{digest}"
        assert (await served.send("GET", f"/blobs/{digest}")).body == data
        assert not list((tmp_path / "incoming").iterdir())
        empty = await served.send("POST", "/blobs")
        assert empty.json == {"sha256": hashlib.sha256(b"").hexdigest(), "size": 0}
        assert (await served.send("GET", "/blobs")).status == 405


async def test_a_post_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        with pytest.raises(ConnectionLost):
            await served.send("POST", "/blobs", Pieces(b"abc", breaks=True))
        assert not list((tmp_path / "incoming").iterdir())
