"""What the benchmarks share: figures as JSON lines, processor time, and a calibration.

A figure is a line of JSON with `figure`, a name that ends in its unit, and `value`. For rates (a
unit with "/s") more is better, for all else less. `compared` false says that the figure is kept and
shown and never judged, because something else than this program decides it, as the disk does.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

CALIBRATION_RUNS = 5
CALIBRATION_BYTES = 32 * 1024 * 1024


def show(name: str, value: float, unit: str, *, compared: bool = True, **more: object) -> None:
    """Print a figure. `more` is what else is known of it, and goes nowhere but to the reader."""
    digits = 4 if abs(value) >= 0.001 else 3
    rounded = float(f"{value:.{digits}g}") if abs(value) < 1000 else round(value)
    line = {"figure": f"{name}, {unit}", "value": rounded, "compared": compared}
    print(json.dumps(line | more, ensure_ascii=False), flush=True)


def least_cpu(run: Callable[[], object], runs: int = 9) -> float:
    """Return the least processor seconds of a call out of several; one more warms up.

    The least and not the median: what else goes on in the machine only ever adds to it.
    """
    run()
    spans = []
    for _ in range(runs):
        begin = time.process_time()
        run()
        spans.append(time.process_time() - begin)
    return min(spans)


def process_cpu(pid: int) -> float:
    """Return the processor seconds that a process has used, all its threads; 0 if unknown."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # Linux's name for that clock of a process
    except OSError:
        return 0.0


def resident_bytes() -> int:
    """Return the resident memory of this process, 0 where that cannot be told."""
    status = Path("/proc/self/statm")
    pages = int(status.read_text("utf-8").split()[1]) if status.exists() else 0
    return pages * 4096


def calibrate() -> float:
    """Return the processor seconds of a fixed work, which tell how fast this machine is just now.

    It is half bytecode on small objects, and half memory: copies of what no cache near the
    processor holds, and reads that jump about. On a shared machine both move with the hour, and
    most figures move with them.
    """
    order = list(range(0, CALIBRATION_BYTES, 4099))
    random.Random(1).shuffle(order)
    block = bytearray(CALIBRATION_BYTES)

    def work() -> int:
        total = 0
        counts: dict[int, int] = {}
        for number in range(250_000):
            counts[number & 4095] = total = (total * 31 + number) & 0xFFFFFFFF
        for _ in range(3):
            copy = bytes(block)
            for _ in range(4):
                total += sum(map(copy.__getitem__, order))
        return total

    return least_cpu(work, CALIBRATION_RUNS)
