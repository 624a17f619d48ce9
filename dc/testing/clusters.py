"""For authors of plugins: a real server with real workers, for the length of a test.

Each is a process of its own, as a user would start it, on this computer's loopback address and with
its data in a temporary folder. Nothing of it is left afterwards.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Unpack

import trio

from dc.client.options import JobOptions
from dc.client.trio_client import AsyncClient
from dc.client.trio_job import AsyncJob
from dc.errors import StartError
from dc.plugins import load_plugins

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.01
LOG_CHARS: Final = 2000  # of the end of each log that an error shows


class Cluster:
    """A server and its workers while a test runs. Made by `cluster`.

    Attributes:
        folder: where everything is that they write.
        url: the server's address, as for `dc.Client`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start_server(self, plugins: Sequence[Path], options: Sequence[str]) -> None:
        """Start the server; `url` is its address on return.

        Raises:
            StartError: it does not come up; the text has its log.
        """
        where = ["--listen", "127.0.0.1:0", "--data", str(self.folder / "server-data")]
        folders = [part for folder in plugins for part in ("--plugins", str(folder))]
        self._start("server", ["dc.server", *where, *folders, *options])
        self._wait("server", lambda: self._written("server").endswith("\n"))
        self.url = self._written("server").strip()

    def start_worker(self, name: str, options: Sequence[str]) -> None:
        """Start a worker, which has no plugins of its own; it has not connected yet on return."""
        where = ["--name", name, "--data", str(self.folder / f"{name}-data"), "--spares", "0"]
        self._start(name, ["dc.worker", self.url, *where, *options])

    def wait_connected(self, name: str) -> None:
        """Wait until a worker has connected.

        Raises:
            StartError: it does not; the text has its log.
        """
        self._wait(name, lambda: name in self._connected())

    def log(self) -> str:
        """Return the ends of what server and workers have logged so far."""
        logs = ((name, self.folder / f"{name}.log") for name in self._processes)
        return "\n".join(f"--- {name}:\n{path.read_text()[-LOG_CHARS:]}" for name, path in logs)

    def close(self) -> None:
        """End all processes, the workers first, and wait until they are gone."""
        for process in reversed(self._processes.values()):
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, name: str, arguments: Sequence[str]) -> None:
        with (
            (self.folder / f"{name}.out").open("wb") as out,
            (self.folder / f"{name}.log").open("wb") as log,
        ):
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the test, which ends them in order
            )

    def _written(self, name: str) -> str:
        return (self.folder / f"{name}.out").read_text()

    def _connected(self) -> set[str]:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/api/workers")
            answer = json.loads(connection.getresponse().read())
        return {one["name"] for one in answer["workers"]}

    def _wait(self, name: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            if self._processes[name].poll() is not None:
                raise StartError(f"the {name} of the test has ended:\n{self.log()}")
            if time.monotonic() > deadline:
                raise StartError(f"the {name} of the test does not come up:\n{self.log()}")
            time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def cluster(
    *plugins: Path,
    workers: int = 1,
    slots: int = 1,
    server_options: Sequence[str] = (),
    worker_options: Sequence[str] = (),
) -> Iterator[Cluster]:
    """Run a server and workers for a `with` block.

    The server has the plugins; the workers get them from it.

    Args:
        plugins: folders of plugins, as given to the server by `--plugins`.
        workers: how many, named `worker-1` and so on.
        slots: of each worker.
        server_options: further ones of `python -m dc.server`.
        worker_options: further ones of `python -m dc.worker`.

    Yields:
        The cluster: `dc.Client(cluster.url)` talks to it.

    Raises:
        StartError: one of them does not come up; the text has what it says.
    """
    names = [f"worker-{number}" for number in range(1, workers + 1)]
    with (
        TemporaryDirectory(prefix="dc-testing-", ignore_cleanup_errors=True) as folder,
        contextlib.closing(Cluster(Path(folder))) as found,
    ):
        found.start_server(plugins, server_options)
        for name in names:
            found.start_worker(name, ["--slots", str(slots), *worker_options])
        for name in names:
            found.wait_connected(name)
        yield found


def run_in_cluster(
    folder: Path,
    name: str,
    payloads: Iterable[Any],
    /,
    *,
    version: str = "",
    slots: int = 1,
    within: float = 60.0,
    **options: Unpack[JobOptions],
) -> list[Any]:
    """Run a job on a real server with a real worker, which gets the plugin from it.

    Args:
        folder: the plugin's folder, as given to `--plugins`.
        name: the task type's name.
        payloads: values, or anything else that `submit` takes.
        version: of the task type; the newest if empty.
        slots: of the worker.
        within: seconds that the job may take, without the start of server and worker.
        options: of the job, as in JobOptions.

    Returns:
        The results, in the order of the payloads.

    Raises:
        TaskFailed: a task failed.
        UnknownTaskType: the folder has no such type, or is broken; the text says why.
        TimeoutError: it took longer; the text says what the job waits for, and has the logs.
        StartError: server or worker do not come up; the text has what they say.
    """
    load_plugins([folder], entry_points=False).get(name, version)  # before anything is started
    with cluster(folder, slots=slots) as found:
        job = _Job(found, folder, within)
        return trio.run(partial(job.run, name, payloads, version, **options))


class _Job:
    """One job on a cluster, and how long it may take."""

    def __init__(self, cluster: Cluster, folder: Path, within: float) -> None:
        self._cluster = cluster
        self._folder = folder
        self._within = within

    async def run(
        self, name: str, payloads: Iterable[Any], version: str, /, **options: Unpack[JobOptions]
    ) -> list[Any]:
        async with AsyncClient(self._cluster.url, [self._folder]) as client:
            job: AsyncJob | None = None
            with trio.move_on_after(self._within):
                job = await client.submit(name, payloads, version=version, **options)
                return [result async for result in job.results()]
            raise TimeoutError(await self._late(client, job))

    async def _late(self, client: AsyncClient, job: AsyncJob | None) -> str:
        late = f"not done within {self._within:g} s"
        if job is None:
            return f"{late}: the job was not submitted by then\n{self._cluster.log()}"
        why = (await client.get(f"/api/jobs/{job.number}"))["why"]
        return f"{late}: {why or 'its tasks run'}\n{self._cluster.log()}"
