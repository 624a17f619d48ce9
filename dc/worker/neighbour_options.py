"""How a worker behaves on a computer that people use: the options for it, and what they mean."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping

from msgspec import Struct

from dc import limits_neighbour as limits
from dc.errors import OptionsError, StartError
from dc.requirements import CPUS, MEMORY, read_amount
from dc.worker.hours import read_hours
from dc.worker.lifetime import seconds_of
from dc.worker.neighbour import Policy

HOTTEST = 150.0
"""Degrees Celsius: no processor runs above it."""

ABOUT = """\
On a computer that people use, a worker can keep out of their way. Once one of these is in the way,
it takes no more tasks, and those that run stand still; they go on when it is not any more, or go to
other workers after --give-back. --show prints what of it this computer tells.
"""


class NeighbourOptions(Struct, frozen=True):
    """What was said.

    Attributes:
        policy: when tasks may run.
        give_back: seconds for which tasks stand still before other workers get them.
        nice: whether tasks come last.
        caps: by resource, of `cpus` and `memory`, what tasks may use together; nothing for all.
    """

    policy: Policy = Policy()
    give_back: float = limits.GIVE_BACK_SECONDS
    nice: bool = False
    caps: Mapping[str, float] = {}

    @property
    def arguments(self) -> list[str]:
        """What executors are told of it."""
        cpus = self.caps.get(CPUS)
        processors = [] if cpus is None else [f"--processors={math.ceil(cpus)}"]
        return [*(["--nice"] if self.nice else []), *processors]

    @property
    def memory(self) -> float:
        """The bytes that tasks may use together; inf for all."""
        return self.caps.get(MEMORY, math.inf)

    def slots(self, count: int) -> int:
        """Return how many slots there are, of so many."""
        return min(count, max(1, math.floor(self.caps.get(CPUS, count))))

    def resources(self, said: Mapping[str, float]) -> dict[str, float]:
        """Return the amounts that the user has said, within these caps."""
        capped = {name: min(cap, said.get(name, cap)) for name, cap in self.caps.items()}
        return {**said, **capped}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options about people, and their computer."""
    group = parser.add_argument_group("a computer that people use", ABOUT)
    add = group.add_argument
    add(
        "--neighbour",
        action="store_true",
        help="all that is usual: --when-idle=5m --load-below=50%% --on-mains --below=85 --nice "
        "--cap-cpus=75%% --cap-memory=50%%; what else is said goes before",
    )
    add(
        "--when-idle",
        metavar="TIME",
        nargs="?",
        const=f"{limits.IDLE_SECONDS:g}s",
        help="only when keyboard, mouse and terminals were not used for so long (5m)",
    )
    add("--load-below", metavar="PERCENT", help="only while other programs use less, as 50%%")
    add("--hours", metavar="HOURS", help="only then: 18:00-07:00, 'mon-fri 18:00-07:00,sat,sun'")
    add("--on-mains", action="store_true", help="only on mains power")
    add("--below", metavar="CELSIUS", type=float, help="only while the processors are cooler")
    add("--nice", action="store_true", help="tasks come last, for processors and disks")
    add("--cap-cpus", metavar="N", help="processors that tasks may use, as 2 or 50%%")
    add("--cap-memory", metavar="SIZE", help="that tasks may use together, as 4GiB or 50%%")
    add(
        "--give-back",
        metavar="TIME",
        help="for how long tasks stand still before other workers get them (10m)",
    )


def read(values: argparse.Namespace, cpus: float, memory: float) -> NeighbourOptions:
    """Return what was said.

    Args:
        values: of the command line.
        cpus: that the computer has.
        memory: that the computer has, in bytes; 0 if it does not tell.

    Raises:
        StartError: something is not as it has to be.
    """
    usual = NeighbourOptions()
    if values.neighbour:
        usual = _usual(cpus, memory)
    caps = dict(usual.caps)
    if values.cap_cpus is not None:
        caps[CPUS] = _amount("--cap-cpus", CPUS, values.cap_cpus, cpus)
    if values.cap_memory is not None:
        caps[MEMORY] = _amount("--cap-memory", MEMORY, values.cap_memory, memory)
    give_back = usual.give_back
    if values.give_back is not None:
        give_back = seconds_of("--give-back", values.give_back)
    nice = values.nice or usual.nice
    return NeighbourOptions(_policy(values, usual.policy), give_back, nice, caps)


def _usual(cpus: float, memory: float) -> NeighbourOptions:
    """Return what `--neighbour` alone means on a computer that has so much."""
    caps = {CPUS: max(1.0, math.floor(limits.CAP_CPUS * cpus))}
    if memory:
        caps[MEMORY] = math.floor(limits.CAP_MEMORY * memory)
    policy = Policy(
        idle=limits.IDLE_SECONDS, load=limits.LOAD_MOST, on_mains=True, below=limits.HOT_DEGREES
    )
    return NeighbourOptions(policy, nice=True, caps=caps)


def _policy(values: argparse.Namespace, usual: Policy) -> Policy:
    idle, load = values.when_idle, values.load_below
    said = Policy(
        idle=usual.idle if idle is None else seconds_of("--when-idle", idle),
        load=usual.load if load is None else _share("--load-below", load),
        hours=None if values.hours is None else read_hours("--hours", values.hours),
        on_mains=values.on_mains or usual.on_mains,
        below=usual.below if values.below is None else values.below,
    )
    if values.below is not None and not 0 < values.below <= HOTTEST:
        raise StartError(f"--below {values.below:g}: give degrees Celsius, up to {HOTTEST:g}")
    return said


def _share(option: str, text: str) -> float:
    """Return a share of 1 that is given as a percentage."""
    try:
        share = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise StartError(f"{option} {text}: give a percentage, as 50%")
    return share


def _amount(option: str, name: str, text: str, whole: float) -> float:
    """Return an amount that is given as such, or as a percentage of what there is."""
    if text.strip().endswith("%"):
        if not whole:
            raise StartError(f"{option} {text}: this computer does not tell how much it has")
        amount = _share(option, text) * whole
    else:
        try:
            amount = read_amount(name, text)
        except OptionsError as error:
            raise StartError(f"{option}: {error}") from None
    least = 1.0 if name == CPUS and amount else 0.0  # of processors there is no smaller part
    amount = max(least, math.floor(amount))
    if not amount:
        raise StartError(f"{option} {text}: nothing could run with that")
    return amount
