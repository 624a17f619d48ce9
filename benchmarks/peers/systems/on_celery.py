"""Celery on Redis: one worker with a prefork pool of two."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

import celery

from benchmarks.peers.systems.base import System, program
from benchmarks.peers.systems.redis_server import DURABILITY, RedisServer

APP = "benchmarks.peers.systems.celery_app"
CHUNK = 256
SECONDS = 110
"""For which a client waits for its results."""


class Celery(System):
    configuration = (
        "prefork pool of two, `worker_prefetch_multiplier=128` (its guide: 64 or 128 for many "
        "short tasks), without gossip, mingle and heartbeat; pickle; `task.delay` and "
        "`AsyncResult.get` for each task (faster than a group), results in Redis; in chunks: "
        "`task.chunks(…, 256)`"
    )
    durability = DURABILITY

    _redis: RedisServer
    _app: Any

    def versions(self) -> dict[str, str]:
        return {"celery": celery.__version__, "Redis": self._redis.version}

    def start(self, *, workers: bool = True) -> None:
        self._redis = RedisServer(self)
        os.environ["BENCH_REDIS"] = self._redis.url
        self._app = importlib.import_module(APP)
        if not workers:
            return
        less = "--without-gossip", "--without-mingle", "--without-heartbeat"
        pool = "--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING"
        env = {**os.environ, "C_FORCE_ROOT": "1"}  # it is this run's own, and on loopback
        self.launch(program("celery"), "-A", APP, "worker", *less, *pool, env=env)

    def run(self, task: str, payloads: Iterator[bytes]) -> Iterator[bytes]:
        kind = getattr(self._app, task)
        answers = [kind.delay(payload) for payload in payloads]
        return (answer.get(timeout=SECONDS) for answer in answers)

    def chunked(self, payloads: Iterator[bytes]) -> Iterator[bytes]:
        chunks = self._app.noop.chunks(((payload,) for payload in payloads), CHUNK)
        answers = chunks.group().apply_async().get(timeout=SECONDS)
        return (result for answer in answers for result in answer)

    def queue(self, payloads: Iterator[bytes]) -> list[Any]:
        return [self._app.noop.delay(payload) for payload in payloads]

    def holders(self) -> list[int]:
        return [self._redis.pid]


SYSTEM = Celery
