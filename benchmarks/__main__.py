"""`python -m benchmarks`: every benchmark, one after the other, each a JSON line a figure."""

from __future__ import annotations

import subprocess
import sys

ALL = ["frames", "scheduler", "store", "executor", "path"]


def main() -> int:
    """Run all benchmarks; return how many failed."""
    failed = 0
    for name in ALL:
        print(f"# benchmarks.{name}", flush=True)
        failed += subprocess.call([sys.executable, "-m", f"benchmarks.{name}"]) != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
