"""The package `dc` in the image: of this very tree, without what only servers and people need."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import Final

from imagemaker.places import TREE, Build

LEFT_OUT: Final = (
    "cli",
    "healthcheck.py",
    "mdns.py",
    "server",
    "sql",
    "store*.py",
    "template",
    "testing",
    "web",
)
"""Paths below dc/ that are not in the image. What is, imports none of them: a test follows that
(tests/imagemaker/test_own.py). Clients are in it, for a task may submit tasks itself."""

METADATA: Final = """\
Metadata-Version: 2.1
Name: distributed-computing
Version: {version}
"""


def is_in_image(path: PurePosixPath) -> bool:
    """Whether a module of the package is in the image.

    Args:
        path: of its file, below dc/.
    """
    return not any(
        PurePosixPath(*path.parts[: depth + 1]).match(one)
        for depth in range(len(path.parts))
        for one in LEFT_OUT
        if depth == 0
    )


def modules() -> list[PurePosixPath]:
    """Return the paths of the modules that are in the image, below dc/."""
    found = (path.relative_to(TREE / "dc") for path in (TREE / "dc").rglob("*.py"))
    return sorted(path for one in found if is_in_image(path := PurePosixPath(one.as_posix())))


def put(build: Build, compiled: Path, packages: Path) -> None:
    """Put the package into the image.

    Args:
        build: what is built.
        compiled: the folder of its compiled modules.
        packages: the image's folder of packages.
    """
    for path in modules():
        (packages / "dc" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TREE / "dc" / path, packages / "dc" / path)
    for path in compiled.glob("*.so"):
        shutil.copyfile(path, packages / "dc" / path.name)
    information = packages / f"distributed_computing-{build.version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(METADATA.format(version=build.version))
