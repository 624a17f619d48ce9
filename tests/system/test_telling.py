"""Output, progress and checkpoints, with real processes."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import urllib.request
from pathlib import Path

import pytest

from dc.store_file import DATABASE
from tests.system.processes import Machine, until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")

PLUGIN = """\
import os, time
from pathlib import Path
import dc

@dc.task_type
def talks(gate: str, context: dc.Context) -> None:
    print("at first")
    context.progress(0.5, "halfway")
    while not Path(gate).exists():
        time.sleep(0.01)
    print("at last")

@dc.task_type
def floods(size: int) -> None:
    line = b"x" * 65535 + b"\\n"
    for _ in range(size // len(line)):
        os.write(1, line)
    print("the end")

@dc.task_type
def fails(text: str) -> None:
    print(text)
    raise ValueError("as it was asked to")

@dc.task_type
def counts(folder: str, context: dc.Context) -> list[int]:
    begin = int(context.checkpoint or b"0")
    for number in range(begin, 6):
        context.save(b"%d" % number)
        while not (Path(folder) / str(number)).exists():
            time.sleep(0.01)
    return [begin, context.attempt]
"""


@pytest.fixture
def plugins(machine: Machine) -> list[Path]:
    folder = machine.folder / "telling"
    folder.mkdir()
    (folder / "telling.py").write_text(PLUGIN)
    return [folder]


async def test_output_and_progress_of_a_task_that_runs(
    machine: Machine, plugins: list[Path]
) -> None:
    server = await machine.server(plugins=plugins)
    await machine.worker(server, "one", plugins=plugins)
    gate = machine.folder / "gate"
    async with machine.client(server) as client:
        job = await client.submit("talks", [str(gate)])
        await until(lambda: b"at first" in server.get("/jobs/1/tasks/0/output"), "its first line")
        await until(lambda: bool(server.json("/api/jobs/1/tasks/0")["progress"]), "its progress")
        task = server.json("/api/jobs/1/tasks/0")
        assert (task["progress"]["fraction"], task["progress"]["text"]) == (0.5, "halfway")
        assert "at first" in server.json("/api/jobs/1/tasks/0/output")["text"]
        assert "halfway" in server.get("/api/workers/one").decode()
        gate.touch()
        await job.wait()
        assert await job.output(0) == "at first\nat last\n"
    task = server.json("/api/jobs/1/tasks/0")
    assert (task["output_size"], task["progress"]) == (17, None)


async def test_a_gigabyte_of_output_harms_nobody(machine: Machine, plugins: list[Path]) -> None:
    server = await machine.server(plugins=plugins)
    await machine.worker(server, "one", plugins=plugins)
    size = 1 << 30
    async with machine.client(server) as client:
        job = await client.submit("floods", [size])
        await job.wait()
        text = await job.output(0)
    assert text.startswith("xxx")
    assert text.endswith("the end\n")
    assert len(text) < 100_000
    assert server.json("/api/jobs/1/tasks/0")["output_size"] == size + 8


async def test_the_next_attempt_goes_on_from_the_checkpoint(
    machine: Machine, plugins: list[Path]
) -> None:
    server = await machine.server(plugins=plugins)
    first = await machine.worker(server, "first", plugins=plugins)
    folder = machine.folder / "steps"
    folder.mkdir()
    async with machine.client(server) as client:
        job = await client.submit("counts", [str(folder)], grace=0.5)
        for number in range(3):
            (folder / str(number)).touch()
        await until(lambda: b"3" in saved(machine.data), "the checkpoint")
        first.kill()
        await machine.worker(server, "second", plugins=plugins)
        for number in range(3, 6):
            (folder / str(number)).touch()
        ((begin, attempt),) = [value async for value in job.results()]
    assert begin == 3
    assert attempt > 1


def saved(folder: Path) -> list[bytes]:
    """Return the checkpoints that a server has on disk."""
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as connection:
        return [data for (data,) in connection.execute("SELECT data FROM checkpoints")]


async def test_the_last_lines_of_a_failed_task_are_shown(
    machine: Machine, plugins: list[Path]
) -> None:
    server = await machine.server(plugins=plugins)
    await machine.worker(server, "one", plugins=plugins)
    where = "--server", server.address
    failed = machine.command("dc", "submit", "fails", "look here", *where)
    assert failed.returncode == 1
    assert "task 0 of job 1 wrote last:\n  look here" in failed.stderr
    assert machine.command("dc", "output", "1/0", *where).stdout == "look here\n"
    assert "look here" not in machine.command("dc", "task", "1/0", *where).stdout


async def test_all_that_a_task_writes_is_kept_where_its_job_asks_for_that(
    machine: Machine, tmp_path: Path
) -> None:
    """Of a task that does well and of one that dies, more than is kept otherwise."""
    (machine.plugins / "writes.py").write_text(WRITES)
    server = await machine.server()
    await machine.worker(server, "one")
    async with machine.client(server) as client:
        job = await client.submit("writes", [0, 9], keep_output=True, crashes=1)
        async for _ in job.as_completed():
            pass
        for number in (0, 1):
            await job.save_output(number, tmp_path / "all")
            text = (tmp_path / "all").read_text()
            assert text.splitlines()[:200_000] == [f"line {n}" for n in range(200_000)], number
            assert "left out" in await job.output(number)
    saved = machine.folder / "saved"
    done = machine.command(
        "dc", "output", f"{job.number}/0", "--save", saved, "--server", server.address
    )
    assert done.returncode == 0, done.stderr
    assert saved.read_text().splitlines() == [f"line {n}" for n in range(200_000)]
    request = urllib.request.Request(
        f"{server.address}/jobs/{job.number}/tasks/0/output", headers={"Range": "bytes=5-10"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: ASYNC210  at once
        assert (answer.status, answer.read()) == (206, b"0\nline")


WRITES = '''
import os
import dc

@dc.task_type
def writes(how: int) -> None:
    """Write two megabytes, and end in this way."""
    for number in range(200_000):
        print("line", number)
    if how:
        os._exit(how)
'''
