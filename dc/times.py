"""Times of day and spans of time as people write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

UNITS: Final[Mapping[str, float]] = MappingProxyType(
    {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
)
_SPAN: Final = re.compile(r"(?:in\s+|\+\s*)?((?:\d+(?:\.\d+)?\s*(?:min|[smhd])\s*)+)")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(min|[smhd])")
_DAY_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")

HELP: Final = "14:30, 'in 2h', 2026-12-24T18:00"


def span(text: str) -> float:
    """Return the seconds of a span such as `90s`, `10m`, `1d12h` or `in 2h`.

    Raises:
        ValueError: it is none.
    """
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is no span of time")
    return sum(float(count) * UNITS[unit] for count, unit in _PART.findall(found[1]))


def unix_time(text: str, now: datetime) -> float:
    """Return the Unix time that somebody means.

    Args:
        text: a time of day, which is the next one; a span from now, such as `in 2h` or `1h30m`; a
            date and time in ISO 8601, in the zone of `now` if it names none; or `none`, for 0.
        now: with a time zone.

    Raises:
        ValueError: it is nothing of that.
    """
    text = text.strip()
    if text == "none":
        return 0.0
    if _SPAN.fullmatch(text.lower()):
        return now.timestamp() + span(text)
    if day_time := _DAY_TIME.fullmatch(text):
        hour, minute, second = (int(part or 0) for part in day_time.groups())
        at = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
        return (at if at > now else at + timedelta(days=1)).timestamp()
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo is not None else at.replace(tzinfo=now.tzinfo)).timestamp()
