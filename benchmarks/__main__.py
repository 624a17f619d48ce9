"""Every benchmark of the parts, one after the other, and a comparison with the runs before.

    python -m benchmarks [NAME ...] [--record] [--check]

Each prints its figures, a line of JSON a figure. In the end those are named that are more than a
quarter slower than the median of the last recorded runs on the same model of machine, and still are
when they are measured once and twice more; see `benchmarks/history.py` for how they are compared.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable

from benchmarks import history
from benchmarks.figures import calibrate

ALL: dict[str, list[str]] = {
    "frames": [],
    "messages": [],
    "scheduler": [],
    "store": ["--seconds", "1", "--ways", "store"],
    "http": [],
    "executor": ["1"],
    "path": [],
}
"""Each with its options, which keep it below a minute."""

AGAIN = 2
"""So often is measured anew what was slower: most often the machine was, for a moment."""


def run_one(name: str) -> dict[str, float] | None:
    """Run a benchmark, show what it prints, and return its compared figures; None if it failed."""
    figures = {}
    command = [sys.executable, "-m", f"benchmarks.{name}", *ALL[name]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            said = json.loads(line)
            if said.get("compared"):
                figures[f"{name}: {said['figure']}"] = said["value"]
    return None if process.returncode else figures


def measure(names: Iterable[str]) -> tuple[history.Run, list[str]]:
    """Run benchmarks; return their figures as a run of the history, and the names that failed."""
    figures: dict[str, float] = {}
    calibration, failed = {}, []
    for name in names:
        print(f"# benchmarks.{name}", flush=True)
        before = calibrate()
        found = run_one(name)
        calibration[name] = (before + calibrate()) / 2
        figures |= found or {}
        if found is None:
            failed.append(name)
    return history.made(figures, calibration), failed


def slower_each_time(run: history.Run) -> list[history.Slower]:
    """Return the figures that are slower than before, and still are when they are measured anew."""
    past = history.read()
    slower = history.slower(run, past)
    for _ in range(AGAIN):
        suspects = {one.name for one in slower}
        if suspects:
            print(f"# slower than before, so once more: {', '.join(sorted(suspects))}")
            again, _ = measure(dict.fromkeys(one.name.partition(":")[0] for one in slower))
            slower = [one for one in history.slower(again, past) if one.name in suspects]
    return slower


def main() -> int:
    """Run the benchmarks; return 1 if one failed, or with --check if a figure is slower."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}; else all")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/history.jsonl")
    parser.add_argument("--check", action="store_true", help="fail if a figure is slower")
    options = parser.parse_args()
    if unknown := set(options.names) - set(ALL):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    run, failed = measure(options.names or ALL)
    slower = slower_each_time(run)
    for one in slower:
        print(f"# slower than before: {one.name}: {one.value}, was {one.before} ({one.times:.2f}x)")
    for name in failed:
        print(f"# failed: {name}")
    if options.record and not failed:
        history.append(run)
    return 1 if failed or (options.check and slower) else 0


if __name__ == "__main__":
    sys.exit(main())
