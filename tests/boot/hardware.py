"""What computers there are to boot: as facts, and as the arguments of QEMU that make them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

# What runs here is emulated, also where there seems to be KVM: that may open and never run.
ACCELERATOR: Final = "tcg"
KERNEL_LINE: Final = (
    "quiet panic=30 cryptomgr.notests no_timer_check console=ttyS0,115200 console=tty0"
)
"""As of the media. Without no_timer_check the kernel panics where the emulator is slow: it counts
how often the timer has ticked while it itself has counted to some number."""

ARM_LINE: Final = "quiet panic=30 cryptomgr.notests console=ttyAMA0,115200 console=tty0"

Arch = Literal["amd64", "arm64"]
Start = Literal["direct", "cd", "stick", "disk", "network"]
Network = Literal["user", "silent"]


@dataclass(frozen=True)
class Card:
    """A network card.

    Attributes:
        model: as QEMU calls it.
        network: what it is plugged into: QEMU's own network, which has DHCP and in which this
            computer's loopback is 10.0.2.2; or one in which nobody answers.
        number: makes its address another than that of other cards.
        plugged: whether its cable is in.
    """

    model: str = "virtio-net-pci"
    network: Network = "user"
    number: int = 1
    plugged: bool = True

    @property
    def mac(self) -> str:
        """Its address."""
        return f"52:54:00:dc:00:{self.number:02x}"


@dataclass(frozen=True)
class Hardware:
    """A computer to emulate.

    Attributes:
        start: what it boots from: QEMU's direct loader, a CD, a USB stick, a plain disk, or a
            network.
        uefi: whether its firmware is UEFI; BIOS, or none at all, otherwise.
        arch: as Debian calls it.
        memory: in MiB.
        processors: how many.
        cards: network cards.
        clock: what its clock says when it is switched on (UTC); the right time if empty.
        watchdog: whether it has one, and what happens when nobody feeds it.
        words: on the kernel's line, where it is started directly.
        bootfile: what the network's DHCP server says is to be booted, as QEMU takes it:
            bootfile=URL, or tftp=FOLDER,bootfile=NAME.
        more: further arguments.
    """

    start: Start = "direct"
    uefi: bool = False
    arch: Arch = "amd64"
    memory: int = 512
    processors: int = 2
    cards: tuple[Card, ...] = field(default=(Card(),))
    clock: str = ""
    watchdog: str = ""
    words: tuple[str, ...] = ()
    bootfile: str = ""
    more: tuple[str, ...] = ()

    def arguments(self, image: Path, medium: Path, scratch: Path) -> list[str]:
        """Return the command that runs it.

        Args:
            image: the folder with vmlinuz and initrd.img, for a direct start.
            medium: what is on its CD, stick or disk.
            scratch: a folder of this computer's own, for what its firmware writes.
        """
        system = "aarch64" if self.arch == "arm64" else "x86_64"
        clock = ["-rtc", f"base={self.clock}"] if self.clock else []
        start = self._direct(image) if self.start == "direct" else self._medium(medium)
        parts = [*self._board(), *self._firmware(scratch), *start, *self._watchdog()]
        cards = [part for index, card in enumerate(self.cards) for part in self._card(index, card)]
        return [f"qemu-system-{system}", *parts, *cards, *clock, *self.more]

    def _board(self) -> Iterator[str]:
        yield from ("-nodefaults", "-no-user-config", "-display", "none")
        yield from ("-accel", ACCELERATOR, "-m", str(self.memory), "-smp", str(self.processors))
        if self.arch == "arm64":
            yield from ("-machine", "virt", "-cpu", "cortex-a57")
            yield from ("-device", "virtio-gpu-pci", "-device", "qemu-xhci,id=usb")
        else:
            yield from ("-machine", "pc", "-cpu", "max", "-vga", "std")
            yield from ("-device", "qemu-xhci,id=usb")
        yield from ("-device", "usb-kbd,bus=usb.0")

    def _firmware(self, scratch: Path) -> Iterator[str]:
        if not self.uefi:
            return
        code, _ = firmware_of(self.arch)
        yield from ("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}")
        yield from ("-drive", f"if=pflash,unit=1,format=raw,file={scratch / 'vars.fd'}")

    def _direct(self, image: Path) -> Iterator[str]:
        line = ARM_LINE if self.arch == "arm64" else KERNEL_LINE
        yield from ("-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd.img"))
        yield from ("-append", " ".join([line, *map(quoted, self.words)]))

    def _medium(self, medium: Path) -> Iterator[str]:
        if self.start == "network":
            return
        kind = "media=cdrom," if self.start == "cd" else ""
        yield from ("-drive", f"if=none,id=medium,{kind}format=raw,readonly=on,file={medium}")
        yield from ("-device", f"{self._drive()},drive=medium,bootindex=0")

    def _drive(self) -> str:
        if self.start == "disk":
            return "virtio-blk-pci"
        if self.start == "cd" and self.arch == "amd64":
            return "ide-cd"
        return "usb-storage,bus=usb.0"

    def _watchdog(self) -> Iterator[str]:
        if self.watchdog:
            yield from ("-device", "i6300esb", "-action", f"watchdog={self.watchdog}")

    def _card(self, index: int, card: Card) -> Iterator[str]:
        where = f",{self.bootfile}" if self.bootfile and index == 0 else ""
        # A hub that nothing else is plugged into: the link is up, and nobody answers.
        kind = f"hubport,hubid={index}" if card.network == "silent" else f"user{where}"
        yield from ("-netdev", f"{kind},id=net{index}")
        # The programs of cards, which boot from the network, take their time also when unused.
        rest = f",bootindex={index + 1}" if self.start == "network" else ",romfile="
        rest = ",bus=usb.0" if card.model == "usb-net" else rest
        what = f"{card.model},id=card{index},netdev=net{index},mac={card.mac}"
        yield from ("-device", f"{what}{rest}")


def quoted(word: str) -> str:
    """Return a word as the kernel's line takes it: with blanks, in quotation marks."""
    return f'"{word}"' if " " in word else word


def firmware_of(arch: Arch) -> tuple[Path, Path]:
    """Return the UEFI firmware as Debian has it: its code, and its variables to begin with."""
    share = Path("/usr/share")
    if arch == "arm64":
        return share / "AAVMF/AAVMF_CODE.fd", share / "AAVMF/AAVMF_VARS.fd"
    return share / "OVMF/OVMF_CODE_4M.fd", share / "OVMF/OVMF_VARS_4M.fd"
