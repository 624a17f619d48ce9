"""What a seed stands for: the programs of a world, their jobs, and the faults that befall them.

A plan is drawn before anything runs, so that one seed always is the same story, and plans differ
much: some have no faults, some one kind, some a few, some all kinds at once.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any, Final

from msgspec import Struct

KINDS: Final = (
    "cut",
    "freeze",
    "hold",
    "kill worker",
    "worker loses power",
    "kill server",
    "server loses power",
    "restart server",
    "restart worker",
    "suspend worker",
    "person at worker",
    "failed commits",
    "full disk",
    "clock",
    "duplicate",
    "kill client",
    "cancel",
    "operator drains",
    "operator pauses",
    "operator has leave",
    "operator stops",
    "operator restarts",
    "operator restarts now",
    "operator reboots",
    "operator powers off now",
    "operator deletes",
    "operator sets slots",
    "operator pauses job",
    "operator pauses job now",
    "operator changes job",
    "operator cancels tasks",
    "operator retries job",
)
"""The kinds of fault that happen at a moment."""

GOOD, ERROR, FLAKY, CRASH, LARGE, HANG = range(6)
"""What a task does: succeeds, fails, fails at first, kills its executor at first, returns much,
never ends."""

TASK_KINDS: Final = (GOOD, ERROR, FLAKY, CRASH, LARGE)

LIMITS: Final[dict[str, tuple[Any, ...]]] = {
    "BATCH_TASKS": (4096, 7),
    "COMMIT_TASKS": (20_000, 10),
    "CREDIT_SECONDS": (0.1, 1.0, 0.01),
    "STREAM_BYTES": (4 << 20, 500),
    "OUTBOX_BYTES": (8 << 20, 2000),
    "UNCOMMITTED_BYTES": (64 << 20, 3000),
    "UNSTORED_BYTES": (8 << 20, 400),
    "HEAD_TASKS": (65_536, 8),
    "HEADS_TASKS": (524_288, 12),
    "HEAD_TASKS_LEAST": (1024, 3),
    "PREFETCH_TASKS": (4096, 5),
    "PAYLOAD_WINDOW_BYTES": (64 << 20, 20),
    "READ_TASKS": (65_536, 5),
    "LAPSED_ATTEMPTS": (100_000, 4),
}
"""Limits that a plan may make small, so that what they bound happens with few tasks."""


class TaskPlan(Struct, frozen=True):
    """What one task does: `seconds` is how long it takes, `times` how often it fails at first."""

    kind: int
    seconds: float
    times: int = 0


class JobPlan(Struct, frozen=True):
    """One submission: its options, its tasks, and how its client reads the results.

    `pause` is the seconds between two payloads, `cancel_after` those until it is cancelled. It
    comes after submission `after`, unless that is 0, or was cancelled early.
    """

    number: int
    options: dict[str, Any]
    tasks: list[TaskPlan]
    ordered: bool
    pause: float
    cancel_after: float = math.inf
    after: int = 0


class WorkerPlan(Struct, frozen=True):
    """A worker and its slots."""

    name: str
    slots: int


class Fault(Struct, frozen=True):
    """Something that happens `at` a time, and lasts for `seconds`.

    `draw` decides whom it befalls, `steps` after how many steps of its tasks.
    """

    at: float
    kind: str
    seconds: float
    draw: int
    steps: int


class Plan(Struct, frozen=True):
    """All of one seed. Faults end at `calm`; each piece on a wire takes up to `delay` seconds."""

    seed: int
    workers: list[WorkerPlan]
    clients: list[list[JobPlan]]
    faults: list[Fault]
    calm: float
    delay: float
    commit_seconds: float
    wire_bytes: float
    limits: dict[str, Any]

    @property
    def kinds(self) -> set[str]:
        """The kinds of fault that happen."""
        return {fault.kind for fault in self.faults}


def draw_plan(seed: int) -> Plan:
    """Return the plan of a seed."""
    random = Random(f"plan {seed}")
    kinds = _draw_kinds(random)
    calm = random.choice((4.0, 8.0, 8.0, 16.0, 50.0)) if kinds else 0.0
    faults = [fault for kind in kinds for fault in _draw_faults(random, kind, calm)]
    clients = _draw_clients(random, "cancel" in kinds)
    return Plan(
        seed=seed,
        workers=[WorkerPlan(f"w{n}", random.randint(1, 3)) for n in range(random.randint(1, 3))],
        clients=clients,
        faults=sorted((one for one in faults if one.kind != "cancel"), key=lambda one: one.at),
        calm=calm,
        delay=random.choice((0.0, 0.0, 0.005, 0.1)),
        commit_seconds=random.choice((0.0, 0.002, 0.05, 0.5)),
        wire_bytes=random.choice((math.inf, math.inf, 3000)),
        limits={
            name: random.choice(values) if random.random() < 0.3 else values[0]
            for name, values in LIMITS.items()
        },
    )


def _draw_kinds(random: Random) -> list[str]:
    how = random.random()
    if how < 0.05:
        return []
    if how < 0.4:
        return [random.choice(KINDS)]
    if how < 0.85:
        return random.sample(KINDS, random.randint(2, 4))
    return list(KINDS)


def _draw_faults(random: Random, kind: str, calm: float) -> list[Fault]:
    """Return the faults of one kind: one, or several, or many."""
    count = random.choice((1, 2, 3, 5))
    return [
        Fault(
            at=random.uniform(0.0, calm),
            kind=kind,
            seconds=random.choice((0.05, 0.5, 3.0, 12.0, 25.0, 40.0)),
            draw=random.randrange(1 << 30),
            steps=random.choice((0, 3, 30, 200)) and random.randrange(200),
        )
        for _ in range(count)
    ]


def _draw_clients(random: Random, may_cancel: bool) -> list[list[JobPlan]]:
    clients: list[list[JobPlan]] = []
    number = 0
    for _ in range(random.choice((1, 1, 2))):
        jobs = []
        for _ in range(random.choice((1, 1, 2))):
            number += 1
            jobs.append(_draw_job(random, number, may_cancel))
        clients.append(jobs)
    return clients


def _draw_job(random: Random, number: int, may_cancel: bool) -> JobPlan:
    mean = random.choice((0.0, 0.02, 0.3, 2.0, 8.0))
    kinds = random.sample(TASK_KINDS[1:], random.choice((0, 0, 1, 2)))
    count = random.choice((1, 5, 12, 30 if mean < 2 else 8))
    tasks = [_draw_task(random, mean, kinds) for _ in range(count)]
    options: dict[str, Any] = {"priority": random.choice((0, 0, 1))}
    if random.random() < 0.6:
        options["retries"] = random.choice((1, 3))
    cancel = random.uniform(0.0, 6.0) if may_cancel and random.random() < 0.7 else math.inf
    if cancel < math.inf and random.random() < 0.3:
        tasks[random.randrange(len(tasks))] = TaskPlan(HANG, math.inf)
    if random.random() < 0.1:
        options["timeout"] = random.choice((0.5, 4.0))
    if random.random() < 0.4:
        options["grace"] = random.choice((1.0, 5.0, 60.0))
    elif random.random() < 0.1:
        options["long"] = True
    if random.random() < 0.2:
        options["retry_on"] = random.choice((("error",), ("crashed", "timeout"), ()))
    if random.random() < 0.3:
        options["retry_seconds"] = random.choice((0.0, 0.1, 5.0))
    if random.random() < 0.2:
        options["crashes"] = random.choice((1, 2, 10))
    return JobPlan(
        number=number,
        options=options,
        tasks=tasks,
        ordered=random.random() < 0.5,
        pause=random.choice((0.0, 0.0, 0.0, 0.1)),
        cancel_after=cancel,
        after=number - 1 if random.random() < 0.5 else 0,
    )


def _draw_task(random: Random, mean: float, kinds: list[int]) -> TaskPlan:
    seconds = random.uniform(0.0, 2 * mean)
    if kinds and random.random() < 0.3:
        return TaskPlan(random.choice(kinds), seconds, random.choice((1, 1, 2)))
    return TaskPlan(GOOD, seconds)
