"""Dask: `dask scheduler`, two `dask worker` of one thread, `Client.map` and `Client.gather`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import distributed

from benchmarks.peers.systems import tasks
from benchmarks.peers.systems.base import System, free_port, program

SETTINGS = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": "inf"}


class Dask(System):
    configuration = (
        "two workers of one thread, no nanny, no dashboard; `worker-saturation: inf`, so that "
        "tasks are sent ahead; `Client.map(pure=False)` and `gather`"
    )
    durability = "none: the scheduler keeps all in memory"
    least = 500

    _client: Any

    def versions(self) -> dict[str, str]:
        return {"distributed": distributed.__version__}

    def start(self, *, workers: bool = True) -> None:
        url = f"tcp://127.0.0.1:{free_port()}"
        page = "--no-dashboard", "--dashboard-address", "127.0.0.1:0"
        here = "--host", "127.0.0.1", *page
        env = {**os.environ, **SETTINGS}
        port = url.rpartition(":")[2]
        self.launch(program("dask"), "scheduler", *here, "--port", port, env=env)
        for number in range(2 if workers else 0):
            own = "--nthreads", "1", "--no-nanny", "--local-directory", str(self.folder)
            name = "--name", str(number)
            self.launch(program("dask"), "worker", url, *here, *own, *name, env=env)
        self._client = distributed.Client(url, timeout=60)
        if workers:
            self._client.wait_for_workers(2, timeout=60)

    def run(self, task: str, payloads: Iterator[bytes]) -> Iterator[bytes]:
        futures = self._client.map(getattr(tasks, task), list(payloads), pure=False)
        return iter(self._client.gather(futures))

    def queue(self, payloads: Iterator[bytes]) -> Any:
        futures = self._client.map(tasks.noop, list(payloads), pure=False)
        told = len(futures)
        self._client.run_on_scheduler(until_tasks, told)
        return futures

    def stop(self) -> None:
        if hasattr(self, "_client"):
            self._client.close(timeout=3)
        super().stop()


async def until_tasks(count: int, dask_scheduler: Any = None) -> int:
    """Wait, in the scheduler, until it knows so many tasks."""
    while len(dask_scheduler.tasks) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.05)  # it says nothing of itself
    return len(dask_scheduler.tasks)


SYSTEM = Dask
