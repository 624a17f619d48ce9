"""dc: a server, two workers of one slot, the plain client."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import dc
from benchmarks.peers.systems.base import NotOffered, System, folder_bytes

PLUGIN = """\
import dc
from benchmarks.peers.systems import tasks

noop = dc.task_type(tasks.noop)
nap = dc.task_type(tasks.nap)
"""


class Dc(System):
    configuration = (
        "a server and two workers of one slot, with their defaults; `client.submit` over a "
        "generator and `results(ordered=False)`; for one call and future each, `client.open` "
        "and `job.submit`"
    )
    durability = "full: what is acknowledged is on disk, by fdatasync before the acknowledgement"
    least = 1_000_000
    settle = 12.0  # the server gives memory back when it has been quiet for a while

    address: str
    _client: dc.Client
    _ready = 0.0

    def versions(self) -> dict[str, str]:
        return {"dc": str(self._client.get("/api/status")["version"])}

    def start(self, *, workers: bool = True) -> None:
        self._stack = contextlib.ExitStack()
        plugins = self.folder / "plugins"
        plugins.mkdir()
        (plugins / "bench_tasks.py").write_text(PLUGIN, "utf-8")
        begun = time.perf_counter()
        self.address = self._serve(str(plugins))
        self._ready = time.perf_counter() - begun
        for number in range(2 if workers else 0):
            own = "--slots", "1", "--name", f"w{number}", "--data", str(self.folder / f"w{number}")
            self._program("dc.worker", self.address, *own, "--plugins", str(plugins))
        self._client = self._stack.enter_context(dc.Client(self.address))

    def _serve(self, plugins: str) -> str:
        where = "--listen", "127.0.0.1:0", "--data", str(self.folder / "data")
        self._program("dc.server", *where, "--plugins", plugins)
        log = self.folder / "log-0.txt"
        self.until("the server serves", lambda: b"http://" in log.read_bytes())
        said = next(line for line in log.read_text().splitlines() if line.startswith("http"))
        return said.strip()

    def _program(self, module: str, *arguments: str) -> Any:
        return self.launch(sys.executable, "-m", module, *arguments)

    def run(self, task: str, payloads: Iterator[bytes]) -> Iterator[bytes]:
        return self._client.submit(task, payloads).results(ordered=False, large="value")

    def futures(self, payloads: Iterator[bytes]) -> Iterator[bytes]:
        if not hasattr(self._client, "open"):
            raise NotOffered("this version has no open jobs")
        with self._client.open("noop") as job:
            futures: list[Future[bytes]] = [job.submit(payload) for payload in payloads]
            for future in futures:
                yield future.result()

    def latencies(self) -> dict[str, Callable[[bytes], bytes]]:
        if not hasattr(self._client, "open"):
            return {}
        job = self._stack.enter_context(self._client.open("noop"))

        def one(payload: bytes) -> bytes:
            result: bytes = job.submit(payload).result()
            return result

        return {"in one open job": one}

    def queue(self, payloads: Iterator[bytes]) -> object:
        return self._client.submit("noop", payloads)

    def holders(self) -> list[int]:
        return [self.programs[0].pid]

    def disk(self) -> int:
        return folder_bytes(self.folder / "data")

    def ready_seconds(self) -> float:
        return self._ready

    def stop(self) -> None:
        if hasattr(self, "_stack"):
            self._stack.close()
        super().stop()


SYSTEM = Dc
