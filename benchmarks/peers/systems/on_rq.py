"""RQ on Redis: two `rq worker` of the class SimpleWorker, which runs jobs without a fork each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import rq

from benchmarks.peers.systems import tasks
from benchmarks.peers.systems.base import System, program
from benchmarks.peers.systems.redis_server import DURABILITY, RedisServer

BATCH = 1000
SECONDS = 110
"""For which a client waits for a result."""


class Rq(System):
    configuration = (
        "two `rq worker --worker-class rq.SimpleWorker` (no fork for each job), quiet; "
        "`Queue.enqueue_many` by 1,000; `Job.latest_result(timeout)`"
    )
    durability = DURABILITY

    _redis: RedisServer
    _queue: Any

    def versions(self) -> dict[str, str]:
        return {"rq": rq.__version__, "Redis": self._redis.version}

    def start(self, *, workers: bool = True) -> None:
        self._redis = RedisServer(self)
        self._queue = rq.Queue(connection=self._redis.client)
        less = "--quiet", "--disable-job-desc-logging"
        for _ in range(2 if workers else 0):
            kind = "--worker-class", "rq.SimpleWorker", "--url", self._redis.url
            self.launch(program("rq"), "worker", *kind, *less)
        if workers:
            self.until("RQ's workers are there", lambda: rq.Worker.count(self._redis.client) == 2)

    def run(self, task: str, payloads: Iterator[bytes]) -> Iterator[bytes]:
        for job in self._enqueue(getattr(tasks, task), payloads):
            yield self._result(job)

    def one(self, payload: bytes) -> bytes:
        return self._result(self._queue.enqueue(tasks.noop, payload))

    def queue(self, payloads: Iterator[bytes]) -> list[Any]:
        return self._enqueue(tasks.noop, payloads)

    def holders(self) -> list[int]:
        return [self._redis.pid]

    def _enqueue(self, function: Any, payloads: Iterator[bytes]) -> list[Any]:
        jobs = []
        while batch := [rq.Queue.prepare_data(function, (one,)) for one in islice(payloads, BATCH)]:
            jobs.extend(self._queue.enqueue_many(batch))
        return jobs

    def _result(self, job: Any) -> bytes:
        result = job.latest_result(timeout=SECONDS)
        value: bytes = result.return_value
        return value


SYSTEM = Rq
