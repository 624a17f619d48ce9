"""Since when nobody has used a computer with Linux: what tells of keyboards, mice and terminals.

Nobody's keys are read: that would need the right to read all of them. It is enough that the devices
have had something to say: how often they have interrupted the processor, and how many transfers
there were with those on USB. Terminals tell when something was typed into them, to eight seconds.
Files are read below `root`, so that a test can show another computer. What is not there tells
nothing, and nothing here raises.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from dc import limits_neighbour as limits

ROOT: Final = Path("/")
TERMINALS: Final = ("dev/tty[0-9]*", "dev/pts/[0-9]*")
LEGACY: Final = "i8042"
"""What drives keyboards and touchpads that are built in, and those with round plugs."""

_BUILT_IN: Final = re.compile(r"(?!INT|AMD|PNP|ACPI)[A-Z]{3,4}[0-9A-F]{4}:\d\d")
"""Devices on the small bus of a computer, such as SYNA7DB5:00: touchpads and touch screens. What
is left out are the makers of its controllers, which have to do with everything."""

_HUMAN: Final = "03"
_KEYBOARD_OR_MOUSE: Final = ("01", "02")


class Idle(Protocol):
    """Something that tells since when nobody has used a computer."""

    name: str

    def idle(self) -> float | None:
        """Return the seconds since the last use; None if it does not tell."""


class DeviceIdle:
    """By the counters of keyboards, mice and touchpads: what has changed since the last look.

    What was before the first look is not known: it counts as a use.

    Args:
        root: the folder that stands for `/`.
        clock: the time in seconds.
    """

    name = "keyboard and mouse"

    def __init__(self, root: Path = ROOT, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._found: list[Path] = []
        self._counts: list[str] = []
        self._used = self._searched = clock()
        self._search()

    def idle(self) -> float | None:
        """Return the seconds since the last use; None if there are no such devices."""
        now = self._clock()
        if now - self._searched >= limits.METER_SECONDS:
            self._searched = now
            self._search()
        counts = [_text_of(path) for path in self._found]
        if counts != self._counts:
            self._counts, self._used = counts, now
        return now - self._used if self._found else None

    def _search(self) -> None:
        """Look which devices there are: they come and go, and that is a use as well."""
        found = [*_interrupts(self._root), *_usb(self._root)]
        if found != self._found:
            self._found, self._used = found, self._clock()
            self._counts = [_text_of(path) for path in found]


def _interrupts(root: Path) -> list[Path]:
    """Return the counters of the interrupts of keyboards and touchpads that are built in."""
    found = []
    with suppress(OSError):
        for folder in sorted((root / "sys/kernel/irq").glob("[0-9]*")):
            actions = _text_of(folder / "actions").strip().split(",")
            if any(one == LEGACY or _BUILT_IN.fullmatch(one) for one in actions):
                found.append(folder / "per_cpu_count")
    return found


def _usb(root: Path) -> list[Path]:
    """Return the counters of the transfers of keyboards and mice on USB."""
    found: dict[Path, None] = {}
    with suppress(OSError):
        for kind in sorted((root / "sys/bus/usb/devices").glob("*:*/bInterfaceClass")):
            is_human = _text_of(kind).strip() == _HUMAN
            how = _text_of(kind.with_name("bInterfaceProtocol")).strip()
            if is_human and how in _KEYBOARD_OR_MOUSE:
                device = kind.parent.name.partition(":")[0]
                found[kind.parent.with_name(device) / "urbnum"] = None
    return list(found)


class TerminalIdle:
    """By when something was last typed into a terminal, be it here or from afar.

    Args:
        root: the folder that stands for `/`.
        wall: gives the Unix time.
    """

    name = "terminals"

    def __init__(self, root: Path = ROOT, wall: Callable[[], float] = time.time) -> None:
        self._root = root
        self._wall = wall

    def idle(self) -> float | None:
        """Return the seconds since the last use; None if there is no terminal."""
        used = [one for pattern in TERMINALS for one in self._used(pattern)]
        return max(0.0, self._wall() - max(used)) if used else None

    def _used(self, pattern: str) -> Sequence[float]:
        times = []
        with suppress(OSError):
            for path in self._root.glob(pattern):
                with suppress(OSError):
                    times.append(path.stat().st_atime)
        return times


def _text_of(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        return file.read(limits.WORDS_BYTES).decode("ascii", "replace")
    return ""
