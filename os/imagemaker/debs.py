"""Unpacks Debian's packages: the files alone, none of their scripts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from imagemaker.errors import ImageError
from imagemaker.lock import Package
from imagemaker.running import run

MERGED: Final = ("bin", "lib", "sbin", "lib64")
"""Folders of the root that are links to those of /usr, as in every Debian that is installed."""

USELESS: Final = (
    "./usr/share/man",
    "./usr/share/lintian",
    "./usr/share/locale",
    "./usr/share/bug",
    "./usr/share/doc/*/*.gz",
    "./usr/share/doc/*/examples",
    "./usr/share/doc/*/NEWS*",
    "./usr/share/doc/*/README*",
    "./usr/share/doc/*/TODO*",
    "./usr/share/doc/*/changelog*",
    "./usr/share/doc/*/FAQ*",
)
"""What nobody reads on a computer without a shell; under which terms a package is there, stays."""


def new_root(folder: Path) -> None:
    """Make an empty root into which packages can be unpacked."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in MERGED:
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")


def unpack(
    package: Package,
    debs: Path,
    folder: Path,
    *,
    wanted: Sequence[str] = (),
    unwanted: Sequence[str] = USELESS,
) -> None:
    """Unpack a package.

    Args:
        package: which.
        debs: the folder with its file.
        folder: the root.
        wanted: patterns of the paths that are unpacked, with "./" before them; none for all.
        unwanted: patterns of those that are not.

    Raises:
        ImageError: it was not downloaded, or is damaged.
    """
    deb = debs / package.file
    if not deb.is_file():
        raise ImageError(f"{package.name} {package.version} was not downloaded: `make os-fetch`")
    folder.mkdir(parents=True, exist_ok=True)
    files = run(["dpkg-deb", "--fsys-tarfile", deb])
    run(
        [
            *("tar", "--extract", "--directory", folder, "--keep-directory-symlink"),
            *("--no-same-owner", "--no-same-permissions", "--wildcards", "--anchored"),
            *(f"--exclude={one}" for one in unwanted),
            *wanted,
        ],
        given=files,
    )


def unpack_all(packages: Sequence[Package], debs: Path, folder: Path) -> None:
    """Unpack packages into a new root.

    Raises:
        ImageError: one was not downloaded, or is damaged.
    """
    new_root(folder)
    for package in packages:
        unpack(package, debs, folder)
