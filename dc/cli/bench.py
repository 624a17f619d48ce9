"""The command that measures a server with its workers: rate, latency, large payloads.

Every result is compared with its payload. When the time is over, the job that runs is cancelled,
and what was measured until then is shown; Ctrl-C cancels it too. Nothing stays behind but a few
ended jobs: the single tasks are all of one.
"""

from __future__ import annotations

import os
import statistics
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from time import perf_counter
from typing import Any, Final, Self

from dc.cli.screen import Screen
from dc.client.open_job import OpenJob
from dc.client.plain_client import Client
from dc.client.plain_job import Job
from dc.errors import DcError, JobCancelled, PluginError, StartError, UnknownTaskType

DONE, NOT_ALL_DONE = 0, 1  # exit statuses
PAYLOAD_BYTES: Final = 64
SINGLES: Final = 200  # single tasks, unless a quarter of the time is over before
PROBE_TASKS: Final = 2000  # by which it is seen how many tasks make a run
MOST_TASKS: Final = 2_000_000
HOW: Final = (
    "start the server and its workers with --plugins plugins/bench, which has noop, or name with "
    "--type a type that gives bytes back as they came"
)


def bench(args: Namespace, client: Client, screen: Screen) -> int:
    """Measure, and print what came out."""
    able = _able(client, args.type)
    figures: dict[str, Any] = {"server": client.url, "type": args.type}
    before = _done(client)
    with _Timed(client, args.type, args.seconds) as timed, suppress(JobCancelled):
        figures.update(_latency(timed))
        figures.update(_throughput(timed, args.tasks))
        figures.update(_transfer(timed, args.size))
    complete = "mb_per_second" in figures
    after = _done(client)
    part = [name for name in able if after.get(name, 0) > before.get(name, 0)]
    figures.update(workers=len(part), slots=sum(able[name] for name in part))
    figures.update(workers_able=len(able), complete=complete)
    if args.json:
        screen.json(figures)
    else:
        _show(screen, figures)
    if complete:
        return DONE
    why = (
        f"not in {args.seconds:g} s: give it more by --seconds"
        if timed.over
        else "its job was cancelled"
    )
    screen.note(f"not all was measured: {why}")
    return NOT_ALL_DONE


class _Timed:
    """Runs jobs until the time is over: then, and when it is left early, it cancels what runs.

    Args:
        client: that submits.
        kind: the task type.
        seconds: for everything.
    """

    def __init__(self, client: Client, kind: str, seconds: float) -> None:
        self.over = False
        self.seconds = seconds
        self._client = client
        self._kind = kind
        self._job: Job | OpenJob | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        if kind is not None:
            self._cancel()

    def run(self, payloads: Iterator[bytes]) -> Iterator[bytes]:
        """Run a job; yield its results as they come.

        Raises:
            JobCancelled: the time is over.
        """
        job = self._client.submit(self._kind, payloads, name="bench")
        with self._following(job):
            yield from job.results(ordered=False, large="value")

    @contextmanager
    def singles(self) -> Iterator[Callable[[bytes], bytes]]:
        """Begin a job; give a function that runs one task of it, and ends with its result.

        Raises:
            JobCancelled: the time is over.
        """
        with self._client.open(self._kind, name="bench") as job, self._following(job):
            yield partial(self._single, job)

    def _single(self, job: OpenJob, payload: bytes) -> bytes:
        try:
            return job.submit(payload).result()  # type: ignore[no-any-return]
        except RuntimeError:
            if self.over:  # it was cancelled between two tasks
                raise JobCancelled("the time is over") from None
            raise

    @contextmanager
    def _following(self, job: Job | OpenJob) -> Iterator[None]:
        with self._lock:
            self._job = job
        if self.over:
            self._cancel()
        yield
        with self._lock:
            self._job = None

    def _end(self) -> None:
        self.over = True
        self._cancel()

    def _cancel(self) -> None:
        with self._lock:
            job = self._job
        if job is not None:
            with suppress(DcError, RuntimeError):  # the server, or the client, is gone
                job.cancel()


def _able(client: Client, kind: str) -> dict[str, int]:
    """Return the workers that can run a type, with their slots.

    Raises:
        UnknownTaskType: the server has no such type.
        PluginError: the type takes or gives no plain bytes.
        StartError: no worker has it.
    """
    found = [one for one in client.get("/api/types")["types"] if one["name"] == kind]
    if not found:
        raise UnknownTaskType(f"the server has no task type {kind!r}: {HOW}")
    if (found[-1]["payload"], found[-1]["result"]) != ("bytes", "bytes"):
        raise PluginError(f"task type {kind!r} does not take and give bytes: {HOW}")
    able = {
        str(worker["name"]): int(worker["slots"])
        for worker in client.get("/api/workers")["workers"]
        if worker["state"] == "connected" and _has(worker, kind)
    }
    if not able:
        raise StartError(f"no connected worker has task type {kind!r}: {HOW}")
    return able


def _has(worker: Mapping[str, Any], kind: str) -> bool:
    """Whether a worker has a type itself, or gets what nobody need have signed."""
    own = any(one["name"] == kind for one in worker["types"])
    return own or bool(worker.get("takes_plugins") and not worker.get("trusts"))


def _done(client: Client) -> dict[str, int]:
    workers = client.get("/api/workers")["workers"]
    return {one["name"]: one["done"] for one in workers if one["state"] != "gone"}


def _latency(timed: _Timed) -> dict[str, Any]:
    times: list[float] = []
    end = perf_counter() + timed.seconds / 4
    with timed.singles() as single:
        while len(times) < SINGLES and (len(times) < 2 or perf_counter() < end):
            payload = os.urandom(PAYLOAD_BYTES)
            started = perf_counter()
            _check(single(payload) == payload)
            times.append(perf_counter() - started)
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3, "singles": len(times)}


def _throughput(timed: _Timed, tasks: int | None) -> dict[str, Any]:
    if tasks is None:
        took = _noops(timed, PROBE_TASKS)
        tasks = min(max(PROBE_TASKS, int(PROBE_TASKS / took * timed.seconds / 4)), MOST_TASKS)
    took = _noops(timed, tasks)
    return {"tasks": tasks, "seconds": took, "tasks_per_second": tasks / took}


def _noops(timed: _Timed, count: int) -> float:
    """Run so many tasks, each with another payload; return the seconds it took."""
    started = perf_counter()
    seen = bytearray(count)
    for result in timed.run(n.to_bytes(PAYLOAD_BYTES, "little") for n in range(count)):
        number = int.from_bytes(result, "little")
        _check(len(result) == PAYLOAD_BYTES and number < count)
        seen[number] = 1
    took = perf_counter() - started
    _check(seen.count(1) == count)
    return took


def _transfer(timed: _Timed, size: int) -> dict[str, Any]:
    payload = os.urandom(size)
    started = perf_counter()
    results = list(timed.run(iter([payload])))
    took = perf_counter() - started
    _check(results == [payload])
    return {"large_bytes": size, "mb_per_second": 2 * size / took / 1e6}


def _check(right: bool) -> None:
    if not right:
        raise PluginError(f"a result is not its payload: {HOW}")


def _show(screen: Screen, figures: dict[str, Any]) -> None:
    took_part = f"{figures['workers']} of {figures['workers_able']} took part"
    rows = [("server", figures["server"]), ("workers", f"{took_part}, {figures['slots']} slots")]
    if "p50_ms" in figures:
        times = f"p50 {figures['p50_ms']:.3g} ms, p99 {figures['p99_ms']:.3g} ms"
        rows.append(("one task", f"{times}, of {figures['singles']}"))
    if "tasks_per_second" in figures:
        rate = f"{figures['tasks_per_second']:,.0f} tasks/s"
        rows.append(("no-ops", f"{rate}, {figures['tasks']:,} in {figures['seconds']:.1f} s"))
    if "mb_per_second" in figures:
        speed = f"{figures['mb_per_second']:,.0f} MB/s"
        size = f"{figures['large_bytes'] / 1e6:,.3g} MB"
        rows.append(("large", f"{speed}, {size} there and back"))
    screen.fields(rows)
