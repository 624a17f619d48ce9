"""What `events` and `settings` take, and their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeAlias

from dc.cli.control_arguments import job_number

Command: TypeAlias = Callable[[Any, str, str, str], argparse.ArgumentParser]

MOST = 100_000
"""Events that can be asked for: the server keeps no more."""


def add_events(commands: Any, command: Command) -> None:
    """Add the commands.

    Args:
        commands: of the whole command line.
        command: adds a command to some, with what all take.
    """
    text = "List what operators and the system did, the newest last."
    events = command(commands, "events", text, "python -m dc events --kind worker --follow")
    add = events.add_argument
    add("--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    add("--limit", type=_limit, default=100, metavar="N", help="so many (default %(default)s)")
    add("--kind", metavar="KIND", help="of this kind, as job.paused, or job for all of jobs")
    add("--level", choices=("info", "warning", "error"), help="of this level")
    add("--who", metavar="NAME", help="by whom: operator, server, a submitter, a worker")
    add("--job", type=job_number, metavar="J", help="about this job")
    add("--worker", metavar="NAME", help="about this worker")
    add("--search", metavar="TEXT", help="with this in its text")
    text = "Show what is set of the server, or set something while it runs."
    settings = command(commands, "settings", text, "python -m dc settings quota-job 4GiB")
    add = settings.add_argument
    add("name", nargs="?", metavar="NAME", help="a setting, as on the server's command line")
    add("value", nargs="?", metavar="VALUE", help="what it is to be from now on")
    add("--reset", metavar="NAME", help="have a setting as the server was started with it")


def _limit(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= value <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not from 1 to {MOST:,}")
    return value
