"""Whether a computer that people use is free for tasks: what was sensed and the time go in.

Theory of operation
-------------------
Each look at the computer brings *senses*; what of it is not known is never in the way. A worker
that works stops at once when somebody is there, when its hours are over, or when the mains power is
gone; when others are busy or the computer is hot, only once that has lasted. A worker that rests
goes on when nothing is in the way: of load and warmth by a stricter bound, and, unless it was only
a person or the hours, after a time of calm. So it does not go to and fro.
"""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

from dc import limits_neighbour as limits
from dc.worker.hours import Hours

PERSON: Final = "somebody uses this computer"
CLOSED: Final = "it is outside of its hours"
BATTERY: Final = "this computer runs on its battery"
HOT: Final = "this computer is too hot"
BUSY: Final = "other programs need this computer"

AT_ONCE: Final = (PERSON, CLOSED, BATTERY)
"""For which tasks stop in the very moment."""

CALMLESS: Final = (PERSON, CLOSED)
"""After which no time of calm is needed: these have one of their own, or begin at a set time."""


class Policy(Struct, frozen=True):
    """When tasks may run.

    Attributes:
        idle: seconds without keyboard and mouse; 0 if they do not matter.
        load: of all processors, what other programs may use; inf if that does not matter.
        hours: the times of the week, if not all.
        on_mains: whether only on mains power.
        below: degrees Celsius; inf if warmth does not matter.
    """

    idle: float = 0.0
    load: float = math.inf
    hours: Hours | None = None
    on_mains: bool = False
    below: float = math.inf

    @property
    def is_any(self) -> bool:
        """Whether anything is said at all."""
        return self != Policy()


class Senses(Struct, frozen=True):
    """What one look at the computer has brought; None where it does not tell.

    Attributes:
        idle: seconds since the last use of keyboard, mouse or terminal.
        load: of all processors, what other programs use.
        on_mains: whether it is on mains power.
        temperature: degrees Celsius.
        day: of the week, 0 for Monday.
        minute: of the day, by the clock on the wall.
    """

    idle: float | None = None
    load: float | None = None
    on_mains: bool | None = None
    temperature: float | None = None
    day: int = 0
    minute: int = 0


def unknown(policy: Policy, senses: Senses) -> list[str]:
    """Return what a policy asks for and the computer does not tell, in the words of the options."""
    asked = {
        "--when-idle": (policy.idle > 0, senses.idle),
        "--load-below": (policy.load < math.inf, senses.load),
        "--on-mains": (policy.on_mains, senses.on_mains),
        "--below": (policy.below < math.inf, senses.temperature),
    }
    return [name for name, (wanted, told) in asked.items() if wanted and told is None]


class Neighbour:
    """Says why a worker is to rest.

    Args:
        policy: when tasks may run.

    Attributes:
        policy: as given.
        reason: why the worker rests; empty while it may work.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.reason = ""
        self._since: float | None = None  # since when something lasts that is no reason yet
        self._calm_from = -math.inf  # when a reason was last there that asks for calm

    def look(self, senses: Senses, now: float) -> str:
        """Take what was sensed; return why the worker is to rest, or nothing.

        Args:
            senses: of this moment.
            now: in seconds, of any clock that does not go back.
        """
        found = self._objection(senses)
        if self.reason:
            self._rest(found, now)
        else:
            self._work(found, now)
        return self.reason

    def _work(self, found: str, now: float) -> None:
        """Go on working, unless something is in the way, or has been for some time."""
        if not found:
            self._since = None
            return
        self._since = now if self._since is None else self._since
        if found in AT_ONCE or now - self._since >= limits.LASTING_SECONDS:
            self._since = None
            self._calm_from = -math.inf
            self._rest(found, now)

    def _rest(self, found: str, now: float) -> None:
        """Rest for what there is now; work again if there is nothing, and all is calm."""
        if found:
            self.reason = found
            self._calm_from = self._calm_from if found in CALMLESS else now
        elif now - self._calm_from >= limits.CALM_SECONDS:
            self.reason = ""

    def _objection(self, senses: Senses) -> str:
        """Return what is in the way in this moment, the weightiest first; or nothing."""
        policy = self.policy
        if _below(senses.idle, policy.idle):
            return PERSON
        if policy.hours is not None and not policy.hours.has(senses.day, senses.minute):
            return CLOSED
        if policy.on_mains and senses.on_mains is False:
            return BATTERY
        if _reaches(senses.temperature, policy.below - limits.COOLED_DEGREES * bool(self.reason)):
            return HOT
        bound = policy.load * (limits.CALM_SHARE if self.reason else 1.0)
        return BUSY if _reaches(senses.load, bound) else ""


def _below(value: float | None, bound: float) -> bool:
    return value is not None and value < bound


def _reaches(value: float | None, bound: float) -> bool:
    return value is not None and value >= bound
