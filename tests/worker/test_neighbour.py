"""When a computer that people use is free for tasks."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from dc import limits_neighbour as limits
from dc.worker import neighbour as n
from dc.worker.hours import read_hours
from dc.worker.minding import Minder
from dc.worker.neighbour import Neighbour, Policy, Senses

MORNING = read_hours("--hours", "0:00-12:00")
FULL = Policy(idle=300, load=0.5, on_mains=True, below=85, hours=MORNING)
FREE = Senses(idle=1000, load=0.0, on_mains=True, temperature=40, day=0, minute=0)
LOOK = 0.25


def senses_like(**changed: object) -> Senses:
    told = {name: getattr(FREE, name) for name in FREE.__struct_fields__}
    return Senses(**{**told, **changed})


def looks(one: Neighbour, senses: Senses, seconds: float, start: float) -> list[str]:
    """What it says of the same senses for so long."""
    return [one.look(senses, start + at * LOOK) for at in range(math.ceil(seconds / LOOK) + 1)]


def test_it_is_free_at_once_and_a_person_has_it_back_at_once() -> None:
    one = Neighbour(FULL)
    assert one.look(FREE, 0) == ""
    assert one.look(senses_like(idle=0.1), 1) == n.PERSON
    assert one.look(senses_like(idle=299.9), 300) == n.PERSON
    assert one.look(senses_like(idle=300.0), 301) == "", "five minutes are calm enough"


def test_at_the_end_of_its_hours_it_rests_and_at_their_beginning_it_works() -> None:
    one = Neighbour(FULL)
    assert one.look(senses_like(minute=719), 0) == ""
    assert one.look(senses_like(minute=720), 1) == n.CLOSED
    assert one.look(senses_like(minute=0), 2) == ""


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"load": 0.6}, n.BUSY), ({"temperature": 90.0}, n.HOT)],
)
def test_what_may_pass_has_to_last(changed: dict[str, float], why: str) -> None:
    one = Neighbour(FULL)
    said = looks(one, senses_like(**changed), limits.LASTING_SECONDS - LOOK, 0)
    assert set(said) == {""}
    assert one.look(FREE, 10) == ""
    said = looks(one, senses_like(**changed), limits.LASTING_SECONDS, 20)
    assert said[-1] == why
    assert set(said[:-1]) == {""}


@pytest.mark.parametrize(
    ("changed", "between"),
    [({"load": 0.6}, {"load": 0.3}), ({"temperature": 90.0}, {"temperature": 80.0}),
     ({"on_mains": False}, {"on_mains": False})],
)  # fmt: skip
def test_it_works_again_once_all_is_calm_by_a_stricter_bound(
    changed: dict[str, float], between: dict[str, float]
) -> None:
    one = Neighbour(FULL)
    assert looks(one, senses_like(**changed), 20, 0)[-1]
    assert looks(one, senses_like(**between), 1000, 20)[-1], "between the bounds"
    said = looks(one, FREE, limits.CALM_SECONDS - 0.6, 1020 + LOOK)
    assert all(said)
    assert one.look(FREE, 1020 + LOOK + limits.CALM_SECONDS) == ""


def test_without_mains_it_rests_at_once() -> None:
    one = Neighbour(FULL)
    assert one.look(senses_like(on_mains=False), 0) == n.BATTERY


def test_what_is_not_known_is_never_in_the_way_and_is_named() -> None:
    one = Neighbour(FULL)
    nothing = Senses(day=0, minute=0)
    assert set(looks(one, nothing, 100, 0)) == {""}
    assert n.unknown(FULL, nothing) == ["--when-idle", "--load-below", "--on-mains", "--below"]
    assert n.unknown(FULL, FREE) == []
    assert n.unknown(Policy(), nothing) == []


def test_the_reason_is_the_present_one() -> None:
    one = Neighbour(FULL)
    assert one.look(senses_like(idle=0.0), 0) == n.PERSON
    assert one.look(senses_like(minute=800), 400) == n.CLOSED
    assert one.look(senses_like(on_mains=False), 401) == n.BATTERY
    assert one.look(FREE, 402) == n.BATTERY, "not calm yet"


def test_a_policy_that_says_nothing_is_none() -> None:
    assert not Policy().is_any
    assert Policy(on_mains=True).is_any
    assert Neighbour(Policy()).look(Senses(idle=0, load=1, on_mains=False, temperature=99), 0) == ""


SENSED = st.builds(
    Senses,
    idle=st.one_of(st.none(), st.floats(0, 1000)),
    load=st.one_of(st.none(), st.floats(0, 1)),
    on_mains=st.one_of(st.none(), st.booleans()),
    temperature=st.one_of(st.none(), st.floats(0, 120)),
    day=st.integers(0, 6),
    minute=st.integers(0, 1439),
)


def is_hard(senses: Senses) -> bool:
    return (
        (senses.idle is not None and senses.idle < 300)
        or senses.minute >= 720
        or senses.on_mains is False
    )


@given(st.lists(st.tuples(st.floats(0, 30), SENSED), max_size=60))
def test_whatever_is_sensed_tasks_never_run_against_a_person(
    steps: list[tuple[float, Senses]],
) -> None:
    one, now = Neighbour(FULL), 0.0
    for passed, senses in steps:
        now += passed
        reason = one.look(senses, now)
        assert reason or not is_hard(senses)
    assert one.look(FREE, now) in ("", one.reason)
    assert one.look(FREE, now + limits.CALM_SECONDS + 1) == "", "free again in the end"


@given(st.lists(st.sampled_from([0.0, 0.2, 0.3, 0.45, 0.5, 0.55, 0.9]), max_size=400))
def test_a_load_that_goes_up_and_down_does_not_make_tasks_go_to_and_fro(loads: list[float]) -> None:
    one = Neighbour(FULL)
    changes = [0.0]
    before = ""
    for at, load in enumerate(loads):
        reason = one.look(senses_like(load=load), at * LOOK)
        if bool(reason) != bool(before):
            changes.append(at * LOOK)
        before = reason
    assert all(b - a >= limits.LASTING_SECONDS for a, b in pairwise(changes))


class Sensed:
    """Senses that are said beforehand."""

    seconds = LOOK

    def __init__(self, *looks: Senses) -> None:
        self._looks = list(looks)
        self.asked: list[Policy] = []

    def look(self, policy: Policy) -> Senses:
        self.asked.append(policy)
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]


async def test_a_minder_tells_changes_alone(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[float, str]] = []
    start = trio.current_time()
    busy = senses_like(idle=1.0)
    senses = Sensed(FREE, FREE, busy, busy, FREE)
    minder = Minder(Neighbour(FULL), senses)
    with trio.move_on_after(10):
        await minder.keep(lambda reason: told.append((trio.current_time() - start, reason)))
    assert told == [(2 * LOOK, n.PERSON), (4 * LOOK, "")]
    assert all(one == FULL for one in senses.asked)
    assert not caplog.records


async def test_a_minder_says_once_what_the_computer_does_not_tell(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    minder = Minder(Neighbour(FULL), Sensed(senses_like(idle=None, temperature=None)))
    with trio.move_on_after(60):
        await minder.keep(lambda _: None)
    (record,) = caplog.records
    assert record.getMessage().endswith("for --when-idle, --below")
