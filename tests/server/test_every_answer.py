"""Each answer that the API's description names really comes, and is as it is described.

The requests go through all of the server but the socket and the disk. What is asked of all routes
alike is asked of each; the rest stands in a table. In the end nothing that is described may be
left that nobody has seen: what cannot come may not be described.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import trio
import trio.testing
from openapi_schema_validator import OAS31Validator

from dc import limits, limits_http, limits_shown
from dc.errors import StoreError
from dc.http import Request, Response
from dc.messages_parts import Blob
from dc.messages_worker import Appliance
from dc.server import site
from dc.server.commands import CancelJob, ChangeSettings
from dc.server.events import Closed
from dc.server.matching import Matching
from dc.store import Store
from dc.store_memory import MemoryStore
from tests.server import access_answers
from tests.server.guests import Guests
from tests.server.served import FakeWorker, Pieces, Served, serving
from tests.server.wired import Heard, ask

JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}
PROBLEM = "application/problem+json"
BLOB = hashlib.sha256(b"a blob").hexdigest()
NO_BLOB = "0" * 64


class Disk(NamedTuple):
    """What the disk is said to be."""

    total: int
    used: int
    free: int


Key = tuple[str, str, int, str]
"""A method, a path as it is described, a status, and the code of a problem."""


class Requests:
    """Makes requests, holds each answer against the description, and keeps what was seen."""

    def __init__(self, served: Served, described: dict[str, Any]) -> None:
        self.served, self.described = served, described
        self.seen: set[Key] = set()
        self.wrong: list[str] = []
        components = described["components"]
        self._root = {"components": components}

    async def ask(
        self,
        method: str,
        template: str,
        target: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        **how: Any,
    ) -> Heard:
        """Make a request of a route; `target` if it is not the template itself."""
        heard = await ask(self.served.site, method, target or template, body, headers, **how)
        self.check(method, template, heard)
        return heard

    async def cases(self, cases: Sequence[Case]) -> None:
        """Make requests of a table."""
        for method, template, target, value, status, code in cases:
            body = b"" if value is None else msgspec.json.encode(value)
            await self.ask(method, template, target, body, JSON if body else {})
            if (method, template, status, code) not in self.seen:
                self.wrong.append(f"{method} {target or template} is not {status} {code}")

    def check(self, method: str, template: str, heard: Heard) -> None:
        """Keep what was answered, and what is wrong with it."""
        said = self.described["paths"][template][method.lower()]["responses"]
        contents = said.get(str(heard.status), {}).get("content", {})
        code, kind = "", heard.kind.partition(";")[0]
        if kind in ("application/json", PROBLEM):
            value = msgspec.json.decode(heard.body)
            code = value["code"] if kind == PROBLEM else ""
            schema = {**self._root, **contents.get(kind, {}).get("schema", {"not": {}})}
            for error in OAS31Validator(schema).iter_errors(value):
                self.wrong.append(f"{method} {template} {heard.status}: {error.message[:300]}")
        elif heard.body and kind not in contents:
            self.wrong.append(f"{method} {template} {heard.status}: {kind} {heard.body[:100]!r}")
        self.seen.add((method, template, heard.status, code))

    def all_described(self) -> set[Key]:
        """Return all that the description names."""
        found: set[Key] = set()
        for template, methods in self.described["paths"].items():
            for method, said in methods.items():
                for status, answer in said["responses"].items():
                    schema = answer.get("content", {}).get(PROBLEM, {}).get("schema")
                    codes = schema["properties"]["code"]["enum"] if schema else [""]
                    found |= {(method.upper(), template, int(status), code) for code in codes}
        return found


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[tuple[Requests, FakeWorker]]:
    """Serve job 1, whose task 0 was done and 1 failed, job 2, which is not finished, a worker."""
    async with serving(folder) as served:
        heard = await ask(served.site, "GET", "/api/openapi.json")
        requests = Requests(served, msgspec.json.decode(heard.body))
        worker = served.work()
        await served.post(
            "/api/jobs", {"type": "copy", "tasks": ["a", "b"], "options": {"retries": 0}}
        )
        await served.send("PUT", f"/blobs/{BLOB}", b"a blob")
        done, failed = worker.take()
        worker.done(done, b"A")
        worker.failed(failed, "no")
        await access_answers.prepare(served)
        await until(served, lambda: 1 not in served.app.reactor.board.jobs or True)
        await served.post("/api/jobs", {"type": "copy", "tasks": ["a"]})
        yield requests, worker


async def until(served: Served, holds: Callable[[], bool]) -> None:
    for _ in range(20):
        await trio.testing.wait_all_tasks_blocked()
    assert holds()


GOOD: dict[tuple[str, str], tuple[str, Any]] = {
    ("PATCH", "/api/submitters/{name}"): ("/api/submitters/ann", {"weight": 2}),
    ("POST", "/api/jobs"): ("/api/jobs", {"type": "copy", "tasks": ["x"]}),
    ("PATCH", "/api/jobs/{job}"): ("/api/jobs/2", {"priority": 3}),
    ("POST", "/api/jobs/{job}/cancel"): ("/api/jobs/1/cancel", None),
    ("POST", "/api/jobs/{job}/pause"): ("/api/jobs/2/pause", {}),
    ("POST", "/api/jobs/{job}/resume"): ("/api/jobs/2/resume", None),
    ("POST", "/api/types/{name}/cancel"): ("/api/types/double/cancel", {}),
    ("POST", "/api/submitters/{name}/cancel"): ("/api/submitters/nobody/cancel", None),
    ("POST", "/api/jobs/{job}/retry"): ("/api/jobs/1/retry", {"tasks": [[0, 0]]}),
    ("POST", "/api/jobs/{job}/tasks/cancel"): ("/api/jobs/1/tasks/cancel", {"tasks": [[0, 0]]}),
    ("PATCH", "/api/workers/{name}"): ("/api/workers/w", {"note": "x"}),
    ("DELETE", "/api/workers/{name}"): ("/api/workers/gone", None),
    ("POST", "/api/workers/set"): ("/api/workers/set", {"all": True, "set": {"note": "y"}}),
    ("POST", "/api/workers/delete"): ("/api/workers/delete", {"names": ["deleted"]}),
    ("PATCH", "/api/settings"): ("/api/settings", {"keep-days": 5}),
    ("GET", "/api/stream"): ("/api/stream?topics=jobs", None),
    ("GET", "/api/problems/{code}"): ("/api/problems/query", None),
    ("GET", "/jobs/{job}/tasks/{task}/output"): ("/jobs/1/tasks/0/output", None),
    **access_answers.GOOD,
}
"""What is asked for, and a body, where the template filled in and `{}` would not do."""

FIELDS = {"job": "1", "task": "0", "name": "w", "sha256": BLOB}


def good(method: str, template: str, said: Mapping[str, Any]) -> tuple[str, bytes, dict[str, str]]:
    """Return what to ask of a route that can be done."""
    filled = re.sub(r"{(\w+)}", lambda found: FIELDS.get(found[1], found[1]), template)
    target, value = GOOD.get((method, template), (filled, {"all": True}))
    kinds = said.get("requestBody", {}).get("content", {})
    if "application/json" in kinds:
        return target, msgspec.json.encode(value), JSON
    return target, b"a blob" if kinds else b"", {}


Operation = tuple[str, str, dict[str, Any]]


def operations(requests: Requests) -> list[Operation]:
    return [
        (method.upper(), template, said)
        for template, methods in requests.described["paths"].items()
        for method, said in methods.items()
    ]


def names(said: Mapping[str, Any], code: str) -> bool:
    """Whether an operation names a problem of a code."""
    return f'"{code}"' in msgspec.json.encode(said["responses"]).decode()


async def good_answers(requests: Requests) -> None:
    for method, template, said in operations(requests):
        if (method, template) not in AFTERWARDS:
            heard = await requests.ask(method, template, *good(method, template, said))
            if heard.status >= 300:
                requests.wrong.append(f"{method} {template}: {heard}")


AFTERWARDS = {
    ("DELETE", "/api/workers/{name}"), ("POST", "/api/workers/delete"), ("GET", "/api/backup"),
    ("POST", "/api/workers/stop"), ("POST", "/api/workers/restart"),
    *(("POST", f"/api/workers/{one}") for one in ("power-off", "reboot", "reread", "wake")),
    ("POST", "/api/jobs/{job}/tasks/{task}/retry"), ("GET", "/plugins/{sha256}"),
    *access_answers.AFTERWARDS,
}  # fmt: skip
"""What has its own turn."""


async def refusals_of_all(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    for method, template, said in operations(requests):
        target, body, head = good(method, template, said)
        await requests.ask(method, template, target, body, head, line="no header")
        await requests.ask(method, template, f"{target}?{'x' * limits_http.REQUEST_LINE_BYTES}")
        await requests.ask(method, template, target, body, {**head, "Host": "evil.example"})
        if names(said, "query"):
            mark = "&" if "?" in target else "?"
            await requests.ask(method, template, f"{target}{mark}nonsense=1", body, head)
        if names(said, "cursor"):
            await requests.ask(method, template, f"{target}?cursor=nonsense")
        if names(said, "cross_site"):
            head = {**head, "Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
            await requests.ask(method, template, target, body, head)
    guard = requests.served.site.guard
    with monkeypatch.context() as patched:
        patched.setattr(guard, "ask", lambda host, who, now: 0.01)
        for method, template, said in operations(requests):
            await requests.ask(method, template, *good(method, template, said))
    with monkeypatch.context() as patched:
        patched.setattr(guard.places, "_most", 0)
        for method, template, said in operations(requests):
            await requests.ask(method, template, *good(method, template, said))


async def refusals_of_bodies(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_http, "BODY_IDLE_SECONDS", 0.02)
    monkeypatch.setattr(limits_shown, "SUBMITTED_BYTES", limits_http.COMMAND_BYTES)
    for method, template, said in operations(requests):
        if "requestBody" not in said:
            continue
        target, body, head = good(method, template, said)
        await requests.ask(method, template, target, b"", head, length=9)
        if names(said, "media_type"):
            kind = {"Content-Type": "text/plain", "Content-Encoding": "odd"}
            await requests.ask(method, template, target, b"x", kind)
        if names(said, "body"):
            await requests.ask(method, template, target, b"nonsense", head)
        if names(said, "too_large"):
            body = b" " * (limits_http.COMMAND_BYTES + 1)
            await requests.ask(method, template, target, body, head)


async def keys_and_a_slow_disk(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one request waits for the disk, the same is refused, and another one of its key."""
    served = requests.served
    for method, template, said in operations(requests):
        if not names(said, "in_progress") or template == "/api/jobs":
            continue
        go = trio.Event()

        async def ask_(command: object, *_: object, go: trio.Event = go) -> object:
            await go.wait()
            raise StoreError(f"{command} is not on disk")

        target, body, head = good(method, template, said)
        head = {**head, "Idempotency-Key": f"{method} {template}"}
        with monkeypatch.context() as patched:
            patched.setattr(served.app, "ask", ask_)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(requests.ask, method, template, target, body, head)
                await trio.testing.wait_all_tasks_blocked(0.01)
                await requests.ask(method, template, target, body, head)
                await requests.ask(method, template, f"{target}/", body, head)
                go.set()


async def slow_disk_without_keys(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is open to everybody knows no keys, and waits for the disk as well."""

    async def ask_(command: object, *_: object) -> object:
        raise StoreError(f"{command} is not on disk")

    for method, template, said in operations(requests):
        if method == "GET" or not names(said, "store") or names(said, "in_progress"):
            continue
        with monkeypatch.context() as patched:
            patched.setattr(requests.served.app, "ask", ask_)
            await requests.ask(method, template, *good(method, template, said))


Case = tuple[str, str, str, object, int, str]
"""A method, a template, a target, a value to send, and the status and code that answer it."""

JOB, TASK = "/api/jobs/{job}", "/api/jobs/{job}/tasks/{task}"
WORKERS, WORKER = "/api/workers", "/api/workers/{name}"
POWER = ("power-off", "reboot", "reread")
ORDERS = ("drain", "pause", "resume", "stop", "restart", *POWER, "wake")
SUBMITTER = "/api/submitters/{name}"
NOTHING = b""
FIRST = {"tasks": [[0, 0]]}
SAME_NAME = {"names": ["w"], "set": {"name": "obeys"}}
NO_INPUT = {"inputs": {"a": {"sha256": NO_BLOB, "size": 1}}}


async def own_cases(requests: Requests, patch: pytest.MonkeyPatch) -> None:
    """What is refused by one route for a reason of its own."""
    served = requests.served
    served.work("obeys", 9001, "orders")
    appliance = Appliance("1.0", ["52:54:00:12:34:56"], ["off", "reboot", "reread"])
    served.work("booted", 9002, "orders", appliance=appliance)
    await requests.cases([*CASES, *access_answers.CASES])
    for method, template, said in operations(requests):
        target, body, head = good(method, template, said)
        if names(said, "unknown_job"):
            await requests.ask(
                method, template, target.replace("/1", "/77", 1).replace("/2", "/77", 1), body, head
            )
        if names(said, "unknown_task"):
            await requests.ask(method, template, target.replace("tasks/0", "tasks/99"), body, head)
        if names(said, "unknown_blob") and "{sha256}" in template:
            await requests.ask(
                method,
                template,
                target.replace(BLOB, NO_BLOB if method == "GET" else "x"),
                body,
                head,
            )
        if names(said, "unknown_worker") and "{name}" in template:
            await requests.ask(method, template, re.sub("/[^/]*$", "/nobody", target), body, head)
    with patch.context() as patched:
        patched.setattr(limits_shown, "WATCHERS", 0)
        patched.setattr(limits_shown, "SUBMITTING", 0)
        patched.setattr(limits, "TAIL_GAPS", -1)
        patched.setattr(limits, "SUBMITTERS", 0)
        patched.setattr(Matching, "has_room", lambda *_: False)
        await requests.cases(FULL)

    with access_answers.full(served, patch):
        await requests.cases(access_answers.FULL)
    with access_answers.no_keys(patch):
        await requests.cases(access_answers.FULL_OF_KEYS)


async def own_bytes(requests: Requests, patch: pytest.MonkeyPatch) -> None:
    """Parts of bytes, conditions on them, and blobs that are put."""
    served = requests.served
    patch.setattr(served.app.types, "shipped", lambda _: object())
    whole = Blob(bytes.fromhex(BLOB), 6)

    async def of(job: int, task: int) -> Blob:
        return whole

    views = served.site._views
    patch.setattr(views.outputs, "whole", of)
    patch.setattr(views.tasks, "payload", of)
    patch.setattr(views.tasks, "result", of)
    for template in ("/blobs/{sha256}", "/plugins/{sha256}", *BYTES):
        target, _, _ = good("GET", template, {})
        for head, status in (
            ({}, 200),
            ({"Range": "bytes=1-2"}, 206),
            ({"Range": "bytes=9-"}, 416),
            ({"If-None-Match": f'"{BLOB}"'}, 304),
            ({"If-Match": '"x"'}, 412),
        ):
            heard = await requests.ask("GET", template, target, NOTHING, head)
            assert heard.status == status, (template, heard)
    whole = Blob(bytes.fromhex(NO_BLOB), 6)
    for template in BYTES[:2]:
        await requests.ask("GET", template, good("GET", template, {})[0])
    put = "/blobs/{sha256}"
    new = hashlib.sha256(b"new").hexdigest()
    await requests.ask("PUT", put, f"/blobs/{new}", b"", length=3)
    await requests.ask("PUT", put, f"/blobs/{new}", b"old")
    await requests.ask("PUT", put, f"/blobs/{new}", b"ew", {"Content-Range": "bytes 1-2/3"})
    await requests.ask("PUT", put, f"/blobs/{new}", b"new")
    await requests.ask("POST", "/blobs", "", b"")
    await requests.ask("POST", "/blobs", "", b"")
    patch.undo()
    other = hashlib.sha256(b"other").hexdigest()
    large = msgspec.json.encode({"type": "copy", "tasks": ["x" * (limits.INLINE_BYTES + 1)]})

    async def put_all() -> None:
        await requests.ask("PUT", put, f"/blobs/{other}", b"other")
        await requests.ask("POST", "/blobs", "", b"others")
        await requests.ask("POST", "/api/jobs", "", large, JSON)

    with patch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: Disk(1, 1, 0))
        await put_all()

    async def fails(*_: object) -> None:
        raise StoreError("the disk is broken")

    with patch.context() as patched:
        for name in ("put", "receive", "take"):
            patched.setattr(served.blobs, name, fails)
        await put_all()
    await served.app.ask(ChangeSettings({"quota-task": "1"}))
    await put_all()
    await served.app.ask(ChangeSettings({"quota-task": None}))


async def own_boot(requests: Requests, _: pytest.MonkeyPatch) -> None:
    """Parts of images, and what is not there."""
    images = requests.served.app.settings.data / "os-image"
    for template in ("/boot/{secret}/{file}", "/boot/{secret}/arm64/{file}"):
        target = good("GET", template, {})[0]
        for asked, head, status in (
            (target, {"Range": "bytes=1-2"}, 206),
            (target, {"Range": "bytes=99999999-"}, 416),
            (f"{target}?slots=many", {}, 400),
            (target.replace("worker.iso", "bzImage"), {}, 404),
            (target.replace("aaaa", "bbbb"), {}, 403),
        ):
            heard = await requests.ask("GET", template, asked, NOTHING, head)
            assert heard.status == status, (template, heard)
    for path in images.rglob("worker.iso"):
        path.write_bytes(b"no place for a configuration is here")
    for template in ("/boot/{secret}/{file}", "/boot/{secret}/arm64/{file}"):
        assert (await requests.ask("GET", template, good("GET", template, {})[0])).status == 409


async def own_submissions(requests: Requests, patch: pytest.MonkeyPatch) -> None:
    """Submissions under a key."""
    job = b'{"type": "copy"}\n"x"\n'
    head = {**LINES, "Idempotency-Key": "k"}
    post = partial(requests.ask, "POST", "/api/jobs", "")
    for tasks in ("x", "x", "y"):
        value = {"type": "copy", "tasks": [tasks], "options": {"name": tasks}}
        await post(msgspec.json.encode(value), {**JSON, "Idempotency-Key": "another"})
    served = requests.served

    async def cancel() -> None:
        await served.app.ask(CancelJob(max(served.app.reactor.board.jobs)))

    for key, meanwhile in (("a", cancel), ("k", partial(post, job, head))):
        body = Acting(meanwhile, b'{"type": "copy"}\n"x"\n', b'"y"\n')
        kind = {"Content_Type": LINES["Content-Type"], "Idempotency_Key": key}
        answer = await served.send("POST", "/api/jobs", body, **kind)
        heard = Heard(answer.status, answer.kind, answer.headers, answer.body)
        requests.check("POST", "/api/jobs", heard)


class Acting(Pieces):
    """A body of two pieces, between which something is done."""

    def __init__(self, act: Callable[[], Awaitable[object]], *pieces: bytes) -> None:
        super().__init__(*pieces)
        self._act = act

    async def next_piece(self, request: Request) -> bytes:
        if len(self._pieces) == 1:
            await self._act()
        return await super().next_piece(request)


async def own_store(requests: Requests, patch: pytest.MonkeyPatch) -> None:
    """The store cannot be read."""

    async def fails(*_: object, **__: object) -> None:
        raise StoreError("the disk is broken")

    with patch.context() as patched:
        for name, _ in inspect.getmembers(Store, inspect.iscoroutinefunction):
            if name not in ("commit", "aclose"):
                patched.setattr(MemoryStore, name, fails)
        for method, template, said in operations(requests):
            if method == "GET":
                await requests.ask(method, template, *good(method, template, said))
    await requests.ask("GET", "/api/backup")
    with patch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: Disk(1, 1, 0))
        await requests.ask("GET", "/api/backup")

    async def archive(_: object) -> Response:
        return Response(200, b"", "application/x-tar")

    with patch.context() as patched:
        patched.setattr(site, "backup", archive)
        await requests.ask("GET", "/api/backup")


async def own_ends(requests: Requests, patch: pytest.MonkeyPatch) -> None:
    """What is best done last: workers are sent away."""
    await requests.cases([*ENDS, *access_answers.ENDS])
    requests.served.app.feed(Closed(9002))
    await requests.cases([("POST", f"{WORKERS}/wake", "", {"names": ["booted"]}, 200, "")])


async def who_may_not(requests: Requests, folder: Path) -> None:
    """A server that wants to know who asks is asked by nobody, and by those who may do little."""
    async with serving(folder, secure=True) as served:
        others = Requests(served, requests.described)
        guests = Guests(served)
        shown: list[dict[str, str]] = [{}]
        for role in ("view", "work"):
            made = await guests.token(role, role)
            shown.append({"Authorization": f"Bearer {made.secret}"})
        for method, template, said in operations(others):
            if names(said, "not_signed_in") and template != "/api/stream":
                target, body, head = good(method, template, said)
                for one in shown:
                    await others.ask(method, template, target, body, {**head, **one})
        await others.ask("GET", "/api/stream", "/api/stream?topics=jobs")
        await others.ask("GET", "/api/stream", "/api/stream?topics=jobs", b"", shown[2])
        requests.wrong += others.wrong
        requests.seen |= others.seen


BYTES = (
    "/jobs/{job}/tasks/{task}/payload",
    "/jobs/{job}/tasks/{task}/result",
    "/jobs/{job}/tasks/{task}/output",
)

CASES: list[Case] = [
    ("PATCH", SUBMITTER, f"/api/submitters/{'x' * 257}", {"weight": 2}, 400, "options"),
    ("PATCH", "/api/settings", "", {"keep-days": "x"}, 400, "options"),
    ("PATCH", WORKER, "/api/workers/w", {"name": "a*"}, 400, "options"),
    ("PATCH", WORKER, "/api/workers/w", {"name": "obeys"}, 409, "duplicate_name"),
    ("POST", f"{WORKERS}/set", "", SAME_NAME, 409, "duplicate_name"),
    *(("POST", f"{WORKERS}/{one}", "", {}, 400, "options") for one in (*ORDERS, "set", "delete")),
    *(
        ("POST", f"{WORKERS}/{one}", "", {"names": ["nobody"]}, 404, "unknown_worker")
        for one in (*ORDERS, "set", "delete")
    ),
    ("GET", "/api/history", "/api/history?since=9&until=8", None, 400, "options"),
    ("GET", "/api/stream", "/api/stream?topics=odd", None, 400, "unknown_topic"),
    ("GET", "/api/problems/{code}", "/api/problems/odd", None, 404, "not_found"),
    ("PATCH", JOB, "/api/jobs/1", {"priority": 1}, 409, "not_possible"),
    ("POST", f"{JOB}/pause", "/api/jobs/1/pause", {}, 409, "not_possible"),
    ("POST", f"{JOB}/resume", "/api/jobs/1/resume", None, 409, "not_possible"),
    ("POST", "/api/jobs", "", {"type": "odd"}, 404, "unknown_type"),
    ("POST", "/api/jobs", "", {"type": "double", "tasks": ["x"]}, 400, "payload"),
    ("POST", "/api/jobs", "", {"type": "copy", "options": {"odd": 1}}, 400, "options"),
    ("POST", "/api/jobs", "", {"type": "copy", "options": NO_INPUT}, 404, "unknown_blob"),
]  # fmt: skip

FULL: list[Case] = [
    ("GET", "/api/stream", "/api/stream?topics=jobs", None, 429, "too_many_watchers"),
    ("POST", "/api/jobs", "", {"type": "copy"}, 429, "busy"),
    ("PATCH", SUBMITTER, "/api/submitters/bob", {"weight": 2}, 409, "not_possible"),
    ("POST", f"{JOB}/tasks/cancel", "/api/jobs/2/tasks/cancel", FIRST, 409, "not_possible"),
    ("POST", f"{TASK}/cancel", "/api/jobs/2/tasks/0/cancel", None, 409, "not_possible"),
    ("POST", f"{JOB}/retry", "/api/jobs/1/retry", {}, 400, "options"),
    ("POST", f"{TASK}/retry", "/api/jobs/1/tasks/1/retry", None, 400, "options"),
]  # fmt: skip

ENDS: list[Case] = [
    ("POST", f"{TASK}/retry", "/api/jobs/1/tasks/1/retry", None, 200, ""),
    ("POST", f"{JOB}/cancel", "/api/jobs/2/cancel", None, 200, ""),
    ("POST", f"{JOB}/retry", "/api/jobs/2/retry", {}, 409, "not_possible"),
    ("POST", f"{TASK}/retry", "/api/jobs/2/tasks/0/retry", None, 409, "not_possible"),
    ("POST", f"{WORKERS}/restart", "", {"names": ["w"]}, 409, "not_possible"),
    ("POST", f"{WORKERS}/stop", "", {"names": ["w"]}, 409, "not_possible"),
    ("POST", f"{WORKERS}/restart", "", {"names": ["obeys"]}, 200, ""),
    ("POST", f"{WORKERS}/drain", "", {"names": ["obeys"]}, 409, "not_possible"),
    ("POST", f"{WORKERS}/pause", "", {"names": ["obeys"]}, 409, "not_possible"),
    ("POST", f"{WORKERS}/resume", "", {"names": ["obeys"]}, 409, "not_possible"),
    ("POST", f"{WORKERS}/stop", "", {"names": ["obeys"]}, 200, ""),
    ("POST", f"{WORKERS}/wake", "", {"names": ["booted"]}, 409, "not_possible"),
    *(("POST", f"{WORKERS}/{one}", "", {"names": ["obeys"]}, 409, "not_possible") for one in POWER),
    *(("POST", f"{WORKERS}/{one}", "", {"names": ["booted"]}, 200, "") for one in POWER),
    ("DELETE", WORKER, "/api/workers/w", None, 200, ""),
    ("POST", f"{WORKERS}/delete", "", {"names": ["obeys"]}, 200, ""),
]


async def test_all_that_is_described_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as (requests, _worker):
        await good_answers(requests)
        await refusals_of_all(requests, monkeypatch)
        await refusals_of_bodies(requests, monkeypatch)
        await keys_and_a_slow_disk(requests, monkeypatch)
        await slow_disk_without_keys(requests, monkeypatch)
        for step in (own_cases, own_bytes, own_boot, own_submissions, own_store, own_ends):
            await step(requests, monkeypatch)
        await who_may_not(requests, tmp_path / "secure")
        assert not requests.wrong, "\n".join(requests.wrong)
        missing = sorted(requests.all_described() - requests.seen)
        assert not missing, "\n".join(map(str, missing))
