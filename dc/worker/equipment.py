"""What a worker finds out about what its computer has: processors, memory, cards, battery.

Nothing here raises, and nothing waits for longer than PROGRAM_SECONDS: what cannot be found out is
left out. Files are read below `root`, so that a test can show another computer.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

from dc import limits
from dc.requirements import CPUS, GPUS, MEMORY
from dc.worker import computer
from dc.worker.amounts import VARIABLES, Card

Run: TypeAlias = Callable[[Sequence[str]], str]
"""Runs a program and returns what it prints; an empty text if it cannot."""

ROOT: Final = Path("/")
NVIDIA_SMI: Final = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
NVIDIA, AMD = VARIABLES
AMD_VENDOR: Final = "0x1002"
VIRTUAL: Final = (
    "kvm",
    "qemu",
    "vmware",
    "virtualbox",
    "hyper-v",
    "virtual machine",
    "xen",
    "bochs",
)
CONTAINER_FILES: Final = (".dockerenv", "run/.containerenv")
FILE_BYTES: Final = 64 * limits.KIB


def run_program(command: Sequence[str]) -> str:
    """Run a program; return what it prints, or nothing if it fails, hangs or is not there."""
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.PROGRAM_SECONDS,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout[:FILE_BYTES].decode(errors="replace")
    return ""


class Equipment:
    """One computer, looked at once.

    Args:
        root: the folder that stands for `/`.
        run: runs programs.
        allowed: how many processors this process may use, as the system says.
        environment: of this process.
    """

    def __init__(
        self,
        root: Path = ROOT,
        run: Run = run_program,
        allowed: int | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._environment = environment
        self._root = root
        self._run = run
        self._allowed = computer.processors() if allowed is None else allowed

    # --- what there is --------------------------------------------------------------------------

    def processors(self) -> float:
        """Return how many processors may be used: by affinity, and by the quota of the cgroup."""
        return max(0.01, min(float(self._allowed), *self._quotas(), math.inf))

    def memory(self) -> float:
        """Return the bytes of memory: of the computer, or as its cgroup bounds them; 0: unknown."""
        found = [size for size in (self._total_memory(), *self._memory_limits()) if size > 0]
        return min(found, default=0.0)

    def resources(self) -> dict[str, float]:
        """Return the amounts of what this computer has: cpus, memory in bytes, gpus."""
        found = {CPUS: self.processors(), MEMORY: self.memory()}
        found[GPUS] = float(len(self.cards()))
        return {name: value for name, value in found.items() if value > 0}

    def cards(self) -> list[Card]:
        """Return the cards that tasks may be given, as the variables of their makers name them."""
        return [
            *(Card(number, NVIDIA) for number in self._numbers(NVIDIA, self._nvidia)),
            *(Card(number, AMD) for number in self._numbers(AMD, self._amd)),
        ]

    def _numbers(self, variable: str, names: list[str]) -> list[str]:
        """Return the numbers of cards: where this process itself was given some, only those."""
        given = self._environment.get(variable)
        if given is None:
            return [str(at) for at in range(len(names))]
        return [one.strip() for one in given.split(",") if one.strip()][: len(names)]

    def labels(self) -> dict[str, str]:
        """Return the labels `gpu` and `gpu-driver`, `battery`, `virtual` and `container`."""
        cards = [*self._nvidia, *self._amd]
        makers = [("nvidia", self._nvidia), ("amd", self._amd)]
        found = {
            "gpu": " + ".join(dict.fromkeys(cards))[: limits.TEXT_CHARS],
            "gpu-driver": "+".join(name for name, mine in makers if mine),
            "battery": self._battery(),
            "virtual": "yes" if self._is_virtual() else "no",
            "container": "yes" if self._is_contained() else "no",
        }
        return {name: value for name, value in found.items() if value}

    # --- processors and memory ------------------------------------------------------------------

    def _quotas(self) -> Iterator[float]:
        """Yield how many processors the cgroups above this process allow (v2, then v1)."""
        for folder in self._cgroups(""):
            yield _share(*_pair(self._read(f"{folder}/cpu.max")))
        for folder in self._cgroups("cpu"):
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            yield _share(*(self._read(f"{folder}/{name}") for name in names))

    def _memory_limits(self) -> Iterator[float]:
        for folder in self._cgroups(""):
            yield _number(self._read(f"{folder}/memory.max"))
        for folder in self._cgroups("memory"):
            yield _number(self._read(f"{folder}/memory.limit_in_bytes"))

    def _cgroups(self, controller: str) -> Iterator[str]:
        """Yield the folders of a controller's cgroups, from this process's up; "" stands for v2."""
        base = f"sys/fs/cgroup/{controller}".rstrip("/")
        for line in self._read("proc/self/cgroup").splitlines():
            _, _, rest = line.partition(":")
            names, _, path = rest.partition(":")
            if (controller in names.split(",")) if controller else not names:
                parts = [part for part in path.split("/") if part not in ("", "..")]
                for count in range(len(parts), -1, -1):
                    yield "/".join([base, *parts[:count]])
                return

    def _total_memory(self) -> float:
        found = re.search(r"^MemTotal:\s+(\d+) kB", self._read("proc/meminfo"), re.MULTILINE)
        if found:
            return float(found[1]) * 1024
        if self._root == ROOT and sys.platform != "win32":
            with suppress(OSError, ValueError):
                return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        return 0.0

    # --- cards, battery, virtual machine --------------------------------------------------------

    @cached_property
    def _nvidia(self) -> list[str]:
        """The names of the NVIDIA cards: by the driver's files, else by its program."""
        texts = [self._read(path) for path in self._paths("proc/driver/nvidia/gpus/*/information")]
        found = [re.search(r"^Model:\s*(.+)$", text, re.MULTILINE) for text in texts]
        names = [one[1].strip() if one else "NVIDIA" for one in found]
        return names or [one.strip() for one in self._run(NVIDIA_SMI).splitlines() if one.strip()]

    @cached_property
    def _amd(self) -> list[str]:
        """The names of the AMD cards that can compute, by the driver's files."""
        names = []
        for path in self._paths("sys/class/drm/card*/device/vendor"):
            card = path.rpartition("/")[0]
            # Connectors stand beside the cards, and processors with graphics have no memory there.
            is_card = "-" not in card.split("/")[3] and self._paths(f"{card}/mem_info_vram_total")
            if is_card and self._read(path).strip() == AMD_VENDOR and self._paths("dev/kfd"):
                names.append(self._read(f"{card}/product_name").strip() or "AMD")
        return names

    def _battery(self) -> str:
        """Return `charging`, `discharging` or another word of the system; nothing without one."""
        for path in self._paths("sys/class/power_supply/*/type"):
            supply = path.rpartition("/")[0]
            of_a_device = self._read(f"{supply}/scope").strip() == "Device"
            if self._read(path).strip() == "Battery" and not of_a_device:
                return self._read(f"{supply}/status").strip().lower() or "unknown"
        return ""

    def _is_virtual(self) -> bool:
        names = ("product_name", "sys_vendor")
        text = " ".join(self._read(f"sys/class/dmi/id/{name}") for name in names).lower()
        flags = re.search(r"^flags\s*:.*\bhypervisor\b", self._read("proc/cpuinfo"), re.MULTILINE)
        return flags is not None or any(word in text for word in VIRTUAL)

    def _is_contained(self) -> bool:
        if any(self._paths(name) for name in CONTAINER_FILES):
            return True
        return "container=" in self._read("proc/1/environ").replace("\0", "\n")

    # --- files ----------------------------------------------------------------------------------

    def _read(self, path: str) -> str:
        """Return the beginning of a file; nothing if it cannot be read."""
        with suppress(OSError, ValueError), (self._root / path).open("rb") as file:
            return file.read(FILE_BYTES).decode(errors="replace")
        return ""

    def _paths(self, pattern: str) -> list[str]:
        """Return the paths, below the root, that fit a pattern."""
        with suppress(OSError, ValueError):
            found = sorted(self._root.glob(pattern))
            return [path.relative_to(self._root).as_posix() for path in found]
        return []


def _pair(text: str) -> tuple[str, str]:
    first, _, second = text.strip().partition(" ")
    return first, second


def _share(quota: str, period: str) -> float:
    """Return a quota as processors; infinity where there is none."""
    time, base = _number(quota), _number(period)
    return time / base if time > 0 and base > 0 else math.inf


def _number(text: str) -> float:
    text = text.strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 30 else 0.0
