"""The package `dc` in the image: of this very tree, without what only servers and people need."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import Final

from imagemaker.places import TREE, Build

LEFT_OUT: Final = (
    "__main__.py",
    "certificates.py",
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
"""Files and folders of dc/ that are not in the image. What is in it imports none of them, as a
test sees to (tests/imagemaker/test_own.py). Clients are in it: a task may submit tasks itself."""

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
    return not any(PurePosixPath(path.parts[0]).match(one) for one in LEFT_OUT)


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
    for module in compiled.glob("*.so"):
        shutil.copyfile(module, packages / "dc" / module.name)
    information = packages / f"distributed_computing-{build.version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(METADATA.format(version=build.version))
