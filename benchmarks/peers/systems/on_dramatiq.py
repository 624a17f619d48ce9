"""Dramatiq on Redis: two processes of one thread."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

import dramatiq

from benchmarks.peers.systems.base import System, program
from benchmarks.peers.systems.redis_server import DURABILITY, RedisServer

APP = "benchmarks.peers.systems.dramatiq_app"
WAIT_MS = 110_000
"""For which a client waits for a result."""


class Dramatiq(System):
    configuration = (
        "`dramatiq --processes 2 --threads 1`, `dramatiq_queue_prefetch=8` (fastest of 2, 8, "
        "32, 128); PickleEncoder, as JSON has no bytes; results in Redis, "
        "`group(…).run().get_results(block=True)`"
    )
    durability = DURABILITY

    _redis: RedisServer
    _app: Any

    def versions(self) -> dict[str, str]:
        return {"dramatiq": dramatiq.__version__, "Redis": self._redis.version}

    def start(self, *, workers: bool = True) -> None:
        self._redis = RedisServer(self)
        os.environ["BENCH_REDIS"] = self._redis.url
        os.environ["dramatiq_queue_prefetch"] = "8"  # noqa: SIM112  # so it is called
        self._app = importlib.import_module(APP)
        if not workers:
            return
        self.launch(program("dramatiq"), "--processes", "2", "--threads", "1", APP)
        log = self.folder / "log-1.txt"
        ready = b"is ready for action"
        self.until("Dramatiq's processes are ready", lambda: log.read_bytes().count(ready) >= 2)

    def run(self, task: str, payloads: Iterator[bytes]) -> Iterator[bytes]:
        actor = getattr(self._app, task)
        group = dramatiq.group([actor.message(payload) for payload in payloads]).run()
        results: Iterator[bytes] = group.get_results(block=True, timeout=WAIT_MS)
        return results

    def one(self, payload: bytes) -> bytes:
        message = self._app.noop.send(payload)
        result: bytes = message.get_result(block=True, timeout=WAIT_MS)
        return result

    def queue(self, payloads: Iterator[bytes]) -> list[Any]:
        return [self._app.noop.send(payload) for payload in payloads]

    def holders(self) -> list[int]:
        return [self._redis.pid]


SYSTEM = Dramatiq
