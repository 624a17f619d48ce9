"""`python -m dc`."""

from __future__ import annotations

import sys

from dc.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
