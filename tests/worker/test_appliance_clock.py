"""When a booted computer's clock is set."""

from __future__ import annotations

import logging
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc.worker.appliance_clock import Clock, better, read_date

BUILT = 1_700_000_000.0
NOW = BUILT + 100 * 86400.0
YEAR = 365.25 * 86400.0


@pytest.mark.parametrize(
    ("now", "told", "is_known", "found"),
    [
        (NOW, NOW + 2, True, None),  # the server tells whole seconds
        (NOW, NOW + 3, True, NOW + 3),
        (NOW, NOW - 3600, True, NOW - 3600),
        (NOW, NOW + 3600, False, None),  # anybody may have said it
        (BUILT, NOW, False, NOW),  # which is better than nothing
        (BUILT, BUILT - 1, True, None),
        (NOW, BUILT + 21 * YEAR, True, None),
        (BUILT + 19 * YEAR, NOW, True, NOW),
    ],
)
def test_it_is_set_if_that_makes_it_better(
    now: float, told: float, is_known: bool, found: float | None
) -> None:
    assert better(now, told, BUILT, is_known=is_known) == found


@given(st.text(max_size=60))
def test_a_date_may_be_anything(text: str) -> None:
    found = read_date(text)
    assert found is None or isinstance(found, float)


def test_a_clock_is_set_by_what_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    put: list[float] = []
    clock = Clock(BUILT, put.append, lambda: BUILT)
    for text in ("", "yesterday", formatdate(NOW, usegmt=True)):
        clock.told(text, is_known=True)
    assert put == [NOW]

    def refuse(moment: float) -> None:
        raise PermissionError(f"not to {moment}")

    with caplog.at_level(logging.WARNING):
        Clock(BUILT, refuse, lambda: BUILT).told(formatdate(NOW, usegmt=True), is_known=True)
    assert "the clock cannot be set" in caplog.text
