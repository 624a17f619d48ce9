"""What the command line says of how long a worker lives."""

from __future__ import annotations

import argparse

from dc.worker.lifetime import end_of, seconds_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add(
        "--lifetime",
        metavar="TIME",
        help="leave after so long (90m, 2h, 1d12h) or at a time of day (17:30); before that, take "
        "only what fits, as far as it is known how long tasks take",
    )
    add("--idle-exit", metavar="TIME", help="leave after so long without anything to do (10m)")
    add(
        "--finish",
        metavar="TIME",
        help="after Ctrl-C, let tasks that run go on for so long (default: not at all)",
    )


def read(values: argparse.Namespace, now: float) -> dict[str, float]:
    """Return what was said of times, by the names that a worker's Arguments have.

    Args:
        values: of the command line.
        now: the Unix time.

    Raises:
        StartError: something is no time.
    """
    times = {}
    if values.lifetime is not None:
        times["until"] = end_of("--lifetime", values.lifetime, now)
    if values.idle_exit is not None:
        times["idle_exit"] = seconds_of("--idle-exit", values.idle_exit)
    if values.finish is not None:
        times["finish"] = seconds_of("--finish", values.finish)
    return times
