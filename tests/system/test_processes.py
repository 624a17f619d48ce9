"""Real servers, workers and clients, as users start them, killed in the ways that they are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections import Counter
from pathlib import Path

import pytest
import trio

import dc
from tests.system import noop_jobs
from tests.system.processes import (
    ROOT,
    TEMPLATE,
    Machine,
    Program,
    is_running,
    processes,
    until,
)

MIB = 1024 * 1024
TASKS = 120  # of a twentieth of a second each


async def check_each_once(machine: Machine, job: dc.AsyncJob, total: int) -> None:
    """Check that a job has one result for each task, and that each was run."""
    assert [value async for value in job.results()] == list(range(total))
    tasks = [task async for task in job.as_completed()]
    assert sorted(task.number for task in tasks) == list(range(total))
    status = await job.wait()
    assert (status.state, status.done, status.total) == ("done", total, total)
    assert set(machine.ran()) == set(range(total))


async def test_the_whole_path(machine: Machine) -> None:
    server = await machine.server()
    for name in ("one", "two"):
        await machine.worker(server, name)
    async with machine.client(server) as client:
        job = await client.submit("square", range(20))
        with pytest.raises(dc.TaskFailed, match="thirteen") as caught:
            _ = [value async for value in job.results()]
        assert "system_tests.py" in caught.value.traceback
        expected = [n * n for n in range(1000) if n != 13]
        job = await client.submit("square", (n for n in range(1000) if n != 13))
        assert [value async for value in job.results()] == expected
    done = machine.command(
        "dc", "submit", "square", "3", "13", "--server", server.address, "--json"
    )
    assert done.returncode == 1, done.stderr
    assert "thirteen is not squared" in done.stdout + done.stderr
    assert server.json("/api/jobs/1/tasks/13")["failure"]["kind"] == "error"


async def test_a_killed_worker(machine: Machine) -> None:
    server = await machine.server()
    victim, _ = [await machine.worker(server, name) for name in ("victim", "other")]
    executors = victim.children()
    assert len(executors) == 1
    async with machine.client(server) as client:
        job = await client.submit("slow", range(TASKS))
        await server.is_done(job.number, 10)
        victim.kill()
        await check_each_once(machine, job, TASKS)
        workers = {task.worker async for task in job.as_completed()}
        assert workers == {"victim", "other"}
    assert server.worker_names() == {"other"}
    await until(lambda: not is_running(executors[0]), "the orphaned executor to end")


async def test_a_killed_executor(machine: Machine) -> None:
    server = await machine.server()
    worker = await machine.worker(server, "one")
    async with machine.client(server) as client:
        job = await client.submit("slow", range(TASKS))
        for done in (10, 40):
            await server.is_done(job.number, done)
            (executor,) = worker.children()
            os.kill(executor, signal.SIGKILL)
        await check_each_once(machine, job, TASKS)
        assert worker.children() != [executor]
        assert not any(n > 2 for n in Counter(machine.ran()).values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["sigterm", "sigkill"])
async def test_a_restarted_server(number: signal.Signals, machine: Machine) -> None:
    server = await machine.server()
    for name in ("one", "two"):
        await machine.worker(server, name)
    seen: list[int] = []

    async def read(job: dc.AsyncJob) -> None:
        async for value in job.results(ordered=False):
            seen.append(value)  # noqa: PERF401  # looked at while it grows

    async with machine.client(server) as client, trio.open_nursery() as nursery:
        job = await client.submit("slow", range(TASKS))
        nursery.start_soon(read, job)
        for done in (10, 40):
            await server.is_done(job.number, done)
            acknowledged = server.json("/api/jobs/1")["counts"]["done"]
            status = await server.program.stop(number)
            assert status == (0 if number == signal.SIGTERM else -number)
            server = await machine.server(port=server.port)
            job_view = server.json("/api/jobs/1")
            assert job_view["counts"]["total"] == TASKS
            assert job_view["counts"]["done"] >= max(acknowledged, len(seen))
            await server.has_workers("one", "two")
    assert sorted(seen) == list(range(TASKS)), "each result once, none twice"
    async with machine.client(server) as client:
        await check_each_once(machine, await client.job(1), TASKS)


async def test_twelve_workers_of_one_address(machine: Machine) -> None:
    server = await machine.server()
    for _ in range(12):
        machine.start(
            *("dc.worker", server.address, "--slots", 1, "--spares", 0),
            *machine.with_plugins(None),
        )
    await until(lambda: len(server.worker_names()) == 12, "twelve workers", 120.0)
    workers = server.json("/api/workers")["workers"]
    assert {worker["address"].rpartition(":")[0] for worker in workers} == {"127.0.0.1"}
    for worker in workers:
        assert server.json(f"/api/workers/{worker['name']}")["name"] == worker["name"]
    gate = machine.folder / "gate"
    async with machine.client(server) as client:
        job = await client.submit("wait_for", [str(gate)] * 12)
        await until(
            lambda: len(list(machine.folder.glob("running-*"))) == 12, "twelve running tasks"
        )
        gate.touch()
        assert [value async for value in job.results()] == [str(gate)] * 12
        workers = [task.worker async for task in job.as_completed()]
        assert len(set(workers)) == 12


async def test_two_hundred_megabytes(machine: Machine) -> None:
    server = await machine.server()
    await machine.worker(server, "one")
    data = os.urandom(MIB) * 200
    async with machine.client(server) as client:
        job = await client.submit("noop", [data])
        (result,) = [value async for value in job.results(large="value")]
        assert result == data
    assert int(server.json("/api/jobs/1/tasks/0")["result_size"]) == len(data)
    peak = server.memory("VmHWM")
    if peak is not None:
        assert peak < 150 * MIB, f"{peak / MIB:.0f} MiB"


def test_memory_after_ten_jobs_of_100_000_tasks(machine: Machine) -> None:
    async def bounded() -> noop_jobs.Figures:
        with trio.fail_after(900):
            return await noop_jobs.measure(machine)

    figures = trio.run(bounded)
    assert figures.growth <= 1.05, figures


async def test_the_demo_with_a_killed_worker(machine: Machine) -> None:
    texts = machine.folder / "texts"
    texts.mkdir()
    words = " ".join(f"word{n * n % 1009}" for n in range(12_000))
    for number in range(200):
        (texts / f"{number}.txt").write_text(f"{words} only{number}")
    program = Program(
        ["examples.demo", "--input", texts, "--kill"], machine.folder, "demo", cwd=ROOT
    )
    machine.programs.append(program)
    assert await program.ended(150.0) == 0, program.text()
    text = program.text()
    assert "the same as a plain count" in text
    assert "kill -9" in text
    assert not [row for row in processes() if row[2] == program.pid], "processes left behind"


@pytest.mark.parametrize("whole_group", [True, False], ids=["ctrl-c", "sigterm"])
async def test_a_clean_end(whole_group: bool, machine: Machine) -> None:
    server = await machine.server()
    worker = await machine.worker(server, "one", slots=2)
    gate = str(machine.folder / "gate")
    async with machine.client(server) as client:
        job = await client.submit("wait_for", [gate] * 4)
        await until(lambda: len(list(machine.folder.glob("running-*"))) == 2, "two running tasks")
    executors = worker.children()
    assert len(executors) == 2
    for program in (worker, server.program):
        started = time.monotonic()
        program.interrupt() if whole_group else program.send(signal.SIGTERM)
        assert await program.ended() == 0, program.text()
        assert time.monotonic() - started < 30
        assert not [row for row in processes() if row[2] == program.pid]
    await until(lambda: not any(map(is_running, executors)), "the executors to end")
    server = await machine.server()
    assert server.json(f"/api/jobs/{job.number}")["counts"]["queued"] == 4
    assert server.json(f"/api/jobs/{job.number}/tasks/0")["crashes"] == 0


async def test_an_idle_server_and_a_worker_without_one_end_cleanly(machine: Machine) -> None:
    server = await machine.server()
    worker = await machine.worker(server, "one")
    assert await server.program.stop(signal.SIGINT) == 0
    worker.interrupt()
    assert await worker.ended() == 0, worker.text()
    assert "Traceback" not in worker.text() + server.program.text()


# --- the template ---------------------------------------------------------------------------------


def texts_in(folder: Path) -> Path:
    texts = folder / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("one two")
    (texts / "b.md").write_text("two three two")
    return texts


ANSWER = {"two": 3, "one": 1, "three": 1}


async def test_the_template_in_a_copied_folder(machine: Machine) -> None:
    copy = machine.folder / "my plugin"
    shutil.copytree(TEMPLATE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    module = copy / "dc_template.py"
    module.write_text(
        module.read_text()
        .replace("def wordcount(", "def my_count(")
        .replace("@wordcount.", "@my_count.")
    )
    server = await machine.server(plugins=[copy])
    await machine.worker(server, "one", plugins=[copy])
    done = machine.command(
        *("dc", "submit", "my_count", texts_in(machine.folder)),
        *("--server", server.address, "--plugins", copy, "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answer"] == ANSWER
    assert server.json("/api/status")["broken"] == {}


def installed_environment(folder: Path, project: Path) -> Path:
    """Install a plugin into an environment of its own; return that environment's Python.

    It finds dc, and what dc needs, where this Python does, so nothing is fetched.
    """
    place = folder / "environment"
    venv.EnvBuilder(with_pip=False, symlinks=True).create(place)
    python = place / "bin" / "python"
    (site,) = (place / "lib").glob("python*/site-packages")
    mine = [path for path in sys.path if path.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in mine]
    (site / "borrowed.pth").write_text("".join(f"{line}\n" for line in lines))
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    command += ["--no-deps", "--no-build-isolation", "--no-index", str(project)]
    command += ["--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    return python


async def test_the_template_installed_with_pip(machine: Machine) -> None:
    copy = machine.folder / "my plugin"
    shutil.copytree(TEMPLATE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    python = installed_environment(machine.folder, copy)
    server = await machine.server(plugins=[], python=python)
    await machine.worker(server, "one", plugins=[], python=python)
    assert [row["plugin"] for row in server.json("/api/types")["types"]] == ["template"]
    done = machine.command(
        *("dc", "submit", "wordcount", texts_in(machine.folder)),
        *("--server", server.address, "--json"),
        python=python,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answer"] == ANSWER
