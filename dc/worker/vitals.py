"""How a worker's computer is at present: processors, memory, disk, warmth, power, and dc's part.

Linux tells most of it in /proc and /sys; other systems tell less. What cannot be told is -1, and so
is what makes no sense, such as a sensor that says 4000 degrees. Nothing here raises. A look takes
about a millisecond, and longer on a computer with very many processes or with slow sensors: it
belongs into a thread. Files are read below `root`, so that a test can show another computer.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from dc.messages_worker import Vitals
from dc.process_tree import Process, all_processes, below
from dc.worker import computer
from dc.worker.guard import disk_of

ROOT: Final = Path("/")
CLASSES: Final = "sys/class/"
FILE_BYTES: Final = 4096
UNKNOWN: Final = -1.0
HOTTEST: Final = 150.0
"""Degrees Celsius: no processor runs above it."""

PROCESSOR_CHIPS: Final = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cputhermal")
PROCESSOR_ZONES: Final = ("x86_pkg_temp", "cpu", "soc")
"""What sensors of processors are called, or begin with; the others measure disks and radios."""


class Meter:
    """Looks at one computer from time to time; the shares are of the time since the last look.

    Args:
        folder: the worker's folder for files, whose disk is meant.
        root: the folder that stands for `/`.
        pid: of the worker's agent: what descends from it is dc's.
        processes: returns all processes.
        clock: the time in seconds.
        load: returns how many processes ran or waited to run, in the mean of the last minute;
            for systems that do not say how busy the processors are.
    """

    def __init__(
        self,
        folder: Path,
        root: Path = ROOT,
        pid: int | None = None,
        processes: Callable[[], list[Process]] = all_processes,
        clock: Callable[[], float] = time.monotonic,
        load: Callable[[], float] | None = None,
    ) -> None:
        self._folder = folder
        self._root = root
        self._pid = os.getpid() if pid is None else pid
        self._processes = processes
        self._clock = clock
        self._load = load or load_of_system
        self._ticks = _ticks_a_second()
        self._sensors = self._find_sensors()
        self._supplies = [path.rpartition("/")[0] for path in self._paths("power_supply/*/type")]
        self._busy = self._processor_times()
        self._own = self._clock(), self._time_used([])

    def read(self) -> Vitals:
        """Return how the computer is now."""
        used, total = self._memory()
        free, whole = disk_of(self._folder)
        battery, mains = self._power()
        own = self._own_processes()
        return Vitals(
            processors=self._processors(),
            memory_used=used,
            memory_total=total,
            disk_free=float(free) if whole else UNKNOWN,
            temperature=self._temperature(),
            battery=battery,
            mains=mains,
            dc_memory=float(sum(one.resident for one in own)) or UNKNOWN,
            dc_processors=self._own_share(own),
        )

    # --- the computer ---------------------------------------------------------------------------

    def _processors(self) -> float:
        """Return which share of the processors' time was used since the last look."""
        before, self._busy = self._busy, self._processor_times()
        busy, total = (now - then for now, then in zip(self._busy, before, strict=True))
        if self._busy[1]:
            return _within(busy / total, 0.0, 1.0) if total > 0 else UNKNOWN
        return _within(min(1.0, self._load() / computer.processors()), 0.0, 1.0)

    def _processor_times(self) -> tuple[float, float]:
        """Return the ticks that all processors have been busy, and that there were in all."""
        # user, nice, system, idle, iowait, irq, softirq, steal: guests are among the first two.
        fields = self._read("proc/stat").partition("\n")[0].split()[1:9]
        with suppress(ValueError):
            times = [float(one) for one in fields]
            if len(times) >= 4:
                return sum(times) - sum(times[3:5]), sum(times)
        return 0.0, 0.0

    def _memory(self) -> tuple[float, float]:
        """Return the bytes that are used, and that there are."""
        with suppress(ValueError, IndexError, KeyError):
            lines = self._read("proc/meminfo").splitlines()
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
            sizes = [float(fields[one].split()[0]) for one in ("MemAvailable", "MemTotal")]
            free, total = (size * 1024 for size in sizes)
            if 0 <= free <= total < math.inf:
                return total - free, total
        return UNKNOWN, UNKNOWN

    def _temperature(self) -> float:
        """Return the warmth of the warmest processor, or of whatever is measured."""
        found = [_number(self._read(path)) / 1000 for path in self._sensors]
        return max((one for one in found if 0 < one <= HOTTEST), default=UNKNOWN)

    def _find_sensors(self) -> list[str]:
        """Return the files of the sensors of processors; of all zones, if there is none."""
        names = {path: self._read(path).strip() for path in self._paths("hwmon/*/name")}
        chips = [path.rpartition("/")[0] for path, name in names.items() if name in PROCESSOR_CHIPS]
        ours = [chip.removeprefix(CLASSES) for chip in chips]
        found = [one for chip in ours for one in self._paths(f"{chip}/temp*_input")]
        zones = {path: self._read(path).strip() for path in self._paths("thermal/*/type")}
        of = [one for one, kind in zones.items() if kind.lower().startswith(PROCESSOR_ZONES)]
        return found or [f"{one.rpartition('/')[0]}/temp" for one in (of or zones)]

    def _power(self) -> tuple[float, float]:
        """Return how full the batteries are, of 1, and whether there is mains power: 1 or 0."""
        charges, discharging, mains = [], False, []
        for supply in self._supplies:
            kind, scope = self._said(supply, "type"), self._said(supply, "scope")
            if kind == "Battery" and scope != "Device":
                charges.append(_within(_number(self._said(supply, "capacity")) / 100, 0.0, 1.0))
                discharging = discharging or self._said(supply, "status") == "Discharging"
            elif kind == "Mains":
                mains.append(self._said(supply, "online") == "1")
        known = [one for one in charges if one >= 0]
        charge = sum(known) / len(known) if known else UNKNOWN
        if mains:
            return charge, float(any(mains))
        return charge, float(not discharging) if charges else UNKNOWN

    # --- dc itself ------------------------------------------------------------------------------

    def _own_processes(self) -> list[Process]:
        """Return the worker's agent, and what descends from it."""
        table = self._processes()
        own = [one for one in table if one.pid == self._pid]
        return [*own, *(one for one in below(self._pid, table) if one.is_alive)]

    def _own_share(self, own: Iterable[Process]) -> float:
        """Return how many processors these have used since the last look, in the mean."""
        then, before = self._own
        now, used = self._own = self._clock(), self._time_used(own)
        if before < 0 or used < 0 or now <= then:
            return UNKNOWN
        # What ends and is waited for by nobody takes its time with it.
        return _within(max(0.0, used - before) / (now - then), 0.0, 1e5)

    def _time_used(self, own: Iterable[Process]) -> float:
        """Return the seconds of processor time of these, and of what they have waited for.

        Without any, it is that of the agent alone: it stands at the beginning.
        """
        pids = [one.pid for one in own] or [self._pid]
        times = [self._ticks_of(pid) for pid in pids]
        known = [one for one in times if one >= 0]
        return sum(known) / self._ticks if known and self._ticks else UNKNOWN

    def _ticks_of(self, pid: int) -> float:
        with suppress(ValueError, IndexError):
            fields = self._read(f"proc/{pid}/stat").rpartition(")")[2].split()
            return sum(float(one) for one in fields[11:15]) if len(fields) > 15 else UNKNOWN
        return UNKNOWN

    # --- files ----------------------------------------------------------------------------------

    def _said(self, folder: str, name: str) -> str:
        return self._read(f"{folder}/{name}").strip()

    def _read(self, path: str) -> str:
        """Return the beginning of a file; nothing if it cannot be read."""
        with suppress(OSError, ValueError), (self._root / path).open("rb") as file:
            return file.read(FILE_BYTES).decode(errors="replace")
        return ""

    def _paths(self, pattern: str) -> list[str]:
        """Return the paths below `sys/class`, from the root, that fit a pattern."""
        with suppress(OSError, ValueError):
            found = sorted((self._root / CLASSES).glob(pattern))
            return [path.relative_to(self._root).as_posix() for path in found]
        return []


def load_of_system() -> float:
    """Return how many processes ran or waited, in the mean of the last minute; -1: not known."""
    if sys.platform != "win32":
        with suppress(OSError, AttributeError):
            return os.getloadavg()[0]
    return UNKNOWN


def _ticks_a_second() -> float:
    if sys.platform != "win32":
        with suppress(OSError, ValueError, AttributeError):
            return float(os.sysconf("SC_CLK_TCK"))
    return 0.0


def _within(value: float, least: float, most: float) -> float:
    """Return a value if it makes sense, else that it is not known."""
    return value if least <= value <= most else UNKNOWN


def _number(text: str) -> float:
    """Return a number; one that makes no sense anywhere if it is none."""
    with suppress(ValueError):
        return float(text)
    return -1e9
