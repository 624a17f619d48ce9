"""Nothing is imported that only some systems have, but behind a guard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.as_on_windows import MODULES, NAMES, ROOT, modules_of_dc

PROGRAM = Path(__file__).with_name("as_on_windows.py")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there it is tried as it is")


def as_on_windows() -> dict[str, str]:
    """Run the program; return how each import failed, an empty text where it did not."""
    command = [sys.executable, str(PROGRAM)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_everything_is_imported_as_on_windows() -> None:
    found = as_on_windows()
    assert set(modules_of_dc()) <= set(found)
    assert sum(name.endswith(".py") for name in found) > 5
    assert not {name: error for name, error in found.items() if error}


@pytest.mark.parametrize(
    "line", ["import fcntl", "from os import fork", "import signal; signal.SIGKILL", "import pwd"]
)
def test_what_is_not_there_would_be_found(line: str) -> None:
    """The test above can fail: in its world such lines raise."""
    text = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "import select, mmap, time, socket, signal, os\n"
        "from tests.house.as_on_windows import become_windows\n"
        "become_windows()\n"
        f"try:\n    exec({line!r})\nexcept (ImportError, AttributeError):\n    print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "refused\n", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have less to take away")
def test_what_is_taken_away_is_here() -> None:
    """A name with a mistake in it would take away nothing."""
    assert {"fork", "killpg", "sysconf"} <= {one for one in NAMES["os"] if hasattr(os, one)}
    assert {"fcntl", "resource", "pwd", "termios"} <= MODULES
