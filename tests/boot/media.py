"""Media to boot from: copies of the ISO with a configuration, as users make them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.system.processes import ROOT

MAGIC = b"#dc-image-configuration" + b"-1\n"
AREA_BYTES = 4096


def configured(image: Path, place: Path, code: str, *options: str) -> Path:
    """Copy the ISO of a build and write a join code and more into the copy; return its path."""
    shutil.copy(image / "worker.iso", place)
    command = [sys.executable, "-m", "dc", "os-image", "configure", str(place), "--invite", "-"]
    subprocess.run(
        [*command, *options], input=code, text=True, check=True, cwd=ROOT, capture_output=True
    )
    return place


def garbled(image: Path, place: Path, text: bytes) -> Path:
    """Copy the ISO of a build and write anything into its configuration; return its path."""
    data = bytearray((image / "worker.iso").read_bytes())
    begin = data.index(MAGIC)
    data[begin : begin + AREA_BYTES] = (MAGIC + text).ljust(AREA_BYTES, b"\n")[:AREA_BYTES]
    place.write_bytes(data)
    return place
