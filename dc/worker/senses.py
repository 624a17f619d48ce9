"""What a worker senses of the computer that it shares with people: one look brings all of it.

People are looked for every time; load, warmth and power, which change slowly, now and then. Only
what a policy asks for is looked at. A look blocks for some milliseconds: it belongs into a thread.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from dc import limits_neighbour as limits
from dc.messages_worker import Vitals
from dc.worker.neighbour import Policy, Senses
from dc.worker.senses_linux import DeviceIdle, Idle, TerminalIdle
from dc.worker.senses_macos import MacSenses
from dc.worker.senses_windows import windows_senses
from dc.worker.vitals import Meter
from dc.worker.x11_idle import X11Idle

UNKNOWN: Final = "not known"


class ComputerSenses:
    """Looks at this computer.

    Args:
        idles: each tells since when nobody has used it; the shortest time counts.
        meter: returns how the computer is.
        mains: returns whether it is on mains power, where the meter does not tell.
        seconds: between two looks.
        processors: how many there are.
        clock: the time in seconds.
        local: returns the time by the clock on the wall.

    Attributes:
        seconds: as given.
    """

    def __init__(
        self,
        idles: Sequence[Idle],
        meter: Callable[[], Vitals],
        mains: Callable[[], bool | None] = lambda: None,
        *,
        seconds: float = limits.SENSE_SECONDS,
        processors: int = 1,
        clock: Callable[[], float] = time.monotonic,
        local: Callable[[], time.struct_time] = time.localtime,
    ) -> None:
        self.seconds = seconds
        self._idles = idles
        self._meter = meter
        self._mains = mains
        self._processors = processors
        self._clock = clock
        self._local = local
        self._vitals = Vitals()
        self._on_mains: bool | None = None
        self._measured: float | None = None

    def look(self, policy: Policy) -> Senses:
        """Return what there is to be sensed now, of what a policy asks for."""
        now = self._local()
        if policy.on_mains or min(policy.load, policy.below) < math.inf:
            self._measure(policy)
        load = _difference(self._vitals, self._processors)
        return Senses(
            idle=self._idle() if policy.idle else None,
            load=load,
            on_mains=self._on_mains,
            temperature=_known(self._vitals.temperature),
            day=now.tm_wday,
            minute=60 * now.tm_hour + now.tm_min,
        )

    def _idle(self) -> float | None:
        return min((one for _, one in self._told() if one is not None), default=None)

    def _told(self) -> list[tuple[str, float | None]]:
        return [(one.name, one.idle()) for one in self._idles]

    def _measure(self, policy: Policy) -> None:
        now = self._clock()
        if self._measured is not None and now - self._measured < limits.METER_SECONDS:
            return
        self._measured = now
        self._vitals = self._meter()
        mains = _known(self._vitals.mains)
        self._on_mains = None if mains is None else bool(mains)
        if self._on_mains is None and policy.on_mains:
            self._on_mains = self._mains()

    def lines(self) -> list[tuple[str, str]]:
        """Return what can be sensed of this computer, for people: titles and texts."""
        told = self._told()
        senses = self.look(Policy(on_mains=True, load=1.0))
        by = [f"{seconds:,.0f} s by {name}" for name, seconds in told if seconds is not None]
        mains = {None: UNKNOWN, True: "yes", False: "no"}[senses.on_mains]
        heat = UNKNOWN if senses.temperature is None else f"{senses.temperature:.0f} °C"
        load = UNKNOWN if senses.load is None else f"{senses.load:.0%}"
        return [
            ("idle", ", ".join(by) or UNKNOWN),
            ("mains", mains),
            ("heat", heat),
            ("others", f"{load} of the processors" if senses.load is not None else load),
        ]


def computer_senses(folder: Path) -> ComputerSenses:
    """Return the senses that this computer's system has.

    Args:
        folder: any on this computer.
    """
    meter, processors = Meter(folder).read, os.cpu_count() or 1
    if sys.platform == "win32":
        senses = windows_senses()
        return ComputerSenses([senses], meter, senses.on_mains, processors=processors)
    if sys.platform == "darwin":
        mac, pause = MacSenses(), limits.SENSE_SECONDS_BY_PROGRAM
        return ComputerSenses([mac], meter, mac.on_mains, seconds=pause, processors=processors)
    idles: list[Idle] = [X11Idle(), DeviceIdle(), TerminalIdle()]
    return ComputerSenses(idles, meter, processors=processors)


def _difference(vitals: Vitals, processors: int) -> float | None:
    """Return the share of the processors that is used by what is not of dc."""
    whole, own = _known(vitals.processors), _known(vitals.dc_processors)
    if whole is None or own is None:
        return None
    return min(1.0, max(0.0, whole - own / processors))


def _known(value: float) -> float | None:
    return value if value >= 0 else None
