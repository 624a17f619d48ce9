"""`python -m dc`."""

from __future__ import annotations

from dc import interrupt

if __name__ == "__main__":
    interrupt.ends_at_once()

import sys

from dc import program
from dc.cli.main import main

if __name__ == "__main__":
    sys.exit(program.status_of(main))
