"""HyperQueue: its LocalCluster, a server and two workers in this process; a task is a program."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr
from typing import Any

import hyperqueue
from hyperqueue.cluster import WorkerConfig

from benchmarks.peers.systems.base import NotOffered, System


class HyperQueue(System):
    configuration = (
        "LocalCluster (server, two workers of one core and client in one process); each task "
        "is the program `true` or `sleep`: it sends no bytes back, so a result is its exit "
        "status; its Python API looks for the end of a job once a second; it listens on all "
        "addresses, so it runs in a network namespace that has loopback only"
    )
    least = 4000  # so that a second more or less does not decide
    durability = "none: without a journal"

    _cluster: Any
    _client: Any

    def versions(self) -> dict[str, str]:
        return {"hyperqueue": str(hyperqueue.get_version())}

    def start(self, *, workers: bool = True) -> None:
        self._cluster = hyperqueue.LocalCluster(str(self.folder / "server"))
        for _ in range(2 if workers else 0):
            self._cluster.start_worker(WorkerConfig(cores=1))
        self._client = self._cluster.client()

    def run(self, task: str, payloads: Iterator[bytes]) -> Iterator[bytes]:
        given = list(payloads)
        job = self._submit(task, given)
        with redirect_stderr(io.StringIO()):  # a progress bar
            if not self._client.wait_for_jobs([job]):
                raise RuntimeError("tasks failed")
        self._client.forget(job)
        return iter(given)

    def one(self, payload: bytes) -> bytes:
        if len(payload) > 1000:
            raise NotOffered("no payload goes back")
        return super().one(payload)

    def queue(self, payloads: Iterator[bytes]) -> object:
        return self._submit("noop", list(payloads))

    def _submit(self, task: str, payloads: list[bytes]) -> Any:
        job = hyperqueue.Job(default_workdir=self.folder)
        for payload in payloads:
            nap = ["sleep", payload.split(b" ", 1)[0].decode()] if task == "nap" else ["true"]
            job.program(nap, stdout=None, stderr=None)
        return self._client.submit(job)

    def stop(self) -> None:
        if hasattr(self, "_cluster"):
            self._cluster.stop()


SYSTEM = HyperQueue
