"""A fleet of unequal workers played by the test, and a naive oracle of what may run where.

The oracle knows of conditions by functions of its own, of amounts by adding numbers up, and of the
queue by what it has seen go out and come back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from dc.messages import Heartbeat, Hello
from dc.messages_worker import About, Assign, Done, Goodbye, TypeId
from dc.server.events import Received
from tests.server.harness import Harness

Numbers = dict[str, Fraction]


def number(value: str | None) -> int | None:
    return int(value) if value is not None and value.isdigit() else None


CONDITIONS: dict[str, Callable[[str | None], bool]] = {
    "linux": lambda value: value == "linux",
    "=linux|mac": lambda value: value in ("linux", "mac"),
    "!=mac": lambda value: value != "mac",
    ">=3": lambda value: (number(value) or 0) >= 3,
    ">1,<10": lambda value: 1 < (number(value) or 0) < 10,
}
"""What may be asked of a label, and what it means."""


@dataclass
class Choice:
    """One alternative of a job, with one cpu if it says nothing of cpus."""

    requires: dict[str, str]
    resources: Numbers

    @property
    def amounts(self) -> Numbers:
        said = {"cpus": Fraction(1), **self.resources}
        return {name: amount for name, amount in said.items() if amount or name == "cpus"}


@dataclass
class FleetJob:
    """A job: its alternatives with all that holds for each, and what became of its tasks."""

    number: int
    type: str
    priority: int
    choices: list[Choice]
    total: int
    done: set[int] = field(default_factory=set)


@dataclass
class Given:
    """An attempt that a worker holds."""

    job: int
    number: int
    attempt: int
    amounts: Numbers


@dataclass
class Sim:
    """A worker: what it has, what waits on it, what runs."""

    name: str
    peer: int
    slots: int
    types: list[str]
    labels: dict[str, str]
    has: Numbers
    away: bool = False
    sequence: int = 0
    waiting: list[Given] = field(default_factory=list)
    running: list[Given] = field(default_factory=list)

    @property
    def held(self) -> list[Given]:
        return self.running + self.waiting

    @property
    def free(self) -> Numbers:
        used = {name: Fraction(0) for name in self.has}
        for given in self.running:
            for name, amount in given.amounts.items():
                used[name] = used.get(name, Fraction(0)) + amount
        return {name: amount - used[name] for name, amount in self.has.items()}

    def lacks(self, choice: Choice) -> list[tuple[str, str]]:
        """Return (label or resource, condition or nothing) of what this worker has not."""
        lacking = [
            (label, condition)
            for label, condition in choice.requires.items()
            if not CONDITIONS[condition](self.labels.get(label))
        ]
        short = [n for n, a in choice.amounts.items() if self.has.get(n, Fraction(0)) < a]
        return lacking + [(name, "") for name in short]


class Fleet:
    """Workers and jobs on a harness, step by step."""

    def __init__(self) -> None:
        self.server = Harness()
        self.client = self.server.client()
        self.sims: dict[str, Sim] = {}
        self.jobs: dict[int, FleetJob] = {}
        self._names = 0

    # --- what happens ---------------------------------------------------------------------------

    def submit(self, type_: str, count: int, priority: int, choices: list[Choice]) -> None:
        common = Choice({}, {}) if len(choices) > 1 else choices[0]
        options: dict[str, Any] = {"priority": priority, **_said(common)}
        if len(choices) > 1:
            options["alternatives"] = [_said(one) for one in choices]
        payloads: list[Any] = [b"x"] * count
        job = self.server.submit(self.client, payloads, type_, **options)
        self.jobs[job] = FleetJob(job, type_, priority, choices, count)
        self.settle()

    def come(self, slots: int, types: list[str], labels: dict[str, str], has: Numbers) -> None:
        self._names += 1
        name = f"w{self._names}"
        peer = self.server.open()
        ids = [TypeId(one, version) for one in types for version in ("1", "2")]
        resources = {key: float(amount) for key, amount in has.items()}
        about = About(name, f"key of {name}", slots, ids, labels, {}, "run", 0.0, resources)
        self.server.say(peer, Hello(1, "worker", "dc test", [], about))
        self.sims[name] = Sim(name, peer, slots, types, labels, {"cpus": Fraction(slots), **has})
        self.server.say(peer, Heartbeat())
        self.settle()

    def leave(self, sim: Sim) -> None:
        self.server.say(sim.peer, Goodbye())
        self.server.close(sim.peer)
        del self.sims[sim.name]
        self.settle()

    def lose(self, sim: Sim) -> None:
        """Cut a worker off; what holds nothing is forgotten at once."""
        self.server.close(sim.peer)
        sim.away = True
        if not sim.held:
            del self.sims[sim.name]
        self.settle()

    def wait_for_the_lost(self) -> None:
        """Let the leases of those that are away lapse."""
        here = [sim.peer for sim in self.sims.values() if not sim.away]
        self.server.live(35, self.client, *here)
        self.sims = {name: sim for name, sim in self.sims.items() if not sim.away}
        self.settle()

    def finish(self, sim: Sim, count: int, seconds: float) -> None:
        """Have a worker report some of what runs on it."""
        ended, sim.running = sim.running[:count], sim.running[count:]
        for given in ended:
            sim.sequence += 1
            rows = [given.number], [given.attempt], [seconds]
            message = Done(sim.sequence, given.job, *rows, [b"y"])
            self.jobs[given.job].done.add(given.number)
            self.server.feed(Received(sim.peer, [message]))
        self.settle()

    def settle(self) -> None:
        """Let messages arrive, and whatever can start."""
        self.server.settle()
        for sim in self.sims.values():
            if not sim.away:
                for message in self.server.take(sim.peer, Assign):
                    self._take(sim, message)
                self._start(sim)

    def _take(self, sim: Sim, message: Assign) -> None:
        job = self.jobs[message.job]
        assert message.type in sim.types, f"{sim.name} got a task of a type that it does not have"
        said = {name: Fraction(amount) for name, amount in message.resources.items()}
        amounts = said or {"cpus": Fraction(1)}
        fitting = [one for one in job.choices if not sim.lacks(one)]
        assert amounts in [one.amounts for one in fitting], f"{sim.name} must not run job {job}"
        for row in zip(message.numbers, message.attempts, strict=True):
            sim.waiting.append(Given(job.number, *row, amounts))

    def _start(self, sim: Sim) -> None:
        while sim.waiting and len(sim.running) < sim.slots:
            free = sim.free
            if any(free.get(name, 0) < need for name, need in sim.waiting[0].amounts.items()):
                assert sim.running, f"{sim.name} was given what it can never run"
                break
            sim.running.append(sim.waiting.pop(0))

    # --- the oracle -----------------------------------------------------------------------------

    def queued(self, job: FleetJob) -> int:
        held = sum(one.job == job.number for sim in self.sims.values() for one in sim.held)
        return job.total - len(job.done) - held

    def fitting(self, sim: Sim, job: FleetJob) -> list[Choice]:
        if job.type not in sim.types:
            return []
        return [one for one in job.choices if not sim.lacks(one)]

    def able(self, job: FleetJob) -> list[Sim]:
        return [sim for sim in self.sims.values() if self.fitting(sim, job)]

    def ahead(self, job: FleetJob) -> int:
        mine = {sim.name for sim in self.able(job)}
        return sum(
            self.queued(other)
            for other in self.jobs.values()
            if other.priority > job.priority and any(sim.name in mine for sim in self.able(other))
        )


def _said(choice: Choice) -> dict[str, Any]:
    resources = {name: float(amount) for name, amount in choice.resources.items()}
    return {"requires": choice.requires, "resources": resources}
