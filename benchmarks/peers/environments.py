"""Makes an environment of its own for each peer, below a folder that git ignores."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.peers.catalogue import Entry

INSTALL_SECONDS = 300.0
TOLD = 300
"""Characters of what pip says that are told."""


class CannotInstall(Exception):
    """An environment cannot be made; the text says why."""


class Environments:
    """The environments of peers.

    Args:
        folder: that holds them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def python(self, entry: Entry) -> Path:
        """Return the interpreter of a system's environment; make it if it is not there.

        Raises:
            CannotInstall: that does not work.
        """
        if not entry.packages:
            return Path(sys.executable)
        home = self._folder / entry.name
        python = home / "bin" / "python"
        done = home / "installed.txt"
        wanted = "\n".join(entry.packages)
        if not done.exists() or done.read_text("utf-8") != wanted:
            self._run(sys.executable, "-m", "venv", "--clear", str(home))
            pip = str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"
            self._run(*pip, "install", *entry.packages)
            done.write_text(wanted, "utf-8")
        return python

    def _run(self, *command: str) -> None:
        try:
            ran = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotInstall(str(error)[:TOLD]) from None
        if ran.returncode:
            lines = (ran.stderr or ran.stdout).strip().splitlines() or ["no reason was given"]
            raise CannotInstall(lines[-1][:TOLD])
