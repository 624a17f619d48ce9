"""Parsl: the HighThroughputExecutor with two workers on this computer."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

from benchmarks.peers.systems import tasks
from benchmarks.peers.systems.base import System

PREFETCH = 64


class Parsl(System):
    configuration = (
        "HighThroughputExecutor on 127.0.0.1, two workers, `prefetch_capacity=64`, not encrypted; "
        "no caching, no strategy, no usage tracking, `initialize_logging=False`"
    )
    durability = "none: all in memory"

    _kernel: Any

    def versions(self) -> dict[str, str]:
        return {"parsl": parsl.__version__}

    def start(self, *, workers: bool = True) -> None:
        bin_folder = str(Path(sys.executable).parent)  # it starts its programs by name
        os.environ["PATH"] = f"{bin_folder}:{os.environ['PATH']}"
        executor = HighThroughputExecutor(
            label="bench",
            address="127.0.0.1",
            max_workers_per_node=2,
            cores_per_worker=0.5,
            prefetch_capacity=PREFETCH,
            encrypted=False,
            provider=LocalProvider(init_blocks=int(workers), max_blocks=int(workers), min_blocks=0),
        )
        config = Config(
            executors=[executor],
            strategy="none",
            run_dir=str(self.folder / "runinfo"),
            initialize_logging=False,
            usage_tracking=0,
        )
        self._executor = executor
        self._kernel = parsl.load(config)
        self._apps = {
            name: parsl.python_app(getattr(tasks, name), cache=False) for name in ("noop", "nap")
        }

    def run(self, task: str, payloads: Iterator[bytes]) -> Iterator[bytes]:
        app = self._apps[task]
        futures = [app(payload) for payload in payloads]
        return (future.result() for future in futures)

    def queue(self, payloads: Iterator[bytes]) -> list[Future[bytes]]:
        futures = [self._apps["noop"](payload) for payload in payloads]
        self.until("tasks are out", lambda: self._executor.outstanding() >= len(futures))
        return futures

    def holders(self) -> list[int]:
        return [self._executor.interchange_proc.pid]

    def stop(self) -> None:
        if hasattr(self, "_kernel"):
            self._kernel.cleanup()
            parsl.clear()


SYSTEM = Parsl
