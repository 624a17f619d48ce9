"""At which times of the week a worker may work, as it is said on the command line."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from dc import limits_neighbour as limits
from dc.errors import StartError

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 24 * 60

_DAY: Final = "(?:" + "|".join(DAYS) + ")"
_WINDOW: Final = re.compile(
    rf"(?:({_DAY})(?:-({_DAY}))?)?\s*(?:(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d))?"
)


class Window(Struct, frozen=True):
    """A time on some days: minutes of the day. One that ends before it begins ends the day after.

    Attributes:
        days: on which it begins, 0 for Monday.
        begin: the first minute.
        end: the first minute after it, 1440 at most.
    """

    days: frozenset[int]
    begin: int
    end: int

    def has(self, day: int, minute: int) -> bool:
        """Whether a minute of a day is in it."""
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        late = day in self.days and minute >= self.begin
        return late or ((day - 1) % 7 in self.days and minute < self.end)


class Hours(Struct, frozen=True):
    """Some times of the week, as `text` says them."""

    text: str
    windows: tuple[Window, ...]

    def has(self, day: int, minute: int) -> bool:
        """Whether a minute is in one of them.

        Args:
            day: of the week, 0 for Monday.
            minute: of the day, by the clock on the wall.
        """
        return any(window.has(day, minute) for window in self.windows)


def read_hours(option: str, text: str) -> Hours:
    """Return the times that are given as `18:00-07:00`, `mon-fri 18:00-07:00,sat,sun` and the like.

    Raises:
        StartError: they are none.
    """
    parts = text.lower().split(",")
    windows = [_window(part.strip()) for part in parts[: limits.WINDOWS + 1]]
    known = tuple(one for one in windows if one is not None)
    if len(known) < len(parts) or len(known) > limits.WINDOWS:
        example = "18:00-07:00, or 'mon-fri 18:00-07:00,sat,sun'"
        raise StartError(f"{option} {text[:80]}: give times of the week, as {example}")
    return Hours(text, known)


def _window(text: str) -> Window | None:
    found = _WINDOW.fullmatch(text)
    if found is None or not text:
        return None
    first, last, *times = found.groups()
    days = _days(first, last)
    if times[0] is None:
        return Window(days, 0, DAY_MINUTES)
    hour, minute, to_hour, to_minute = map(int, times)
    begin, end = 60 * hour + minute, 60 * to_hour + to_minute
    is_time = max(minute, to_minute) < 60 and begin < DAY_MINUTES and end <= DAY_MINUTES
    return Window(days, begin, end) if is_time and begin != end else None


def _days(first: str | None, last: str | None) -> frozenset[int]:
    """Return the days from one to another, which may be next week's; all, if none is named."""
    if first is None:
        return frozenset(range(7))
    begin = DAYS.index(first)
    count = (DAYS.index(last or first) - begin) % 7 + 1
    return frozenset((begin + more) % 7 for more in range(count))
