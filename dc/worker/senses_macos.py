"""Since when nobody has used a Mac, and whether it is on mains power: two of its programs tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from dc.worker.equipment import run_program

IOREG: Final = ("/usr/sbin/ioreg", "-r", "-d", "1", "-c", "IOHIDSystem")
PMSET: Final = ("/usr/bin/pmset", "-g", "batt")

_IDLE: Final = re.compile(r'"HIDIdleTime"\s*=\s*(\d{1,20})\b')
_SOURCE: Final = re.compile(r"drawing from '(AC|Battery|UPS) Power'")


class MacSenses:
    """Asks the programs of the system.

    Args:
        ask: runs one and returns what it writes.
    """

    name = "keyboard and mouse"

    def __init__(self, ask: Callable[[Sequence[str]], str] = run_program) -> None:
        self._ask = ask

    def idle(self) -> float | None:
        """Return the seconds since the last input; None if it does not tell."""
        found = _IDLE.search(self._ask(IOREG))
        return int(found[1]) / 1e9 if found is not None else None

    def on_mains(self) -> bool | None:
        """Return whether there is mains power; None if it does not tell."""
        found = _SOURCE.search(self._ask(PMSET))
        return found[1] == "AC" if found is not None else None
