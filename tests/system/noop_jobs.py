"""Ten jobs of 100,000 tasks that do nothing: how quick they are, and what the server keeps of them.

Run it by itself to see the figures: python -m tests.system.noop_jobs [TASKS [JOBS]]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import trio

from tests.system.processes import Machine

TASKS = 100_000
JOBS = 10
MIB = 1024 * 1024


@dataclass
class Figures:
    """What was measured: for each job its seconds, and the server's memory after it in bytes."""

    seconds: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """The memory after the last three jobs over that after the first three, medians of both.

        After the first job alone some things are not there yet that stay, of 2 MiB in all, and
        single values are up to 3 MiB too high on a busy computer.
        """
        if not self.memory:
            return 1.0
        return statistics.median(self.memory[-3:]) / statistics.median(self.memory[:3])


async def measure(machine: Machine, tasks: int = TASKS, jobs: int = JOBS) -> Figures:
    """Run the jobs one after the other, each from its submission to its last result."""
    figures = Figures()
    server = await machine.server()
    await machine.worker(server, "one", slots=2)
    for _ in range(jobs):
        started = time.monotonic()
        async with machine.client(server) as client:
            job = await client.submit("noop", (b"x" for _ in range(tasks)))
            count = 0
            async for result in job.results():
                assert result == b"x"
                count += 1
        assert count == tasks
        figures.seconds.append(time.monotonic() - started)
        memory = await server.settled_memory()
        if memory is not None:
            figures.memory.append(memory)
    return figures


def main() -> None:
    """Measure, and print a line for each job."""
    tasks, jobs = ([int(text) for text in sys.argv[1:]] + [TASKS, JOBS][len(sys.argv) - 1 :])[:2]
    with tempfile.TemporaryDirectory() as folder, Machine(Path(folder)) as machine:
        figures = trio.run(measure, machine, tasks, jobs)
    for number, seconds in enumerate(figures.seconds):
        memory = f"{figures.memory[number] / MIB:8.2f} MiB" if figures.memory else ""
        print(f"job {number + 1:2}: {seconds:6.2f} s, {tasks / seconds:10,.0f} tasks/s {memory}")
    print(f"memory after the last three jobs over that after the first three: {figures.growth:.3f}")


if __name__ == "__main__":
    main()
