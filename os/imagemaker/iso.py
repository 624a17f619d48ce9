"""The hybrid ISO: one file that boots by BIOS and by UEFI, from a CD and written to a stick.

All times, ids and owners are fixed, so that two builds with the same host programs are the same to
the byte.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from imagemaker import config_area, grub
from imagemaker.running import run

VOLUME = "DCWORKER"
FAT_SPARE = 64 * 1024  # bytes beside the files: boot sector, both tables, the folders
FAT_SECTOR = 512  # bytes


@dataclass(frozen=True)
class Medium:
    """What an ISO is made of."""

    arch: str  # amd64 or arm64
    version: str
    vmlinuz: Path
    initrd: Path
    grub: Path  # the folder /usr/lib/grub of the unpacked packages: i386-pc, x86_64-efi, arm64-efi
    epoch: int  # seconds since 1970: the time of all files


def make_iso(medium: Medium, work: Path, to: Path) -> None:
    """Make the ISO.

    Args:
        medium: What of.
        work: A folder for what is made on the way. It is emptied first.
        to: The file to make; it is replaced whole.

    Raises:
        ImageError: A host program failed.
        OSError: A file cannot be read or written.
    """
    shutil.rmtree(work, ignore_errors=True)
    tree = work / "tree"
    (tree / "boot" / "grub").mkdir(parents=True)
    _kernel(medium, tree / "boot")
    mark = _mark(medium, tree)
    (tree / "boot" / "grub" / "grub.cfg").write_text(grub.menu(medium.arch, medium.version))
    _efi_programs(medium, mark, tree)
    if medium.arch == "amd64":
        _core(medium, grub.BIOS, tree / "boot" / "grub")
    _set_times(tree, medium.epoch)
    _fat(medium, tree, work / "efi.img")
    made = work / "worker.iso"
    _run(medium, xorriso(medium, tree, work / "efi.img", made))
    made.replace(to)


def xorriso(medium: Medium, tree: Path, efi: Path, to: Path) -> list[str]:
    """Return the command that makes the ISO of its tree and the FAT image of the UEFI program.

    -r gives all files to root with plain modes; -R would keep who builds it, and their umask. At
    the offset (in blocks of 2048 bytes) the partition of a stick begins that has the same files:
    the BIOS of some computers starts nothing from a disk without one.
    """
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-V", VOLUME, "-r", "-J"]
    command += ["-partition_offset", "16"]
    if medium.arch == "amd64":
        mbr = medium.grub / "i386-pc" / "boot_hybrid.img"
        command += ["-b", "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4"]
        command += ["-boot-info-table", "--grub2-boot-info", "--grub2-mbr", str(mbr)]
        command += ["-eltorito-alt-boot"]
    command += ["-append_partition", "2", "0xef", str(efi)]
    command += ["-e", "--interval:appended_partition_2:all::", "-no-emul-boot"]
    return [*command, "-o", str(to), str(tree)]


def _kernel(medium: Medium, boot: Path) -> None:
    """Put in the kernel, the initrd and, to be loaded before it, an empty configuration area."""
    if medium.arch == "arm64":
        smaller = ["gzip", "-9", "--no-name", "--stdout", str(medium.vmlinuz)]
        (boot / "vmlinuz").write_bytes(_run(medium, smaller))
    else:
        shutil.copyfile(medium.vmlinuz, boot / "vmlinuz")
    shutil.copyfile(medium.initrd, boot / "initrd.img")
    (boot / "dcconf.cpio").write_bytes(config_area.archive(config_area.area(), medium.epoch))


def _mark(medium: Medium, tree: Path) -> str:
    """Make the file by which the UEFI program knows its own medium, and return its path there."""
    digest = hashlib.sha256()
    for name in ("vmlinuz", "initrd.img"):
        digest.update((tree / "boot" / name).read_bytes())
    mark = f"/boot/dc-worker-{digest.hexdigest()[:16]}"
    text = f"dc worker image {medium.version} for {medium.arch}\n"
    (tree / mark.removeprefix("/")).write_text(text)
    return mark


def _efi_programs(medium: Medium, mark: str, tree: Path) -> None:
    folder = tree / "EFI" / "BOOT"
    folder.mkdir(parents=True)
    _core(medium, grub.EFI[medium.arch], folder)
    (folder / "grub.cfg").write_text(grub.finder(mark))


def _core(medium: Medium, core: grub.Core, folder: Path) -> None:
    _run(medium, grub.mkimage(core, str(medium.grub), str(folder / core.name)))


def _fat(medium: Medium, tree: Path, to: Path) -> None:
    """Make the partition that UEFI reads. Its serial number is that of the build's time."""
    files = sum(path.stat().st_size for path in (tree / "EFI").rglob("*") if path.is_file())
    sectors = (files + FAT_SPARE) // FAT_SECTOR
    sectors += -sectors % 64  # whole cylinders of two heads, as the format wants them
    serial = f"{medium.epoch & 0xFFFFFFFF:08x}"
    shape = ["-h", "2", "-s", "32", "-t", str(sectors // 64), "-v", VOLUME, "-N", serial]
    _run(medium, ["mformat", "-C", "-i", str(to), *shape, "::"])
    _run(medium, ["mcopy", "-s", "-m", "-i", str(to), str(tree / "EFI"), "::"])


def _set_times(tree: Path, epoch: int) -> None:
    for path in (*tree.rglob("*"), tree):
        os.utime(path, (epoch, epoch))


def _run(medium: Medium, command: list[str]) -> bytes:
    """Run a host program whose output depends on nothing but its arguments; return what it says."""
    fixed = {"SOURCE_DATE_EPOCH": str(medium.epoch), "MTOOLSRC": os.devnull}
    return run(command, environment=fixed)
