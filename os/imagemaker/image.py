"""Makes the image of what was fetched: kernel, initrd, ISO, script for iPXE, checksums."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagemaker import (
    arch,
    base,
    debs,
    extensions,
    initrd,
    interpreter,
    ipxe,
    iso,
    kept,
    kernel,
    lock,
    packages,
    root,
    start,
)
from imagemaker.download import sha256
from imagemaker.lock import Lock
from imagemaker.places import Build

RESULTS: Final = ("boot.ipxe", "initrd.img", "vmlinuz", "worker.iso")
SUMS: Final = "SHA256SUMS"


@dataclass(frozen=True)
class Size:
    """How large a part of the image is, in bytes; `name` is for people."""

    name: str
    size: int


def make(build: Build) -> list[Size]:
    """Make everything; return how large its parts are.

    Args:
        build: what is built.

    Raises:
        ImageError: something is missing, or a program failed; the text says what to do.
    """
    locked = lock.load(build.lock)
    host = arch.host()
    host_lock = locked if host == build.arch else lock.load(build.locks / f"{host.name}.json")
    tools = interpreter.tools(build, host, host_lock)
    made = kernel.kernel(build, locked)
    below = base.base(build, locked, tools)
    compiled = extensions.extensions(build, locked, tools)
    files = root.make(build, (below, compiled), made, tools)
    squashed = initrd.squash(build, files, start.listed(files), build.made)
    build.out.mkdir(parents=True, exist_ok=True)
    _write(build.out / "initrd.img", initrd.make(build, squashed, made, below, tools))
    _write(build.out / "vmlinuz", made.vmlinuz.read_bytes())
    _write(build.out / "boot.ipxe", ipxe.script().encode())
    _make_iso(build, grub(build, locked))
    _sum(build.out)
    sizes = [Size(path.name, path.stat().st_size) for path in squashed]
    return [*sizes, *(Size(name, (build.out / name).stat().st_size) for name in RESULTS)]


def grub(build: Build, locked: Lock) -> Path:
    """Unpack the boot loader's parts, once for each lock; return the folder that has them."""

    def make_it(folder: Path) -> None:
        debs.unpack_all(locked.of(packages.BOOT), build.debs, folder)

    name = kept.key(locked.key(packages.BOOT), kept.of_programs("debs"))
    return kept.kept(build.made, "boot", name, make_it) / "usr/lib/grub"


def _write(path: Path, data: bytes) -> None:
    """Write a result whole: one that is there half is never found under its name."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def _make_iso(build: Build, grub_folder: Path) -> None:
    medium = iso.Medium(
        arch=build.arch.name,
        version=build.version,
        vmlinuz=build.out / "vmlinuz",
        initrd=build.out / "initrd.img",
        grub=grub_folder,
        epoch=build.epoch,
    )
    iso.make_iso(medium, build.made / "iso", build.out / "worker.iso")


def _sum(out: Path) -> None:
    lines = [f"{sha256(out / name)}  {name}\n" for name in RESULTS]
    _write(out / SUMS, "".join(lines).encode())
