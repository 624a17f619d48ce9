"""What is done to whom, and when: drawn from a seed before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

Kill: TypeAlias = Literal["server", "worker", "executor", "submitter", "reader"]
Kind: TypeAlias = Literal[
    "server",
    "worker",
    "executor",
    "submitter",
    "reader",
    "stop",
    "delay",
    "throttle",
    "cut",
    "freeze",
    "link",
]

KILLS: Final[dict[Kill, int]] = {
    "server": 25,
    "worker": 30,
    "executor": 25,
    "submitter": 10,
    "reader": 10,
}
"""How often each is killed, of a hundred times."""

PAUSES: Final[dict[Kind, float]] = {
    "server": 3.0,
    "worker": 2.0,
    "executor": 0.0,
    "submitter": 0.5,
    "reader": 1.0,
}
"""The longest time in seconds before a killed program is started again."""

RELAY: Final[list[Kind]] = ["delay", "throttle", "cut", "freeze"]
RELAY_SECONDS: Final[dict[Kind, float]] = {
    "delay": 5.0,
    "throttle": 5.0,
    "cut": 0.0,
    "freeze": 25.0,  # longer than limits.SILENCE_SECONDS
}
RELAY_PART: Final = 0.2  # of a short run, that a relay is bad at most
RELAY_EACH: Final = 3  # kills for each fault of a relay
STOP_EACH: Final = 75  # kills for each stopped worker
LINK_EACH: Final = 150  # kills for each round of cuts of the link
AT_ONCE: Final = 0.1  # of all faults, that come right after the one before
AT_ONCE_SECONDS: Final = 0.2
LONG_PART: Final = 0.8  # of the plan, in which faults that last begin


class Fault(Struct, frozen=True):
    """One thing that is done.

    Attributes:
        gap: seconds to wait before it.
        kind: what is done.
        choice: which of the possible victims, 0 to 1.
        seconds: how long the victim is down, stopped, or badly connected.
        amount: of a delay in seconds, of a throttle in bytes each second.
    """

    gap: float
    kind: Kind
    choice: float
    seconds: float
    amount: float = 0.0

    @property
    def is_kill(self) -> bool:
        """Whether it is a kill -9."""
        return self.kind in KILLS


def make_plan(
    random: Random,
    kills: int,
    spacing: float,
    *,
    stop: float = 0.0,
    cuts: Sequence[float] = (),
    relay: bool = True,
) -> list[Fault]:
    """Return the faults of a run in their order.

    Args:
        random: where all chances come from.
        kills: how many kill -9.
        spacing: seconds between two kills, in the mean.
        stop: seconds for which a worker is stopped; 0 for never.
        cuts: seconds for which the link is down, one after the other.
        relay: whether there is a relay to be bad.
    """
    kinds = random.choices(list(KILLS), list(KILLS.values()), k=kills)
    kinds[: len(KILLS)] = random.sample(list(KILLS), len(KILLS))[:kills]
    random.shuffle(kinds)
    plan = [Fault(_gap(random, spacing), kind, random.random(), _pause(random, kind))
            for kind in kinds]  # fmt: skip
    if relay:
        for at in range(max(4, kills // RELAY_EACH)):
            kind = RELAY[at % len(RELAY)]
            most = min(RELAY_SECONDS[kind], kills * spacing * RELAY_PART)
            _put(random, plan, _bad_relay(random, kind, most), 1.0)
    if stop:
        for _ in range(max(1, kills // STOP_EACH)):
            _put(random, plan, Fault(0.0, "stop", random.random(), stop), LONG_PART)
    for seconds in list(cuts) * max(1, kills // LINK_EACH):
        _put(random, plan, Fault(0.0, "link", 0.0, seconds), LONG_PART)
    return plan


def seconds_of(plan: Sequence[Fault]) -> float:
    """Return how long a plan takes until all is mended again, if nothing is waited for."""
    now = end = 0.0
    for fault in plan:
        now += fault.gap
        end = max(end, now + fault.seconds)
    return end


def cuts_only(random: Random, cuts: Sequence[float], between: float) -> list[Fault]:
    """Return a plan without kills: cuts of the link, and a bad relay between them.

    Args:
        random: where all chances come from.
        cuts: seconds for which the link is down.
        between: seconds of peace after each.
    """
    plan: list[Fault] = []
    for seconds in cuts:
        plan.append(Fault(between, "link", 0.0, seconds))
        gap = (between + seconds) / len(RELAY)
        plan += [replace(_bad_relay(random, kind, gap), gap=gap) for kind in RELAY]
    return plan


def _gap(random: Random, spacing: float) -> float:
    if random.random() < AT_ONCE:
        return random.uniform(0.0, AT_ONCE_SECONDS)
    return random.uniform(0.2, 1.8) * spacing / (1 - AT_ONCE)


def _pause(random: Random, kind: Kind) -> float:
    return random.uniform(0.0, PAUSES[kind])


def _bad_relay(random: Random, kind: Kind, most: float) -> Fault:
    amount = {"delay": random.uniform(0.05, 0.5), "throttle": random.uniform(2e3, 50e3)}
    seconds = random.uniform(most / 5, most)
    return Fault(random.uniform(0.0, 0.5), kind, random.random(), seconds, amount.get(kind, 0.0))


def _put(random: Random, plan: list[Fault], fault: Fault, part: float) -> None:
    """Put a fault into the plan, somewhere in the first part of it."""
    plan.insert(random.randint(0, int(len(plan) * part)), fault)
