"""Where everything is: the tree, what is downloaded and unpacked, and what comes out."""

from __future__ import annotations

import os
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagemaker.arch import Arch
from imagemaker.errors import ImageError

OS: Final = Path(__file__).parent.parent
TREE: Final = OS.parent

EARLIEST: Final = 1_700_000_000
"""The build's date where none is known, in Unix seconds: it is one that has been."""

RELEASE: Final = "release"
DEVELOPMENT: Final = "dev"


@dataclass(frozen=True)
class Build:
    """One build: what is asked for, and where it goes.

    Attributes:
        arch: the kind of computer.
        firmware: whether files that are not free, but may be passed on, come with it.
        compression: RELEASE or DEVELOPMENT.
        epoch: the date of all files, in Unix seconds.
        version: of the package `dc`.
        work: the folder of downloads and of what is unpacked.
        out: the folder of results.
    """

    arch: Arch
    firmware: bool
    compression: str
    epoch: int
    version: str
    work: Path
    out: Path

    @property
    def debs(self) -> Path:
        """Debian's packages."""
        return self.work / "debs"

    @property
    def locks(self) -> Path:
        """What is downloaded, exactly."""
        return OS / "locks"

    @property
    def lock(self) -> Path:
        """The lock of Debian's packages."""
        return self.locks / f"{self.arch.name}.json"

    @property
    def wheel_lock(self) -> Path:
        """The lock of Python's packages."""
        return self.locks / f"wheels-{self.arch.name}.txt"

    @property
    def build_wheel_lock(self) -> Path:
        """The lock of Python's packages that the build uses."""
        return self.locks / "wheels-build.txt"

    @property
    def wheels(self) -> Path:
        """Python's packages."""
        return self.work / "wheels" / self.arch.name

    @property
    def build_wheels(self) -> Path:
        """Python's packages that the build uses."""
        return self.work / "wheels" / "build"

    @property
    def made(self) -> Path:
        """What is unpacked and made of it for this kind of computer."""
        return self.work / self.arch.name


def version() -> str:
    """Return the version of the package, as pyproject.toml has it."""
    project = tomllib.loads((TREE / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


def epoch(environment: dict[str, str] | None = None) -> int:
    """Return the date of the build: of SOURCE_DATE_EPOCH, else of the last commit.

    Returns:
        Unix seconds.

    Raises:
        ImageError: SOURCE_DATE_EPOCH is not a number.
    """
    said = (os.environ if environment is None else environment).get("SOURCE_DATE_EPOCH", "")
    if said:
        if not said.isdecimal():
            raise ImageError(f"SOURCE_DATE_EPOCH is {said!r}: give Unix seconds, or unset it")
        return int(said)
    command = ["git", "-c", "safe.directory=*", "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(command, cwd=TREE, capture_output=True, text=True, check=True)
        return int(done.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return EARLIEST
