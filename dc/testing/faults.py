"""Has the faults of a plan befall a world.

Each fault is one method; its task picks whom it befalls, does it, and undoes it after a while. When
the plan's calm begins, what still lasts ends at once, and nothing new begins: from then on the
world must come to rest by itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import trio

from dc.testing.job_operators import JOB_ORDERS, JobOperators
from dc.testing.operators import ORDERS, Operators
from dc.testing.plan import Fault, WorkerPlan
from dc.testing.process import Process
from dc.testing.scripts import Client
from dc.testing.sim_world import SimExecutor, SimWorker, SimWorld, key_of
from dc.testing.wires import Wire
from dc.testing.world import Worker

SUPERVISOR_SECONDS = 0.01  # before a server that has ended is started again
RETRY_SECONDS = 0.5  # before a worker that could not start is started again


class Host:
    """A computer with a worker on it, which is started again whenever it has ended.

    Args:
        world: the world.
        plan: of the worker.
        folder: of the worker; it outlives its processes.
    """

    def __init__(self, world: SimWorld, plan: WorkerPlan, folder: Path) -> None:
        self.world = world
        self.plan = plan
        self.folder = folder
        if not folder.exists():
            folder.mkdir()
            with (folder / "key").open("w") as file:
                file.write(key_of(plan.name))
                file.flush()
                os.fsync(file.fileno())
        self.worker: SimWorker | None = None
        self.pause = 0.0
        self._runs = 0

    async def live(self) -> None:
        """Run the worker, and another after it, for ever."""
        while True:
            await self.run_once()
            await trio.sleep(self.pause or RETRY_SECONDS)
            self.pause = 0.0

    async def run_once(self) -> None:
        """Run one process of the worker to its end."""
        world = self.world
        self._runs += 1
        anew = self.worker is not None and world.is_deleted(self.worker.home.key)
        self.worker = worker = world.new_worker(self.plan, self.folder, self._runs, new_key=anew)
        world.workers.append(worker)
        world.healthy_since[self.plan.name] = world.ledger.now
        world.ledger.trace.add("fault", f"{worker.process} starts")
        try:
            await worker.run()
        except Exception as error:
            world.check_error(worker.process, error)
        finally:
            worker.process.is_alive = False
            for executor in worker.executors:
                executor.die()
            if not worker.process.killed:
                worker.home.close()


class Faults:
    """See the module.

    Args:
        world: the world.
        hosts: the computers with workers.
        clients: the clients.
    """

    def __init__(self, world: SimWorld, hosts: list[Host], clients: list[Client]) -> None:
        self._world = world
        self._hosts = hosts
        self._clients = clients
        self._calm = trio.Event()
        self._server_pause = 0.0
        self._do: dict[str, Callable[[Fault], Awaitable[None]]] = {
            "cut": self._cut,
            "freeze": self._freeze,
            "hold": self._hold,
            "kill worker": self._kill_worker,
            "worker loses power": self._kill_worker,
            "kill server": self._kill_server,
            "server loses power": self._kill_server,
            "restart server": self._restart_server,
            "restart worker": self._restart_worker,
            "suspend worker": self._suspend_worker,
            "person at worker": self._person,
            "failed commits": self._trouble,
            "full disk": self._trouble,
            "clock": self._clock,
            "duplicate": self._duplicate,
            "kill client": self._kill_client,
        }
        self._operators = Operators(world, self._wait)
        self._do |= dict.fromkeys((*ORDERS, "operator sets slots"), self._operators.do)
        self._job_operators = JobOperators(world, self._wait)
        self._do |= dict.fromkeys(JOB_ORDERS, self._job_operators.do)

    async def run(self) -> None:
        """Have everything befall the world; return when it is calm."""
        world, plan = self._world, self._world.plan
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for fault in plan.faults:
                await trio.sleep_until(began + fault.at)
                world.ledger.trace.add("fault", fault)
                nursery.start_soon(self._do[fault.kind], fault)
            await trio.sleep_until(began + plan.calm)
            world.slow = False
            self._calm.set()
        world.ledger.trace.add("fault", "calm")
        if any(kind.startswith("operator") for kind in plan.kinds):
            await self._operators.let_go()
            await self._job_operators.let_go()

    async def keep_server(self) -> None:
        """Start the server, and another after it, for ever."""
        while True:
            await self._world.start_server()
            await self._world.wait_ended()
            await trio.sleep(SUPERVISOR_SECONDS)
            await self._wait(self._server_pause)
            self._server_pause = 0.0

    async def _wait(self, seconds: float) -> None:
        """Wait so long, or until it is calm."""
        with trio.move_on_after(seconds):
            await self._calm.wait()

    # --- wires ----------------------------------------------------------------------------------

    def _wire(self, fault: Fault) -> Wire | None:
        """Return one of the open wires, if there is one."""
        wires = self._world.server.open_wires()
        if not wires:
            return None
        wire = wires[fault.draw % len(wires)]
        for host in self._hosts:
            if host.worker is not None and wire in host.worker.wires:
                self._unwell(host)
        return wire

    def _unwell(self, host: Host) -> None:
        self._world.healthy_since[host.plan.name] = self._world.ledger.now

    async def _cut(self, fault: Fault) -> None:
        if (wire := self._wire(fault)) is not None:
            wire.cut(lambda pieces: fault.draw % (pieces + 1))

    async def _freeze(self, fault: Fault) -> None:
        if (wire := self._wire(fault)) is not None:
            wire.freeze()

    async def _hold(self, fault: Fault) -> None:
        if (wire := self._wire(fault)) is not None:
            wire.hold()
            await self._wait(fault.seconds)
            wire.let_go()

    # --- the server -----------------------------------------------------------------------------

    async def _kill_server(self, fault: Fault) -> None:
        world, process = self._world, self._world.server
        silently = fault.kind == "server loses power"

        def kill() -> None:
            if not process.is_alive:
                return
            self._server_pause = fault.seconds
            world.ledger.trace.add("fault", f"{process} is killed")
            process.kill(lambda pieces: fault.draw % (pieces + 1), silently=silently)
            if silently:
                world.files.lose(world.folder / "blobs")

        process.kill_after(fault.steps, kill)

    async def _restart_server(self, fault: Fault) -> None:
        if self._world.server.is_alive and self._world.listens:
            self._server_pause = min(fault.seconds, 1.0)
            self._world.app.stop()

    async def _trouble(self, fault: Fault) -> None:
        disk = self._world.disk
        text = "the disk is full" if fault.kind == "full disk" else "a commit has failed"
        disk.trouble = text
        await self._wait(fault.seconds)
        disk.trouble = ""

    async def _clock(self, fault: Fault) -> None:
        self._world.wall_offset += (fault.seconds - 10.0) * 1000.0

    # --- workers --------------------------------------------------------------------------------

    def _host(self, fault: Fault) -> Host:
        host = self._hosts[fault.draw % len(self._hosts)]
        self._unwell(host)
        self._world.rules.disturbed(host.plan.name)
        return host

    async def _kill_worker(self, fault: Fault) -> None:
        host = self._host(fault)
        if host.worker is not None:
            process, silently = host.worker.process, fault.kind == "worker loses power"
            process.kill_after(fault.steps, lambda: self._end(host, process, fault, silently))

    def _end(self, host: Host, process: Process, fault: Fault, silently: bool) -> None:
        if not process.is_alive:
            return
        self._world.ledger.trace.add("fault", f"{process} is killed")
        self._world.rules.disturbed(host.plan.name)
        host.pause = min(fault.seconds, max(0.01, self._world.plan.calm - self._world.ledger.now))
        process.kill(lambda pieces: fault.draw % (pieces + 1), silently=silently)
        self._bury(host)
        if silently:
            self._world.files.lose(host.folder)

    def _bury(self, host: Host) -> None:
        if host.worker is not None:
            for executor in host.worker.executors:
                executor.die()

    async def _restart_worker(self, fault: Fault) -> None:
        host = self._host(fault)
        if host.worker is not None and host.worker.process.is_alive:
            with suppress(AssertionError):  # it has not even begun
                host.worker.app.leave()

    async def _suspend_worker(self, fault: Fault) -> None:
        """Let a computer sleep: nothing passes its wires, and its tasks take so much longer."""
        host = self._host(fault)
        if host.worker is None:
            return
        process = host.worker.process
        self._world.suspended.add(process)
        for executor in host.worker.executors:
            executor.pause(fault.seconds)
        for wire in process.open_wires():
            wire.hold()
        await self._wait(fault.seconds)
        self._unwell(host)
        self._world.rules.disturbed(host.plan.name)
        self._world.suspended.discard(process)
        for wire in process.open_wires():
            wire.let_go()

    async def _person(self, fault: Fault) -> None:
        """Let somebody use a worker's computer for a while: its tasks stand still, or are moved."""
        host = self._host(fault)
        worker = host.worker
        if worker is None or not worker.process.is_alive:
            return
        with suppress(AssertionError):  # it has not even begun
            worker.app.in_use("somebody is there")
            await self._wait(fault.seconds)
            self._unwell(host)
            if worker.process.is_alive:
                worker.app.in_use("")

    async def _duplicate(self, fault: Fault) -> None:
        """Have a copy of a worker, key and all, run beside it for a while."""
        host = self._host(fault)
        folder = host.folder.with_name(f"{host.folder.name}-copy-{fault.draw}")
        shutil.copytree(host.folder, folder)
        copy = Host(self._world, host.plan, folder)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(copy.run_once)
            self._world.rules.doubled[host.plan.name] += 1
            await self._wait(min(fault.seconds, 12.0))
            self._world.rules.doubled[host.plan.name] -= 1
            self._world.rules.disturbed(host.plan.name)
            self._unwell(host)
            if copy.worker is not None:
                copy.worker.process.kill()
                self._bury(copy)

    # --- clients --------------------------------------------------------------------------------

    async def _kill_client(self, fault: Fault) -> None:
        client = self._clients[fault.draw % len(self._clients)]
        process = client.process

        def kill() -> None:
            if process.is_alive:
                client.pause = min(fault.seconds, 3.0)
                self._world.ledger.trace.add("fault", f"{process} is killed")
                process.kill(lambda pieces: fault.draw % (pieces + 1))

        process.kill_after(fault.steps, kill)


def running_executions(worker: Worker) -> list[SimExecutor]:
    """Return the executors of a worker that run something."""
    executors = [one for one in worker.executors if isinstance(one, SimExecutor)]
    return [one for one in executors if one.execution is not None]
