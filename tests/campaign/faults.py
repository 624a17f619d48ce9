"""Does what a plan says to a world, and mends it after the time that it says."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVarTuple

import trio

from tests.campaign.ledger import Happened
from tests.campaign.plan import Fault
from tests.campaign.processes import Program, send
from tests.campaign.world import World

VICTIM_SECONDS: Final = 30.0  # to wait for something that can be killed
POLL_SECONDS: Final = 0.02
Args = TypeVarTuple("Args")
KILL: Final = 9


class Faults:
    """Performs faults.

    Args:
        world: on whom.
        nursery: for what takes time beside others.

    Attributes:
        done: faults that were done, by kind.
        skipped: what could not be done, and why.
    """

    def __init__(self, world: World, nursery: trio.Nursery) -> None:
        self.done: dict[str, int] = {}
        self.skipped: list[str] = []
        self._world = world
        self._nursery = nursery
        self._link = trio.Lock()
        self._under_way = 0

    async def perform(self, fault: Fault) -> None:
        """Wait for the fault's time, and do it; what it needs to end happens beside."""
        await trio.sleep(fault.gap)
        if fault.kind == "executor":
            await self._kill_executor(fault)
        elif fault.is_kill:
            await self._kill(fault)
        else:
            self._begin(fault)

    async def all_mended(self) -> None:
        """Wait until nothing is down, stopped or cut any more."""
        while self._under_way:  # noqa: ASYNC110  # a few times in a run
            await trio.sleep(POLL_SECONDS)

    # --- kill -9 --------------------------------------------------------------------------------

    def _programs(self, fault: Fault) -> list[Program]:
        world = self._world
        if fault.kind == "server":
            programs = [world.server]
        elif fault.kind in ("submitter", "reader"):
            programs = [world.clients[fault.kind]]
            if programs[0].is_finished:  # the reader ends last
                programs = [world.clients["reader"]]
        else:
            programs = world.workers
        return [one for one in programs if one.is_alive and not one.is_stopped]

    async def _victim(self, fault: Fault) -> Program | None:
        """Return a program that can be killed, waiting for one if need be."""
        with trio.move_on_after(VICTIM_SECONDS):
            while not (programs := self._programs(fault)):  # noqa: ASYNC110
                await trio.sleep(POLL_SECONDS)
            return programs[int(fault.choice * len(programs))]
        self.skipped.append(f"{fault.kind}: there was none to kill for {VICTIM_SECONDS:g} s")
        return None

    async def _kill(self, fault: Fault) -> None:
        victim = await self._victim(fault)
        if victim is not None:
            kind = victim.name if victim.name in self._world.clients else fault.kind
            happened = self._world.note(kind, victim.name, [victim.pid])
            victim.kill()
            self._count(kind)
            self._beside(self._revive, victim, fault.seconds, happened)

    async def _revive(self, victim: Program, seconds: float, happened: Happened) -> None:
        await trio.sleep(seconds)
        victim.start()
        if victim is self._world.server and await self._world.until_serving():
            self._world.away.append(time.time() - happened.start)
        happened.end = time.time()

    async def _kill_executor(self, fault: Fault) -> None:
        with trio.move_on_after(VICTIM_SECONDS):
            while True:
                victim = await self._victim(fault)
                if victim is None:
                    return
                if pids := victim.executors():
                    pid = pids[int(fault.choice * 1000) % len(pids)]
                    self._world.note("executor", victim.name + "'s executor", [pid])
                    send(pid, KILL)
                    self._count(fault.kind)
                    return
                await trio.sleep(POLL_SECONDS)
        self.skipped.append(f"executor: there was none to kill for {VICTIM_SECONDS:g} s")

    # --- what lasts -----------------------------------------------------------------------------

    def _begin(self, fault: Fault) -> None:
        if fault.kind == "link":
            self._beside(self._cut_link, fault)
        elif fault.kind == "stop":
            self._beside(self._stop, fault)
        else:
            self._beside(self._bad_relay, fault)

    def _beside(self, do: Callable[[*Args], Awaitable[None]], *args: *Args) -> None:
        """Have something done beside the plan, which is not over before that is."""

        async def done() -> None:
            try:
                await do(*args)
            finally:
                self._under_way -= 1

        self._under_way += 1
        self._nursery.start_soon(done)

    async def _cut_link(self, fault: Fault) -> None:
        assert self._world.link is not None
        async with self._link:  # one cut after the other
            happened = self._world.note("link", "far", [])
            self._count(fault.kind)
            await self._world.link.cut(fault.seconds)
            happened.end = time.time()

    async def _stop(self, fault: Fault) -> None:
        victim = await self._victim(fault)
        if victim is None:
            return
        pid = victim.pid
        happened = self._world.note("stop", victim.name, [pid])
        stopped = victim.stop()
        self._count(fault.kind)
        try:
            await trio.sleep(fault.seconds)
        finally:
            victim.go_on(stopped)
        happened.end = time.time()

    async def _bad_relay(self, fault: Fault) -> None:
        relays = sorted(self._world.relays)
        name = relays[int(fault.choice * len(relays))]
        relay = self._world.relays[name]
        happened = self._world.note(fault.kind, name, [])
        self._count(fault.kind)
        try:
            if fault.kind == "cut":
                relay.cut()
                return
            if fault.kind == "freeze":
                relay.freeze()
            elif fault.kind == "delay":
                relay.delay = fault.amount
            else:
                relay.rate = fault.amount
            await trio.sleep(fault.seconds)
        finally:
            if fault.kind != "cut":
                relay.heal()
            happened.end = time.time()

    def _count(self, kind: str) -> None:
        self.done[kind] = self.done.get(kind, 0) + 1


def count_kills(plan: Sequence[Fault]) -> int:
    """Return how many faults of a plan are kills."""
    return sum(fault.is_kill for fault in plan)
