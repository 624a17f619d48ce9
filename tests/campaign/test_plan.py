"""A plan is the seed's, and has what was asked for."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.campaign.plan import KILLS, RELAY, cuts_only, make_plan, seconds_of


@given(seed=st.integers(0, 2**32), kills=st.integers(0, 400))
def test_a_plan_has_what_was_asked_for(seed: int, kills: int) -> None:
    plan = make_plan(Random(seed), kills, 2.0, stop=40.0, cuts=[5.0, 20.0])
    assert plan == make_plan(Random(seed), kills, 2.0, stop=40.0, cuts=[5.0, 20.0])
    kinds = Counter(fault.kind for fault in plan)
    assert sum(fault.is_kill for fault in plan) == kills
    assert set(kinds) >= {"stop", "link", *RELAY}
    assert kinds["link"] == 2 * max(1, kills // 150)
    if kills >= len(KILLS):
        assert set(kinds) >= set(KILLS)
    assert all(fault.gap >= 0 and 0 <= fault.choice < 1 and fault.seconds >= 0 for fault in plan)


def test_nothing_is_stopped_or_cut_unless_it_is_asked_for() -> None:
    kinds = {fault.kind for fault in make_plan(Random(1), 50, 2.0, relay=False)}
    assert kinds == set(KILLS)


def test_a_plan_takes_as_long_as_its_gaps_and_its_last_fault() -> None:
    plan = cuts_only(Random(1), [5.0, 20.0], 10.0)
    assert [fault.seconds for fault in plan if fault.kind == "link"] == [5.0, 20.0]
    assert not any(fault.is_kill for fault in plan)
    gaps = sum(fault.gap for fault in plan)
    assert gaps <= seconds_of(plan) <= gaps + max(fault.seconds for fault in plan)
    assert abs(gaps - (10.0 + 15.0 + 10.0 + 30.0)) < 1e-6
