"""What `put` and `get` take, and their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_bytes(commands: Any, command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands that move bytes.

    Args:
        commands: of the command line.
        command: adds one, with what all commands take.
    """
    put = command(
        commands,
        "put",
        "Put files to the server, for the payloads and inputs of any number of jobs.",
        "python -m dc put table.bin",
    )
    put.add_argument("files", metavar="FILE", nargs="+", help="a file; - for standard input")
    get = command(
        commands,
        "get",
        "Get the bytes of a result, or of what was put.",
        "python -m dc get 3/17 -o result.bin",
    )
    get.add_argument("what", metavar="J/T|SHA256", help="a task, or the SHA-256 of bytes")
    get.add_argument(
        "-o",
        "--output",
        dest="to",
        type=Path,
        metavar="FILE",
        help="where to; what came of an earlier try is gone on with (default: standard output)",
    )
