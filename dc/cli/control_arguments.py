"""What the commands take that have jobs in hand, and their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from msgspec import Struct

from dc import limits
from dc.times import HELP, unix_time

Command: TypeAlias = Callable[[Any, str, str, str], argparse.ArgumentParser]


class Target(Struct, frozen=True):
    """A job (`12`), or some of its tasks (`12/3`, `12/0-99`, `12/1,4,7-9`) as pairs of first and
    last."""

    job: int
    tasks: tuple[tuple[int, int], ...] = ()


def target(text: str) -> Target:
    """Return what somebody means by a job, or by tasks of one."""
    job, slash, tasks = text.partition("/")
    try:
        ranges = tuple(map(_range, tasks.split(","))) if slash else ()
        return Target(_number(job), ranges)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no job: J, J/T or J/FIRST-LAST") from None


def _range(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    found = _number(first), _number(last if dash else first)
    if found[0] > found[1]:
        raise ValueError(text)
    return found


def _number(text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() else -1
    if not 0 <= value < limits.MAX_NUMBER:
        raise ValueError(text)
    return value


def job_number(text: str) -> int:
    """Return the number of a job."""
    try:
        return _number(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def weight(text: str) -> float:
    """Return a weight of a job or a submitter."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not limits.LEAST_WEIGHT <= value <= limits.MOST_WEIGHT:
        between = f"from {limits.LEAST_WEIGHT:g} to {limits.MOST_WEIGHT:g}"
        raise argparse.ArgumentTypeError(f"{text!r} is no weight, a number {between}")
    return value


def moment(text: str) -> float:
    """Return the Unix time that somebody means, in this computer's time zone."""
    try:
        return unix_time(text, datetime.now(UTC).astimezone())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: {HELP}") from None


def add_control(commands: Any, command: Command) -> None:
    """Add the commands.

    Args:
        commands: of the whole command line.
        command: adds a command to some, with what all take.
    """
    _add_cancel(commands, command)
    pause = command(
        commands,
        "pause",
        "Hand nothing of jobs out until they are resumed; what runs goes on.",
        "python -m dc pause 3",
    )
    pause.add_argument("--now", action="store_true", help="have what runs given back, to run later")
    text, example = "Hand paused jobs out again.", "python -m dc resume 3"
    resume = command(commands, "resume", text, example)
    for added in (pause, resume):
        added.add_argument("jobs", type=job_number, nargs="+", metavar="J", help="a job's number")
    text, example = "Queue failed tasks again.", "python -m dc retry 3"
    retry = command(commands, "retry", text, example)
    retry.add_argument(
        "targets",
        type=target,
        nargs="+",
        metavar="J[/TASKS]",
        help="a job: all its failed tasks but cancelled ones; or some of them, as 3/7 or 3/0-99",
    )
    _add_set(commands, command)
    _add_submitter(commands, command)


def _add_cancel(commands: Any, command: Command) -> None:
    text, example = "Cancel jobs, or tasks of jobs.", "python -m dc cancel 3"
    cancel = command(commands, "cancel", text, example)
    cancel.add_argument(
        "targets",
        type=target,
        nargs="*",
        metavar="J[/TASKS]",
        help="a job, or tasks of one: 3, 3/7, 3/0-99, 3/1,4,7-9",
    )
    cancel.add_argument(
        "--type", metavar="NAME[@VERSION]", help="all unfinished jobs of this task type"
    )
    cancel.add_argument("--submitter", metavar="NAME", help="all unfinished jobs of this submitter")


def _add_set(commands: Any, command: Command) -> None:
    text, example = "Change options of jobs.", "python -m dc set 3 --priority 5"
    change = command(commands, "set", text, example)
    add = change.add_argument
    add("jobs", type=job_number, nargs="+", metavar="J", help="a job's number")
    add("--name", metavar="NAME", help="for people")
    add("--priority", type=int, metavar="N", help="higher runs first")
    add("--weight", type=weight, metavar="W", help="its share among its submitter's jobs")
    add("--not-before", type=moment, metavar="TIME", help=f"hand nothing out before; {HELP}, none")
    add("--deadline", type=moment, metavar="TIME", help="fail what is not finished by then, none")


def _add_submitter(commands: Any, command: Command) -> None:
    text, example = (
        "List submitters, or give one a weight.",
        "python -m dc submitter ann@lab --weight 2",
    )
    submitter = command(commands, "submitter", text, example)
    submitter.add_argument("name", nargs="?", metavar="NAME", help="as in `python -m dc jobs`")
    submitter.add_argument(
        "--weight",
        type=weight,
        metavar="W",
        help="its share: with 2 it gets twice what those get who have 1, as everybody at first",
    )


def add_order(command: argparse.ArgumentParser) -> None:
    """Add the options of `submit` that say when, after what, and for whom a job runs."""
    add = command.add_argument
    add("--weight", type=weight, metavar="W", help="its share among its submitter's jobs")
    add("--submitter", metavar="NAME", help="whose job it is (default: USER@HOST)")
    add(
        "--after",
        type=job_number,
        action="append",
        metavar="J",
        default=[],
        help="wait until this job is done; may be repeated; if it fails, the new job is cancelled",
    )
    add(
        "--after-what",
        choices=("done", "finished", "any"),
        help="what is waited for: all of them "
        "done (the default), finished in whatever way, or any of them finished",
    )
    add(
        "--each",
        action="store_true",
        default=None,
        help="each task waits for the task of the same number alone",
    )
    add("--not-before", type=moment, metavar="TIME", help=f"hand nothing out before: {HELP}")
    add("--deadline", type=moment, metavar="TIME", help="fail what is not finished by then")
