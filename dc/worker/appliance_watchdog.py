"""The hardware that starts a computer anew if its worker's loop stands still.

It is fed from that very loop. It stays armed when the program ends: a computer that is to go off
or to boot, and hangs on the way, is started anew by it; and so is one whose worker does not come
back.
"""

from __future__ import annotations

import array
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from dc import limits_appliance

if sys.platform != "win32":
    import fcntl

log: Final = logging.getLogger("dc.worker")

SET_TIMEOUT: Final = 0xC0045706
"""The ioctl WDIOC_SETTIMEOUT: seconds as an int; gives back what they are."""

GET_TIMEOUT: Final = 0x80045707
"""The ioctl WDIOC_GETTIMEOUT: gives back the seconds."""


class Watchdog:
    """One watchdog.

    Args:
        path: its device; without one nothing is done.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def feed(self) -> None:
        """Feed it for as long as the loop runs; one that appears late is taken as well."""
        number = -1
        try:
            while True:
                if number < 0:
                    number, pause = _open(self._path)
                if number >= 0:
                    with suppress(OSError):
                        os.write(number, b"\0")
                await trio.sleep(pause)
        finally:
            if number >= 0:
                os.close(number)  # without the V that would disarm it


def _open(path: Path) -> tuple[int, float]:
    """Return its file's number, -1 if there is none, and after how many seconds to feed it."""
    try:
        number = os.open(path, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return -1, limits_appliance.FEED_SECONDS
    seconds = _arm(number)
    log.info("the watchdog starts this computer anew if it is not fed for %d s", seconds)
    return number, min(limits_appliance.FEED_SECONDS, seconds / 3)


def _arm(number: int) -> int:
    """Set its time, if it can be set; return what it is."""
    seconds = array.array("i", [limits_appliance.WATCHDOG_SECONDS])
    if sys.platform != "win32":
        for what in (SET_TIMEOUT, GET_TIMEOUT):  # the time of some cannot be set, or not so long
            with suppress(OSError):
                fcntl.ioctl(number, what, seconds, True)
                break
    return max(seconds[0], 1)
