"""`python -m dc.testing.simulate`: the whole system in one process, with faults drawn from seeds.

python -m dc.testing.simulate --seeds 0:1000 --processes 2
python -m dc.testing.simulate --seed 17 --trace
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

from dc.testing.planted import DEFECTS
from dc.testing.run_seed import Verdict, run_seed

LAST_LINES = 60


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the arguments; exits with status 2 when they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m dc.testing.simulate",
        description="Run the server, workers and clients in one process, with faults from a seed.",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", metavar="N", type=int, help="run one seed")
    which.add_argument("--seeds", metavar="A:B", type=_range, help="run the seeds from A up to B")
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    parser.add_argument("--processes", metavar="N", type=int, default=1, help="at one time (1)")
    parser.add_argument("--plant", choices=DEFECTS, default="", help="a defect to plant")
    parser.add_argument("--plant-all", action="store_true", help="plant one defect after the other")
    parser.add_argument("--keep-going", action="store_true", help="go on after a failing seed")
    return parser.parse_args(argv)


def _range(text: str) -> range:
    first, _, last = text.partition(":")
    return range(int(first), int(last))


def run_seeds(seeds: range, processes: int, plant: str = "") -> Iterator[Verdict]:
    """Yield the verdicts of seeds, in their order."""
    one = partial(run_seed, plant=plant)
    if processes == 1:
        yield from map(one, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(one, seeds, chunksize=4)


def explain(verdict: Verdict) -> str:
    """Return what is to be said of a failing seed."""
    first = verdict.violations[0]
    where = f" (job {first.task[0]}, task {first.task[1]})" if first.task[0] >= 0 else ""
    return "\n".join(
        [
            f"seed {verdict.seed} fails: {first.rule}{where}",
            f"  its faults: {', '.join(verdict.kinds) or 'none'}",
            "  the last that happened:",
            *(f"  {line}" for line in verdict.lines[-LAST_LINES:]),
            f"  again: python -m dc.testing.simulate --seed {verdict.seed} --trace",
        ]
    )


def main(argv: list[str] | None = None) -> int:
    """Run what was asked for; return 1 if a seed fails."""
    arguments = parse(argv)
    if arguments.seed is not None:
        return _run_one(arguments.seed, arguments.plant, trace=arguments.trace)
    if arguments.plant_all:
        return max(_find(name, arguments.seeds, arguments.processes) for name in DEFECTS)
    return _run_many(arguments)


def _find(plant: str, seeds: range, processes: int) -> int:
    """Print the first seed that finds a defect; return 1 if none does."""
    for verdict in run_seeds(seeds, processes, plant):
        if verdict.violations:
            print(f"{plant}: seed {verdict.seed}: {verdict.violations[0].rule}", flush=True)
            return 0
    print(f"{plant}: no seed of {seeds.start}:{seeds.stop} finds it", flush=True)
    return 1


def _run_one(seed: int, plant: str, *, trace: bool) -> int:
    verdict = run_seed(seed, trace=trace, plant=plant)
    if trace:
        print("\n".join(verdict.lines))
    if verdict.violations:
        print(explain(verdict))
        return 1
    print(f"seed {seed} is clean: {verdict.seconds:.1f} s simulated, {verdict.entries} events")
    return 0


def _run_many(arguments: argparse.Namespace) -> int:
    began = time.perf_counter()
    failing: list[int] = []
    kinds: Counter[str] = Counter()
    seconds = 0.0
    tasks = executions = done = 0
    for verdict in run_seeds(arguments.seeds, arguments.processes, arguments.plant):
        done += 1
        kinds.update(verdict.kinds or ["none"])
        seconds += verdict.seconds
        tasks += verdict.tasks
        executions += verdict.executions
        if verdict.violations:
            failing.append(verdict.seed)
            print(explain(verdict), flush=True)
            if not arguments.keep_going:
                break
    took = time.perf_counter() - began
    print(f"{done} seeds, {len(failing)} failing: {failing}")
    print(f"{took:.1f} s, {1000 * took / max(done, 1):.1f} ms a seed; simulated {seconds:.0f} s")
    print(f"{tasks} tasks submitted, {executions} executions")
    print("seeds by kind of fault: " + ", ".join(f"{k} {n}" for k, n in sorted(kinds.items())))
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
