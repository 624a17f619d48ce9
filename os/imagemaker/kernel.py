"""The kernel, its chosen modules, and the firmware that these name."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagemaker import debs, kept, module_names, modules, packages
from imagemaker.errors import ImageError
from imagemaker.lock import Lock, Package
from imagemaker.places import Build
from imagemaker.running import run


@dataclass(frozen=True)
class Kernel:
    """What was taken of the kernel's package.

    Attributes:
        release: as `uname -r` tells it.
        vmlinuz: the file that is booted.
        tree: a root with lib/modules, and lib/firmware if wanted.
    """

    release: str
    vmlinuz: Path
    tree: Path


def kernel(build: Build, lock: Lock) -> Kernel:
    """Take the kernel, its modules and firmware, once for each lock.

    Args:
        build: what is built.
        lock: of Debian's packages.

    Raises:
        ImageError: a package is missing, or the kernel is not as expected.
    """
    (package,) = lock.of(packages.KERNEL)
    name = kept.key(
        lock.key(packages.KERNEL, *([packages.FIRMWARE] if build.firmware else [])),
        kept.of_programs("kernel", "modules", "module_names", "debs"),
    )
    made = kept.kept(build.made, "kernel", name, lambda folder: _take(build, lock, package, folder))
    release = (made / "release").read_text().strip()
    return Kernel(release, made / "vmlinuz", made / "tree")


def _take(build: Build, lock: Lock, package: Package, to: Path) -> None:
    full = to / "full"
    debs.unpack(
        package,
        build.debs,
        full,
        wanted=module_names.UNPACKED,
        unwanted=module_names.NOT_UNPACKED,
    )
    release = _release(full)
    (to / "release").write_text(release + "\n")
    shutil.copyfile(full / "boot" / f"vmlinuz-{release}", to / "vmlinuz")
    tree = to / "tree"
    _copy_modules(build.arch.name, full, tree, release)
    shutil.copytree(full / "usr", tree / "usr", dirs_exist_ok=True)
    if build.firmware:
        _take_firmware(build, lock.of(packages.FIRMWARE), tree, to / "firmware")
    shutil.rmtree(full)


def _release(full: Path) -> str:
    found = sorted(path.name for path in (full / "lib" / "modules").iterdir())
    if len(found) != 1:
        raise ImageError(f"the kernel's package has modules of {len(found)} kernels, not of one")
    return found[0]


def _copy_modules(arch: str, full: Path, tree: Path, release: str) -> None:
    """Copy the chosen ones, and have depmod tell of them alone."""
    run(["depmod", "-b", full, release])
    source = full / "lib" / "modules" / release
    target = tree / "usr" / "lib" / "modules" / release
    for path in chosen(arch, source):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target / path)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copyfile(source / name, target / name)
    (tree / "lib").symlink_to("usr/lib")
    run(["depmod", "-b", tree, release])
    # The image's modprobe reads texts; the others are for those of other systems.
    read = {"modules.dep", "modules.alias", "modules.softdep", "modules.builtin"}
    for listing in target.iterdir():
        if listing.is_file() and listing.name not in read:
            listing.unlink()


def chosen(arch: str, source: Path) -> list[str]:
    """Return the paths of the modules that are taken.

    Args:
        arch: the kind of computer, as Debian calls it.
        source: the folder of a kernel's modules, as depmod has left it.

    Raises:
        ImageError: one of them needs a driver that may not be in the image.
    """
    needs = modules.dependencies((source / "modules.dep").read_text())
    soft = modules.soft_dependencies((source / "modules.softdep").read_text())
    try:
        return modules.closure(module_names.ROOTS[arch], needs, soft, module_names.FORBIDDEN)
    except ValueError as error:
        raise ImageError(str(error)) from None


def _take_firmware(build: Build, found: Sequence[Package], tree: Path, full: Path) -> None:
    for package in found:
        debs.unpack(package, build.debs, full)
    files = sorted((tree / "usr" / "lib" / "modules").rglob("*.ko*"))
    named = run(["modinfo", "-F", "firmware", *files]).decode().split("\n")
    for name in sorted(set(filter(None, named))):
        source = full / "lib" / "firmware" / name
        if source.is_file():  # or it is in a package that is not taken
            target = tree / "usr" / "lib" / "firmware" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    shutil.copytree(full / "usr", tree / "usr", dirs_exist_ok=True)
    shutil.rmtree(full)


def mounting_modules(made: Kernel) -> list[Path]:
    """Return the files of the modules that the first program needs, in the order of loading."""
    folder = made.tree / "usr" / "lib" / "modules" / made.release
    needs = modules.dependencies((folder / "modules.dep").read_text())
    order: list[str] = []
    for name in module_names.MOUNTING:
        if name in needs:  # or it is built in
            # What depmod names last is needed first.
            order += [one for one in (*reversed(needs[name][1]), name) if one not in order]
    return [folder / needs[name][0] for name in order]
