"""The simulation: a thousand seeds run clean, always in the same way; defects are found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
import trio
import trio.testing

from dc.testing.disk import SyncedFiles
from dc.testing.ledger import Ledger
from dc.testing.plan import KINDS, draw_plan
from dc.testing.planted import DEFECTS
from dc.testing.process import PROCESS, Process
from dc.testing.run_seed import Verdict, run_seed
from dc.testing.simulate import explain, main, run_seeds

ROOT = Path(__file__).parent.parent.parent
SEEDS = range(1000)
DIGESTS = "from dc.testing.run_seed import run_seed\n" + (
    "print(*(run_seed(seed, trace=True).digest for seed in range(40, 44)))"
)


def test_a_thousand_seeds_run_clean() -> None:
    failing: list[Verdict] = [one for one in run_seeds(SEEDS, 2) if one.violations]
    assert not failing, "\n\n".join(map(explain, failing))


def test_a_seed_is_always_the_same_story() -> None:
    """In this process and in others, whatever the order of their hash tables."""
    here = [run_seed(seed, trace=True).digest for seed in range(40, 44)]
    again = [run_seed(seed, trace=True).digest for seed in range(40, 44)]
    assert here == again
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", DIGESTS],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == here


@pytest.mark.parametrize("name", DEFECTS)
def test_each_planted_defect_is_found(name: str) -> None:
    found = next((one for one in run_seeds(range(300), 1, name) if one.violations), None)
    assert found is not None


def test_plans_differ_much() -> None:
    plans = [draw_plan(seed) for seed in range(400)]
    sizes = {len(plan.kinds) for plan in plans}
    assert {0, 1, 2, 3} <= sizes
    assert max(sizes) > 10
    everything = set().union(*(plan.kinds for plan in plans))
    assert everything == set(KINDS) - {"cancel"}, "cancels are part of the jobs"
    assert draw_plan(7) == draw_plan(7)


def test_a_failing_seed_tells_its_story(capsys: pytest.CaptureFixture[str]) -> None:
    seed = next(
        one.seed for one in run_seeds(range(300), 1, "requeue-on-disconnect") if one.violations
    )
    assert main(["--seed", str(seed), "--plant", "requeue-on-disconnect", "--trace"]) == 1
    said = capsys.readouterr().out
    assert f"seed {seed} fails: a task is given to" in said
    assert "Assign(" in said
    assert f"--seed {seed} --trace" in said


# --- the parts ------------------------------------------------------------------------------------


async def test_a_fuse_kills_a_process_after_steps(autojump_clock: trio.testing.MockClock) -> None:
    process = Process("one", 1)
    steps = 0

    async def run() -> None:
        nonlocal steps
        PROCESS.set(process)
        with process.scope:
            while True:
                steps += 1
                await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.sleep(0.5)
        process.kill_after(5, process.kill)
    assert steps == 7
    assert process.killed


async def test_the_ledger_notices(autojump_clock: trio.testing.MockClock) -> None:
    noticed: list[str] = []
    ledger = Ledger(draw_plan(1), "/nowhere", lambda: noticed.append("violation"))
    ledger.accepted(1, 1)
    ledger.stored(1, 1, False)
    ledger.accepted(1, 1)
    assert not noticed
    ledger.accepted(1, 2)
    assert noticed
    assert "is now another job" in ledger.violations[0].rule


def test_what_was_not_synced_may_be_lost(tmp_path: Path) -> None:
    files = SyncedFiles(Random(1))
    lengths = set()
    for number in range(40):
        path = tmp_path / str(number)
        with files.watched(), path.open("wb", buffering=0) as file:
            file.write(b"synced")
            os.fsync(file.fileno())
            file.write(b"lost?")
        files.lose(path.parent)
        lengths.add(len(path.read_bytes()))
    assert min(lengths) >= 6
    assert max(lengths) <= 11
    assert len(lengths) > 3
