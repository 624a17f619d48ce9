"""Runs the same work over dc and its peers, side by side; writes figures, tables and plots.

    python -m benchmarks.peers [--quick] [--only dc,dask] [--repeat N]

Each peer is installed by name from the package index into an environment of its own below
`.bench/`, once. Everything listens on loopback, which is checked; what cannot be brought to that
runs in a network namespace of its own (root, or user namespaces) or is left out. Whatever is left
out is said in the tables and in the last lines, and the exit status is 1. With --quick or --only
the page is printed, and the documents stay as they are.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import pages, tables
from benchmarks.peers.catalogue import ALL, PLOTS
from benchmarks.peers.environments import CannotInstall, Environments
from benchmarks.peers.machine import machine
from benchmarks.peers.rounds import Rounds
from benchmarks.peers.session import adopt_orphans, end_all
from benchmarks.peers.summary import WHY_NOT, summarize

ROOT = Path(__file__).parent.parent.parent
INTERRUPTED = 130
QUICK = {"repeat": 1, "seconds": 0.5, "limit": 20.0, "queue": [10_000]}
FULL = {"repeat": 3, "seconds": 4.0, "limit": 60.0, "queue": [100_000, 1_000_000]}


def note(text: str) -> None:
    """Say how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    names = [entry.name for entry in ALL]
    add = parser.add_argument
    add("--quick", action="store_true", help="short runs, once: to see that all works")
    add("--only", metavar="NAMES", help=f"these systems only, of {','.join(names)}")
    add("--repeat", type=int, help="rounds (3; with --quick 1)")
    add("--seconds", type=float, help="of one measurement, about (4; with --quick 0.5)")
    add("--queue", type=_numbers, metavar="N,N", help="tasks to queue (100000,1000000)")
    add("--write", action="store_true", help="write the documents in spite of --quick or --only")
    arguments = parser.parse_args(argv)
    chosen = arguments.only.split(",") if arguments.only else names
    if unknown := set(chosen) - set(names):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    arguments.entries = [entry for entry in ALL if entry.name in chosen]
    for name, value in (QUICK if arguments.quick else FULL).items():
        if getattr(arguments, name, None) is None:
            setattr(arguments, name, value)
    return arguments


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",") if one]


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all rounds; return the results."""
    environments = Environments(ROOT / ".bench")
    rounds = Rounds(
        arguments.entries,
        environments,
        seconds=arguments.seconds,
        limit=arguments.limit,
        queue=arguments.queue,
        note=note,
    )
    rounds.run(arguments.repeat)
    return {
        "machine": machine(),
        "repeat": arguments.repeat,
        "seconds": arguments.seconds,
        "echo_us": statistics.median(rounds.echo_us),
        "systems": {name: summarize(one) for name, one in rounds.outcomes.items()},
    }


def plot() -> None:
    """Have the plots drawn, in the environment that is for that.

    Raises:
        CannotInstall: there is none, or they cannot be drawn.
    """
    python = Environments(ROOT / ".bench").python(PLOTS)
    where = str(ROOT / "docs" / "benchmarks" / "results.json")
    command = [str(python), "-m", "benchmarks.peers.plots", where]
    drawn = subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, "MPLBACKEND": "Agg"})
    if drawn.returncode:
        raise CannotInstall(f"the plots cannot be drawn: status {drawn.returncode}")


def missing(results: dict[str, Any]) -> list[str]:
    """Return what went wrong, a line each; that a system was not done in time is a figure."""
    lines = []
    for system in results["systems"].values():
        wrong = [one for one in system["troubles"] if WHY_NOT[0] not in one]
        if system["left_out"] or wrong:
            why = system["left_out"] or "; ".join(dict.fromkeys(wrong))
            lines.append(f"{system['title']}: {why}")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; return the exit status: 0 if nothing is missing."""
    arguments = parse(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    adopt_orphans()
    begun = time.monotonic()
    try:
        results = measure(arguments)
    except KeyboardInterrupt:
        note("interrupted: nothing is written, everything that was started is ended")
        return INTERRUPTED
    finally:
        end_all()
    gaps = missing(results)
    if arguments.write or not (arguments.only or arguments.quick):
        pages.write_all(results, ROOT)
        try:
            plot()
        except CannotInstall as error:
            gaps.append(str(error))
    print(pages.page(results) if arguments.only or arguments.quick else tables.overview(results))
    for line in gaps:
        note(f"not measured: {line}")
    note(f"done in {(time.monotonic() - begun) / 60:.1f} minutes; {len(gaps)} systems have gaps")
    return int(bool(gaps))


if __name__ == "__main__":
    sys.exit(main())
