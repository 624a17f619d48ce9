"""The history of the figures: one line of JSON a run, and whether a run is slower than before.

A line has `date`, `commit` (with a "+" if `dc/` or `benchmarks/` differed from it), `machine` (the
processor's model and how many there are), `python`, `calibration` and `figures`, by name. A run
need not have all figures.

Two runs on one machine differ by more than a slip in the code makes: wall times have moved by 2.6
times between two hours. So a run is held against the median of the last runs on the same model of
machine, and each figure is first divided by the calibration that was timed just before and after
it, in the same run (`benchmarks.figures.calibrate`). Bytes stay as they are. What is left of the
noise is why nothing below 25 % is called slower.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import statistics
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).parent / "history.jsonl"
RUNS = 7  # the last ones, of which the median is taken
WORSE = 1.25

Run = dict[str, Any]


class Slower(NamedTuple):
    """A figure that got worse: its value, what it was in the median, and by how much."""

    name: str
    value: float
    before: float
    times: float


def machine() -> dict[str, Any]:
    """Return what this machine is called, as far as its speed goes."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {"cpu": models[0] if models else platform.processor(), "cores": os.cpu_count()}


def commit() -> str:
    """Return the commit that is checked out, or "unknown". Changes of the history do not count."""
    name = _git("rev-parse", "--short=12", "HEAD")
    if name is None:
        return "unknown"
    changed = _git("status", "--porcelain", "-uno", "--", "../dc", ".", f":!{FILE.name}")
    return f"{name}+" if changed else name


def _git(*arguments: str) -> str | None:
    """Return what git says, None if it fails or is not there."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=FILE.parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def made(figures: dict[str, float], calibration: dict[str, float]) -> Run:
    """Return a run, as it stands in the history.

    Args:
        figures: by name; the word before the first colon is the benchmark's.
        calibration: processor seconds, by benchmark.
    """
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "python": platform.python_version(),
        "calibration": {name: round(seconds, 5) for name, seconds in calibration.items()},
        "figures": figures,
    }


def read(file: Path = FILE) -> list[Run]:
    """Return all runs, oldest first."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line]


def append(run: Run, file: Path = FILE) -> None:
    """Add a run at the end of the history."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(run, ensure_ascii=False) + "\n")


def badness(run: Run, name: str) -> float:
    """Return a figure of a run so that less is better, and so that machine and hour cancel out."""
    value = float(run["figures"][name])
    unit = name.rpartition(", ")[2]
    if unit in ("B", "KiB", "MiB"):
        return value
    pace = float(run["calibration"][name.partition(":")[0]])
    return 1.0 / max(value * pace, 1e-12) if unit.endswith("/s") else value / pace


def slower(run: Run, history: list[Run]) -> list[Slower]:
    """Return the figures of a run that are worse than the median of the last runs like it."""
    alike = [
        one
        for one in history
        if one["machine"] == run["machine"]
        and one["python"].rpartition(".")[0] == run["python"].rpartition(".")[0]
    ]
    found = []
    for name, value in run["figures"].items():
        before = [one for one in alike if name in one["figures"]][-RUNS:]
        if not before:
            continue
        usual = statistics.median(badness(one, name) for one in before)
        times = badness(run, name) / usual if usual > 0 else 1.0
        if times > WORSE:
            median = statistics.median(float(one["figures"][name]) for one in before)
            found.append(Slower(name, value, median, times))
    return found
