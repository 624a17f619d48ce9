"""Drives one system through its measurements, in that system's own environment.

    python -m benchmarks.peers.systems.drive NAME

The first line of standard input is the plan, as JSON. Each line of standard output is one event, as
JSON; after `started` it waits for a line, so that it can be looked at what listens where. What the
system itself prints goes to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.peers.systems import measures
from benchmarks.peers.systems.base import NotOffered, System
from benchmarks.peers.systems.loopback import bring_up
from benchmarks.peers.systems.measures import Figures

STOP_SECONDS = 20.0
START_SECONDS = 75.0


class OutOfTime(BaseException):
    """A measurement took longer than it may. No library that catches errors may catch this."""


class Driver:
    """One system on its way through a plan.

    Args:
        plan: what to do: `folder`, `measures`, `queue`, `seconds`, `limit`, `spawned`.
        kind: the system's class.
        tell: writes an event.
    """

    def __init__(self, plan: dict[str, Any], kind: type[System], tell: Callable[..., None]) -> None:
        self._plan = plan
        self._kind = kind
        self._tell = tell
        self._folders = 0
        self._system = self._fresh()
        self._rate = 0.0

    def _fresh(self) -> System:
        folder = Path(self._plan["folder"]) / f"{self._folders}"
        folder.mkdir()
        self._folders += 1
        return self._kind(folder)

    def run(self) -> None:
        """Do what the plan says; the system is stopped whatever happens."""
        try:
            if self._plan["measures"]:
                self._session()
            for count in self._plan["queue"]:
                self._queue(count)
        finally:
            bounded(self._system.stop, STOP_SECONDS)

    def _session(self) -> None:
        self._start()
        self._measure("warm_up", partial(measures.warm_up, self._system))
        for name in self._plan["measures"]:
            getattr(self, "_" + name)()

    def _start(self) -> None:
        first = bounded(self._first_result, START_SECONDS)
        self._tell("figures", measure="start", figures=first)
        said = {"configuration": self._kind.configuration, "durability": self._kind.durability}
        self._tell("started", versions=self._system.versions(), **said)
        sys.stdin.readline()

    def _first_result(self) -> Figures:
        self._system.start()
        payload = b"1".ljust(measures.PAYLOAD_BYTES)
        if self._system.one(payload) != payload:
            raise measures.Wrong("the first result is not its payload")
        took = time.monotonic() - self._plan["spawned"]
        return {"first_result_s": took, "ready_s": self._system.ready_seconds()}

    def _latency(self) -> None:
        seconds = self._plan["seconds"] * 0.75
        self._measure("latency", lambda: measures.latency(self._system.one, seconds))
        for name, one in self._system.latencies().items():
            self._measure(f"latency {name}", partial(measures.latency, one, seconds))

    def _throughput(self) -> None:
        def noops(payloads: Any) -> Any:
            return self._system.run("noop", payloads)

        self._rated("throughput", noops)
        self._rated("futures", lambda payloads: self._system.futures(payloads), many=False)
        self._rated("chunked", lambda payloads: self._system.chunked(payloads), many=False)

    def _rated(self, name: str, way: measures.Way, *, many: bool = True) -> None:
        seconds = self._plan["seconds"]
        least = int(self._system.least * seconds / 4) if many else measures.WARM_UP
        figures = self._measure(name, lambda: measures.throughput(way, seconds, least))
        if name == "throughput":
            self._rate = figures.get("rate", 0.0)

    def _efficiency(self) -> None:
        seconds = self._plan["seconds"] * 0.6
        for nap in measures.NAPS:
            rate = self._rate or 100.0
            work = partial(measures.efficiency, self._system, nap, seconds, rate)
            self._measure(f"efficiency {nap * 1e3:g} ms", work)

    def _transfer(self) -> None:
        self._measure("transfer", lambda: measures.transfer(self._system))

    def _queue(self, count: int) -> None:
        name = f"queue {count}"
        self._renew(workers=False)
        if count == min(self._plan["queue"]):
            self._tell("started")
            sys.stdin.readline()
        figures = self._measure(name, lambda: measures.queued(self._system, count), renew=False)
        if figures.get("seconds", self._plan["limit"]) * 10 > self._plan["limit"]:
            self._plan["queue"][1:] = []  # ten times as many would take too long

    def _measure(self, name: str, work: Callable[[], Any], *, renew: bool = True) -> dict[str, Any]:
        """Do one measurement in bounded time; tell what came out."""
        figures: dict[str, Any] = {}
        try:
            figures = bounded(work, self._plan["limit"]) or {}
        except NotOffered as error:
            figures = {"not_offered": str(error)}
        except OutOfTime:
            figures = {"unfinished_s": self._plan["limit"]}
        except Exception as error:
            traceback.print_exc()
            figures = {"error": f"{type(error).__name__}: {error}"[:300]}
        self._tell("figures", measure=name, figures=figures)
        if renew and ("error" in figures or "unfinished_s" in figures):
            self._renew(workers=True)  # what is left of it must not disturb the next
        return figures

    def _renew(self, *, workers: bool) -> None:
        bounded(self._system.stop, STOP_SECONDS)
        self._system = self._fresh()
        bounded(partial(self._system.start, workers=workers), START_SECONDS)


def bounded(work: Callable[[], Any], seconds: float) -> Any:
    """Do some work, in this thread, for so many seconds at most.

    Raises:
        OutOfTime: it is not done by then.
    """

    def over(*_: object) -> None:
        raise OutOfTime(f"not done in {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    """Drive the system that is named."""
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(event: str, **said: Any) -> None:
        events.write(json.dumps({"event": event, **said}) + "\n")
        events.flush()

    plan = json.loads(sys.stdin.readline())
    if plan["own_network"]:
        bring_up()
    try:
        module = importlib.import_module(f"benchmarks.peers.systems.on_{sys.argv[1]}")
        Driver(plan, module.SYSTEM, tell).run()
    except (Exception, OutOfTime) as error:
        traceback.print_exc()
        tell("failed", error=f"{type(error).__name__}: {error}"[:300])
    tell("finished")
    os._exit(0)  # threads that a system left behind do not matter any more


if __name__ == "__main__":
    main()
