"""What `python -m dc top` takes, and its help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final, TypeAlias

Command: TypeAlias = Callable[[Any, str, str, str], argparse.ArgumentParser]

LEAST_SECONDS: Final = 0.2  # between two looks: more often is more than anybody can read
MOST_SECONDS: Final = 3600.0


def add_top(commands: Any, command: Command) -> None:
    """Add the command.

    Args:
        commands: of the whole command line.
        command: adds a command to some, with what all take.
    """
    text = "Show jobs and workers live, with keys to act on them."
    top = command(commands, "top", text, "python -m dc top")
    top.add_argument(
        "--once",
        action="store_true",
        help="show them once, as plain text; so it is where there is no terminal, and with --json",
    )
    top.add_argument(
        "--seconds",
        type=_seconds,
        default=1.0,
        metavar="S",
        help="between two looks (default: %(default)g)",
    )


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not LEAST_SECONDS <= value <= MOST_SECONDS:
        between = f"from {LEAST_SECONDS:g} to {MOST_SECONDS:g}"
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds {between}")
    return value
