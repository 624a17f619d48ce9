"""The image that is booted: built from this tree, by the same command as for users."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.system.processes import ROOT

OS: Final = ROOT / "os"
RELEASE: Final = "release"
BUILD_SECONDS: Final = 900.0


def built(compression: str, arch: str = "amd64") -> Path:
    """Build the image; return the folder of its files. What takes long is kept until it changes.

    With $DC_BOOT_IMAGE that folder is taken as it is, instead. A release is built where users have
    theirs, and anything else apart from it.

    Raises:
        AssertionError: it cannot be built.
    """
    if ready := os.environ.get("DC_BOOT_IMAGE"):
        return Path(ready) if arch == "amd64" else Path(ready, arch)
    folder = OS / "out" if compression == RELEASE else OS / "work" / f"out-{compression}"
    folder = folder if arch == "amd64" else folder / arch
    options = [f"COMP={compression}", f"ARCH={arch}", f"OUT={folder}", f"PYTHON={sys.executable}"]
    done = subprocess.run(
        ["make", "-C", str(OS), "--no-print-directory", "os-image", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return folder
