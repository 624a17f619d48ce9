"""The file that the boot loader gives the kernel: what mounts the image, and the image itself.

It is two archives, one behind the other. The first has the image, and is not compressed once more;
the second has the few files that are needed to mount it.

The image is two file systems (squashfs), one over the other: the small files that the worker reads
when it starts, in blocks that are read quickly, and all else, in blocks that take less room.
"""

from __future__ import annotations

import shutil
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
START: Final = "start.squashfs"
"""Where the first program finds the image: most of it, and what is read at the start."""

INIT: Final = OS / "initramfs" / "init"

LEVEL: Final = {"dev": "1", RELEASE: "22"}
"""How the image is compressed: quickly, or as small as it can be read as quickly."""

BLOCK: Final = {"dev": "128K", RELEASE: "1M"}
START_BLOCK: Final = "128K"
"""Large blocks take less room. But the kernel sets the memory of a whole block up for each file
that it reads, and for one of 15 kB that takes longer than all else: 4 ms, in an emulator, of 1M."""

SMALL_BYTES: Final = 256 * 1024
"""Of a file that gains by small blocks."""


def squash(build: Build, root: Path, listed: Sequence[str], to: Path) -> list[Path]:
    """Make two files of the image's files.

    Args:
        build: what is built.
        root: of the files. The small ones of those that are listed are moved out of it.
        listed: the paths of what is read at the start, in this order, from the root.
        to: the folder of the two, START and IMAGE.
    """
    first = to / "start"
    shutil.rmtree(first, ignore_errors=True)
    small = [path for path in listed if (root / path).stat().st_size <= SMALL_BYTES]
    for path in small:
        (first / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).rename(first / path)
    order = to / "start.order"
    # Named from the folder where it runs: a blank in its path would be the end of a name.
    order.write_text("".join(f"{first.name}/{path} {-at}\n" for at, path in enumerate(small)))
    for folder in (first, *(path for path in first.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    made = [to / START, to / IMAGE]
    _squash(build, first, made[0], "-b", START_BLOCK, "-sort", order.name)
    _squash(build, root, made[1], "-b", BLOCK[build.compression])
    return made


def _squash(build: Build, root: Path, to: Path, *options: str) -> None:
    to.unlink(missing_ok=True)
    date = str(build.epoch)
    run(
        [
            *("mksquashfs", root.name, to, "-noappend", "-no-progress", "-quiet", "-all-root"),
            *("-no-xattrs", "-no-exports", "-mkfs-time", date, "-all-time", date),
            *("-comp", "zstd", "-Xcompression-level", LEVEL[build.compression], *options),
        ],
        folder=root.parent,
    )


def make(build: Build, squashed: Sequence[Path], made: Kernel, base: Path, tools: Tools) -> bytes:
    """Return the file for the boot loader.

    Args:
        build: what is built.
        squashed: the files that are the image.
        made: the kernel, for the modules that mount it.
        base: the root that has busybox.
        tools: what tells under which names it is called.

    Raises:
        ImageError: there is no first program.
    """
    image = [cpio.file(path.name, path.read_bytes()) for path in squashed]
    first = cpio.archive(image, build.epoch)
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
