"""A worker on a computer that a test plays: `python -m tests.system.neighbour_worker FILE …`.

FILE has the seconds since somebody has used the computer.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dc import limits_neighbour as limits
from dc.worker import __main__ as program
from dc.worker.minding import Minder
from dc.worker.neighbour import Neighbour, Policy, Senses
from dc.worker.neighbour_options import NeighbourOptions


class FileSenses:
    """What stands in a file is all that is sensed."""

    seconds = limits.SENSE_SECONDS

    def __init__(self, path: Path) -> None:
        self._path = path

    def look(self, policy: Policy) -> Senses:
        """Return what stands there."""
        assert policy.idle
        return Senses(idle=float(self._path.read_text()))


def main() -> int:
    """Run the worker as it is, but for what it senses."""
    path = Path(sys.argv[1])

    def minder(near: NeighbourOptions, folder: Path) -> Minder:
        del folder
        return Minder(Neighbour(near.policy), FileSenses(path))

    program._minder = minder
    return program.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
