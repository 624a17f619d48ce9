"""What of its computer a worker's tasks may use, as it is said on the command line."""

from __future__ import annotations

import argparse

from dc import limits
from dc.errors import OptionsError
from dc.requirements import CPUS, GPUS, MEMORY, read_amount


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options about amounts."""
    add = parser.add_argument
    add(
        "--resource",
        metavar="NAME=AMOUNT",
        action="append",
        default=[],
        help="something of which tasks may use so much together, as licence=2; may be given again",
    )
    add("--cpus", metavar="N", help="that tasks may use (default: the processors, or the slots)")
    add("--memory", metavar="SIZE", help="that tasks may use, as 4GiB (default: what there is)")
    add("--gpus", metavar="N", help="that tasks may use (default: the cards that are found)")


def read(values: argparse.Namespace) -> dict[str, float]:
    """Return the amounts that were given.

    Raises:
        OptionsError: one is none.
    """
    said = dict(text.partition("=")[::2] for text in values.resource)
    said |= {name: getattr(values, name) for name in (CPUS, MEMORY, GPUS)}
    found = {name: read_amount(name, text) for name, text in said.items() if text is not None}
    if len(found) > limits.RESOURCES // 2:
        raise OptionsError(f"--resource: {limits.RESOURCES // 2} resources at most")
    return found
