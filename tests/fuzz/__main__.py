"""`python -m tests.fuzz`: fuzz dc's parsers with atheris (libFuzzer), which looks for new branches.

    python -m tests.fuzz [--seconds 60] [--target http] ...

Each target runs in a process of its own for so long. What it finds new stays in .fuzz/TARGET; what
brings about a mistake is written beside it, and its name is printed. With `--keep`, the smallest of
what was found go into tests/fuzz/corpus: libFuzzer keeps an input only if it reaches something new.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.fuzz.targets import TARGETS, seeds

HERE: Final = Path(__file__).parent
FOUND: Final = Path(".fuzz")
MOST_BYTES: Final = 600
"""Of an input: the limits of heads and messages have tests of their own."""

MOST_KEPT: Final = 60
"""Inputs that are kept for each target: the corpus is replayed by every run of the tests."""


def main(argv: list[str] | None = None) -> int:
    """Fuzz; return 1 if there is a mistake."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="of each target (default 60)")
    parser.add_argument("--target", action="append", choices=[*TARGETS], default=[])
    parser.add_argument("--keep", action="store_true", help="take what was found into the corpus")
    arguments = parser.parse_args(argv)
    wrong = 0
    for name in arguments.target or TARGETS:
        wrong += fuzz(name, arguments.seconds)
        if arguments.keep:
            keep(name)
    return int(wrong > 0)


def fuzz(name: str, seconds: int) -> int:
    """Fuzz a target; return whether there is a mistake."""
    folder = FOUND / name
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds()[name]:
        _write(folder, seed)
    kept = HERE / "corpus" / name
    kept.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", "-timeout=10"]
    options += [f"-artifact_prefix={folder}-wrong-", "-rss_limit_mb=1024", "-print_final_stats=1"]
    began = time.monotonic()
    done = _run(name, [*options, str(folder), str(kept)])
    taken = time.monotonic() - began
    runs = re.findall(r"number_of_executed_units: (\d+)", done.stderr)
    count = int(runs[-1]) if runs else 0
    inputs = len(list(folder.iterdir()))
    print(f"{name}: {count} runs, {count / taken:.0f} a second, {inputs} inputs", flush=True)
    if done.returncode:
        print(done.stderr[-4000:], flush=True)
    return int(done.returncode != 0)


def keep(name: str) -> None:
    """Take what was found into the kept corpus of a target, the smallest first."""
    kept = HERE / "corpus" / name
    found = {file.read_bytes() for folder in (kept, FOUND / name) for file in folder.iterdir()}
    for file in kept.iterdir():
        file.unlink()
    for data in sorted(found - set(seeds()[name]), key=lambda data: (len(data), data))[:MOST_KEPT]:
        _write(kept, data)


def _write(folder: Path, data: bytes) -> None:
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def _run(name: str, options: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.one", name, *options]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


if __name__ == "__main__":
    sys.exit(main())
