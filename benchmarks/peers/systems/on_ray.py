"""Ray: one node with two processors, in a network namespace of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import ray

from benchmarks.peers.systems import tasks
from benchmarks.peers.systems.base import System

STORE_BYTES = 1 << 30
WAIT = 1000


class Ray(System):
    configuration = (
        "`ray.init(num_cpus=2)` without dashboard, a task for each payload, `ray.get` by 1,000; it "
        "listens on all addresses, so it runs in a network namespace that has loopback only"
    )
    durability = "none: the object store is shared memory"
    least = 500

    def versions(self) -> dict[str, str]:
        return {"ray": str(ray.__version__)}

    def start(self, *, workers: bool = True) -> None:
        os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS="0")
        # A socket's path may have 107 bytes, so its files are not in this system's folder.
        self._files = tempfile.TemporaryDirectory(prefix="dcb-", ignore_cleanup_errors=True)
        ray.init(
            num_cpus=2 if workers else 0,
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            log_to_driver=False,
            logging_level="ERROR",
            _node_ip_address="127.0.0.1",
            _temp_dir=self._files.name,
        )
        self._tasks: dict[str, Any] = {
            name: ray.remote(getattr(tasks, name)) for name in ("noop", "nap", "noops")
        }

    def run(self, task: str, payloads: Iterator[bytes]) -> Iterator[bytes]:
        function = self._tasks[task]
        left = [function.remote(payload) for payload in payloads]
        for at in range(0, len(left), WAIT):
            yield from ray.get(left[at : at + WAIT])

    def queue(self, payloads: Iterator[bytes]) -> list[Any]:
        return [self._tasks["noop"].remote(payload) for payload in payloads]

    def holders(self) -> list[int]:
        return []  # in Ray it is the client that keeps its tasks until a worker takes them

    def stop(self) -> None:
        ray.shutdown()
        if hasattr(self, "_files"):
            self._files.cleanup()


SYSTEM = Ray
