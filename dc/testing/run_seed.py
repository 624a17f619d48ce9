"""One seed, from its plan to its verdict."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from unittest import mock

import trio
import trio.testing
from msgspec import Struct

from dc import limits, limits_store, limits_worker
from dc.testing.faults import Faults, Host, running_executions
from dc.testing.ledger import Ledger, Violation
from dc.testing.plan import Plan, draw_plan
from dc.testing.planted import planted
from dc.testing.rules import check_end
from dc.testing.scripts import Client
from dc.testing.server_rules import ServerRules
from dc.testing.sim_world import SimWorld, first_of
from dc.testing.substitutes import substituted
from dc.testing.watch import watched

REST_SECONDS: Final = 900.0
"""After the last fault, in which all must come to rest: a silent connection is noticed after 20
seconds, a lease lapses after 30, a worker tries again after 15; and tasks are tried again."""

LOOK_SECONDS: Final = 0.5

COARSE: Final[dict[str, Any]] = {"WORKER_TICK_SECONDS": 0.5, "STATUS_SECONDS": 0.5}
"""Clocks that need not tick so often: a run would do little else."""


class Verdict(Struct):
    """What became of a seed. `violations` is empty if all is well; `seconds` is simulated time."""

    seed: int
    violations: list[Violation]
    digest: str
    seconds: float
    entries: int
    kinds: list[str]
    tasks: int
    executions: int
    lines: list[str] = []


def run_seed(seed: int, *, trace: bool = False, leases: bool = True, plant: str = "") -> Verdict:
    """Run one seed.

    Args:
        seed: decides everything.
        trace: whether the verdict is to have all lines of the trace, and its digest.
        leases: whether tasks must not be given again while a lease holds.
        plant: the name of a defect to plant.
    """
    plan = draw_plan(seed)
    with _folder() as folder, ExitStack() as stack:
        stack.enter_context(substituted(seed))
        stack.enter_context(planted(plant))
        for name, value in {**plan.limits, **COARSE}.items():
            stack.enter_context(mock.patch.object(_home(name), name, value))
        clock = trio.testing.MockClock(autojump_threshold=0)
        ledger, seconds = trio.run(_simulate, plan, folder, leases, clock=clock)
    return _verdict(plan, ledger, seconds, trace=trace)


def _home(name: str) -> ModuleType:
    """Return the file of a limit."""
    homes = (limits, limits_store, limits_worker)
    return next(one for one in homes if hasattr(one, name))


def _verdict(plan: Plan, ledger: Ledger, seconds: float, *, trace: bool) -> Verdict:
    lines: list[str] = []
    if trace:
        lines = list(ledger.trace.lines())
    elif ledger.violations:
        lines = list(ledger.trace.lines(ledger.violations[0].task))
    return Verdict(
        seed=plan.seed,
        violations=ledger.violations,
        digest=ledger.trace.digest() if trace else "",
        seconds=seconds,
        entries=len(ledger.trace),
        kinds=sorted(plan.kinds),
        tasks=sum(len(job.tasks) for jobs in plan.clients for job in jobs),
        executions=sum(map(len, ledger.executions.values())),
        lines=lines,
    )


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder for a run, in memory where there is such a place."""
    # A folder with a name of its own is made in it.
    memory = Path("/dev/shm")  # noqa: S108  # nosec B108
    parent = str(memory) if memory.is_dir() else None
    folder = tempfile.mkdtemp(prefix="dc-simulate-", dir=parent)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _simulate(plan: Plan, folder: Path, leases: bool) -> tuple[Ledger, float]:
    everything = trio.CancelScope()
    ledger = Ledger(plan, str(folder), everything.cancel)
    rules = ServerRules(ledger, leases=leases)
    try:
        with everything, watched(ledger, rules):
            async with trio.open_nursery() as nursery:
                world = SimWorld(nursery, folder, ledger, rules)
                with world.files.watched():
                    await _story(world, nursery)
                nursery.cancel_scope.cancel()
    except Exception as error:
        ledger.errors.append(error)
        ledger.violate(f"an error: {first_of(error)!r}")
    return ledger, ledger.now


async def _story(world: SimWorld, nursery: trio.Nursery) -> None:
    """Begin everything, wait until all has come to rest, and look at what is there."""
    plan = world.plan
    hosts = [Host(world, worker, world.folder / worker.name) for worker in plan.workers]
    clients = [Client(world, f"c{at}", jobs) for at, jobs in enumerate(plan.clients)]
    faults = Faults(world, hosts, clients)
    nursery.start_soon(faults.keep_server)
    for host in hosts:
        nursery.start_soon(host.live)
    for client in clients:
        nursery.start_soon(client.live)
    await faults.run()
    with trio.move_on_after(REST_SECONDS):
        while _unrest(world, hosts):  # noqa: ASYNC110  # nothing tells when all is at rest
            await trio.sleep(LOOK_SECONDS)
        await check_end(world)
        return
    world.ledger.violate(
        f"no rest {REST_SECONDS:g} s after the last fault: {_unrest(world, hosts)}"
    )


def _unrest(world: SimWorld, hosts: list[Host]) -> str:
    """Say what is not at rest; nothing if all is."""
    for told in world.ledger.told.values():
        if not told.complete:
            return f"submission {told.plan.number} (job {told.job}) has not been seen through"
    if not world.listens:
        return "the server does not run"
    for host in hosts:
        if host.worker is None or not host.worker.process.is_alive:
            return f"{host.plan.name} does not run"
        state = host.worker.app.statistics()
        if not state.connected:
            return f"{host.plan.name} is not connected"
        if running_executions(host.worker):
            return f"{host.plan.name} still runs a task"
        if state.fetching + state.queued + state.given + state.putting + state.unrecorded:
            return f"{host.plan.name} still has something: {state}"
    return ""
