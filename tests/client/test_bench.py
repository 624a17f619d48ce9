"""`python -m dc bench` against a fake server: figures, what is missing, the end of its time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any

import pytest
import trio

from dc import messages_client
from dc.cli.bench import SINGLES
from dc.cli.main import main
from tests.client.ctrl_c import CtrlC
from tests.client.fake_server import FakeServer, FakeType

NOOP = {"name": "noop", "version": "1", "payload": "bytes", "result": "bytes"}
WORKER = {"name": "box", "state": "connected", "slots": 2, "types": [NOOP], "done": 0}
Capture = pytest.CaptureFixture[str]
Bench = Callable[..., int]


@pytest.fixture
def server() -> FakeServer:
    server = FakeServer()
    server.types["noop"] = FakeType(lambda _, payload: payload, "bytes", "bytes")
    server.batch = 1000
    server.answers = {"/api/types": {"types": [NOOP]}, "/api/workers": {"workers": [WORKER]}}
    server.hook = partial(count_done, server)
    return server


def count_done(server: FakeServer, _: object) -> None:
    """Let the worker's count follow, as a real server's does."""
    done = sum(len(job.outcomes) for job in server.jobs.values())
    idle = {**WORKER, "name": "idle"}
    server.answers["/api/workers"] = {"workers": [{**WORKER, "done": done}, idle]}


@pytest.fixture
def bench(server: FakeServer) -> Iterator[Bench]:
    started: SimpleQueue[tuple[int, trio.lowlevel.TrioToken]] = SimpleQueue()
    scope = trio.CancelScope()

    async def serve() -> None:
        with scope:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            port = listeners[0].socket.getsockname()[1]
            started.put((port, trio.lowlevel.current_trio_token()))
            await trio.serve_listeners(server.serve, listeners)

    thread = threading.Thread(target=partial(trio.run, serve), daemon=True)
    thread.start()
    port, token = started.get(timeout=60)
    yield lambda *args: main(["bench", f"http://127.0.0.1:{port}", *args])
    token.run_sync_soon(scope.cancel)
    thread.join(60)
    assert not thread.is_alive()


def ended(server: FakeServer) -> bool:
    return all(job.state in ("done", "cancelled") for job in server.jobs.values())


def test_figures_as_json(bench: Bench, server: FakeServer, capsys: Capture) -> None:
    count_done(server, None)
    assert bench("--json", "--tasks", "3000", "--size", "100000") == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["tasks"], figures["large_bytes"], figures["singles"]) == (3000, 100000, 200)
    assert (figures["workers"], figures["workers_able"], figures["slots"]) == (1, 2, 2)
    assert figures["complete"]
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert figures["tasks_per_second"] == pytest.approx(3000 / figures["seconds"])
    sizes = [len(job.payloads) for job in server.jobs.values()]
    assert sizes == [200, 3000, 1], "the single tasks are of one job"
    assert len(set(server.jobs[2].payloads)) == 3000
    assert all(job.options["name"] == "bench" for job in server.jobs.values())
    assert ended(server)


def test_lines_for_people(bench: Bench, capsys: Capture) -> None:
    assert bench("--tasks", "10", "--size", "1000") == 0
    lines = [line.split()[:1] for line in capsys.readouterr().out.splitlines()]
    assert lines == [["server"], ["workers"], ["one"], ["no-ops"], ["large"]]


@pytest.mark.parametrize(
    ("path", "answer", "text"),
    [
        ("types", {"types": []}, "the server has no task type 'noop': start the server"),
        ("types", {"types": [{**NOOP, "result": "msgpack"}]}, "does not take and give bytes"),
        ("workers", {"workers": []}, "no connected worker has task type 'noop'"),
        ("workers", {"workers": [{**WORKER, "state": "away"}]}, "no connected worker"),
    ],
)
def test_what_is_missing_is_said(
    bench: Bench, server: FakeServer, capsys: Capture, path: str, answer: Any, text: str
) -> None:
    server.hook = lambda message: None
    server.answers[f"/api/{path}"] = answer
    assert bench() == 2
    said = capsys.readouterr().err
    assert text in said
    assert "--plugins plugins/bench" in said
    assert not server.jobs


def test_other_bytes_than_the_payload_are_an_error(
    bench: Bench, server: FakeServer, capsys: Capture
) -> None:
    server.types["noop"].run = lambda _, payload: payload[::-1]
    assert bench() == 2
    assert "a result is not its payload" in capsys.readouterr().err
    assert ended(server)


def test_when_its_time_is_over_it_cancels_and_shows_what_it_has(
    bench: Bench, server: FakeServer, capsys: Capture
) -> None:
    server.run_limit = SINGLES  # of each job: so single tasks are done, and the many never are
    assert bench("--seconds", "0.4", "--tasks", "500", "--json") == 1
    out, err = capsys.readouterr()
    figures = json.loads(out)
    assert not figures["complete"]
    assert "p50_ms" in figures
    assert "tasks_per_second" not in figures
    assert "give it more by --seconds" in err
    assert ended(server)


def test_when_its_time_is_over_among_the_single_tasks(
    bench: Bench, server: FakeServer, capsys: Capture
) -> None:
    server.run_limit = 1
    assert bench("--seconds", "0.4", "--json") == 1
    out, err = capsys.readouterr()
    assert "p50_ms" not in json.loads(out)
    assert "give it more by --seconds" in err
    assert ended(server)


def test_a_job_that_somebody_else_cancels_ends_it(
    bench: Bench, server: FakeServer, capsys: Capture
) -> None:
    server.run_limit = SINGLES

    def cancel(message: Any) -> None:
        many = [job for job in server.jobs.values() if len(job.payloads) > SINGLES]
        if isinstance(message, messages_client.Subscribe) and many:
            many[0].cancelled = True
            server.wake()

    server.hook = cancel
    assert bench("--tasks", "500") == 1
    assert "its job was cancelled" in capsys.readouterr().err


def test_ctrl_c_cancels(bench: Bench, server: FakeServer, capsys: Capture) -> None:
    server.run_limit = SINGLES
    ctrl_c = CtrlC()

    def interrupt(message: Any) -> None:
        is_many = isinstance(message, messages_client.Subscribe) and (
            len(server.jobs[message.job].payloads) > SINGLES
        )
        if is_many:
            ctrl_c.press()

    server.hook = interrupt
    with ctrl_c:
        assert bench("--tasks", "500") == 130
    assert capsys.readouterr().err == "interrupted; its job is cancelled\n"
    assert ended(server)


@pytest.mark.parametrize("option", ["--tasks", "--size", "--seconds"])
def test_bounds_of_options(bench: Bench, option: str, capsys: Capture) -> None:
    assert bench(option, "0") == 2
    assert bench(option, "many") == 2
    assert option in capsys.readouterr().err
