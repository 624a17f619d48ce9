"""A server of another version: `python -m tests.boot.other_version`, as `python -m dc.server`."""

from __future__ import annotations

import sys

from dc import messages

messages.PROTOCOL += 1  # type: ignore[misc]  # before anything takes it from there

if __name__ == "__main__":
    from dc.server.__main__ import main

    sys.exit(main())
