"""What the clients of a simulation do: submit, cancel, read all results, and check what they get.

A client's process may be killed at any await. What it knows afterwards is what a person would still
know: which job numbers it was told by a submission that ended.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import trio

from dc.client.records import Finished
from dc.client.trio_client import AsyncClient
from dc.client.trio_job import AsyncJob
from dc.errors import ConnectionLost, JobCancelled, KeyConflict
from dc.testing.ledger import Told
from dc.testing.plan import JobPlan
from dc.testing.process import PROCESS, Process
from dc.testing.sim_world import TYPE, SimWorld, payload_of

PAUSE_SECONDS = 0.5  # before a client that could not reach the server tries again


class Client:
    """One client: its jobs, and its process, which may be killed and started again.

    Args:
        world: the world.
        name: of the client.
        jobs: what it submits.
    """

    def __init__(self, world: SimWorld, name: str, jobs: list[JobPlan]) -> None:
        self.world = world
        self.name = name
        self.jobs = [world.ledger.told[job.number] for job in jobs]
        self.process = Process(name, 0)
        self.pause = 0.0
        self._began = trio.current_time()

    async def live(self) -> None:
        """Run the program until it has all results, whatever happens to it."""
        while not all(told.complete for told in self.jobs):
            self.process = Process(self.name, self.process.run + 1)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._run)
            await trio.sleep(self.pause)

    async def _run(self) -> None:
        PROCESS.set(self.process)
        try:
            with self.process.scope:
                await self._work()
        except Exception as error:
            self.world.check_error(self.process, error)
        finally:
            self.process.is_alive = False

    async def _work(self) -> None:
        wires = self.world.opener([])
        while not all(told.complete for told in self.jobs):
            try:
                async with AsyncClient(open_stream=wires) as client, trio.open_nursery() as nursery:
                    for told in self.jobs:
                        nursery.start_soon(self._see_through, client, told)
            except* ConnectionLost:
                await trio.sleep(PAUSE_SECONDS)

    async def _see_through(self, client: AsyncClient, told: Told) -> None:
        while not told.complete:
            try:
                job = await self._job(client, told)
                if job is None:
                    return
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._cancel, job, told)
                    await self._read(job, told)
                    nursery.cancel_scope.cancel()
            except* (ConnectionLost, KeyConflict):  # its last process still has a connection
                await trio.sleep(PAUSE_SECONDS)

    async def _job(self, client: AsyncClient, told: Told) -> AsyncJob | None:
        """Return the job of a submission, made now or before; None if it has been cancelled."""
        if told.submitted >= 0:
            return AsyncJob(client.connector, told.submitted, TYPE)
        plan = told.plan
        options = {"name": str(plan.number), "key": f"submission {plan.number}", **plan.options}
        options |= await self._after(plan)
        try:
            if plan.pause:
                async with aclosing(_slowly(plan)) as payloads:
                    job = await client.submit(TYPE, payloads, **options)
            else:
                job = await client.submit(TYPE, list(_payloads(plan)), **options)
        except JobCancelled:
            self._note_cancelled(told)
            return None
        told.submitted = job.number
        return job

    async def _after(self, plan: JobPlan) -> dict[str, Any]:
        """Return the options of a job that comes after another one, once that is there."""
        if not plan.after:
            return {}
        former = self.world.ledger.told[plan.after]
        while former.submitted < 0 and not former.complete:  # noqa: ASYNC110  # nothing tells
            await trio.sleep(PAUSE_SECONDS)
        if former.submitted < 0:
            return {}
        return {"after": [former.submitted], "after_what": "finished", "each": plan.ordered}

    def _note_cancelled(self, told: Told) -> None:
        if not told.cancelling:
            self.world.ledger.violate("a job was cancelled that nobody cancelled", told.job)
        told.complete = True

    async def _cancel(self, job: AsyncJob, told: Told) -> None:
        if told.plan.cancel_after == math.inf:
            return
        await trio.sleep_until(self._began + told.plan.cancel_after)
        told.cancelling = True
        while True:
            try:
                await job.cancel()
                return
            except* ConnectionLost:
                await trio.sleep(PAUSE_SECONDS)

    async def _read(self, job: AsyncJob, told: Told) -> None:
        """Read all results, from the first one on, and check what comes."""
        seen: dict[int, Finished] = {}
        ledger, plan = self.world.ledger, told.plan
        try:
            async for one in job.as_completed(ordered=plan.ordered):
                again = job.number in ledger.retried and not plan.ordered
                if one.number in seen and not again:
                    ledger.violate("a client got a result twice", job.number, one.number)
                if plan.ordered and one.number != len(seen):
                    ledger.violate("results came out of order", job.number, one.number)
                seen[one.number] = one
        except JobCancelled:
            self._note_cancelled(told)
        else:
            if set(seen) != set(range(len(plan.tasks))):
                ledger.violate("a client did not get all results", job.number)
        told.results = seen
        told.complete = True


def _payloads(plan: JobPlan) -> list[bytes]:
    return [payload_of(plan.number, at, task) for at, task in enumerate(plan.tasks)]


async def _slowly(plan: JobPlan) -> AsyncGenerator[bytes, None]:
    for payload in _payloads(plan):
        yield payload
        await trio.sleep(plan.pause)
