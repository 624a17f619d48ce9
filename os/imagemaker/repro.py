"""Makes the image twice, as different people would, and compares what came out.

The second build is another user's (where this one is root's), in another time zone, with another
mask for modes and in another folder. Neither finds anything that was kept; only downloads are
shared, whose checksums are locked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagemaker.errors import ImageError
from imagemaker.image import SUMS
from imagemaker.places import OS, TREE, Build

NOBODY: Final = 65534
"""The other user, and group."""

SYSTEM: Final = ("/usr/bin/python3", "/usr/local/bin/python3")

COPIED: Final = ("dc", "os/imagemaker", "os/initramfs", "os/locks", "os/rootfs", "pyproject.toml")
"""What the image is made of: the other build has a tree of its own."""


@dataclass(frozen=True)
class Surroundings:
    """Who makes a build, and where.

    Attributes:
        programs: the folder that has the imagemaker.
        folder: where it works, and puts its results.
        zone: the time zone.
        mask: of modes of files.
        user: their number; None for who runs this.
    """

    programs: Path
    folder: Path
    zone: str
    mask: int
    user: int | None


def compare(build: Build) -> None:
    """Make both, and compare their checksums.

    Args:
        build: what is built.

    Raises:
        ImageError: a build failed, or they differ; the text says in which files.
    """
    folder = build.work / "repro"
    shutil.rmtree(folder, ignore_errors=True)
    other = folder / "of another name"
    both = (
        Surroundings(OS, folder / "first", "UTC", 0o022, None),
        Surroundings(other / "os", other, "Asia/Tokyo", 0o077, NOBODY if _is_root() else None),
    )
    sums = []
    for one in both:
        print(f"a build by {one.user or 'you'} in {one.zone}, umask {one.mask:03o}", flush=True)
        _prepare(build, one)
        _run(build, one)
        sums.append((one.folder / "out" / SUMS).read_text())
    if sums[0] != sums[1]:
        raise ImageError(f"the builds differ, see {folder}:\n{sums[0]}\n{sums[1]}")
    print(f"the same, to the byte:\n{sums[0]}", end="")
    shutil.rmtree(folder)


def _is_root() -> bool:
    return os.geteuid() == 0


def _prepare(build: Build, one: Surroundings) -> None:
    """Give a build a folder with the downloads, and a tree of its own if it is to have one."""
    one.folder.mkdir(parents=True)
    if one.programs != OS:
        _copy_tree(one.programs.parent)
    for downloads in (build.debs, build.wheels, build.build_wheels):
        target = one.folder / "work" / downloads.relative_to(build.work)
        shutil.copytree(downloads, target, copy_function=os.link)
    if one.user is not None:
        for path in (one.folder, *one.folder.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                os.chown(path, one.user, one.user)


def _copy_tree(tree: Path) -> None:
    unwanted = shutil.ignore_patterns("__pycache__", "*.so", "*.c")
    for name in COPIED:
        source, target = TREE / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=unwanted, symlinks=True)
        else:
            shutil.copyfile(source, target)


def _run(build: Build, one: Surroundings) -> None:
    """Run a build in a process of its own."""
    command: list[str | Path] = [
        *(_interpreter(one.user), "-B", "-m", "imagemaker", "image", "--arch", build.arch.name),
        *("--firmware", str(int(build.firmware)), "--compression", build.compression),
        *("--work", one.folder / "work", "--out", one.folder / "out"),
    ]
    more = {
        "TZ": one.zone,
        "HOME": str(one.folder),
        "PYTHONPATH": str(one.programs),
        "SOURCE_DATE_EPOCH": str(build.epoch),
    }
    done = subprocess.run(
        command,
        cwd=one.folder,
        env={**os.environ, **more},
        umask=one.mask,
        user=one.user,
        group=one.user,
        extra_groups=None if one.user is None else [],
        check=False,
    )
    if done.returncode:
        raise ImageError("that build failed")


def _interpreter(user: int | None) -> str:
    """Return an interpreter that a user may run: this one may be in somebody's own folder."""
    for path in (sys.executable, *SYSTEM):
        with suppress(OSError):
            done = subprocess.run(
                [path, "-c", "import tomllib"], user=user, cwd="/", capture_output=True, check=False
            )
            if done.returncode == 0:
                return path
    raise ImageError(f"user {user} can run no Python: install one for all (apt install python3)")
