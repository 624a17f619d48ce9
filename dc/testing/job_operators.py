"""What the operators of a simulation do with its jobs, over HTTP, as a fault of a plan says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from dc.errors import DcError
from dc.http_client import HttpClient
from dc.testing.plan import Fault
from dc.testing.sim_world import SimWorld
from dc.testing.world import HOST

ANSWER_SECONDS: Final = 40.0  # that an operator waits: the server may wait for its disk for 30
AGAIN_SECONDS: Final = 1.0

JOB_ORDERS: Final = (
    "operator pauses job",
    "operator pauses job now",
    "operator changes job",
    "operator cancels tasks",
    "operator retries job",
)


class JobOperators:
    """Those who have jobs in hand.

    Args:
        world: the world.
        wait: waits so many seconds, or until it is calm.
    """

    def __init__(self, world: SimWorld, wait: Callable[[float], Awaitable[None]]) -> None:
        self._world = world
        self._wait = wait

    async def do(self, fault: Fault) -> None:
        """Do what a fault says to some job; a pause ends after a while."""
        jobs = await self._ask("GET", "/api/jobs")
        if not jobs or not jobs["jobs"]:
            return
        job = jobs["jobs"][fault.draw % len(jobs["jobs"])]["job"]
        path = f"/api/jobs/{job}"
        if fault.kind == "operator changes job":
            await self._ask("PATCH", path, {"priority": fault.steps % 3, "weight": 0.5})
        elif fault.kind == "operator cancels tasks":
            first = fault.steps % 20
            await self._ask("POST", f"{path}/tasks/cancel", {"tasks": [[first, first + 3]]})
        elif fault.kind == "operator retries job":
            await self._ask("POST", f"{path}/retry")
        else:
            await self._ask("POST", f"{path}/pause", {"now": fault.kind.endswith("now")})
            await self._wait(fault.seconds)
            await self._ask("POST", f"{path}/resume")

    async def let_go(self) -> None:
        """End all pauses. That of a job to which tasks may come does not show in its state."""
        gone_on: set[int] = set()
        while True:
            jobs = await self._ask("GET", "/api/jobs")
            states = {one["job"]: one["state"] for one in (jobs or {}).get("jobs", ())}
            held = [
                job
                for job, state in states.items()
                if state == "paused" or (state == "open" and job not in gone_on)
            ]
            if jobs is not None and not held:
                return
            for job in held:
                if await self._ask("POST", f"/api/jobs/{job}/resume") is not None:
                    gone_on.add(job)
            await trio.sleep(AGAIN_SECONDS)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the server for something; return the answer, or None if there is none."""
        client = HttpClient(self._world.opener([]), HOST)
        try:
            with trio.move_on_after(ANSWER_SECONDS):
                if method == "GET":
                    return await client.get_json(path)
                self._world.ledger.trace.add("operator", f"{method} {path} {body}")
                return await client.send_json(method, path, body)
        except DcError:
            pass
        finally:
            with trio.CancelScope(shield=True):
                await client.aclose()
        return None
