"""The page's files, compressed answers, and what of tasks a browser may show in place."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import msgspec
import pytest

from dc import limits_shown
from dc.http import Response
from dc.messages_client import Options
from dc.messages_parts import Blob
from dc.records import JobEnded, NewJob, NewTasks
from dc.server.task_bytes import HARMLESS, HEAD_BYTES, kind_of
from tests.server.served import Served, request, serving

KEPT = "public, max-age=31536000, immutable"
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


# --- files --------------------------------------------------------------------------------------


async def test_files_are_compressed_and_asked_for_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        plain = await served.send("GET", "/style.css")
        packed = await served.send("GET", "/style.css", Accept_Encoding="br, gzip;q=0.5")
        assert plain.kind == packed.kind == "text/css; charset=utf-8"
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Content-Encoding" not in plain.headers
        assert gzip.decompress(packed.body) == plain.body
        for answer in (plain, packed):
            assert answer.headers["Cache-Control"] == "no-cache"
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        whole, part = [
            await served.site.answer(asked)
            for asked in (
                request("GET", "/style.css"),
                request("GET", "/style.css", Accept_Encoding="gzip"),
            )
        ]
        assert isinstance(whole, Response)
        assert isinstance(part, Response)
        assert whole.etag != part.etag
        assert whole.under({"if-none-match": f'"{whole.etag}"'}).status == 304
        assert whole.under({"if-none-match": f'"{part.etag}"'}).status == 200


async def test_what_never_changes_is_kept_and_the_document_is_asked_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        jobs, overview = [await served.send("GET", path) for path in ("/jobs", "/")]
        for document in (jobs, overview, await served.send("GET", "/index.html")):
            assert document.headers["Cache-Control"] == "no-cache"
        names = re.findall(r'(?:src|href)="(/assets/[^"]+)"', jobs.body.decode())
        assert len(names) > 5
        for name in names:
            answer = await served.send("GET", name, Accept_Encoding="gzip")
            assert (answer.status, answer.headers["Cache-Control"]) == (200, KEPT), name
            assert answer.headers["Vary"] == "Accept-Encoding"
        assert "/app/pages/jobs.js" in jobs.body.decode()
        assert "/app/pages/jobs.js" not in overview.body.decode()
        folder = names[0].split("/")[2]
        for path in (f"/assets/{'0' * 16}/style.css", f"/assets/{folder}/index.html", "/assets"):
            answer = await served.send("GET", path, Accept="*/*")
            assert (answer.status, answer.json["code"]) == (404, "not_found")


async def test_no_script_may_run_but_ours(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        policy = (await served.send("GET", "/")).headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        page = (await served.send("GET", "/")).body.decode()
        assert "<script>" not in page
        assert " style=" not in page


@pytest.mark.parametrize(
    ("path", "accept", "status", "kind"),
    [
        ("/", HTML, 200, "text/html; charset=utf-8"),
        ("/", "*/*", 200, "text/html; charset=utf-8"),
        ("/jobs/7/tasks/3", HTML, 200, "text/html; charset=utf-8"),
        ("/workers/a%2Fb", HTML, 200, "text/html; charset=utf-8"),
        ("/plugins/drawing", HTML, 200, "text/html; charset=utf-8"),
        ("/plugins/drawing", "*/*", 404, "application/problem+json"),
        ("/plugins/" + "f" * 64, HTML, 404, "application/problem+json"),
        ("/nothing", HTML, 404, "text/html; charset=utf-8"),
        ("/nothing", "*/*", 404, "application/problem+json"),
        ("/jobs/7", "application/json", 404, "application/problem+json"),
        ("/web/index.html", "*/*", 404, "application/problem+json"),
        ("/app/../../errors.py", "*/*", 404, "application/problem+json"),
        ("/app/%2e%2e/%2e%2e/errors.py", "*/*", 404, "application/problem+json"),
        ("/vendor/package.json", "*/*", 404, "application/problem+json"),
        ("/favicon.ico", "image/*", 200, "image/svg+xml"),
    ],
)
async def test_what_is_at_an_address(
    tmp_path: Path, path: str, accept: str, status: int, kind: str
) -> None:
    async with serving(tmp_path) as served:
        answer = await served.send("GET", path, Accept=accept)
        assert (answer.status, answer.kind) == (status, kind)
        if kind.startswith("application"):
            assert answer.json["code"] in ("not_found", "unknown_blob")
        assert (await served.send("POST", path)).status == 405


async def test_lists_are_compressed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for _ in range(5):
            await served.post("/api/jobs", {"type": "copy", "tasks": ["x"]})
        plain = await served.send("GET", "/api/jobs")
        packed = await served.send("GET", "/api/jobs", Accept_Encoding="gzip")
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert len(packed.body) * 4 < len(plain.body)
        assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
        small = await served.send("GET", "/api/jobs/99", Accept_Encoding="gzip")
        assert "Content-Encoding" not in small.headers
        assert small.json["code"] == "unknown_job"


async def test_large_lists_are_compressed_by_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_shown, "GZIP_LOOP_BYTES", 1000)
    async with serving(tmp_path) as served:
        for _ in range(3):
            await served.post("/api/jobs", {"type": "copy"})
        packed = await served.send("GET", "/api/jobs", Accept_Encoding="gzip")
        assert len(json.loads(gzip.decompress(packed.body))["jobs"]) == 3


# --- payloads and results in place --------------------------------------------------------------


PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0\0\0", "image/jpeg"),
        (b"GIF89a\0", "image/gif"),
        (b"RIFF\1\2\3\4WEBPVP8 ", "image/webp"),
        (b"\0\0\0 ftypavif\0", "image/avif"),
        (b'{"a": 1}', "application/json"),
        (b"[1]", "application/json"),
        (b"7", "text/plain; charset=utf-8"),
        (b"<html><script>alert(1)</script>", "text/plain; charset=utf-8"),
        (b"<svg onload=x>", "text/plain; charset=utf-8"),
        ("grün\tx\r\n".encode(), "text/plain; charset=utf-8"),
        (b"%PDF-1.4\n\0", ""),
        (b"a\0b", ""),
        (b"\x1b[31m", ""),
        (b"\xff\xfe<\0s\0", ""),
        (b"\xe9t\xe9", ""),
        (b"x" * 4095 + "é".encode(), "text/plain; charset=utf-8"),
        (b"\0" * 8, ""),
    ],
)
def test_as_what_bytes_are_shown(data: bytes, kind: str) -> None:
    assert kind_of(data[:HEAD_BYTES], len(data)) == kind
    assert kind_of(data[:HEAD_BYTES], limits_shown.VIEW_BYTES + 1) == ""


async def tasks(served: Served) -> None:
    large = b"<b>text</b> " * 20_000
    posted = await served.send("POST", "/blobs", large)
    blob = {"blob": posted.json["sha256"], "size": len(large)}
    texts = ["<script>x</script>", {"base64": "AAECAw=="}, blob]
    await served.post("/api/jobs", {"type": "copy", "tasks": texts})
    await served.post("/api/jobs", {"type": "double", "tasks": [{"x": 5, "raw": "AA=="}]})


async def test_what_may_be_shown_is_and_all_else_is_saved(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await tasks(served)
        text, octets = "text/plain; charset=utf-8", "application/octet-stream"
        kinds = {(1, 0): text, (1, 1): octets, (1, 2): text, (2, 0): "application/json"}
        for (job, task), kind in kinds.items():
            path = f"/jobs/{job}/tasks/{task}/payload"
            saved = await served.send("GET", path)
            shown = await served.send("GET", f"{path}?view=1")
            name = f'attachment; filename="job-{job}-task-{task}-payload"'
            assert saved.headers["Content-Disposition"] == name
            assert saved.kind == octets
            assert shown.kind == kind
            assert shown.headers["X-Content-Type-Options"] == "nosniff"
            if kind != octets:
                assert shown.headers["Content-Security-Policy"] == HARMLESS[1]
                assert "Content-Disposition" not in shown.headers
            if job == 1:
                assert shown.body == saved.body
            else:
                assert shown.json == {"x": 5, "raw": "AA=="}


async def test_results_in_place(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await tasks(served)
        worker = served.work()
        for task in sorted(worker.take()):
            worker.done(task, PNG if task[0] == 1 else msgspec.msgpack.encode([1, "a"]))
        picture = await served.send("GET", "/jobs/1/tasks/0/result?view=1")
        assert (picture.kind, picture.body) == ("image/png", PNG)
        assert (await served.send("GET", "/jobs/2/tasks/0/result?view=1")).json == [1, "a"]
        missing = await served.send("GET", "/jobs/2/tasks/9/result?view=1")
        assert (missing.status, missing.json["code"]) == (404, "unknown_task")


async def test_a_blob_that_is_gone_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.store.commit([NewJob(9, "copy", "1", Options(), "bytes", "bytes", 1.0)])
        gone = Blob(hashlib.sha256(b"gone").digest(), 4)
        await served.store.commit([NewTasks(9, 0, [gone]), JobEnded(9, 1, 2.0)])
        answer = await served.send("GET", "/jobs/9/tasks/0/payload?view=1")
        assert (answer.status, answer.json["code"]) == (404, "unknown_blob")
