"""Operators lay their hands on real workers that are at work; nothing is lost."""

from __future__ import annotations

import json
import signal
from typing import Any

import trio

import dc
from tests.system.processes import Machine, Program, Server, is_running, until
from tests.system.test_processes import check_each_once

TASKS = 60  # of a twentieth of a second each


def order(machine: Machine, server: Server, *arguments: object) -> Any:
    """Do what an operator does at the command line; return the answer."""
    ended = machine.command("dc", "worker", *arguments, "--server", server.address, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def state_of(server: Server, name: str) -> dict[str, Any]:
    """Return what the server says of a worker."""
    view: dict[str, Any] = server.json(f"/api/workers/{name}")
    return view


async def at_work(machine: Machine, server: Server, client: dc.AsyncClient) -> dc.AsyncJob:
    """Submit a job and wait until it is under way."""
    job = await client.submit("slow", range(TASKS))
    await server.is_done(job.number, 5)
    return job


async def test_drained_stopped_and_restarted_under_load(machine: Machine) -> None:
    server = await machine.server()
    one, two, three = [await machine.worker(server, name) for name in ("one", "two", "three")]
    async with machine.client(server) as client:
        job = await at_work(machine, server, client)
        order(machine, server, "restart", "one", "--now")
        order(machine, server, "drain", "two", "--leave")
        order(machine, server, "stop", "three")
        assert await two.ended() == 0, two.text()
        assert await three.ended() == 0, three.text()
        await until(
            lambda: "anew" in one.err.read_text() or one.err.read_text().count("connected to") == 2,
            "the restarted worker",
            more=one.text,
        )
        assert one.alive
        await check_each_once(machine, job, TASKS)
        crashes = [
            server.json(f"/api/jobs/{job.number}/tasks/{n}")["crashes"] for n in range(TASKS)
        ]
        assert not any(crashes), "somebody was blamed"
    assert {state_of(server, name)["state"] for name in ("two", "three")} == {"gone"}
    assert await one.stop() == 0


async def test_a_restarted_worker_leaves_nothing_behind(machine: Machine) -> None:
    server = await machine.server()
    worker = await machine.worker(server, "lab-1", slots=2, arguments=("--spares", 2))
    scratch = machine.folder / "worker-lab-1" / "scratch"
    async with machine.client(server) as client:
        job = await at_work(machine, server, client)
        await until(lambda: len(worker.children()) == 4, "two spares", more=worker.text)
        before, runs = set(worker.children()), set(scratch.iterdir())
        order(machine, server, "restart", "lab-1", "--now")
        await check_each_once(machine, job, TASKS)
    await until(lambda: len(worker.children()) == 4, "spares anew", more=worker.text)
    assert before.isdisjoint(worker.children())
    assert len(set(scratch.iterdir())) == 1
    assert runs.isdisjoint(scratch.iterdir())
    assert await worker.stop() == 0
    assert not any(map(is_running, before))


async def test_decisions_outlive_the_server(machine: Machine) -> None:
    server = await machine.server()
    worker = await machine.worker(server, "lab-1", slots=4)
    await machine.worker(server, "desk")
    await until(lambda: len(worker.children()) == 4, "four executors", more=worker.text)
    order(machine, server, "set", "lab-*", "--slots", 2, "--note", "hot", "--label", "room=3")
    await until(lambda: len(worker.children()) == 2, "two executors to end", more=worker.text)
    order(machine, server, "pause", "--with", "room=3")
    assert await worker.stop() == 0
    order(machine, server, "set", "lab-1", "--label", "floor=1")
    assert await server.program.stop() == 0
    server = await machine.server(port=server.port)
    view = state_of(server, "lab-1")
    assert (view["state"], view["note"], view["slots"]) == ("gone", "hot", 2)
    worker = await machine.worker(server, "lab-1", slots=4)
    view = state_of(server, "lab-1")
    assert (view["state"], view["slots"], view["own_slots"]) == ("paused", 2, 4)
    assert (view["labels"]["room"], view["labels"]["floor"]) == ("3", "1")
    async with machine.client(server) as client:
        job = await client.submit("square", [2], requires={"room": "3"})
        other = await client.submit("square", [3])
        assert [value async for value in other.results()] == [9]
        assert (await job.status()).done == 0, "a paused worker has run something"
        order(machine, server, "resume", "--state", "paused")
        assert [value async for value in job.results()] == [4]
    order(machine, server, "set", "lab-1", "--slots", "own")
    await until(lambda: len(worker.children()) == 4, "four executors", more=worker.text)


async def test_a_deleted_worker_joins_anew_with_a_new_key(machine: Machine) -> None:
    server = await machine.server()
    worker = await machine.worker(server, "lab")
    await machine.worker(server, "desk")
    async with machine.client(server) as client:
        job = await at_work(machine, server, client)
        assert order(machine, server, "delete", "lab") == {"deleted": ["lab"]}
        assert await worker.ended() == 0, worker.text()
        assert "--new-key" in worker.err.read_text()
        assert server.worker_names() == {"desk"}
        where = "--data", machine.folder / "worker-lab", *machine.with_plugins(None)
        again = machine.start("dc.worker", server.address, "--name", "lab", *where, name="again")
        assert await again.ended() == 0, again.text()
        assert "--new-key" in again.err.read_text()
        machine.start("dc.worker", server.address, "--name", "lab", "--new-key", *where, name="new")
        await server.has_workers("lab")
        await check_each_once(machine, job, TASKS)


async def test_a_worker_leaves_at_its_time(machine: Machine) -> None:
    server = await machine.server()
    await machine.worker(server, "stays")
    where = "--data", machine.folder / "worker-goes", *machine.with_plugins(None)
    goes = machine.start("dc.worker", server.address, "--name", "goes", "--lifetime", "15s", *where)
    await server.has_workers("goes")
    assert 0 < state_of(server, "goes")["leaves_in"] <= 15
    async with machine.client(server) as client:
        job = await client.submit("slow", range(TASKS))
        assert await goes.ended() == 0, goes.text()
        await check_each_once(machine, job, TASKS)
    idle = machine.start("dc.worker", server.address, "--name", "idle", "--idle-exit", "1s",
                         "--data", machine.folder / "worker-idle", name="idle")  # fmt: skip
    assert await idle.ended() == 0, idle.text()


async def test_a_signal_lets_tasks_finish_if_that_was_asked(machine: Machine) -> None:
    server = await machine.server()
    where = "--data", machine.folder / "worker-one", *machine.with_plugins(None)
    said = "--name", "one", "--slots", 1, "--finish", "60s"
    worker = machine.start("dc.worker", server.address, *said, *where)
    await server.has_workers("one")
    gate = machine.folder / "gate"
    async with machine.client(server) as client:
        job = await client.submit("wait_for", [str(gate)] * 2)
        await until(lambda: bool(list(machine.folder.glob("running-*"))), "a task to run")
        worker.send(signal.SIGTERM)
        await until(lambda: state_of(server, "one")["held"] == 1, "the other to go back")
        assert worker.alive
        gate.touch()
        assert await worker.ended() == 0, worker.text()
        assert (await job.status()).done == 1


async def test_interrupted_at_any_instant(machine: Machine) -> None:
    """Whenever a signal comes, the program ends in order, and the job is whole."""
    server = await machine.server()
    await machine.worker(server, "stays")
    async with machine.client(server) as client:
        job = await client.submit("slow", range(TASKS))
        for at, marks in enumerate(INSTANTS):
            where = "--data", machine.folder / "worker-x", *machine.with_plugins(None)
            victim = machine.start("dc.worker", server.address, "--name", "x", *where)
            number = (signal.SIGTERM, signal.SIGINT)[at % 2]
            await interrupted(victim, marks, number)
            assert victim.process.poll() in endings(victim, number), (at, victim.text())
            assert "Traceback" not in said_at_work(victim), (at, victim.text())
        await check_each_once(machine, job, TASKS)


STARTING = "Fatal Python error: init_import_site"
INSTANTS: list[list[float]] = [[0.0], [0.25], [0.4], [0.5], [0.6], [0.8], [0.6, 0.1], [0.8, 1.1]]
"""After how many seconds signals come, each after the one before."""


async def interrupted(victim: Program, marks: list[float], number: signal.Signals) -> None:
    """Send signals to a worker, and wait for its end."""
    for seconds in marks:
        await trio.sleep(seconds)
        if victim.alive:
            victim.send(number)
    await victim.ended()


def endings(victim: Program, number: signal.Signals) -> tuple[int, ...]:
    """Return the statuses with which it may end; Python itself has another one while it starts."""
    starting = victim.err.read_text().startswith(STARTING)
    return (1,) if starting else (0, 130, -number)


def said_at_work(victim: Program) -> str:
    """Return what a program has said, but for what Python says of a Ctrl-C as it starts itself."""
    text = victim.err.read_text()
    return "" if text.startswith(STARTING) else text
