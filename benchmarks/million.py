"""Times every list and page of a server that has ten million tasks in its store.

    python -m benchmarks.million [--tasks N] [--jobs N] [--unfinished N] [--requests N]
                                 [--folder DIR]

Makes a data folder of finished jobs and of one that has a million tasks to go, by the store's own
commits; a folder that was made before is taken as it is. Then starts a real server on it, and asks
for each path again and again over one connection. Prints a table of milliseconds, and ends with
status 1 if a path has missed its goal, which is for 99 of 100 requests: 50 ms for what the API
answers, 300 ms for a page.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import trio
from msgspec import Struct

from benchmarks.path import PLUGIN, end, memory_kib
from dc.messages_client import Options
from dc.messages_parts import Failure, Outcome
from dc.records import JobEnded, JobNumbers, NewJob, NewTasks, Outcomes, Record, WorkerRow, Workers
from dc.store import Store
from dc.store_sqlite import open_store

COMMIT = 20_000
BATCH = 1_000
PAYLOAD = b"x" * 64
FAILS_EVERY = 1_000
WORKERS = 50
API_MS = 50.0
PAGE_MS = 300.0
SETTLE_SECONDS = 600.0
LOOK_SECONDS = 2.0
IDLE_SHARE = 0.05
"""Of a processor: below it a server is taken to have nothing to do."""

API = (
    "/api/jobs?limit=50&state=running,queued,paused",
    "/api/status",
    "/api/overview",
    "/api/jobs?limit=50",
    "/api/jobs?limit=200&state=done",
    "/api/jobs?limit=50&state=failed&sort=finished&order=asc",
    "/api/jobs?limit=50&search=7",
    "/api/jobs?limit=50&type=noop&sort=name",
    "/api/jobs/{big}",
    "/api/jobs/{old}",
    "/api/jobs/{big}/figures",
    "/api/jobs/{old}/figures",
    "/api/jobs/{old}/timeline",
    "/api/jobs/{old}/timeline?steps=400",
    "/api/jobs/{big}/tasks?limit=100",
    "/api/jobs/{old}/tasks?limit=100",
    "/api/jobs/{old}/tasks?limit=100&first={last}",
    "/api/jobs/{old}/tasks?limit=100&state=failed",
    "/api/jobs/{old}/tasks?limit=50&state=failed",
    "/api/jobs/{big}/tasks?limit=100&state=unfinished",
    "/api/jobs/{big}/tasks/{middle}",
    "/api/jobs/{old}/tasks/{middle}",
    "/api/jobs/{old}/tasks/{last}",
    "/api/jobs/{old}/tasks/{last}/output",
    "/api/workers?limit=100",
    "/api/workers?limit=50&sort=name&order=desc",
    "/api/events?limit=100",
    "/api/history",
    "/api/history?points=1000",
    "/api/workers/desk-7",
    "/api/worker-history/desk-7",
    "/api/events?limit=50&kind=job.finished&search=survey",
    "/api/settings",
    "/api/types",
    "/api/plugins",
    "/api/submitters",
    "/api/openapi.json",
    "/metrics",
)
"""What is asked for; a path that a server does not have is said to be not there."""

PAGES = (
    "/",
    "/jobs",
    "/jobs/{big}",
    "/jobs/{old}",
    "/jobs/{old}/tasks/{last}",
    "/workers",
    "/events",
)


class Shape(Struct, frozen=True):
    """What the store is to have: so many tasks in so many jobs, the last of them unfinished."""

    tasks: int
    jobs: int
    unfinished: int

    @property
    def each(self) -> int:
        """Tasks of a finished job."""
        return (self.tasks - self.unfinished) // (self.jobs - 1)

    def paths(self, templates: tuple[str, ...]) -> list[str]:
        """Return paths with the numbers of jobs and tasks in them."""
        names = {"big": self.jobs, "old": self.jobs // 2 or 1}
        tasks = {"last": self.each - 1, "middle": min(self.each, self.unfinished) // 2}
        return [one.format(**names, **tasks) for one in templates]


class Timed(Struct, frozen=True):
    """How long requests of a path took, in milliseconds; `status` of HTTP, `size` in bytes.

    `own` is the server's processor time for each: what other programs do counts in the others.
    """

    path: str
    status: int
    size: int
    own: float
    half: float
    most: float
    goal: float

    @property
    def is_there(self) -> bool:
        """Whether the server has such a path."""
        return self.status not in (404, 405, 400)

    @property
    def verdict(self) -> str:
        """One word on it."""
        if not self.is_there:
            return "not there"
        if self.status != 200:
            return f"status {self.status}"
        return "ok" if self.most <= self.goal else "TOO SLOW"


# --- the data folder ----------------------------------------------------------------------------


async def fill(data: Path, shape: Shape) -> None:
    """Make the store."""
    store = await open_store(data)
    try:
        now = time.time()
        await store.commit([JobNumbers(shape.jobs + 1)])
        rows = [WorkerRow(f"{n:032x}", f"desk-{n}", "run", now) for n in range(WORKERS)]
        await store.commit([Workers(rows, [])])
        sequence = 1
        for job in range(1, shape.jobs + 1):
            count = shape.each if job < shape.jobs else shape.unfinished
            began = now - (shape.jobs - job + 1) * 600
            sequence = await _add(store, job, count, began, sequence, done=job < shape.jobs)
            print(f"\rjob {job} of {shape.jobs}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    finally:
        await store.aclose()


async def _add(
    store: Store, job: int, count: int, began: float, sequence: int, *, done: bool
) -> int:
    """Add a job; return the next sequence."""
    options = Options(name=f"survey {job}", submitter=f"user-{job % 5}")
    await store.commit([NewJob(job, "noop", "1", options, "bytes", "bytes", began)])
    for first in range(0, count, COMMIT):
        starts = range(first, min(first + COMMIT, count), BATCH)
        new = [NewTasks(job, at, [PAYLOAD] * min(BATCH, count - at)) for at in starts]
        await store.commit(new)
    await store.commit([JobEnded(job, count, began + 1)])
    for first in range(0, count if done else 0, COMMIT):
        records: list[Record] = []
        for start in range(first, min(first + COMMIT, count), BATCH):
            records.append(_outcomes(sequence, job, start, min(BATCH, count - start), began))
            sequence += 1
        await store.commit(records)
    return sequence


def _outcomes(sequence: int, job: int, start: int, count: int, began: float) -> Outcomes:
    numbers = list(range(start, start + count))
    failure = Failure("error", "ValueError: it was to fail", "Traceback …")
    outcomes: list[Outcome] = [PAYLOAD if n % FAILS_EVERY else failure for n in numbers]
    at = began + 2 + start / 2_000
    worker = f"desk-{sequence % WORKERS}"
    return Outcomes(sequence, job, worker, at, numbers, [1] * count, [0.02] * count, outcomes)


# --- asking -------------------------------------------------------------------------------------


def ask(connection: http.client.HTTPConnection, path: str, kind: str) -> tuple[int, int, float]:
    """Return the status, the size of the answer and the milliseconds of a request."""
    began = time.perf_counter()
    connection.request("GET", path, headers={"Accept": kind})
    answer = connection.getresponse()
    size = len(answer.read())
    return answer.status, size, (time.perf_counter() - began) * 1e3


def processor_ms(pid: int) -> float:
    """Return the milliseconds that a process has run, all its threads; 0 where that is not told."""
    found = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in found) / 1e6


def measure(server: tuple[str, int], path: str, goal: float, requests: int) -> Timed:
    """Ask for a path so many times."""
    kind = "text/html" if goal == PAGE_MS else "*/*"
    address, pid = server
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    with contextlib.closing(connection):
        began = processor_ms(pid)
        asked = [ask(connection, path, kind) for _ in range(requests)]
    own = (processor_ms(pid) - began) / requests
    times = sorted(took for *_, took in asked)
    most = times[min(len(times) - 1, int(len(times) * 0.99))]
    return Timed(path, *asked[-1][:2], own, statistics.median(times), most, goal)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """Start a server on the data; give its address and process id."""
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "noop.py").write_text(PLUGIN, "utf-8")
    # Jobs stay however old they are: they were made old.
    options = ["--keep-days", "0", "--keep-jobs", "0", "--plugins", str(plugins)]
    command = [sys.executable, "-m", "dc.server", "--listen", "127.0.0.1:0", *options]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [*command, "--data", str(folder / "data")],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise SystemExit(f"the server does not start: {(folder / 'log.txt').read_text()}")
            yield address, process.pid
        finally:
            end(process)


def settle(pid: int) -> float:
    """Wait until a server has done what it does after its start; return the seconds."""
    began = time.perf_counter()
    before = processor_ms(pid)
    while time.perf_counter() - began < SETTLE_SECONDS:
        time.sleep(LOOK_SECONDS)
        now = processor_ms(pid)
        if now - before < 1e3 * LOOK_SECONDS * IDLE_SHARE:
            break
        before = now
    return time.perf_counter() - began


def table(rows: list[Timed]) -> str:
    """Return what was measured, a line for each path."""
    lines = [f"{'path':<58}{'bytes':>9}{'own ms':>9}{'half ms':>9}{'99 % ms':>9}{'goal':>6}  "]
    for one in rows:
        figures = f"{one.size:>9,}{one.own:>9.2f}{one.half:>9.1f}{one.most:>9.1f}{one.goal:>6.0f}"
        lines.append(f"{one.path:<58}{figures}  {one.verdict}")
    return "\n".join(lines)


def run(folder: Path, shape: Shape, requests: int) -> int:
    """Make the data if need be, measure, and print it; return the exit status."""
    data = folder / "data"
    if not data.exists():
        began = time.perf_counter()
        trio.run(fill, data, shape)
        size = sum(one.stat().st_size for one in data.iterdir() if one.is_file())
        print(f"{shape.tasks:,} tasks in {time.perf_counter() - began:.0f} s, {size:,} bytes")
    began = time.perf_counter()
    with serving(folder) as server:
        print(f"the server serves after {time.perf_counter() - began:.1f} s")
        print(f"and has settled after another {settle(server[1]):.1f} s", flush=True)
        rows = [measure(server, path, API_MS, requests) for path in shape.paths(API)]
        rows += [measure(server, path, PAGE_MS, requests) for path in shape.paths(PAGES)]
        memory = memory_kib(server[1])
    print(table(rows))
    print(f"resident memory of the server: {memory / 1024:.0f} MiB")
    return any(one.is_there and one.verdict != "ok" for one in rows)


def main() -> int:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000_000)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--unfinished", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="where the data is, or is to stay")
    args = parser.parse_args()
    shape = Shape(args.tasks, args.jobs, args.unfinished)
    if args.folder is not None:
        args.folder.mkdir(parents=True, exist_ok=True)
        return run(args.folder, shape, args.requests)
    with tempfile.TemporaryDirectory(prefix="dc-million-") as folder:
        return run(Path(folder), shape, args.requests)


if __name__ == "__main__":
    sys.exit(main())
