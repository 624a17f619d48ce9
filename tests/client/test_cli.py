"""The command line against a fake server on a loopback socket: outputs, exit statuses, JSON."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import trio

from dc import messages_client, messages_parts
from dc.cli import progress
from dc.cli.main import main
from dc.cli.progress import Lines, Pace, describe, duration
from dc.cli.screen import Screen, clean
from dc.client.records import JobStatus
from dc.client.submitter import submitter_here
from tests.client.ctrl_c import CtrlC
from tests.client.fake_server import FakeServer, pack

PLUGIN = """
import dc

@dc.task_type
def wordcount(word: str) -> dict[str, int]:
    return {word: 1}

@wordcount.split
def split(*texts: str):
    for text in texts:
        if text == "bad":
            raise FileNotFoundError(2, "no such folder", text)
        yield from text.split()

@wordcount.merge
def merge(results) -> str:
    table = {}
    for result in results:
        for word, count in result.items():
            table[word] = table.get(word, 0) + count
    return "\\n".join(f"{count} {word}" for word, count in sorted(table.items()))
"""

COUNTS = {"total": 3, "queued": 1, "assigned": 0, "running": 0, "done": 1, "failed": 1,
          "cancelled": 0}  # fmt: skip
JOB = {
    "job": 4, "name": "[red]\x1b[31mmine", "type": "square", "version": "1", "payload": "msgpack",
    "result": "msgpack", "state": "queued", "note": "no worker can run square", "counts": COUNTS,
    "priority": 5, "retries": 2, "timeout": 90.0, "requires": {"os": "linux"}, "created": 1e9,
    "why": "all slots are taken", "reason": {"kind": "busy", "figures": {"slots": 2}},
    "resources": {}, "alternatives": [], "needs": ["os=linux, 2 gpus", "8 cpus"],
    "submitter": "ann@desk", "weight": 2.0, "after": [2, 3], "after_what": "any", "each": False,
    "not_before": None, "deadline": 1e9,
}  # fmt: skip
TASK = {
    "job": 4, "number": 2, "state": "failed", "attempt": 3, "crashes": 0, "worker": "box",
    "finished_at": 1e9, "time": 0.25, "payload_size": 10, "result_size": 0,
    "failure": {"kind": "error", "error": "ValueError: no\nmore", "traceback": "Traceback"},
    "why": "", "reason": None,
}  # fmt: skip
WORKER = {
    "name": "box", "state": "sick", "note": "fan broken",
    "address": "127.0.0.1",
    "slots": 2, "own_slots": 4, "seen": None, "leaves_in": 90.0, "held": 5, "running": [],
    "types": [{"name": "square", "version": "1"}], "labels": {"os": "linux"},
    "broken": {"bad": "plugin 'bad': cannot be imported"}, "connected_at": 1e9, "done": 7,
    "failed": 1, "lapses_in": None, "resources": {"cpus": 2, "memory": 4096, "licence": 1},
    "why": "set aside: tasks fail", "reason": {"kind": "sick", "figures": {}},
}  # fmt: skip
TYPE = {"name": "square", "version": "1", "plugin": "math", "doc": "Square it.\nMore.",
        "payload": "msgpack", "result": "msgpack", "archive": "5d0f4c3e3b1aff",
        "payload_schema": {"type": "integer"}, "result_schema": {}}  # fmt: skip
WHO = {
    "own": 1, "can": 2, "cannot": {"has no Python >=3.13": {"workers": 7, "some": ["box", "cat"]}},
    "failed": {"dog": "no space left"},
}  # fmt: skip
SHIPPED = {
    "name": "math", "version": "1.2", "archive": "5d0f4c3e3b1aff", "size": 923, "place": "/p/math",
    "added": 1e9, "in_service": True, "jobs": 3, "types": [{"name": "square", "version": "1"}],
    "python": ">=3.13", "platforms": ["linux"], "dependencies": ["numpy"], "carried": ["attrs 1"],
    "signer": "dc-key-abc", "note": "it counts as unsigned: ", "workers": WHO,
}  # fmt: skip
NOBODY: dict[str, Any] = {"own": 0, "can": 0, "cannot": {}, "failed": {}}
EARLIER = {**SHIPPED, "in_service": False, "signer": "", "note": "", "workers": NOBODY}
STATUS = {
    "software": "dc", "version": "0.1", "protocol": 1, "started": 1e9,
    "address": "127.0.0.1:8220", "data": "/data", "tasks": COUNTS, "jobs": {"running": 2},
    "workers": 1, "slots": 2, "busy": 1, "rate": 1234.5, "types": 1, "broken": {},
    "away": 3, "sick": 1, "refused": {"already_done": 2}, "trouble": "no space left",
}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "/api/jobs": {"jobs": [JOB]},
    "/api/jobs/4": JOB,
    "/api/jobs/4/tasks": {"tasks": [TASK]},
    "/api/jobs/4/tasks/2": TASK,
    "/api/workers/box": WORKER,
    "/api/workers": {"workers": [WORKER]},
    "/api/types": {"types": [TYPE, {**TYPE, "name": "echo", "payload": "bytes"}], "broken": {}},
    "/api/status": STATUS,
    "/api/plugins": {"plugins": [SHIPPED, EARLIER], "broken": {"bad": "plugin 'bad': \x1b[31m"}},
}


class Line:
    """A fake server in a thread, and the command line towards it."""

    def __init__(self, url: str, server: FakeServer) -> None:
        self.url = url
        self.server = server

    def __call__(self, command: str, *args: str) -> int:
        return main([command, *args, "--server", self.url])


@pytest.fixture
def dctl() -> Iterator[Line]:
    started: SimpleQueue[tuple[int, trio.lowlevel.TrioToken]] = SimpleQueue()
    server, scope = FakeServer(), trio.CancelScope()
    server.answers = ANSWERS

    async def serve() -> None:
        with scope:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            port = listeners[0].socket.getsockname()[1]
            started.put((port, trio.lowlevel.current_trio_token()))
            await trio.serve_listeners(server.serve, listeners)

    thread = threading.Thread(target=partial(trio.run, serve), daemon=True)
    thread.start()
    port, token = started.get(timeout=60)
    yield Line(f"http://127.0.0.1:{port}", server)
    token.run_sync_soon(scope.cancel)
    thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def plugins(tmp_path: Path) -> str:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "wordcount.py").write_text(PLUGIN)
    return str(folder)


Capture = pytest.CaptureFixture[str]


def test_submit_without_a_plugin_prints_a_line_for_each_result(dctl: Line, capsys: Capture) -> None:
    assert dctl("submit", "square", "1", "2", "30", "--name", "n", "--require", "os=linux") == 0
    out, err = capsys.readouterr()
    assert out == "1\n4\n900\n"
    assert err == "job 1 of square is submitted\n"
    assert dctl.server.jobs[1].options == {
        "name": "n", "requires": {"os": "linux"}, "submitter": submitter_here(),
    }  # fmt: skip


def test_submit_says_what_tasks_need(dctl: Line, capsys: Capture) -> None:
    needs = ["--memory", "1KiB", "--and", "--gpus", "0.5", "--require", "gpu!=old", "--or"]
    needs += ["--cpus", "8", "--require", "python>=3.11", "--require", "python<3.14"]
    assert dctl("submit", "square", "1", *needs) == 0
    assert dctl.server.jobs[1].options == {
        "resources": {"memory": 1024.0},
        "alternatives": [
            {"requires": {"gpu": "!=old"}, "resources": {"gpus": 0.5}},
            {"requires": {"python": ">=3.11,<3.14"}, "resources": {"cpus": 8.0}},
        ],
        "submitter": submitter_here(),
    }
    assert dctl("submit", "square", "1", "--resource", "licence=1", "--or", "--cpus", "2") == 0
    assert dctl.server.jobs[2].options == {
        "alternatives": [{"resources": {"licence": 1.0}}, {"resources": {"cpus": 2.0}}],
        "submitter": submitter_here(),
    }
    capsys.readouterr()
    assert dctl("submit", "square", "1", "--after-what", "any") == 2
    assert "name them by --after" in capsys.readouterr().err
    for wrong in (["--or"], ["--and"], ["--cpus", "1", "--or"], ["--cpus", "1", "--and"]):
        assert dctl("submit", "square", "1", *wrong) == 2
        assert "alternatives" in capsys.readouterr().err


def test_submit_says_if_no_worker_can_run_it(dctl: Line, capsys: Capture) -> None:
    dctl.server.warning = "needs 2 gpus; no worker has any (nearest: box)"
    assert dctl("submit", "square", "1", "--gpus", "2") == 0
    err = capsys.readouterr().err
    assert err.startswith("dc: job 1 waits: needs 2 gpus; no worker has any (nearest: box)\n")


def test_why(dctl: Line, capsys: Capture) -> None:
    assert dctl("why", "4") == dctl("why", "4/2") == dctl("why", "--worker", "box") == 0
    assert capsys.readouterr().out == (
        "job 4 (queued): all slots are taken\n"
        "task 2 of job 4 (failed): it does not wait\n"
        "worker box (sick): set aside: tasks fail\n"
    )
    assert dctl("why", "4", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"state": "queued", "why": JOB["why"], "reason": JOB["reason"]}


def test_submit_splits_and_merges(
    dctl: Line, capsys: Capture, plugins: str, tmp_path: Path
) -> None:
    assert dctl("submit", "wordcount", "a b a", "b", "--plugins", plugins) == 0
    assert capsys.readouterr().out == "2 a\n2 b\n"
    assert dctl("submit", "wordcount", "c", "--plugins", plugins, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"job": 2, "state": "done", "answer": "1 c"}
    output = tmp_path / "answer.txt"
    assert dctl("submit", "wordcount", "c", "--plugins", plugins, "--output", str(output)) == 0
    assert capsys.readouterr().out == ""
    assert output.read_text() == "1 c\n"
    assert dctl("results", "1", "--merge", "--plugins", plugins) == 0
    assert capsys.readouterr().out == "2 a\n2 b\n"
    assert dctl("results", "1") == 0
    assert capsys.readouterr().out.splitlines()[0] == '{"a":1}'


def test_a_failed_split_is_one_line_and_leaves_no_job(
    dctl: Line, capsys: Capture, plugins: str
) -> None:
    assert dctl("submit", "wordcount", "bad", "--plugins", plugins) == 2
    err = capsys.readouterr().err
    assert err.startswith("dc: the split of wordcount failed: FileNotFoundError")
    assert err.count("\n") == 1
    assert not dctl.server.jobs


def test_inputs_from_files_and_as_bytes(dctl: Line, capsys: Capture, tmp_path: Path) -> None:
    lines, blob = tmp_path / "lines", tmp_path / "blob"
    lines.write_text("3\n4\n")
    blob.write_bytes(b"\xff\x00")
    assert dctl("submit", "square", "--file", str(lines), "--unordered") == 0
    assert capsys.readouterr().out == "9\n16\n"
    assert dctl("submit", "echo", "5", f"@{blob}", "--no-wait") == 0
    assert capsys.readouterr().out == "2\n"
    assert dctl.server.jobs[2].payloads == [b"5", b"\xff\x00"]
    assert dctl("submit", "echo", "@/nowhere") == 2
    assert capsys.readouterr().err == "dc: /nowhere: No such file or directory\n"


def test_failed_tasks_show_their_tracebacks_and_exit_1(
    dctl: Line, capsys: Capture, plugins: str
) -> None:
    assert dctl("submit", "square", "2", *["13"] * 5) == 1
    out, err = capsys.readouterr()
    assert out == "4\n"
    assert err.count("Traceback: thirteen") == 3
    assert "task 1 of job 1 failed (error, attempt 1 on box): ValueError: thirteen" in err
    assert "and 2 more failed: python -m dc tasks 1 --failed" in err
    assert "job 1: 6 of 6 tasks, 5 failed, failed" in err
    dctl.server.types["wordcount"].run = lambda number, _: (
        messages_parts.Failure("error", "oops") if number else pack({"a": 1})
    )
    assert dctl("submit", "wordcount", "a b", "--plugins", plugins) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "so there is no answer" in err


def test_results_as_json_lines(dctl: Line, capsys: Capture) -> None:
    assert dctl("submit", "square", "2", "13", "--no-wait", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"job": 1}
    assert dctl("results", "1", "--json") == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {
        "number": 0, "result": 4, "attempt": 1, "worker": "box",
        "finished_at": "2001-09-09T01:46:40Z", "time": 0.5, "failure": None,
    }  # fmt: skip
    assert second["failure"]["error"] == "ValueError: thirteen"


def test_wait_and_cancel(dctl: Line, capsys: Capture) -> None:
    assert dctl("submit", "square", "1", "2", "--no-wait") == 0
    capsys.readouterr()
    assert dctl("wait", "1") == 0
    assert capsys.readouterr().out == "job 1: 2 of 2 tasks, done\n"
    dctl.server.run_limit = 1
    assert dctl("submit", "square", "1", "2", "--no-wait") == 0
    capsys.readouterr()
    assert dctl("cancel", "2", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["state"], answer["done"], answer["cancelled"]) == ("cancelled", 1, 1)
    assert dctl("wait", "2") == 1
    assert dctl("results", "2") == 1
    assert "job 2: 1 of 2 tasks, cancelled" in capsys.readouterr().err
    assert dctl("wait", "9") == 2
    assert capsys.readouterr().err == "dc: there is no job 9\n"


def test_ctrl_c_says_that_the_job_goes_on(dctl: Line, capsys: Capture) -> None:
    ctrl_c = CtrlC()

    def interrupt(message: Any) -> None:
        if isinstance(message, messages_client.Subscribe):
            ctrl_c.press()

    dctl.server.run_limit = 0
    dctl.server.hook = interrupt
    with ctrl_c:
        assert dctl("submit", "square", "1") == 130
    err = capsys.readouterr().err
    assert "job 1 goes on without you; follow it: python -m dc wait 1" in err
    assert not dctl.server.jobs[1].cancelled


def interrupted_submission(dctl: Line, tmp_path: Path, *args: str) -> None:
    """Submit from a file that never ends, and press Ctrl-C when its first tasks have come."""

    ctrl_c = CtrlC()

    def interrupt(message: Any) -> None:
        if isinstance(message, messages_client.Payloads):
            dctl.server.hook = lambda message: None
            ctrl_c.press()

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ours = os.open(pipe, os.O_RDWR)
    os.write(ours, b"".join(b"%d\n" % number for number in range(5000)))
    dctl.server.hook = interrupt
    try:
        with ctrl_c:
            assert dctl("submit", "square", "--file", str(pipe), *args) == 130
    finally:
        os.close(ours)


def test_ctrl_c_while_submitting_cancels(dctl: Line, capsys: Capture, tmp_path: Path) -> None:
    interrupted_submission(dctl, tmp_path)
    assert capsys.readouterr().err == "interrupted; what was submitted of the job is cancelled\n"
    assert dctl.server.jobs[1].cancelled


def test_ctrl_c_under_a_key_leaves_the_job_to_go_on_with(
    dctl: Line, capsys: Capture, tmp_path: Path
) -> None:
    interrupted_submission(dctl, tmp_path, "--key", "mine")
    assert "stays, and the same command goes on with it" in capsys.readouterr().err
    job = dctl.server.jobs[1]
    assert (job.cancelled, job.ended) == (False, False)
    assert 0 < len(job.payloads) <= 5000
    inputs = [str(number) for number in range(5100)]
    lines = tmp_path / "lines"
    lines.write_text("\n".join(inputs))
    for _ in range(2):  # the second time all of it is there
        assert dctl("submit", "square", "--file", str(lines), "--key", "mine", "--no-wait") == 0
        assert capsys.readouterr().out == "1\n"
        assert (job.ended, len(job.payloads), len(dctl.server.jobs)) == (True, 5100, 1)


def test_options_of_retries_and_grace(dctl: Line, capsys: Capture) -> None:
    args = "--retry-on error,crashed --retry-seconds 2 --crashes 3 --long --grace 60 --no-wait"
    assert dctl("submit", "square", "1", *args.split()) == 0
    assert dctl.server.jobs[1].options == {
        "retry_on": ["error", "crashed"], "retry_seconds": 2.0, "crashes": 3, "long": True,
        "grace": 60.0, "submitter": submitter_here(),
    }  # fmt: skip
    assert dctl("submit", "square", "1", "--retry-on", "bad luck") == 2
    assert capsys.readouterr().err.startswith("dc: retry_on: ")


def test_limits_and_variables(dctl: Line, capsys: Capture) -> None:
    args = "--limit memory=4GiB --limit disk=20M --limit nice=5 --env A=b=c --env EMPTY= --no-wait"
    assert dctl("submit", "square", "1", *args.split()) == 0
    assert dctl.server.jobs[1].options == {
        "limits": {"memory": 4 * 2**30, "disk": 20 * 2**20, "nice": 5},
        "environment": {"A": "b=c", "EMPTY": ""},
        "submitter": submitter_here(),
    }
    for wrong in (("--limit", "speed=1"), ("--limit", "memory=0"), ("--env", "a b=c")):
        assert dctl("submit", "square", "1", *wrong) == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith(("dc: limits: ", "dc: environ"))
    for wrong in (("--limit", "memory=much"), ("--limit", "memory"), ("--env", "=x")):
        assert dctl("submit", "square", "1", *wrong) == 2
        assert "is not NAME=" in capsys.readouterr().err


def test_trouble_is_told_while_submitting(
    dctl: Line, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()

    class Told(Screen):
        def note(self, text: str) -> None:
            super().note(text)
            if "trouble" in text:
                told.set()

    class Troubled:
        notes = iter(["", "the disk is full", "the disk is full"])

        @property
        def trouble(self) -> str:
            return next(self.notes, "")

    monkeypatch.setattr(progress, "TROUBLE_SECONDS", 0.001)
    with progress.telling_trouble(Troubled(), Told()):  # type: ignore[arg-type]
        assert told.wait(60)
    assert capsys.readouterr().err == "the disk is full\nthe server is out of trouble\n"


@pytest.mark.parametrize(
    "command", ["jobs", "job 4", "tasks 4", "workers", "types", "status", "plugins"]
)
def test_lists_as_json_are_the_servers_own(dctl: Line, capsys: Capture, command: str) -> None:
    assert dctl(*command.split(), "--json") == 0
    path = {"job 4": "/api/jobs/4", "tasks 4": "/api/jobs/4/tasks"}.get(command, f"/api/{command}")
    assert json.loads(capsys.readouterr().out) == ANSWERS[path]


def test_lists_as_tables(dctl: Line, capsys: Capture) -> None:
    for command in ("jobs", "job 4", "tasks 4 --failed", "workers", "types", "status"):
        assert dctl(*command.split()) == 0
    out, err = capsys.readouterr()
    for text in (
        "[red]\N{REPLACEMENT CHARACTER}[31mmine",  # neither markup nor escape codes pass
        "no worker can run square",
        "1 queued, 1 done, 1 failed",
        "error: ValueError: no",
        "os=linux",
        "Square it.",
        "1 with 1 of 2 slots busy, 3 away, 1 set aside",
        "2 already_done",
        "no space left",
        "1.23e+03 tasks/s",
    ):
        assert text in out, text
    assert "\x1b" not in out
    assert err == ("box: set aside: tasks fail\nbroken on box: plugin 'bad': cannot be imported\n")


def test_plugins(dctl: Line, capsys: Capture) -> None:
    assert dctl("plugins") == 0
    out, err = capsys.readouterr()
    assert main(["plugins", "list", "--server", dctl.url]) == 0
    assert capsys.readouterr() == (out, err)
    for text in ("math", "5d0f4c3e3b1a ", "square 1", "Python >=3.13, linux, numpy", "attrs 1"):
        assert text in out, text
    assert "1 have their own, 2 can get it" in out
    assert "nobody" in out
    assert err.splitlines() == [
        "math 5d0f4c3e3b1a: it counts as unsigned: ",
        "math 5d0f4c3e3b1a: 7 workers cannot get it (box, cat, …): has no Python >=3.13",
        "math 5d0f4c3e3b1a: failed on dog: no space left",
        "math 5d0f4c3e3b1a: an earlier version, which 3 unfinished jobs run",
        "broken on the server: plugin 'bad': \N{REPLACEMENT CHARACTER}[31m",
    ]


def test_one_type(dctl: Line, capsys: Capture) -> None:
    assert dctl("types", "square") == 0
    out = capsys.readouterr().out
    for text in ("square 1", "Square it.", "math 5d0f4c3e3b1a", '"type": "integer"'):
        assert text in out, text
    assert dctl("types", "square", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [TYPE]
    assert dctl("types", "nothing") == 2
    assert "no task type 'nothing'; there is echo, square" in capsys.readouterr().err


def test_errors_are_one_line(dctl: Line, capsys: Capture) -> None:
    assert dctl("submit", "nothing", "1") == 2
    assert capsys.readouterr().err == "dc: no task type 'nothing'\n"
    assert dctl("job", "77") == 2
    assert capsys.readouterr().err == "dc: nothing at /api/jobs/77\n"
    assert dctl("submit", "square", "1", "--retries", "500") == 2
    assert capsys.readouterr().err.startswith("dc: retries: ")
    assert dctl("submit", "square", "1", "--plugins", "/nowhere") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["jobs", "--server", "http://127.0.0.1:1"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("dc: cannot reach the server at http://127.0.0.1:1: is it running?")
    assert main(["jobs", "--server", "nonsense://x"]) == 2


@pytest.mark.parametrize(
    "args", [[], ["nonsense"], ["job"], ["job", "-1"], ["tasks", "1", "--limit", "0"],
             ["submit", "t", "--require", "x"], ["submit", "t", "--memory", "lots"],
             ["submit", "t", "--resource", "x"], ["why"], ["why", "3/x"],
             ["submit", "t", "--ordered", "--unordered"]]
)  # fmt: skip
def test_wrong_usage_exits_2(args: list[str], capsys: Capture) -> None:
    assert main(args) == 2
    assert "usage: python -m dc" in capsys.readouterr().err


def test_help_has_an_example_for_each_command(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    assert "exit status" in capsys.readouterr().out
    for command in ("submit", "jobs", "job", "tasks", "results", "wait", "cancel", "pause",
                    "resume", "retry", "set", "submitter", "worker",
                    "workers", "types", "status", "plugins"):  # fmt: skip
        assert main([command, "--help"]) == 0
        assert f"example:\n  python -m dc {command}" in capsys.readouterr().out


def test_the_server_is_taken_from_the_environment(
    dctl: Line, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DC_SERVER", dctl.url)
    assert main(["types"]) == 0
    assert "Square it." in capsys.readouterr().out


# --- progress -------------------------------------------------------------------------------------


def state(ended: int, **more: Any) -> JobStatus:
    fields = {"job": 3, "type": "t", "version": "1", "state": "running", "total": 100, "queued": 0,
              "assigned": 0, "running": 0, "done": ended, "failed": 0, "cancelled": 0,
              "note": ""}  # fmt: skip
    return JobStatus(**{**fields, **more})


def test_the_pace_is_taken_over_the_last_while() -> None:
    pace = Pace()
    assert (pace.rate, pace.left(state(0))) == (0.0, None)
    for second in range(30):
        pace.note(float(second), min(second, 10) * 2)
    assert pace.rate == 0.0
    pace.note(30.0, 60)
    assert pace.rate == pytest.approx(4.0)
    assert pace.left(state(60)) == pytest.approx(10.0)
    assert pace.left(state(60, state="open")) is None
    assert describe(state(60, failed=2, done=58), pace) == (
        "job 3: 60 of 100 tasks, 2 failed, 4/s, 10 s left"
    )


def test_durations() -> None:
    assert [duration(s) for s in (7.4, 123, 5025)] == ["7 s", "2:03", "1:23:45"]


def test_plain_lines_come_every_few_seconds(capsys: Capture) -> None:
    now = [0.0]
    lines = Lines(Screen(), lambda: now[0])
    for second in range(13):
        now[0] = float(second)
        lines.show(state(second))
    lines.show(state(100, state="done"))
    assert capsys.readouterr().err.splitlines() == [
        "job 3: 5 of 100 tasks, 1/s, 1:35 left",
        "job 3: 10 of 100 tasks, 1/s, 1:30 left",
    ]


def test_control_characters_are_cleaned() -> None:
    assert clean("a\x1b[2Jb\x9bc\td\n\x7f") == "a\ufffd[2Jb\ufffdc\td\n\ufffd"


# --- workers ----------------------------------------------------------------------------------


def asked(dctl: Line) -> tuple[str, Any]:
    """Return the last path that was posted to, and what."""
    method, path, body = dctl.server.asked[-1]
    assert method == "POST"
    return path, json.loads(body)


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ("drain lab-* box --leave", {"names": ["lab-*", "box"], "leave": True}),
        ("drain --all", {"all": True, "leave": False}),
        ("pause --with room=3 --with a=b", {"labels": {"room": "3", "a": "b"}}),
        ("resume --state paused --state sick", {"states": ["paused", "sick"]}),
        ("stop box", {"names": ["box"]}),
        ("restart box --now", {"names": ["box"], "now": True}),
        ("power-off box --now", {"names": ["box"], "now": True}),
        ("reboot lab-*", {"names": ["lab-*"], "now": False}),
        ("reread --all", {"all": True, "now": False}),
        ("set box --slots 3", {"names": ["box"], "set": {"slots": 3}}),
        ("set box --slots own --note hot", {"names": ["box"], "set": {"slots": None,
                                                                      "note": "hot"}}),
        ("set box --name fast", {"names": ["box"], "set": {"name": "fast"}}),
        ("set box --name= --slots 1", {"names": ["box"], "set": {"name": None, "slots": 1}}),
        ("set --all --label a=b=c --unlabel d", {"all": True, "set": {"labels": {"a": "b=c",
                                                                                "d": None}}}),
    ],
)  # fmt: skip
def test_workers_are_looked_after(
    dctl: Line, capsys: Capture, arguments: str, body: dict[str, Any]
) -> None:
    action = arguments.split()[0]
    dctl.server.answers = {f"/api/workers/{action}": {"workers": [WORKER]}}
    assert dctl("worker", *arguments.split()) == 0
    nothing: dict[str, Any] = {"names": [], "labels": {}, "states": [], "all": False}
    assert asked(dctl) == (f"/api/workers/{action}", nothing | body)
    out, err = capsys.readouterr()
    assert out.split() == ["worker", "state", "slots", "note", "box", "sick", "2", "fan", "broken"]
    assert err == "box: set aside: tasks fail\n"
    assert dctl("worker", *arguments.split(), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"workers": [WORKER]}


def test_computers_are_called_to_wake(dctl: Line, capsys: Capture) -> None:
    answer = {"sent": ["lab-1", "lab-2"], "networks": ["10.0.2.255", "192.168.1.255"]}
    dctl.server.answers = {"/api/workers/wake": answer}
    assert dctl("worker", "wake", "lab-*") == 0
    body = {"names": ["lab-*"], "labels": {}, "states": [], "all": False}
    assert asked(dctl) == ("/api/workers/wake", body)
    out, err = capsys.readouterr()
    assert out == "a call to wake was sent to lab-1\na call to wake was sent to lab-2\n"
    assert "10.0.2.255, 192.168.1.255" in err
    assert "not known" in err
    assert dctl("worker", "wake", "lab-*", "--json") == 0
    assert json.loads(capsys.readouterr().out) == answer


def test_a_computer_that_was_booted_from_the_image_is_shown(dctl: Line, capsys: Capture) -> None:
    booted = {"image": "1.2", "macs": ["52:54:00:12:34:56"], "orders": ["off"]}
    dctl.server.answers = {"/api/workers/box": {**WORKER, "appliance": booted}}
    assert dctl("worker", "show", "box") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "image 1.2 cards 52:54:00:12:34:56" in out


def test_workers_are_deleted_and_shown(dctl: Line, capsys: Capture) -> None:
    gone = {**WORKER, "name": "old", "state": "gone", "seen": 1e9}
    dctl.server.answers = {
        "/api/workers/delete": {"deleted": ["box", "box-2"]},
        "/api/workers/box": WORKER,
        "/api/workers/old": gone,
    }
    assert dctl("worker", "delete", "box*") == 0
    assert capsys.readouterr().out == "box is deleted\nbox-2 is deleted\n"
    assert dctl("worker", "show", "box", "old") == 0
    out = capsys.readouterr().out
    for text in ("fan broken", "2 (its own: 4)", "in 90 s", "last seen", "2001-09-0", "licence 1"):
        assert text in " ".join(out.split()), text
    assert dctl("worker", "show", "nobody") == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("set box", "say what is to be set"),
        ("set box --slots 0", "no number of slots"),
        ("set box --label x", "LABEL=VALUE"),
        ("pause --state asleep", "asleep"),
        ("dance box", "dance"),
        ("", "ACTION"),
    ],
)
def test_wrong_usage_of_worker(dctl: Line, capsys: Capture, arguments: str, says: str) -> None:
    assert dctl("worker", *arguments.split()) == 2
    assert says in capsys.readouterr().err
    assert not dctl.server.asked


@pytest.mark.parametrize("action", ["drain", "restart", "reboot", "wake", "set", "show"])
def test_each_action_has_its_help(capsys: Capture, action: str) -> None:
    assert main(["worker", action, "--help"]) == 0
    assert f"python -m dc worker {action}" in capsys.readouterr().out
