"""Scenarios `kills` and `short`: one long job of short tasks, while a plan is done to all parts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import trio

from tests.campaign import ledger
from tests.campaign.faults import Faults, count_kills
from tests.campaign.ledger import Verdict
from tests.campaign.plan import Fault, seconds_of
from tests.campaign.reader import kept
from tests.campaign.report import Report, of_memory, spread
from tests.campaign.world import PLUGINS, World, python

JOB: Final = 1
SLOTS: Final = 2
NEAR: Final = ("one", "two", "three")
FAR: Final = "far"
DRAIN_SECONDS: Final = 300.0
"""After the last fault, for what is left of the job: workers may be away for their grace."""
READ_SECONDS: Final = 60.0
SUBMIT_PART: Final = 0.7  # of the plan's time, over which the job is submitted
PACE_SECONDS: Final = 0.5
SHORTEST: Final = 0.001
LONGEST: Final = 0.15  # still a short task: below limits.RUNNING_REPORT_SECONDS
LEAST_BUSY: Final = 0.1  # of their time, that slots are taken to be at work
SLOWER: Final = 1.15  # than planned: faults wait for their victims


class Shorts:
    """One run.

    Args:
        world: empty so far.
        plan: what is done to it.
        tasks: of the job.
    """

    def __init__(self, world: World, plan: Sequence[Fault], tasks: int) -> None:
        self.world = world
        self.plan = plan
        self.tasks = tasks
        self.ends = SLOWER * seconds_of(plan)
        self.gaps = SLOWER * sum(fault.gap for fault in plan)
        self.done = 0
        self.late: list[str] = []
        self.refused: dict[int, dict[str, int]] = {}  # by the server's pid, as last seen
        self.output = world.folder / "results"

    async def run(self, report: Report) -> None:
        """Run the job through the whole plan, and compare."""
        began = time.monotonic()
        await self._start()
        faults = await self._faults()
        await self._drain()
        report.figures["seconds"] = time.monotonic() - began
        await self.world.end()
        report.figures["kills"] = count_kills(self.plan)
        report.figures["tasks done before the last fault was over"] = self.done
        report.figures["faults"] = faults.done
        report.problems += faults.skipped + self.late
        await trio.to_thread.run_sync(self._compare, report)

    async def _start(self) -> None:
        world = self.world
        await world.start()
        for name in NEAR:
            await world.add_worker(name, SLOTS)
        if world.link is not None:
            await world.add_worker(FAR, SLOTS, far=True)
        await world.has_workers(*(worker.name for worker in world.workers))
        world.set_pace(LONGEST)
        words = [PLUGINS, self.tasks, time.time(), SUBMIT_PART * self.ends]
        await world.add_client(
            "submitter",
            lambda address: python("tests.campaign.submitter", address, *map(str, words)),
        )
        words_of_reader = [str(PLUGINS), str(JOB), str(self.output)]
        # A server that is killed before the job is on disk may give it another number afterwards.
        await world.until(self._has_begun, READ_SECONDS, "the first task to be done")
        await world.add_client(
            "reader", lambda address: python("tests.campaign.reader", address, *words_of_reader)
        )

    async def _has_begun(self) -> bool:
        view = await self.world.ask(f"/api/jobs/{JOB}")
        return view is not None and view["counts"]["done"] > 0

    async def _faults(self) -> Faults:
        async with trio.open_nursery() as nursery:
            faults = Faults(self.world, nursery)
            nursery.start_soon(self._keep_pace)
            for fault in self.plan:
                await faults.perform(fault)
                self.gaps -= SLOWER * fault.gap
            await faults.all_mended()
            nursery.cancel_scope.cancel()
        if self.done >= self.tasks:
            self.late.append("the job had finished before the last fault: give more tasks")
        return faults

    async def _keep_pace(self) -> None:
        """Have the job last as long as the plan: make its tasks take longer or shorter.

        Slots are idle for much of the time, as their workers are down or cut off: how much of it
        they were at work so far is reckoned with.
        """
        ends, possible = trio.current_time() + self.ends, 1.0
        while True:
            view = await self.world.ask(f"/api/jobs/{JOB}")
            if view is not None:
                self.done = view["counts"]["done"]
            await self._see_refused()
            left = max(ends - trio.current_time(), self.gaps) + PACE_SECONDS
            slots = SLOTS * len(self.world.workers)
            busy = max(LEAST_BUSY, min(1.0, self.done / possible))
            pace = busy * slots * left / max(1, self.tasks - self.done)
            pace = min(LONGEST, max(SHORTEST, pace))
            self.world.set_pace(pace)
            before = trio.current_time()
            await trio.sleep(PACE_SECONDS)
            possible += slots * (trio.current_time() - before) / pace

    async def _drain(self) -> None:
        """Let the rest of the job run, and the clients come to their ends."""
        self.world.set_pace(SHORTEST)
        clients = self.world.clients

        async def finished() -> bool:
            view = await self.world.ask(f"/api/jobs/{JOB}")
            return view is not None and view["state"] in ("done", "failed", "cancelled")

        waits = [
            (finished, DRAIN_SECONDS, "the job to finish"),
            (lambda: _true_soon(clients["submitter"].is_finished), READ_SECONDS, "the submitter"),
            (lambda: _true_soon(clients["reader"].is_finished), READ_SECONDS, "the reader"),
        ]
        for condition, seconds, what in waits:
            try:
                await self.world.until(condition, seconds, what)
            except AssertionError as error:
                view = await self.world.ask(f"/api/jobs/{JOB}") or {}
                self.late.append(f"{error}; the job: {view.get('state')}, {view.get('counts')}")
        await self._see_refused()

    async def _see_refused(self) -> None:
        """Note how many answers of workers this process of the server has refused, by reason."""
        pid = self.world.server.pid
        status = await self.world.ask("/api/status")
        if status is not None and pid == self.world.server.pid:
            self.refused[pid] = status.get("refused", {})

    def _compare(self, report: Report) -> None:
        world, verdict = self.world, Verdict()
        ran = ledger.executions(world.ledger)
        rows = ledger.stored(world.data, JOB, verdict)
        recorded = ledger.compare(verdict, JOB, self.tasks, ran, rows, "in the database")
        read = [row for _, batch in kept(self.output) for row in batch]
        seen = ledger.compare(verdict, JOB, self.tasks, ran, read, "at the reading client")
        both = set(seen) & set(recorded)
        verdict.check((n for n in both if seen[n] != recorded[n]), "differ at client and database")
        report.problems += verdict.problems
        report.figures |= self._figures(ran, recorded)
        unexplained = report.figures["further executions, by fault"].get(ledger.UNEXPLAINED, 0)
        if unexplained:
            report.problems.append(f"{unexplained} tasks were run again without a fault")

    def _figures(
        self, ran: Sequence[ledger.Execution], recorded: dict[int, tuple[int, str]]
    ) -> dict[str, Any]:
        world = self.world
        times = Counter(one.number for one in ran)
        names = {pid: worker.name for worker in world.workers for pid in worker.pids}
        again = ledger.repeated(ran, world.faults, names)
        attempts = Counter(attempt for attempt, _ in recorded.values())
        return {
            "tasks": self.tasks,
            "recorded": len(recorded),
            "executions": len(ran),
            "tasks run more than once": sum(count > 1 for count in times.values()),
            "further executions, by fault": dict(again),
            "recorded attempts": {str(key): attempts[key] for key in sorted(attempts)},
            "answers refused": dict(sum(map(Counter, self.refused.values()), Counter[str]())),
            "server started to serving": spread(world.serving),
            "server killed to serving, pause included": spread(world.away),
            "memory of the server": of_memory(world.memory),
            "starts": {program.name: len(program.pids) for program in world.programs()},
            "logs": world.log_counts(),
        }


async def _true_soon(value: bool) -> bool:
    return value
