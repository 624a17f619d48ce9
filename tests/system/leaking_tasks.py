"""Leaking tasks do not fill a worker's computer: `python -m tests.system.leaking_tasks`.

Runs tasks that each keep some memory for good, and looks at the resident memory of the worker and
all its executors meanwhile. Prints a line of JSON; the exit status says whether it stayed bounded.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import trio
from msgspec import Struct

import dc
from dc.process_tree import all_processes, below
from tests.system.processes import Machine, Program

PLUGINS = Path(__file__).parent / "bad_plugins"
MIB = 2**20
LOOK_SECONDS = 0.05


class Leak(Struct, frozen=True):
    """What is leaked, and when executors are replaced for it."""

    tasks: int = 100_000
    size: int = 20_000
    recycle: int = 64 * MIB


class Found(Struct, frozen=True):
    """What was seen: resident memory in bytes, the number of executors, of tasks."""

    first: int
    most: int
    executors: int
    done: int

    def is_bounded(self, leak: Leak, slack: int) -> bool:
        """Whether memory grew by no more than executors may, and not all ran in one."""
        return self.most - self.first < leak.recycle + slack and self.executors > 1


async def run(machine: Machine, leak: Leak) -> Found:
    """Run the tasks on one worker with one slot."""
    server = await machine.server(plugins=[PLUGINS])
    worker = await machine.worker(
        server,
        "one",
        plugins=[PLUGINS],
        arguments=["--spares", 0, "--recycle-memory", leak.recycle],
    )
    sizes = [resident(worker)]
    executors: set[int] = set()
    async with dc.AsyncClient(server.address, plugins=[PLUGINS]) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, worker, sizes.append)
            job = await client.submit("leak", (leak.size for _ in range(leak.tasks)))
            executors |= {pid async for pid in job.results(ordered=False)}
            nursery.cancel_scope.cancel()
        done = (await job.status()).done
    return Found(sizes[0], max(sizes), len(executors), done)


async def watch(worker: Program, tell: Callable[[int], object]) -> None:
    """Tell the resident memory again and again."""
    while True:
        await trio.sleep(LOOK_SECONDS)
        tell(await trio.to_thread.run_sync(resident, worker))


def resident(worker: Program) -> int:
    """Return the resident memory of a worker and all that it has started, in bytes."""
    table = all_processes()
    own = [one for one in table if one.pid == worker.pid]
    return sum(one.resident for one in [*own, *below(worker.pid, table)])


def main() -> int:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=20_000, help="bytes that each task leaks")
    arguments = parser.parse_args()
    leak = Leak(arguments.tasks, arguments.size)
    with tempfile.TemporaryDirectory() as folder, Machine(Path(folder)) as machine:
        found = trio.run(run, machine, leak)
    figures = {"leaked_mb": round(leak.tasks * leak.size / 1e6), "executors": found.executors}
    sizes = {"first_mb": round(found.first / 1e6), "most_mb": round(found.most / 1e6)}
    print(json.dumps({"tasks": found.done, **figures, **sizes}))
    return 0 if found.is_bounded(leak, 128 * MIB) else 1


if __name__ == "__main__":
    sys.exit(main())
