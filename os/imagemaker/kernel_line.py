"""The words that every way of booting puts on the kernel's command line."""

from __future__ import annotations

# The last console is /dev/console; it is the screen, which each computer has at least by name. A
# serial port that is not there is passed over.
_SERIAL = {"amd64": ("console=ttyS0,115200",), "arm64": ("console=ttyS0,115200", "console=ttyAMA0")}
_SCREEN = "console=tty0"

# After a panic the computer starts again after so many seconds: nobody may be there to do it. The
# kernel does not test its cryptography, which nothing here uses: half of its start in an emulator
# is that.
_ALWAYS = "panic=30 cryptomgr.notests"

ARCHITECTURES = tuple(_SERIAL)


def normal(arch: str) -> str:
    """Return the line of a usual start."""
    return " ".join(("quiet", _ALWAYS, *_SERIAL[arch], _SCREEN))


def serial(arch: str) -> str:
    """Return the line of a start whose /dev/console is the serial port."""
    return " ".join(("quiet", _ALWAYS, _SCREEN, *_SERIAL[arch]))


def verbose(arch: str) -> str:
    """Return the line of a start that shows all that the kernel says, on the plainest screen."""
    return " ".join(("nomodeset", "loglevel=7", _ALWAYS, *_SERIAL[arch], _SCREEN))
