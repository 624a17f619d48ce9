"""Schemathesis against a real server: what the API's description allows, and what it does not.

    python -m tests.system.api_campaign [EXAMPLES]

It makes requests by the description, right ones and wrong ones, and looks whether each answer is
one of those that are described. `test_api_campaign.py` does the same with few requests.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterable
from pathlib import Path

import trio

from tests.system.processes import Machine, Server

CONFIG = Path(__file__).with_name("schemathesis.toml")

SECONDS = 60
"""For one answer: as long as a computer that is busy with other tests may take."""

LEFT_OUT = ("/api/stream", "/api/backup")
"""Paths whose answers do not end, or are large."""

FULL = ("examples", "coverage", "fuzzing", "stateful")
"""All that Schemathesis does."""


def campaign(
    server: str, folder: Path, examples: int, phases: Iterable[str] = FULL
) -> subprocess.CompletedProcess[str]:
    """Have Schemathesis ask a server.

    Args:
        server: its address.
        folder: where it runs, and leaves its reports.
        examples: for each path and method.
        phases: what it does of FULL.
    """
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    options = ["--phases", ",".join(phases), "--max-examples", str(examples), "--seed", "1"]
    options += ["--url", server, "--request-timeout", str(SECONDS), "--no-color"]
    described = folder / "openapi.json"
    with urllib.request.urlopen(f"{server}/api/openapi.json", timeout=SECONDS) as answer:
        described.write_bytes(answer.read())
    left_out = [word for path in LEFT_OUT for word in ("--exclude-path", path)]
    return subprocess.run(
        [*program, *options, *left_out, str(described)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )


async def start(machine: Machine) -> Server:
    """Start a server with a worker."""
    server = await machine.server()
    await machine.worker(server, "one")
    return server


def main() -> int:
    """Run all of it."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as place, Machine(Path(place)) as machine:
        server = trio.run(start, machine)
        ended = campaign(server.address, Path(place), examples)
    sys.stdout.write(ended.stdout + ended.stderr)
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
