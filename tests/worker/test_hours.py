"""Times of the week, as they are said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc.errors import StartError
from dc.worker.hours import DAY_MINUTES, Hours, read_hours

MON, FRI, SAT, SUN = 0, 4, 5, 6


def at(text: str) -> int:
    hour, minute = text.split(":")
    return 60 * int(hour) + int(minute)


def has(text: str, day: int, when: str) -> bool:
    return read_hours("--hours", text).has(day, at(when))


def test_a_night_is_of_the_day_on_which_it_begins() -> None:
    assert has("18:00-07:00", MON, "18:00")
    assert has("18:00-07:00", MON, "06:59")
    assert not has("18:00-07:00", MON, "07:00")
    assert not has("18:00-07:00", MON, "17:59")
    assert has("fri 22:00-6:00", SAT, "5:59"), "Friday's night"
    assert not has("fri 22:00-6:00", FRI, "5:59"), "Thursday's"
    assert has("sun 22:00-06:00", MON, "00:00"), "over the end of the week"


def test_days_alone_are_whole_days_and_parts_add_up() -> None:
    text = "mon-fri 18:00-07:00, sat,sun"
    assert has(text, SAT, "12:00")
    assert has(text, SUN, "23:59")
    assert not has(text, FRI, "12:00")
    assert has("sat-mon", MON, "00:00"), "from one week to the next"
    assert not has("sat-mon", 1, "00:00")
    assert has("FRI 08:00-24:00", FRI, "23:59")


@pytest.mark.parametrize(
    "text",
    ["", ",", "18:00", "18-07", "25:00-26:00", "18:60-19:00", "7:00-7:00", "24:00-1:00", "monday",
     "mon-", "mon,", "mon 18:00", "-1:00-2:00", "18:00-07:00 mon", "08:00-24:01",
     ",".join(["mon"] * 22)],
)  # fmt: skip
def test_what_is_no_time_of_the_week_is_said(text: str) -> None:
    with pytest.raises(StartError, match=r"^--hours .*18:00-07:00"):
        read_hours("--hours", text)


@given(st.integers(0, 6), st.integers(0, DAY_MINUTES - 1), st.integers(1, DAY_MINUTES))
def test_a_window_is_open_for_as_long_as_it_says(day: int, begin: int, end: int) -> None:
    if begin == end:
        return
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    text = f"{days[day]} {begin // 60}:{begin % 60:02}-{end // 60}:{end % 60:02}"
    hours = read_hours("--hours", text)
    week = [(one, minute) for one in range(7) for minute in range(DAY_MINUTES)]
    open_ = sum(hours.has(*moment) for moment in week)
    assert open_ == (end - begin if begin < end else end - begin + DAY_MINUTES)
    assert hours.has(day, begin)


def test_no_window_is_never_open() -> None:
    assert not any(Hours("", ()).has(day, 0) for day in range(7))
