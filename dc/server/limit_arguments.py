"""The options of the server's command line about how much others may ask of it."""

from __future__ import annotations

import argparse
from typing import Final

from dc import limits_guard
from dc.server.guard import Allowed

MOST: Final = 1_000_000
"""That can be asked for: more than one computer can do."""


def add_limit_options(parser: argparse.ArgumentParser) -> None:
    """Add `--limit-connections` and the like."""
    add = parser.add_argument
    add(
        "--limit-connections",
        metavar="N",
        type=_count,
        default=limits_guard.STRANGERS_PER_ADDRESS,
        help="connections of one address over which nobody has signed in (default %(default)s)",
    )
    add(
        "--limit-requests",
        metavar="N",
        type=_count,
        default=int(limits_guard.REQUESTS_PER_SECOND),
        help="requests a second of one token or worker, over a long time; a tenth of it of an "
        "address that shows none (default %(default)s)",
    )
    add(
        "--limit-failures",
        metavar="N",
        type=_count,
        default=limits_guard.FREE_FAILURES,
        help="wrong tokens, links and join codes of an address before it has to wait, longer each "
        "time (default %(default)s)",
    )


def allowed_of(values: argparse.Namespace) -> Allowed:
    """Return what was asked for."""
    return Allowed(values.limit_connections, float(values.limit_requests), values.limit_failures)


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value <= MOST:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number from 1 to {MOST:,}")
    return value
