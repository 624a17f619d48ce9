"""Submitting with real processes, of which any is killed with -9 on the way."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import trio

from tests.system.processes import Machine, Server, until

TASKS = 6000
READ_AT_ONCE = 4096  # a full batch


async def test_a_server_that_is_killed_while_a_job_is_submitted(machine: Machine) -> None:
    server = await machine.server()
    await machine.worker(server, "one")
    asked: list[int] = []

    async def numbers() -> AsyncIterator[bytes]:
        for number in range(TASKS):
            if number % 20 == 0:
                await trio.sleep(0.005)
            asked.append(number)
            yield b"%d" % number

    async def kill() -> None:
        for at in (1000, 3000, 5000):
            await until(lambda at=at: len(asked) > at, f"{at} payloads")  # type: ignore[misc]
            assert await servers[-1].program.stop(signal.SIGKILL) == -signal.SIGKILL
            servers.append(await machine.server(port=server.port))

    servers = [server]
    async with machine.client(server) as client, trio.open_nursery() as nursery:
        nursery.start_soon(kill)
        job = await client.submit("noop", numbers())
    assert asked == list(range(TASKS)), "payloads are asked for once"
    (row,) = servers[-1].json("/api/jobs")["jobs"]
    assert (row["job"], row["counts"]["total"]) == (job.number, TASKS)
    async with machine.client(servers[-1]) as client:
        job = await client.job(job.number)
        assert [value async for value in job.results()] == [b"%d" % n for n in range(TASKS)]


async def test_a_client_that_is_killed_and_started_again(machine: Machine) -> None:
    """And the results are picked up by somebody else, by the job's number."""
    server = await machine.server()
    pipe, whole = machine.folder / "pipe", machine.folder / "whole"
    whole.write_text("".join(f"{number}\n" for number in range(TASKS)))
    await submit_and_kill(machine, server, pipe)
    view = server.json("/api/jobs/1")
    assert view["state"] == "open"
    assert view["note"].startswith("its submitter is gone after")
    assert "key monday" in view["note"]

    submit = ["dc", "submit", "noop", "--server", server.address, "--key", "monday", "--no-wait"]
    for _ in range(2):  # the second time all of it is there
        done = machine.command(*submit, "--file", whole)
        assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr
    await machine.worker(server, "one")
    listed = machine.command("dc", "jobs", "--server", server.address, "--json")
    (row,) = json.loads(listed.stdout)["jobs"]
    assert (row["job"], row["counts"]["total"]) == (1, TASKS)
    results = machine.command("dc", "results", "1", "--server", server.address)
    assert results.stdout == whole.read_text()


async def submit_and_kill(machine: Machine, server: Server, pipe: Path) -> None:
    """Submit from a file that never ends; kill the client once the server has some tasks."""
    os.mkfifo(pipe)
    ours = os.open(pipe, os.O_RDWR)
    os.write(ours, b"".join(b"%d\n" % number for number in range(READ_AT_ONCE + 100)))
    options = ["--server", server.address, "--key", "monday", "--file", pipe]
    program = machine.start("dc", "submit", "noop", *options, name="submit")
    await until(
        lambda: any(row["counts"]["total"] for row in server.json("/api/jobs")["jobs"]),
        "the first tasks",
        more=program.text,
    )
    program.kill()
    os.close(ours)
    await until(lambda: bool(server.json("/api/jobs/1")["note"]), "the server to miss the client")
