"""The file that the boot loader gives the kernel: what mounts the image, and the image itself.

It is two archives, one behind the other. The first has the image (squashfs), and is not compressed
once more; the second has the few files that are needed to mount it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from imagemaker import cpio, kernel
from imagemaker.errors import ImageError
from imagemaker.interpreter import Tools
from imagemaker.kernel import Kernel
from imagemaker.places import OS, RELEASE, Build
from imagemaker.running import run

IMAGE: Final = "root.squashfs"
"""Where the first program finds the image."""

INIT: Final = OS / "initramfs" / "init"

SQUASHED: Final = {
    "dev": ("-comp", "zstd", "-Xcompression-level", "1", "-b", "128K"),
    RELEASE: ("-comp", "zstd", "-Xcompression-level", "22", "-b", "1M"),
}
"""How the image is compressed: quickly, or as small as it can be read as quickly."""


def squash(build: Build, root: Path, to: Path) -> None:
    """Make one file of the image's files.

    Args:
        build: what is built.
        root: of the files.
        to: the file.
    """
    to.unlink(missing_ok=True)
    date = str(build.epoch)
    run(
        [
            *("mksquashfs", root, to, "-noappend", "-no-progress", "-quiet", "-all-root"),
            *("-no-xattrs", "-no-exports", "-mkfs-time", date, "-all-time", date),
            *SQUASHED[build.compression],
        ]
    )


def make(build: Build, squashed: Path, made: Kernel, base: Path, tools: Tools) -> bytes:
    """Return the file for the boot loader.

    Args:
        build: what is built.
        squashed: the image.
        made: the kernel, for the modules that mount it.
        base: the root that has busybox.
        tools: what tells under which names it is called.

    Raises:
        ImageError: there is no first program.
    """
    first = cpio.archive([cpio.file(IMAGE, squashed.read_bytes())], build.epoch)
    second = cpio.archive(_first_program(made, base, tools), build.epoch)
    level = "-19" if build.compression == RELEASE else "-3"
    return first + run(["zstd", "-q", level, "-T1", "-c"], given=second)


def _first_program(made: Kernel, base: Path, tools: Tools) -> list[cpio.Entry]:
    if not INIT.is_file():
        raise ImageError(f"{INIT} is missing: it is what mounts the image")
    entries = [
        cpio.file("init", INIT.read_bytes(), 0o755),
        cpio.file("bin/busybox", (base / "bin/busybox").read_bytes(), 0o755),
        cpio.device("dev/console", 5, 1),
        cpio.device("dev/null", 1, 3, 0o666),
        *(cpio.folder(name) for name in ("proc", "sys", "run", "mnt")),
    ]
    names = sorted({Path(path).name for path in tools.applets()} - {"busybox"})
    entries += [cpio.link(f"bin/{name}", "busybox") for name in names]
    return entries + _modules(kernel.mounting_modules(made))


def _modules(paths: Sequence[Path]) -> list[cpio.Entry]:
    """Return the modules, and a list of them in the order in which they are loaded."""
    listed = "".join(f"{path.name}\n" for path in paths).encode()
    found = [cpio.file(f"modules/{path.name}", path.read_bytes()) for path in paths]
    return [*found, cpio.file("modules/order", listed)]
