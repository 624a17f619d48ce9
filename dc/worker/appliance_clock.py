"""When a computer that was booted from the image sets its clock by its server's."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

from dc import limits_appliance

log: Final = logging.getLogger("dc.worker")

_YEAR: Final = 365.25 * 86400.0
_AT_FLOOR: Final = 3600.0
"""Seconds after the build in which a clock is one that was set to it, as there was no better."""


def read_date(text: str) -> float | None:
    """Return the Unix time that a header Date says, None if it says none. May be given anything."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def better(now: float, told: float, built: float, *, is_known: bool) -> float | None:
    """Return what the clock is to be set to, None if it is good as it is.

    Args:
        now: what it says, in Unix time.
        told: what the server says.
        built: when the image was built; no time before that can be right.
        is_known: whether the server is the one that it says it is. If nobody knows, a clock that
            has only its floor becomes no worse by what it says.
    """
    if not built <= told <= built + limits_appliance.CLOCK_YEARS * _YEAR:
        return None
    if abs(told - now) <= limits_appliance.CLOCK_OFF_SECONDS:
        return None
    return told if is_known or now <= built + _AT_FLOOR else None


def set_clock(moment: float) -> None:
    """Set the computer's clock to a Unix time.

    Raises:
        OSError: it cannot be.
    """
    if sys.platform == "linux":
        time.clock_settime(time.CLOCK_REALTIME, moment)


class Clock:
    """The clock of a computer.

    Args:
        built: when the image was built, in Unix time.
        put: sets it.
        wall: reads it.
    """

    def __init__(
        self,
        built: float,
        put: Callable[[float], None] = set_clock,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._built = built
        self._put = put
        self._wall = wall

    def told(self, date: str, *, is_known: bool) -> None:
        """Take what a server says, as a header Date, on a connection that has just been opened."""
        told = read_date(date)
        if told is None:
            return
        now = self._wall()
        moment = better(now, told, self._built, is_known=is_known)
        if moment is None:
            return
        try:
            self._put(moment)
        except OSError as error:
            log.warning("the clock cannot be set: %s", error)
        else:
            log.info("the clock was off by %.0f s: it is set from the server's", moment - now)
