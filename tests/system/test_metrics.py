"""A real server and worker as others watch them: metrics, logs, and the trace of a task."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import trio

from dc import trace_context
from tests.server.dashboards import GRAFANA, as_rules, expressions
from tests.server.scrapes import by_label, families, samples
from tests.system import promtool
from tests.system.processes import Machine, Program, Server
from tests.test_trace_context import SAID

PLUGIN = '''
"""What a task sees of its trace."""
import os
import subprocess

import dc

@dc.task_type
def trace_of(number: int, context: dc.Context) -> list[str]:
    """Say it, and what a program that is started is told, and who runs this."""
    told = subprocess.run(["printenv", "TRACEPARENT"], capture_output=True, text=True)
    return [context.traceparent, told.stdout.strip(), str(os.getpid())]
'''


def check(what: str, *arguments: str, text: str = "") -> tuple[int, str]:
    """Return what promtool says: its status and its words."""
    checked = subprocess.run(
        [promtool.find(), "check", what, *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return checked.returncode, checked.stdout + checked.stderr


def lines(program: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in program.err.read_text().splitlines()]


async def test_a_server_at_work_is_watched(machine: Machine) -> None:
    (machine.plugins / "traced.py").write_text(PLUGIN)
    as_json = {"DC_LOG_FORMAT": "json"}
    arguments = ["--listen", "127.0.0.1:0", "--data", machine.data, "--verbose"]
    program = machine.start(
        *("dc.server", *arguments, *machine.with_plugins(None)), name="server", environment=as_json
    )
    server = await Server.up(program)
    worker = await machine.worker(server, "one", environment=as_json)
    async with machine.client(server) as client:
        job = await client.submit("square", range(20))
        await job.wait()
        said = [
            [result async for result in await client.map("trace_of", [0, 1], traceparent=trace)]
            for trace in (SAID, "")
        ]
    await trio.to_thread.run_sync(check_metrics, server)
    check_traces(*said)
    assert await program.stop() == 0
    check_logs(lines(program), lines(worker), job.number)


def check_metrics(server: Server) -> None:
    text = server.get("/metrics").decode()
    values = samples(families(text))
    outcomes = by_label(values, "dc_tasks_finished_total", "outcome")
    assert (outcomes["done"], outcomes["error"]) == (23, 1)
    assert values["dc_task_run_seconds_count", (("type", "square"),)] == 20
    assert values["dc_slots", ()] == 1
    assert by_label(values, "dc_store_bytes", "file")["database"] > 4096
    assert values["dc_store_commit_seconds_count", ()] > 0
    assert values["process_resident_memory_bytes", ()] > 10e6
    assert check("metrics", text=text) == (0, "")


def check_traces(traced: list[list[str]], other: list[list[str]]) -> None:
    for number, (mine, variable, _) in enumerate(traced):
        assert mine == variable == trace_context.of_attempt(SAID, number, 1)
    assert {mine[:35] for mine, _, _ in traced} == {SAID[:35]}
    (trace,) = {mine[3:35] for mine, _, _ in other}
    assert trace != SAID[3:35]
    assert [variable for _, variable, _ in other] == ["", ""], "nobody has asked for it"
    assert len({process for *_, process in traced}) == 1, "what is set is no trace of a task"


def check_logs(server: list[dict[str, Any]], worker: list[dict[str, Any]], job: int) -> None:
    assert all(line.keys() >= {"time", "level", "logger", "message"} for line in server + worker)
    (failed,) = [line for line in server if "thirteen" in line["message"]]
    about = {name: failed[name] for name in ("job", "task", "attempt", "worker")}
    assert about == {"job": job, "task": 13, "attempt": 1, "worker": "one"}
    (connected,) = [line for line in worker if line["message"].startswith("connected to")]
    assert connected["worker"] == "one"


# --- what is beside the documents ---------------------------------------------------------------


def test_prometheus_reads_the_alerts_and_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    queries = tmp_path / "queries.yml"
    queries.write_text(as_rules(expressions()))
    for path in (GRAFANA / "alerts.yml", queries):
        status, said = check("rules", str(path))
        assert status == 0, said


def test_promtool_would_complain(tmp_path: Path) -> None:
    status, said = check("metrics", text="# TYPE dc_finished counter\ndc_finished 1\n")
    assert status != 0
    assert "_total" in said
    (tmp_path / "queries.yml").write_text(as_rules(["sum(rate(dc_tasks)"]))
    assert check("rules", str(tmp_path / "queries.yml"))[0] != 0
