"""`python -m tests.campaign`: kills real processes and compares with an outside ledger."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random
from typing import Final

import trio
from msgspec import Struct

from tests.campaign import network
from tests.campaign.holds import SETTLE_SECONDS, Holds
from tests.campaign.network import Link
from tests.campaign.plan import cuts_only, make_plan
from tests.campaign.processes import leftovers
from tests.campaign.report import Report
from tests.campaign.shorts import Shorts
from tests.campaign.world import World

SCENARIOS: Final = ("kills", "down", "network", "stop", "short")
NAMESPACE: Final = "netns"
BETWEEN_SECONDS: Final = 10.0  # after each cut of the scenario `short`
MOST_SECONDS: Final = 4 * 3600.0  # of a whole run, whatever it waits for

EPILOG = """\
scenarios:
  kills    one job of short tasks; server, workers, executors and clients killed with -9 all along,
           workers stopped for longer than their lease, bad relays, cuts of a link
  down     the server is down for --seconds while workers run tasks of an hour
  network  the link to the worker that runs tasks of an hour is cut, for --cut seconds each
  stop     a worker is stopped for --stop seconds; another one takes its tasks
  short    short tasks while the link is cut and relays are bad

The link is a pair of virtual interfaces between two network namespaces: that needs root, or user
namespaces for everybody. Without them the run says so and fails, unless `--without netns` is given.
The exit status is 0 if all went well and nothing was left out, 1 if not.
"""


class Arguments(Struct, frozen=True):
    """What was asked for."""

    scenario: str
    kills: int
    tasks: int
    seed: int
    spacing: float
    seconds: float
    settle: float | None
    stop: float
    cuts: list[float]
    without: list[str]
    folder: Path | None
    report: Path | None
    keep: bool
    isolated: bool


def parse(argv: list[str]) -> Arguments:
    """Return the arguments; exits with status 2 when they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.campaign",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--scenario", choices=SCENARIOS, default="kills")
    add("--kills", type=int, default=300, help="kill -9 in all (%(default)s)")
    add("--tasks", type=int, default=200_000, help="of the job (%(default)s)")
    add("--seed", type=int, default=1, help="of the plan (%(default)s)")
    add("--spacing", type=float, default=2.2, help="seconds between kills (%(default)s)")
    add("--seconds", type=float, default=600.0, help="that the server is down (%(default)s)")
    add("--settle", type=float, help="seconds of peace after a fault (by the scenario)")
    add("--stop", type=float, default=75.0, help="seconds; 0 for never (%(default)s)")
    add("--cut", default="5,20,60", help="seconds of each cut; empty for none (%(default)s)")
    add("--without", action="append", default=[], choices=[NAMESPACE], help="what is left out")
    add("--folder", type=Path, help="for data and logs (default: a temporary one)")
    add("--report", type=Path, help="where the report goes as JSON, too")
    add("--keep", action="store_true", help="keep the folder of a run that passed")
    add("--isolated", action="store_true", help=argparse.SUPPRESS)
    values = vars(parser.parse_args(argv))
    try:
        values["cuts"] = [float(one) for one in values.pop("cut").split(",") if one]
    except ValueError:
        parser.error("--cut: give seconds, as 5,20,60")
    return Arguments(**values)


async def run(arguments: Arguments, report: Report, folder: Path, link: Link | None) -> None:
    """Run a scenario in a folder; the report takes what is found."""
    print(f"data and logs are in {folder}", file=sys.stderr, flush=True)
    try:
        with trio.fail_after(MOST_SECONDS):
            async with trio.open_nursery() as nursery:
                await nursery.start(end_at_sigterm, nursery.cancel_scope, report)
                await run_in_world(arguments, report, World(folder, nursery, link))
                nursery.cancel_scope.cancel()
    except* AssertionError as errors:
        report.problems += texts(errors)
    except* Exception as errors:
        traceback.print_exc()
        report.problems.append(f"the campaign itself has failed: {errors!r}")
    finally:
        with trio.CancelScope(shield=True):
            report.problems += await leftovers(str(folder))


async def run_in_world(arguments: Arguments, report: Report, world: World) -> None:
    """Run a scenario, end its programs, and note what they say of mistakes."""
    try:
        await scenario(arguments, report, world)
    except* AssertionError as errors:
        report.problems += texts(errors)
    finally:
        await world.end()
        report.problems += world.log_problems()


def texts(errors: BaseExceptionGroup[AssertionError]) -> list[str]:
    """Return what the errors of a group say."""
    found = []
    for error in errors.exceptions:
        found += texts(error) if isinstance(error, BaseExceptionGroup) else [str(error)]
    return found


async def end_at_sigterm(
    everything: trio.CancelScope, report: Report, task_status: trio.TaskStatus[None]
) -> None:
    """End the run, and all that it has started, at SIGTERM."""
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            report.problems.append("ended by SIGTERM")
            everything.cancel()


async def scenario(arguments: Arguments, report: Report, world: World) -> None:
    """Run one scenario in a world."""
    random = Random(arguments.seed)
    cuts = arguments.cuts if world.link is not None else []
    if arguments.scenario in ("kills", "short"):
        if arguments.scenario == "kills":
            plan = make_plan(
                random, arguments.kills, arguments.spacing, stop=arguments.stop, cuts=cuts
            )
        else:
            plan = cuts_only(random, cuts or [0.0], arguments.settle or BETWEEN_SECONDS)
        await Shorts(world, plan, arguments.tasks).run(report)
        return
    holds = Holds(world, report, arguments.settle or SETTLE_SECONDS)
    if arguments.scenario == "down":
        await holds.down(arguments.seconds)
    elif arguments.scenario == "stop":
        await holds.stop(arguments.stop)
    elif world.link is not None:
        await holds.network(arguments.cuts)
    await world.end()
    holds.compare()


def run_in_folder(arguments: Arguments, report: Report) -> Path:
    """Run with or without a link, and return the folder that was used."""
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="dc-campaign-"))
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{arguments.scenario}-{arguments.seed}-{int(time.time())}"
    place.mkdir()
    if arguments.isolated:
        with Link() as link:
            trio.run(run, arguments, report, place, link, strict_exception_groups=True)
    else:
        trio.run(run, arguments, report, place, None, strict_exception_groups=True)
    return place


def main(argv: list[str]) -> int:
    """Run the campaign; return the exit status."""
    arguments = parse(argv)
    report = Report(arguments.scenario, arguments.seed)
    wanted = bool(arguments.cuts) and arguments.scenario in ("kills", "network", "short")
    if wanted and NAMESPACE not in arguments.without and not arguments.isolated:
        if not (why := network.missing()):
            network.isolated(["tests.campaign", *argv, "--isolated"])
        report.not_run.append(f"cuts of a link: {why}")
    elif wanted and NAMESPACE in arguments.without and arguments.scenario == "network":
        report.not_run.append("all of it: this scenario is about the link")
    folder = run_in_folder(arguments, report)
    print(report.text(), flush=True)
    if arguments.report is not None:
        report.write(arguments.report)
    if report.passed and not arguments.keep:
        shutil.rmtree(folder if arguments.folder else folder.parent)
    else:
        print(f"data and logs are in {folder}", flush=True)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
