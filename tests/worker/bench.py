"""A worker's reactor on the bench: events by hand, a clock by hand, and what came out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from dc.messages import PROTOCOL, Welcome
from dc.messages_parts import Blob, Environment, Failure, Limits, Message
from dc.messages_worker import Appliance, Assign, TypeId
from dc.pipe import Busy, InFile, Ran, Ready, Retire
from dc.worker import events as ev
from dc.worker.identity import Identity
from dc.worker.reactor import WorkerReactor

Kind = TypeVar("Kind")
READY = Ready([TypeId("work", "1")], {"gpu": "none"}, {"bad": "SyntaxError: no"})


class Bench:
    """A reactor and a clock; `out` is what the last event brought about."""

    def __init__(
        self,
        slots: int = 1,
        *,
        is_default: bool = False,
        online: bool = True,
        idle_exit: float = math.inf,
        cpus: float = 0.0,
        takes_plugins: bool = True,
        trusts: Sequence[bytes] = (),
        orders: Sequence[str] = (),
    ) -> None:
        identity = Identity(
            "box",
            is_default=is_default,
            key="k",
            slots=slots,
            software="test",
            labels={"os": "linux", "gpu": "?"},
            own_labels={"room": "12"},
            own_resources={"cpus": cpus} if cpus else {},
            takes_plugins=takes_plugins,
            trusts=trusts,
            installs=takes_plugins,
            appliance=Appliance("1.0", orders=list(orders)) if orders else None,
        )
        self.now = 0.0
        self.ready = READY
        self.reports: list[Any] = []
        self.reactor = WorkerReactor(identity, "/s", idle_exit)
        self.out: list[ev.Action] = self.reactor.start(self.now)
        for index in range(slots):
            self.do(ev.ExecutorReady(index, READY))
        if online:
            self.do(ev.Connected())
            self.welcome()

    def do(self, event: ev.Event) -> None:
        self.out = self.reactor.handle(event, self.now)
        for action in self.of(ev.Keep):
            if action.send:
                self.reports += [report for report, _ in action.reports]
        self.reactor.validate()

    def welcome(self) -> None:
        self.hear(Welcome(PROTOCOL, "test", []))

    def hear(self, message: Message) -> None:
        self.do(ev.Received(message))

    def assign(
        self,
        *numbers: int,
        job: int = 1,
        attempt: int = 1,
        timeout: float = 0.0,
        limits: Limits | None = None,
        environment: Environment | None = None,
        resources: dict[str, float] | None = None,
    ) -> None:
        payloads: list[bytes | Blob] = [b"%d" % number for number in numbers]
        columns = list(numbers), [attempt] * len(numbers), payloads
        confines = limits or {}, environment or {}, resources or {}
        self.hear(Assign(job, "work", "1", timeout, *columns, *confines))

    def ran(
        self,
        *numbers: int,
        job: int = 1,
        attempt: int = 1,
        slot: int = 0,
        seconds: float = 0.001,
        outcomes: Sequence[bytes | InFile | Failure] = (),
    ) -> None:
        count = len(numbers)
        results = list(outcomes) or [b"r"] * count
        ran = Ran(job, list(numbers), [attempt] * count, [seconds] * count, results)
        self.do(ev.ExecutorSaid(slot, ran))

    def retire(self, reason: str = "why", *, left: bool = False, slot: int = 0) -> None:
        self.do(ev.ExecutorSaid(slot, Retire(reason, left)))

    def busy(self, number: int, *rest: int, slot: int = 0, elapsed: float = 0.05) -> None:
        self.do(ev.ExecutorSaid(slot, Busy(1, number, 1, elapsed, list(rest), [1] * len(rest))))

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.do(ev.Tick())

    def flush(self) -> list[Any]:
        """Have reports made; return those sent since the last call."""
        self.do(ev.Flush())
        sent, self.reports = self.reports, []
        return sent

    @property
    def sent(self) -> list[Any]:
        sent: list[Any] = []
        for action in self.out:
            if isinstance(action, ev.Send):
                sent.append(action.message)
            elif isinstance(action, ev.Keep) and action.send:
                sent += [report for report, _ in action.reports]
        return sent

    @property
    def halted(self) -> list[tuple[int, int, int]]:
        """The slot, the number and the attempt of each Interrupt."""
        found = self.of(ev.Interrupt)
        return [(one.executor, one.halt.number, one.halt.attempt) for one in found]

    @property
    def runs(self) -> list[tuple[int, list[int]]]:
        return [(action.executor, action.run.numbers) for action in self.of(ev.Execute)]

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [action for action in self.out if isinstance(action, kind)]


def short_job(slots: int = 1) -> Bench:
    """A bench where job 1 is known to have tasks of 1 ms."""
    bench = Bench(slots)
    bench.assign(1000)
    bench.ran(1000)
    bench.flush()
    return bench
