"""The kinds of computer that the image is built for, and what differs between them."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Final

from imagemaker.errors import ImageError


@dataclass(frozen=True)
class Arch:
    """One kind of computer.

    Attributes:
        name: as Debian calls it.
        machine: as the kernel calls it.
        triplet: as compilers and folders of libraries have it.
        loader: the program that loads others, from the root.
        compilers: C compilers for it, the first one that is there is used.
        strips: likewise the programs that take symbols away.
        wheels: the platforms whose wheels run on it, the best first.
        boot_packages: Debian's packages that its boot loader is made of.
    """

    name: str
    machine: str
    triplet: str
    loader: str
    compilers: tuple[str, ...]
    strips: tuple[str, ...]
    wheels: tuple[str, ...]
    boot_packages: tuple[str, ...]

    @property
    def extension_suffix(self) -> str:
        """What the name of a compiled module ends with."""
        return f".cpython-311-{self.triplet}.so"


AMD64: Final = Arch(
    name="amd64",
    machine="x86_64",
    triplet="x86_64-linux-gnu",
    loader="lib64/ld-linux-x86-64.so.2",
    compilers=("x86_64-linux-gnu-gcc",),
    strips=("x86_64-linux-gnu-strip",),
    wheels=("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux2014_x86_64"),
    boot_packages=("grub-pc-bin", "grub-efi-amd64-bin"),
)

ARM64: Final = Arch(
    name="arm64",
    machine="aarch64",
    triplet="aarch64-linux-gnu",
    loader="lib/ld-linux-aarch64.so.1",
    compilers=("aarch64-linux-gnu-gcc",),
    strips=("aarch64-linux-gnu-strip",),
    wheels=("manylinux_2_34_aarch64", "manylinux_2_28_aarch64", "manylinux2014_aarch64"),
    boot_packages=("grub-efi-arm64-bin",),
)

ALL: Final = {one.name: one for one in (AMD64, ARM64)}


def host() -> Arch:
    """Return the kind of this computer, whose interpreter compiles the image's Python.

    Raises:
        ImageError: it is neither of them.
    """
    for one in ALL.values():
        if platform.machine() == one.machine:
            return one
    raise ImageError(
        f"this computer is a {platform.machine()}: build the image on one of "
        + " or ".join(one.machine for one in ALL.values())
    )
