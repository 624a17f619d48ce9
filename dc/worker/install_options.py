"""The options of a command line by which a worker is made a service, and whether they are there.

What they do is in dc/worker/install.py, a program of its own that is run instead of the worker.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final

OWN: Final = ("--install", "--uninstall", "--system", "--yes")
"""The options of this; all others are those of the worker that is to be a service."""


class Whole(argparse.Action):
    """An option that stands for itself alone, and is given in full: see OWN."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Refuse it, for what is right is taken before the worker's options are read."""
        parser.error(f"give {self.option_strings[0]} in full")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options, for the help."""
    for name, text in zip(
        OWN,
        (
            "make a service of this worker: show what that is, ask, and start it",
            "undo that: end the service and forget it, but keep the worker's folder",
            "with --install: for the whole computer, from its start on, as a user of its own",
            "with --install: do not ask",
        ),
        strict=True,
    ):
        parser.add_argument(name, action=Whole, nargs=0, help=text, default=argparse.SUPPRESS)


def is_asked(words: Sequence[str]) -> bool:
    """Whether a command line is about services."""
    return any(word in OWN for word in words)
