"""What is quicker for bytes of a middle size: a message, or a blob?

    python -m benchmarks.inline [--tasks N]

Runs the same tasks with all bytes inline and with all bytes in blobs, over the whole path: a real
server, a worker with two slots, and the real client. Each payload is another one and comes back as
the result. A JSON line for each size and way. limits.INLINE_BYTES is where the ways meet.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dc
from benchmarks.path import running
from dc import limits

ROOT = Path(__file__).parent.parent
SIZES = [4096, 8192, 16384, 32768, 65536]
WAYS = {"blob": 1024, "inline": 1 << 17}
"""The limit, in bytes, by which all bytes go this way."""


def copy_with(limit: int, folder: Path) -> None:
    """Make a copy of the package with another limit."""
    shutil.copytree(ROOT / "dc", folder / "dc")
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks")
    path = folder / "dc" / "limits.py"
    text = re.sub(r"INLINE_BYTES: Final = .*", f"INLINE_BYTES: Final = {limit}", path.read_text())
    path.write_text(text)


def measure(tasks: int) -> None:
    """Print a line for each size, with the limit of the package that is imported."""
    way = "inline" if max(SIZES) <= limits.INLINE_BYTES else "blob"
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), 1, 2) as (address, _),
        dc.Client(address, plugins=[Path(folder) / "plugins"]) as client,
    ):
        list(client.submit("noop", [b"warm"] * 10).results())
        for size in SIZES:
            payloads = [os.urandom(size) for _ in range(tasks)]
            began = time.perf_counter()
            results = list(client.submit("noop", payloads).results(ordered=False))
            seconds = time.perf_counter() - began
            assert len(results) == tasks
            line = {"size": size, "way": way, "tasks_per_second": round(tasks / seconds)}
            print(json.dumps(line), flush=True)


def main() -> int:
    """Measure both ways; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=300, help="of each size (%(default)s)")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    values = parser.parse_args()
    if values.here:
        measure(values.tasks)
        return 0
    for limit in WAYS.values():
        with tempfile.TemporaryDirectory() as folder:
            copy_with(limit, Path(folder))
            command = [sys.executable, "-m", "benchmarks.inline", "--here"]
            subprocess.run(
                [*command, "--tasks", str(values.tasks)],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": folder},
                check=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
