"""The image that is booted: built from this tree, by the same command as for users."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from tests.system.processes import ROOT

OUT: Final = ROOT / "os" / "out"
BUILD_SECONDS: Final = 900.0


def built(compression: str, arch: str = "amd64") -> Path:
    """Build the image, unless nothing has changed; return the folder of its files.

    Raises:
        AssertionError: it cannot be built.
    """
    options = [f"COMP={compression}", f"ARCH={arch}"]
    done = subprocess.run(
        ["make", "-C", str(ROOT / "os"), "--no-print-directory", "os-image", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return OUT if arch == "amd64" else OUT / arch
