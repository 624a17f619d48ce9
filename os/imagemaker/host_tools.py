"""Which programs of this computer the build runs, and the packages of Debian that they are in."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Mapping
from typing import Final

from imagemaker.arch import Arch
from imagemaker.errors import ImageError

FETCHING: Final = {"pip": "python3-pip"}
"""A module of this interpreter, not a program."""

LOCKING: Final = {"apt-get": "apt", "apt-cache": "apt"}

BUILDING: Final = {
    "cp": "coreutils",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "grub-mkimage": "grub-common",
    "gzip": "gzip",
    "mcopy": "mtools",
    "mformat": "mtools",
    "mksquashfs": "squashfs-tools",
    "modinfo": "kmod",
    "tar": "tar",
    "xorriso": "xorriso",
    "zstd": "zstd",
}

SYSTEM: Final = "/usr/sbin:/sbin"
"""Where some of them are, which is on the path of root only."""


def with_system_folders(path: str) -> str:
    """Return a search path that has the folders of the system's programs as well."""
    return f"{path}:{SYSTEM}" if path else SYSTEM


def wanted(arch: Arch, machine: str) -> dict[str, str]:
    """Return the programs that building for a kind of computer needs, with their packages.

    Args:
        arch: that kind.
        machine: the kind of this computer, as its kernel calls it.
    """
    of_another = "" if machine == arch.machine else f"-{arch.triplet.replace('_', '-')}"
    compilers = {arch.compilers[0]: f"gcc{of_another}", arch.strips[0]: f"binutils{of_another}"}
    return {**BUILDING, **compilers}


def missing(programs: Mapping[str, str], is_there: Callable[[str], bool]) -> str:
    """Return what is to be installed, as one sentence; an empty text if all is there.

    Args:
        programs: names, with their packages.
        is_there: says it of each name.
    """
    absent = sorted(name for name in programs if not is_there(name))
    if not absent:
        return ""
    found = " ".join(sorted({programs[name] for name in absent}))
    return f"{', '.join(absent)} missing. Debian and Ubuntu: apt install {found}"


def check(programs: Mapping[str, str]) -> None:
    """See that programs are there, before anything is begun.

    Raises:
        ImageError: some are not; the text names them all, with their packages.
    """
    os.environ["PATH"] = with_system_folders(os.environ.get("PATH", ""))
    if text := missing(programs, _is_there):
        raise ImageError(text)


def _is_there(name: str) -> bool:
    return bool(shutil.which(name) or (name in FETCHING and importlib.util.find_spec(name)))
