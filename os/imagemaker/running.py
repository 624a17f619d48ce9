"""Runs programs of this computer, always in the same surroundings."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from imagemaker.errors import ImageError


def surroundings(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of each program: neither language nor time zone of who builds."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LC_", "PYTHON", "SOURCE_DATE"))
    }
    return {**kept, "LANG": "C", "LC_ALL": "C", "TZ": "UTC", **(more or {})}


def run(
    command: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: bytes | None = None,
) -> bytes:
    """Run a program to its end.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        environment: variables beside the usual ones.
        given: its standard input.

    Returns:
        What it wrote to its standard output.

    Raises:
        ImageError: it is missing, or it failed.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=surroundings(environment),
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise ImageError(f"cannot run {words[0]}: {error.strerror}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise ImageError(f"{words[0]} failed ({done.returncode}): {' '.join(words)}\n{said}")
    return done.stdout


def tool(names: tuple[str, ...]) -> str:
    """Return the first of these programs that is there.

    Raises:
        ImageError: none is.
    """
    for name in names:
        if shutil.which(name):
            return name
    raise ImageError(f"{names[0]} is missing")
