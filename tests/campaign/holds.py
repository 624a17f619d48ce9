"""Scenarios `down`, `network` and `stop`: long tasks, and whether anything of them is run again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio

import dc
from tests.campaign import ledger
from tests.campaign.ledger import Execution, Verdict
from tests.campaign.processes import is_running
from tests.campaign.report import Report, of_memory, spread
from tests.campaign.world import PLUGINS, World

HOUR: Final = 3600.0
SLOTS: Final = 2
RUNNING_SECONDS: Final = 30.0
SETTLE_SECONDS: Final = 60.0
"""After a fault, in which tasks could be run again: above silence and grace together."""
STOPPED_SECONDS: Final = 20.0
MORE_SECONDS: Final = 30.0  # that a stopped task still has to run
LESS_SECONDS: Final = 10.0  # that one finished before it went on
DONE_SECONDS: Final = 120.0
LONGER: Final = 1  # the number of the task that has not finished when its worker goes on


class Holds:
    """Jobs of long tasks, watched from outside.

    Args:
        world: empty so far.
        report: takes what is found.
        settle: seconds after a fault in which something could go wrong.
    """

    def __init__(self, world: World, report: Report, settle: float = SETTLE_SECONDS) -> None:
        self.world = world
        self.report = report
        self.settle = settle
        self.jobs: dict[int, int] = {}

    # --- scenarios ------------------------------------------------------------------------------

    async def down(self, seconds: float) -> None:
        """Keep the server down for so long while tasks run."""
        world = self.world
        await world.start()
        for name in ("one", "two"):
            await world.add_worker(name, SLOTS)
        await world.has_workers("one", "two")
        await self.submit("hold", [HOUR] * SLOTS)
        await self.submit("hold_long", [HOUR] * SLOTS)
        before = await self.all_running()
        await world.add_worker("spare", 2 * SLOTS)
        await world.has_workers("spare")
        happened = world.note("server", "server", [world.server.pid])
        world.server.kill()
        await trio.sleep(seconds)
        world.server.start()
        await world.until_serving()
        world.away.append(time.time() - happened.start)
        await self.unchanged(before, f"the server was down for {seconds:g} s", "one", "two")
        await self.cancel(before)

    async def network(self, cuts: Sequence[float]) -> None:
        """Cut the only way to the worker that runs the tasks, several times."""
        world = self.world
        assert world.link is not None
        await world.start()
        await world.add_worker("far", SLOTS, far=True)
        await world.has_workers("far")
        await self.submit("hold_long", [HOUR] * SLOTS)
        before = await self.all_running()
        await world.add_worker("spare", SLOTS)
        await world.has_workers("spare")
        for seconds in cuts:
            await world.link.cut(seconds)
            await self.unchanged(before, f"the link was down for {seconds:g} s", "far")
        await self.cancel(before)

    async def stop(self, seconds: float) -> None:
        """Stop the worker that runs the tasks for longer than its lease; another one is idle.

        Of its two tasks, one is over before it goes on, and its late result must not count.
        """
        world = self.world
        await world.start()
        worker = await world.add_worker("one", SLOTS)
        await world.has_workers("one")
        await self.submit("hold", [seconds - LESS_SECONDS, seconds + MORE_SECONDS])
        before = await self.all_running()
        await world.add_worker("spare", SLOTS)
        await world.has_workers("spare")
        stopped = worker.stop()
        await trio.sleep(seconds)
        worker.go_on(stopped)
        await self.moved_on_to("spare", before)

    # --- what they are made of ------------------------------------------------------------------

    async def submit(self, type_name: str, seconds: Sequence[float]) -> None:
        """Submit a job of tasks that take so long."""
        async with dc.AsyncClient(self.world.address, [PLUGINS]) as client:
            job = await client.submit(type_name, [{"seconds": one} for one in seconds])
        self.jobs[job.number] = len(seconds)

    async def all_running(self) -> list[Execution]:
        """Wait until all tasks run, and the server knows; return their executions."""
        await self.world.until(self._running, RUNNING_SECONDS, "all tasks to run")
        ran = ledger.executions(self.world.ledger)
        self.check(len(ran) == sum(self.jobs.values()), f"{len(ran)} executions at the start")
        return ran

    async def _running(self) -> bool:
        states = [await self.world.state(job) for job in self.jobs]
        running: list[int] = [state["counts"]["running"] for state in states]
        return running == [*self.jobs.values()]

    async def unchanged(self, before: Sequence[Execution], what: str, *names: str) -> None:
        """Check that after a fault nothing has been, and is, run again."""
        await self.world.has_workers(*names)
        await trio.sleep(self.settle)
        ran = ledger.executions(self.world.ledger)
        again = [one for one in ran if one not in before]
        self.check(not again, f"{what}: {len(again)} tasks were run again")
        gone = [one.executor for one in before if not is_running(one.executor)]
        self.check(not gone, f"{what}: {len(gone)} of {len(before)} running tasks were ended")
        await self._holds(self._running, f"{what}: the server does not know its tasks as running")
        for job, count in self.jobs.items():
            for number in range(count):
                task = await self.world.ask(f"/api/jobs/{job}/tasks/{number}") or {}
                attempt = task.get("attempt")
                self.check(attempt == 1, f"{what}: task {number} of job {job} has {attempt=}")
        self.report.figures[what] = f"{len(ran)} executions of {len(before)} tasks"

    async def cancel(self, before: Sequence[Execution]) -> None:
        """Cancel all jobs, and check that their code stops."""
        began = time.monotonic()
        async with dc.AsyncClient(self.world.address, [PLUGINS]) as client:
            for number in self.jobs:
                await (await client.job(number)).cancel()
        await self._holds(
            lambda: _none_there([one.executor for one in before]), "cancelled tasks still run"
        )
        self.report.figures["cancelled tasks stopped after s"] = time.monotonic() - began

    async def moved_on_to(self, name: str, before: Sequence[Execution]) -> None:
        """Check that all tasks were run once more, by this worker, and that this counts."""
        (job,) = self.jobs

        async def done() -> bool:
            return bool((await self.world.state(job))["state"] == "done")

        longest = DONE_SECONDS + max(DONE_SECONDS, time.time() - before[0].at)
        await self._holds(done, "the job did not finish", longest)
        ran = ledger.executions(self.world.ledger)
        times = Counter(one.number for one in ran)
        self.check(set(times.values()) == {2}, f"executions by task: {dict(times)}, not 2 each")
        for number in range(self.jobs[job]):
            task = await self.world.ask(f"/api/jobs/{job}/tasks/{number}") or {}
            told = task.get("worker"), task.get("attempt")
            self.check(told == (name, 2), f"task {number} is recorded of {told}")
        status = await self.world.ask("/api/status") or {}
        refused = status.get("refused", {})
        self.report.figures["answers refused"] = refused
        self.check(sum(refused.values()) > 0, "no late answer was refused and counted")
        await self._holds(
            lambda: _none_there([one.executor for one in before if one.number == LONGER]),
            "a disowned task still runs",
        )

    async def _holds(
        self, condition: Callable[[], Awaitable[bool]], what: str, seconds: float = STOPPED_SECONDS
    ) -> None:
        try:
            await self.world.until(condition, seconds, what)
        except AssertionError:
            self.check(False, what)

    def check(self, holds: bool, what: str) -> None:
        """Note a problem if something does not hold."""
        if not holds:
            self.report.problems.append(what)

    def compare(self) -> None:
        """Compare the records of a finished job with the ledger, once the server has ended."""
        world, verdict = self.world, Verdict()
        ran = ledger.executions(world.ledger)
        if self.report.scenario == "stop":
            (job,) = self.jobs
            rows = ledger.stored(world.data, job, verdict)
            ledger.compare(verdict, job, self.jobs[job], ran, rows, "in the database")
        self.report.problems += verdict.problems
        self.report.figures |= {
            "tasks": sum(self.jobs.values()),
            "executions": len(ran),
            "server started to serving": spread(world.serving),
            "memory of the server": of_memory(world.memory),
            "logs": world.log_counts(),
        }


async def _none_there(pids: Sequence[int]) -> bool:
    return not any(map(is_running, pids))


async def _idle(pids: Sequence[int]) -> bool:
    """Whether none of these processes is at a long task: each is gone or waits for another one."""
    return await _none_there(pids[1:])
