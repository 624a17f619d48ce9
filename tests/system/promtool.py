"""Finds promtool, which checks metrics, or brings it here.

It is one program of Debian's package `prometheus`. What is on the PATH is taken; else what is in
`.bench/tools`; else the package is fetched by apt and unpacked there, without being installed.
`python -m tests.system.promtool` says where it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
TOOLS: Final = ROOT / ".bench" / "tools"
NAME: Final = "promtool"
FETCH_SECONDS: Final = 120.0
HOW: Final = "promtool is missing and could not be fetched: apt install prometheus, or put it into"


class PromtoolMissing(Exception):
    """There is no promtool, and none could be had."""


def find() -> Path:
    """Return promtool.

    Raises:
        PromtoolMissing: the text says what to do.
    """
    found = shutil.which(NAME, path=os.pathsep.join([os.environ.get("PATH", ""), str(TOOLS)]))
    return Path(found) if found is not None else _fetch()


def _fetch() -> Path:
    """Bring it here; several tests may do so at once."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TOOLS, ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        try:
            _run(place, "apt-get", "download", "-q", "prometheus")
            (package,) = place.glob("prometheus_*.deb")
            _run(place, "dpkg-deb", "-x", str(package), "unpacked")
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise PromtoolMissing(f"{HOW} {TOOLS}: {error}") from error
        (place / "unpacked" / "usr" / "bin" / NAME).replace(TOOLS / NAME)
    return TOOLS / NAME


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=FETCH_SECONDS)


if __name__ == "__main__":
    print(find())
