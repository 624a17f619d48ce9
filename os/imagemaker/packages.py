"""Which packages the image is made of: Debian's, and Python's.

A package of Debian has roles, which say where its files go. What a package depends on is not
followed: each one is named, for most of what Debian would install is of no use here. Whether a
library is missing is found out at the end (imagemaker/elf.py).
"""

from __future__ import annotations

from typing import Final

from imagemaker.arch import Arch

KERNEL: Final = "kernel"
ROOT: Final = "root"
FIRMWARE: Final = "firmware"
BOOT: Final = "boot"
HEADERS: Final = "headers"
TOOLS: Final = "tools"
"""The roles. TOOLS are those of ROOT that the build itself runs, if it is for this computer's kind:
the interpreter that compiles modules, and busybox, which tells what it can do."""

PYTHON_PACKAGES: Final = (
    "libc6",
    "libexpat1",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "python3.11-minimal",
    "zlib1g",
    "libbz2-1.0",
    "libffi8",
    "liblzma5",
    "libssl3",
    "libuuid1",
)

ROOT_PACKAGES: Final = (
    "busybox-static",
    "ca-certificates",
    "libcrypt1",
    "libgcc-s1",
    "libsqlite3-0",
    "libstdc++6",
    "netbase",
)

HEADER_PACKAGES: Final = ("libc6-dev", "libpython3.11-dev", "linux-libc-dev")

FIRMWARE_PACKAGES: Final = ("firmware-bnx2", "firmware-misc-nonfree", "firmware-realtek")
"""Not free, but they may be passed on: only with FIRMWARE=1."""


def kernel_package(arch: Arch) -> str:
    """Return the package that depends on the newest kernel."""
    return f"linux-image-{arch.name}"


def roles(arch: Arch) -> dict[str, tuple[str, ...]]:
    """Return the packages of each role but KERNEL, whose name has a version in it."""
    return {
        ROOT: PYTHON_PACKAGES + ROOT_PACKAGES,
        TOOLS: (*PYTHON_PACKAGES, "busybox-static"),
        FIRMWARE: FIRMWARE_PACKAGES,
        BOOT: arch.boot_packages,
        HEADERS: (*HEADER_PACKAGES, "libc6"),
    }


WHEELS: Final = (
    "attrs",
    "backports-zstd",
    "cffi",
    "cloudpickle",  # of the function plugin: what other computers send is mostly that
    "cryptography",
    "h11",
    "idna",
    "ifaddr",
    "msgspec",
    "outcome",
    "packaging",
    "pluggy",
    "sniffio",
    "sortedcontainers",
    "trio",
)
"""What a worker imports, and the light dependencies that plugins share. Of the project's others,
rich, segno and prometheus-client are for people at other computers; zeroconf is of use where
broadcasts are not heard, and would be a tenth of the image."""

BUILD_WHEELS: Final = ("cython",)
"""What compiles the package's own modules; it is not in the image."""
