"""A worker that takes its computer for one that was booted from the image.

    python -m tests.system.booted_worker MACS ARGUMENTS…

MACS are the addresses of its network cards, with commas between them. It ends with the status by
which the image's first process knows what is to be done: 0 off, 3 reboot, 4 read anew.
"""

from __future__ import annotations

import sys

from dc.messages_worker import Appliance
from dc.worker import __main__ as program
from dc.worker.attendant import Attendant

STATUS = {"": 0, "off": 0, "reboot": 3, "reread": 4}


def main() -> int:
    """Run the worker as it is, but for what it says of its computer."""
    appliance = Appliance("test", sys.argv[1].split(","), ["off", "reboot", "reread"])
    ends: list[program.Ended] = []

    class Booted(Attendant):
        """That of such a computer."""

        def __init__(self) -> None:
            super().__init__()
            self.appliance = appliance

    class Ended(program.Ended):
        """Kept, to be looked at."""

        def __post_init__(self) -> None:
            ends.append(self)

    vars(program).update(Attendant=Booted, Ended=Ended)
    status = program.main(sys.argv[2:])
    return status or STATUS[ends[0].power]


if __name__ == "__main__":
    sys.exit(main())
