"""ProcessPoolExecutor: no server, nothing durable; the local limit."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

from benchmarks.peers.systems import tasks
from benchmarks.peers.systems.base import System

CHUNK = 256


class Pool(System):
    configuration = "two processes; `submit` for each task; in chunks: `map(chunksize=256)`"
    durability = "none: nothing leaves the process"
    least = 2000

    _pool: ProcessPoolExecutor

    def versions(self) -> dict[str, str]:
        return {"Python": platform.python_version()}

    def start(self, *, workers: bool = True) -> None:
        self._pool = ProcessPoolExecutor(2)
        if not workers:  # both are busy for long, and tasks queue up behind
            self._block = [self._pool.submit(tasks.nap, b"3600") for _ in range(4)]

    def run(self, task: str, payloads: Iterator[bytes]) -> Iterator[bytes]:
        function = getattr(tasks, task)
        futures = [self._pool.submit(function, payload) for payload in payloads]
        return (future.result() for future in futures)

    def chunked(self, payloads: Iterator[bytes]) -> Iterator[bytes]:
        return self._pool.map(tasks.noop, payloads, chunksize=CHUNK)

    def queue(self, payloads: Iterator[bytes]) -> list[Future[bytes]]:
        return [self._pool.submit(tasks.noop, payload) for payload in payloads]

    def stop(self) -> None:
        if hasattr(self, "_pool"):
            workers = list((self._pool._processes or {}).values())
            self._pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.kill()


SYSTEM = Pool
