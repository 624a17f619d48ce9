"""The modules of the page that need no browser: `tests/browser/unit/*.test.mjs`, run by node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

UNIT: Final = Path(__file__).parent / "unit"
MISSING: Final = (
    "node is missing: install Node.js 20.19 or newer (Debian and Ubuntu: apt install nodejs)"
)
SECONDS: Final = 60.0


def test_units() -> None:
    node = shutil.which("node")
    assert node is not None, MISSING
    files = sorted(map(str, UNIT.glob("*.test.mjs")))
    assert files, f"no tests in {UNIT}"
    command = [node, "--test", "--test-reporter=spec", *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
