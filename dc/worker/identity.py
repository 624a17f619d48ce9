"""Who a worker is: the name it tries, and what it says about itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from dc import limits, limits_power
from dc.messages_worker import About, Appliance, TypeId
from dc.pipe import Ready
from dc.requirements import CPUS
from dc.worker.amounts import Card

LOADING: Final = ("LD_", "DYLD_", "PYTHON")
"""What variables begin with by which the system or Python is told what code to load."""

_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_NO_MAC: Final = "00:00:00:00:00:00"


class Identity:
    """A worker's name, key, slots, labels and resources, and in time its task types.

    Args:
        name: the name to try first.
        is_default: whether the user did not ask for this name; then others may be tried.
        key: tells the worker from all others, for good.
        slots: how many tasks it runs at one time.
        software: the program and its version.
        labels: found out about the computer.
        own_labels: given by the user; they win over all others.
        run: tells this process of the worker from all others.
        resources: amounts found out about the computer.
        own_resources: given by the user; they win over all others.
        cards: those that tasks may be given.
        takes_plugins: whether it runs plugins of the server, of types that it has no code of.
        trusts: public keys, one of which has to have signed them; none for anybody.
        installs: whether it installs what they depend on.
        appliance: of a computer that was booted from the image, what the server is told of that.
    """

    def __init__(
        self,
        name: str,
        *,
        is_default: bool,
        key: str,
        slots: int,
        software: str,
        labels: Mapping[str, str] | None = None,
        own_labels: Mapping[str, str] | None = None,
        run: str = "",
        resources: Mapping[str, float] | None = None,
        own_resources: Mapping[str, float] | None = None,
        cards: Sequence[Card] = (),
        takes_plugins: bool = False,
        trusts: Sequence[bytes] = (),
        installs: bool = False,
        appliance: Appliance | None = None,
    ) -> None:
        self.takes_plugins = takes_plugins
        self._trusts = list(trusts)
        self._installs = installs
        self._appliance = appliance
        self.cards = cards
        self.name = name
        self.key = key
        self.run = run
        self.slots = slots
        self.software = software
        self.types: list[TypeId] = []
        self._own: frozenset[tuple[str, str]] = frozenset()
        self.labels = dict(labels or {})
        self.broken: dict[str, str] = {}
        self._own_labels = dict(own_labels or {})
        self._own_resources = dict(own_resources or {})
        self._resources = dict(resources or {})
        self._base = name
        self._is_default = is_default
        self._tried = 1

    def learn(self, ready: Ready) -> None:
        """Take what an executor says that it can run; plugins may add labels."""
        self.types = ready.types
        self._own = frozenset((one.name, one.version) for one in ready.types)
        self.broken = ready.broken
        self.labels = {**self.labels, **ready.labels}
        self._resources = {**self._resources, **ready.resources}

    def refused(self, environment: Mapping[str, str]) -> str:
        """Return a variable with which a worker that trusts only some runs nothing, or nothing.

        Whoever submits sets variables. By some of them, what a task starts loads other code.
        """
        if not self._trusts:
            return ""
        return next((one for one in environment if one.upper().startswith(LOADING)), "")

    def owns(self, name: str, version: str) -> bool:
        """Whether it has code of its own of a task type."""
        return (name, version) in self._own

    @property
    def orders(self) -> list[str]:
        """What the server may have this computer do, as in `End.power`."""
        return [] if self._appliance is None else self._appliance.orders

    @property
    def resources(self) -> dict[str, float]:
        """The amounts that tasks may use together, in its own slots."""
        return self.resources_with(self.slots)

    def resources_with(self, slots: int) -> dict[str, float]:
        """Return the amounts that tasks may use together in so many slots.

        The cpus are no fewer than these and its own slots, unless the user said how many there are.
        """
        found = {**self._resources, **self._own_resources}
        if CPUS not in self._own_resources:
            found[CPUS] = max(found.get(CPUS, 0.0), float(slots), float(self.slots))
        # The user's own are the last ones, and the ones to be kept.
        return dict([(CPUS, found.pop(CPUS)), *list(found.items())[1 - limits.RESOURCES :]])

    def take_next_name(self) -> bool:
        """Take another name, if the user did not ask for this one; return whether that is so."""
        if self._is_default:
            self._tried += 1
            self.name = f"{self._base}-{self._tried}"
        return self._is_default

    def about(self, leaves_in: float = 0.0) -> About:
        """Return what the server is told, cut to what it accepts.

        Args:
            leaves_in: after how many seconds it will leave, 0 if that is not known.
        """
        labels = {**self.labels, **self._own_labels}
        # The user's own labels are the last ones, and the ones to be kept.
        kept = list(labels.items())[-limits.LABELS :]
        return About(
            name=_cut(self.name),
            key=self.key,
            slots=self.slots,
            types=[TypeId(_cut(one.name), _cut(one.version)) for one in self.types[: limits.TYPES]],
            labels={_cut(name): _cut(value) for name, value in kept},
            broken={
                _cut(plugin): why[: limits.ERROR_CHARS]
                for plugin, why in list(self.broken.items())[: limits.TYPES]
            },
            run=self.run,
            leaves_in=leaves_in,
            resources=self.resources,
            fixed_cpus=CPUS in self._own_resources,
            takes_plugins=self.takes_plugins,
            trusts=self._trusts,
            installs=self.takes_plugins and self._installs,
            appliance=None if self._appliance is None else _plain(self._appliance),
        )


def _plain(said: Appliance) -> Appliance:
    """Return what is said of a computer, without what is no address of a card as a server has it.

    Cards of other kinds than Ethernet have longer ones, and some none.
    """
    macs = [mac for mac in dict.fromkeys(map(str.lower, said.macs)) if _MAC.fullmatch(mac)]
    most, orders = limits_power.APPLIANCE_MACS, said.orders[: limits_power.APPLIANCE_ORDERS]
    return Appliance(_cut(said.image), [mac for mac in macs if mac != _NO_MAC][:most], orders)


def _cut(text: str) -> str:
    return text[: limits.TEXT_CHARS]
