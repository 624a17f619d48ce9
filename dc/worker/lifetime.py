"""Until when a worker is to live, as it is said on the command line."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from dc.errors import StartError
from dc.times import span, unix_time

_UNIX: Final = re.compile(r"@(\d+(?:\.\d+)?)")

MOST_SECONDS: Final = 366 * 86400.0
"""A year: who says more means something else."""


def seconds_of(option: str, text: str) -> float:
    """Return the seconds of a duration such as `90s`, `10m`, `2h` or `1d12h`.

    Raises:
        StartError: it is none, or longer than a year.
    """
    try:
        seconds = span(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MOST_SECONDS:
        raise StartError(f"{option} {text}: give a duration, as 90s, 10m, 2h or 1d12h")
    return seconds


def end_of(option: str, text: str, now: float) -> float:
    """Return a Unix time that is given as a duration from now, or as the next time of day.

    Args:
        option: for the error.
        text: a duration; or `17:30`, of the local day or of the next one; or a date and time in
            ISO 8601; or `@` and a Unix time, which a worker that starts itself anew says.
        now: the Unix time.

    Raises:
        StartError: it is none of these, or more than a year from now.
    """
    if unix := _UNIX.fullmatch(text):
        return float(unix[1])
    try:
        end = unix_time(text, datetime.fromtimestamp(now).astimezone())
    except ValueError:
        end = now
    if not now < end <= now + MOST_SECONDS:
        raise StartError(f"{option} {text}: give a duration, as 90m or 2h, or a time, as 17:30")
    return end
