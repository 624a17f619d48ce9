"""`python -m dc.worker.booted`: the worker of a computer that was booted from the image.

It is `python -m dc.worker --appliance`, but begins with an executor: its modules and those of the
worker are imported at the same time, which on a slow computer takes seconds.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import nullcontext
from typing import Final

from dc.prepared import Prepared

WORKER: Final = "dc.worker.__main__"
"""Imported by its name, since that takes long, once the executor is on its way."""


def main() -> int:
    """Run the worker; return the exit status."""
    with Prepared.start() or nullcontext() as prepared:
        worker = importlib.import_module(WORKER)
        status: int = worker.main(["--appliance", *sys.argv[1:]], prepared)
        return status


if __name__ == "__main__":
    sys.exit(main())
