"""Until when a worker is to live, as it is said on the command line."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from dc.errors import StartError

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_UNIX = re.compile(r"@(\d+(?:\.\d+)?)")

MOST_SECONDS = 366 * 86400.0


def seconds_of(option: str, text: str) -> float:
    """Return the seconds of a duration such as `90s`, `10m`, `2h` or `1d12h`.

    Raises:
        StartError: it is none, or longer than a year.
    """
    seconds = 0.0
    if _DURATION.fullmatch(text):
        seconds = sum(float(value) * _UNITS[unit] for value, unit in _PART.findall(text))
    if not 0 < seconds <= MOST_SECONDS:
        raise StartError(f"{option} {text}: give a duration, as 90s, 10m, 2h or 1d12h")
    return seconds


def end_of(option: str, text: str, now: float) -> float:
    """Return a Unix time that is given as a duration from now, or as the next time of day.

    Args:
        option: for the error.
        text: a duration; or `17:30`, of the local day or of the next one; or `@` and a Unix time.
        now: the Unix time.

    Raises:
        StartError: it is none of these.
    """
    if unix := _UNIX.fullmatch(text):
        return float(unix[1])
    if not (clock := _TIME.fullmatch(text)):
        try:
            return now + seconds_of(option, text)
        except StartError as error:
            raise StartError(f"{error}, or a time of day, as 17:30") from None
    hour, minute = int(clock[1]), int(clock[2])
    if hour > 23 or minute > 59:
        raise StartError(f"{option} {text}: there is no such time of day")
    today = datetime.fromtimestamp(now).astimezone()
    then = today.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if then <= today:
        then += timedelta(days=1)
    return then.timestamp()
