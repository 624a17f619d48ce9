"""What a computer that was booted from the image has in files: its configuration, and what it is.

Nothing here raises: what is not there, or cannot be read, is empty. Files are read below `root`, so
that a test can show another computer.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from dc import limits_appliance

ROOT: Final = Path("/")
_SIZE: Final = re.compile(r"^(MemTotal|MemAvailable):\s+(\d{1,15}) kB$", re.MULTILINE)
_NAME: Final = re.compile(r"[0-9A-Za-z_.:-]{1,15}")
_USB: Final = re.compile(r"usb\d{1,4}")
_CONSOLE: Final = re.compile(r"tty[A-Z][A-Za-z0-9]{0,14}|hvc\d{1,3}")


class Image(Struct, frozen=True):
    """What was booted, as its file says."""

    version: str = ""
    arch: str = ""
    built: float = 0.0
    kernel: str = ""


class Place:
    """One computer.

    Args:
        root: the folder that stands for `/`.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self._run = root / "run/dc"

    @property
    def is_real(self) -> bool:
        """Whether it is this computer, whose clock may be set, and not one of a test."""
        return self.root == ROOT

    # --- configuration --------------------------------------------------------------------------

    def kernel_line(self) -> bytes:
        """Return the kernel line, as it was before its secrets were hidden."""
        kept = self._run / "cmdline"
        return _read(kept if kept.exists() else self.root / "proc/cmdline")

    def file(self) -> bytes:
        """Return what the configuration file has."""
        return _read(self._run / "dc.conf")

    def leases(self) -> list[dict[str, str]]:
        """Return what DHCP has said in each network, by their cards' names."""
        return [_pairs(_read(path)) for path in self._of_cards("lease")]

    def links(self) -> list[tuple[str, str]]:
        """Return the name of each network card, and how it is, in a sentence."""
        return [(path.stem, _text(path)) for path in self._of_cards("state")]

    def unknown_cards(self) -> list[str]:
        """Return the network cards that have no driver here, as VENDOR:DEVICE."""
        return _text(self._run / "net/cards").split()[: limits_appliance.INTERFACES]

    def _of_cards(self, kind: str) -> list[Path]:
        found = sorted((self._run / "net").glob(f"*.{kind}"))
        return [one for one in found if _NAME.fullmatch(one.stem)][: limits_appliance.INTERFACES]

    # --- what it is -----------------------------------------------------------------------------

    def image(self) -> Image:
        """Return what was booted."""
        with suppress(msgspec.MsgspecError):
            return msgspec.json.decode(
                _read(self.root / "etc/dc/image.json"), type=Image, strict=False
            )
        return Image()

    def built(self) -> float:
        """Return when the image was built, in Unix time; 0 if that is not known."""
        with suppress(ValueError):
            built = float(_text(self.root / "etc/dc/built") or 0)
            return built if math.isfinite(built) else 0.0
        return 0.0

    def uuid(self) -> str:
        """Return the computer's UUID, as its firmware says it."""
        return _text(self.root / "sys/class/dmi/id/product_uuid")

    def has_drivers(self) -> bool:
        """Whether the drivers of those network cards are loaded that are always there."""
        return (self._run / "early-done").exists() or self.has_name()

    def has_name(self) -> bool:
        """Whether the computer has been given its name; without a card it has none of its own."""
        return (self._run / "named").exists() or (self._run / "devices-done").exists()

    def macs(self) -> list[str]:
        """Return the addresses of its network cards, of real ones alone, by their names."""
        return [_text(one / "address") for one in self._cards()]

    def own_macs(self) -> list[str]:
        """Return those that are this computer's for good.

        An adapter for USB may be in another computer tomorrow: it counts only where there is no
        other card. An address that its driver has made by chance is another one after each start.
        """
        lasting = [one for one in self._cards() if _text(one / "addr_assign_type") in ("", "0")]
        built_in = [one for one in lasting if not _is_usb(one)]
        return [_text(one / "address") for one in built_in or lasting]

    def _cards(self) -> list[Path]:
        found = sorted((self.root / "sys/class/net").glob("*"))
        real = [one for one in found if (one / "device").exists()]
        return real[: limits_appliance.INTERFACES]

    def memory(self) -> tuple[int, int]:
        """Return how many bytes of memory can be had, and how many there are."""
        text = _read(self.root / "proc/meminfo").decode(errors="replace")
        sizes = {name: int(size) * 1024 for name, size in _SIZE.findall(text)}
        return sizes.get("MemAvailable", 0), sizes.get("MemTotal", 0)

    # --- its devices ----------------------------------------------------------------------------

    @property
    def screen(self) -> Path:
        """The console that is drawn on."""
        return self.root / "dev/tty1"

    @property
    def watchdog(self) -> Path:
        """What starts the computer anew if it hears nothing."""
        return self.root / "dev/watchdog"

    def serial_consoles(self) -> list[Path]:
        """Return the consoles that are written to line by line."""
        names = _text(self.root / "sys/class/tty/console/active").split()
        return [self.root / "dev" / one for one in names if _CONSOLE.fullmatch(one)]


def _read(path: Path, most: int = limits_appliance.FILE_BYTES) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        return file.read(most)
    return b""


def _is_usb(card: Path) -> bool:
    """Return whether a network card is at a bus of USB, by the devices that it is below."""
    return any(_USB.fullmatch(part) for part in (card / "device").resolve().parts)


def _text(path: Path) -> str:
    return _read(path).decode(errors="replace").strip()


def _pairs(data: bytes) -> dict[str, str]:
    lines = data.decode(errors="replace").splitlines()
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): value.strip().strip("'\"") for name, equals, value in pairs if equals}
