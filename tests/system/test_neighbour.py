"""A real worker on a computer that people use: they have it back, and tasks come to their end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from dc.cgroups import own_groups
from dc.process_tree import process_of
from tests.system.processes import ROOT, Machine, Program, Server, until

BACK_SECONDS = 1.0
SLACK_SECONDS = 19.0
"""Beside that, for a computer that is busy with other tests."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def state_of(pid: int) -> str:
    """Return the state of a process in a letter; nothing if it is gone."""
    try:
        return process_of(pid, Path(f"/proc/{pid}/stat").read_bytes(), 4096).state
    except OSError:
        return ""


class Desk:
    """A computer with a worker, and a person who comes and goes."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.senses = machine.folder / "idle"
        self.go()

    def come(self) -> None:
        self._say("0")

    def go(self) -> None:
        self._say("86400")

    def _say(self, seconds: str) -> None:
        new = self.senses.with_suffix(".new")
        new.write_text(seconds)
        new.rename(self.senses)

    async def worker(self, server: Server, *options: object) -> Program:
        return await self.machine.worker(
            server,
            "desk",
            program=("tests.system.neighbour_worker", self.senses, server.address),
            arguments=("--spares", 0, "--when-idle", "5m", *options),
            environment={"PYTHONPATH": str(ROOT)},
        )

    async def task_runs(self) -> int:
        """Wait until the task of a job runs; return its process."""
        await until(lambda: bool(self._running()), "a task to run")
        (path,) = self._running()
        path.unlink()
        return int(path.name.partition("-")[2])

    def _running(self) -> list[Path]:
        return list(self.machine.folder.glob("running-*"))


def shown(server: Server) -> dict[str, Any]:
    view: dict[str, Any] = server.json("/api/workers/desk")
    return view


@pytest.mark.parametrize("groups", [[], ["--no-cgroups"]])
async def test_a_person_has_the_computer_back_and_then_the_task_goes_on(
    machine: Machine, groups: list[str]
) -> None:
    server, desk = await machine.server(), Desk(machine)
    worker = await desk.worker(server, *groups)
    marker = machine.folder / "go"
    async with machine.client(server) as client:
        job = await client.submit("wait_for", [str(marker)], retries=0, timeout=600)
        pid = await desk.task_runs()
        is_frozen = _stands_still(worker, pid)
        assert not is_frozen()
        desk.come()
        await until(is_frozen, "the task to stand still", BACK_SECONDS + SLACK_SECONDS, worker.text)
        await until(lambda: shown(server)["state"] == "resting", "the server to be told")
        assert shown(server)["why"] == "resting: somebody uses this computer"
        marker.touch()
        other = await client.submit("square", [3])
        await until(lambda: server.json(f"/api/jobs/{other.number}")["counts"]["queued"] == 1, "it")
        assert is_frozen()
        assert (await job.status()).done == 0
        desk.go()
        assert [value async for value in job.results()] == [str(marker)]
        assert [value async for value in other.results()] == [9]
        assert shown(server)["state"] == "connected"
    assert await worker.stop() == 0


def _stands_still(worker: Program, pid: int) -> Any:
    """Return what tells whether a task stands still: stopped, or its control group is frozen."""
    mounts, own = Path("/proc/self/mountinfo").read_text(), Path(f"/proc/{pid}/cgroup").read_text()
    events = own_groups(mounts, own).get("", Path("nowhere")) / "cgroup.events"

    def stands_still() -> bool:
        assert worker.alive, worker.text()
        is_frozen = events.exists() and "frozen 1" in events.read_text()
        return is_frozen or state_of(pid) == "T"

    return stands_still


async def test_after_a_while_the_task_is_moved_and_nobody_is_blamed(machine: Machine) -> None:
    server, desk = await machine.server(), Desk(machine)
    worker = await desk.worker(server, "--give-back", "1s")
    marker = machine.folder / "go"
    async with machine.client(server) as client:
        job = await client.submit("wait_for", [str(marker)], retries=0, crashes=1)
        first = await desk.task_runs()
        desk.come()
        await until(lambda: not state_of(first), "its process to be gone", more=worker.text)
        await machine.worker(server, "other")
        second = await desk.task_runs()
        assert second != first
        marker.touch()
        assert [value async for value in job.results()] == [str(marker)]
        task = server.json(f"/api/jobs/{job.number}/tasks/0")
        assert (task["worker"], task["crashes"]) == ("other", 0)
        assert not worker.children(), "no executor waits while somebody is there"
        desk.go()
        await until(lambda: len(worker.children()) == 1, "an executor anew", more=worker.text)
    assert await worker.stop() == 0


async def test_a_worker_that_starts_while_somebody_is_there_waits(machine: Machine) -> None:
    server, desk = await machine.server(), Desk(machine)
    desk.come()
    worker = await desk.worker(server)
    async with machine.client(server) as client:
        job = await client.submit("square", [5])
        await until(lambda: shown(server)["state"] == "resting", "it to rest", more=worker.text)
        desk.go()
        assert [value async for value in job.results()] == [25]
    assert await worker.stop() == 0


async def test_a_worker_says_what_it_senses(machine: Machine) -> None:
    done = machine.command("dc.worker", "--show", "--neighbour", *machine.with_plugins(None))
    assert done.returncode == 0, done.stderr
    titles = [line.split("  ")[0].strip() for line in done.stdout.splitlines()]
    assert titles[-4:] == ["idle", "mains", "heat", "others"]
