"""The task types of the tests that boot: what a task sees of the computer on which it runs."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import dc


def available() -> int:
    """Return the bytes of memory that are free to use."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


@dataclass
class Sight:
    """What a task sees of a computer: seconds, bytes, and names."""

    time: float
    boot: str
    uptime: float
    user: int
    line: str
    free: int
    disks: list[str]


@dc.task_type
def look(number: int) -> Sight:
    """Tell what there is to see."""
    return Sight(
        time=time.time(),
        boot=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        uptime=float(Path("/proc/uptime").read_text().split()[0]),
        user=os.getuid(),
        line=Path("/proc/cmdline").read_text(),
        free=available(),
        disks=sorted(path.name for path in Path("/sys/block").iterdir()),
    )


@dc.task_type
def compute(seconds: float) -> int:
    """Compute for a while; return how many rounds that were."""
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        rounds += 1
    return rounds
