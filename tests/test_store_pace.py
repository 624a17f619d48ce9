"""Whether small commits are done in the event loop: by how quick they were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dc import limits_store as limits
from dc.store_pace import Pace

QUICK, SLOW = limits.COMMIT_NOW_SECONDS / 4, limits.COMMIT_NOW_SECONDS * 10
PAUSE = limits.COMMIT_NOW_PAUSE_SECONDS


def test_a_quick_disk_is_used_from_the_first_commit_on() -> None:
    pace = Pace()
    for now in range(100):
        assert pace.allows(float(now))
        pace.took(QUICK, float(now))


def test_one_slow_commit_among_quick_ones_does_not_count() -> None:
    pace = Pace()
    for now in range(100):
        pace.took(SLOW if now == 50 else QUICK, float(now))
        assert pace.allows(float(now))


def test_a_slow_disk_holds_up_the_loop_ever_more_rarely() -> None:
    pace, now, tries = Pace(), 0.0, []
    while now < 3600.0:
        if pace.allows(now):
            pace.took(SLOW, now)
            tries.append(now)
        now += 0.01
    assert len(tries) < 10 + 3600 / limits.COMMIT_NOW_PAUSE_SECONDS_MOST
    assert tries[-1] - tries[-2] >= limits.COMMIT_NOW_PAUSE_SECONDS_MOST


def test_a_disk_that_gets_quick_again_is_used_again() -> None:
    pace = Pace()
    pace.took(1.0, 0.0)
    assert not pace.allows(0.0)
    assert not pace.allows(PAUSE * 0.99)
    assert pace.allows(PAUSE)
    for step in range(100):
        pace.took(QUICK, PAUSE + step)
        assert pace.allows(PAUSE + step)


@given(st.lists(st.floats(0.0, 10.0), max_size=50))
def test_no_pause_is_longer_than_the_longest(times: list[float]) -> None:
    pace, now = Pace(), 0.0
    for seconds in times:
        pace.took(seconds, now)
        now += limits.COMMIT_NOW_PAUSE_SECONDS_MOST
        assert pace.allows(now)
