"""The loops over columns, against what they say in plain Python, on both faces."""

from __future__ import annotations

import itertools
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dc._columns
from dc import limits
from dc.messages_parts import Blob
from dc.portions import portions
from tests.conftest import interpreted

BLOB = Blob(b"d" * 32, 10**9)
FACES = [dc._columns, interpreted("_columns")]
ITEMS = st.lists(st.one_of(st.binary(max_size=40), st.just(BLOB), st.none()))


def size_of(item: object) -> int:
    assert not isinstance(item, bytes)
    return 7 if item is None else 64


def sizes(column: list[object], each: int) -> list[int]:
    return [len(one) + each if isinstance(one, bytes) else size_of(one) for one in column]


def test_an_empty_column(columns: ModuleType) -> None:
    assert columns.weigh([]) == (0, 0, 0)
    assert columns.total([], 5, size_of) == 0
    assert columns.cut([], 5, size_of, 10, 10) == [(0, 0)]


def test_a_column_is_weighed(columns: ModuleType) -> None:
    weight = columns.weigh([b"abc", BLOB, b"", b"12345", None])
    assert (weight.bytes, weight.longest, weight.others) == (8, 5, 2)


def test_what_is_above_the_limit_stands_alone(columns: ModuleType) -> None:
    column = [b"1", b"22", b"x" * 50, b"3", BLOB, b"4"]
    assert columns.cut(column, 1, size_of, 10, 12) == [(2, 5), (3, 51), (4, 2), (5, 64), (6, 2)]


def test_a_portion_has_no_more_elements_than_it_may(columns: ModuleType) -> None:
    assert columns.cut([b""] * 7, 1, size_of, 3, 100) == [(3, 3), (6, 3), (7, 1)]


@pytest.mark.parametrize("wrong", [(b"a", b"b"), None, b"ab"])
def test_only_the_compiled_face_asks_for_lists(wrong: object) -> None:
    with pytest.raises(TypeError):
        dc._columns.weigh(wrong)  # type: ignore[arg-type]


def test_what_the_callers_function_raises_goes_to_the_caller(columns: ModuleType) -> None:
    def fails(item: object) -> int:
        raise LookupError(item)

    with pytest.raises(LookupError):
        columns.total([b"a", None], 0, fails)
    with pytest.raises(LookupError):
        columns.cut([None], 0, fails, 10, 10)


@given(ITEMS, st.integers(0, 20), st.integers(1, 6), st.integers(1, 200))
def test_portions_are_as_long_as_they_can_be(
    column: list[object], each: int, most: int, limit: int
) -> None:
    single = sizes(column, each)
    answers = [face.cut(column, each, size_of, most, limit) for face in FACES]
    assert answers[0] == answers[1]
    start = 0
    for stop, size in answers[0]:
        assert size == sum(single[start:stop])
        assert stop - start <= most
        assert size <= limit or stop - start == 1
        if stop < len(column):
            assert stop - start == most or size + single[stop] > limit
        start = stop
    assert start == len(column)
    assert len(answers[0]) == 1 or all(stop > 0 for stop, _ in answers[0])
    assert [face.total(column, each, size_of) for face in FACES] == [sum(single)] * 2


@given(ITEMS)
def test_weights_are_those_of_the_bytes(column: list[object]) -> None:
    lengths = [len(one) for one in column if isinstance(one, bytes)]
    expected = (sum(lengths), max(lengths, default=0), len(column) - len(lengths))
    assert [tuple(face.weigh(column)) for face in FACES] == [expected] * 2


def test_a_message_has_a_batch_of_tasks_and_bytes_at_most() -> None:
    stops = [limits.BATCH_TASKS, limits.BATCH_TASKS + 1]
    assert [stop for stop, _ in portions([b""] * stops[1], 0, size_of)] == stops
    half = bytes(limits.BATCH_BYTES // 2)
    assert portions([half] * 3, 0, size_of) == [(2, len(half) * 2), (3, len(half))]


BOUNDS = [0.0001, 0.001, 0.01, 1.0, 100.0, 1e6]
TIMES = st.lists(
    st.one_of(
        st.floats(0, 1e12),
        st.floats(0, 2),
        st.sampled_from([*BOUNDS, 0.0, float("nan"), 1e9, 5e-7]),
    )
)


def micros(seconds: float) -> int:
    return int((seconds if seconds <= 1e9 else 1e9) * 1e6 + 0.5)


@given(TIMES, ITEMS)
def test_run_times_are_counted(times: list[float], outcomes: list[object]) -> None:
    counts = [0] * (len(BOUNDS) + 1)
    for one in times:
        counts[sum(not one <= bound for bound in BOUNDS)] += 1
    whole = [micros(one) for one in times]
    others = [at for at, one in enumerate(outcomes) if not isinstance(one, bytes)]
    for face in FACES:
        mine = [0] * len(counts)
        found = face.tally(times, outcomes, BOUNDS, mine)
        assert found == (sum(whole), min(whole, default=0), max(whole, default=0), others)
        assert mine == counts


@given(TIMES, st.integers(1, 10**7), st.data())
def test_run_times_are_spread_over_steps(
    times: list[float], step: int, data: st.DataObject
) -> None:
    offset = data.draw(st.integers(0, step - 1))
    times = [one for one in times if one < 1000 * step / 1e6]
    expected: dict[int, int] = {0: 0}
    for one in times:
        rest, place, room = micros(one), 0, offset
        while rest > 0:
            expected[place] = expected.get(place, 0) + min(rest, room)
            rest, place, room = rest - min(rest, room), place + 1, step
    for face in FACES:
        found = face.spread(times, offset, step)
        assert dict(enumerate(found)) == expected
        assert sum(found) == sum(map(micros, times))


def test_negative_times_count_as_nothing(columns: ModuleType) -> None:
    counts = [0] * 7
    assert columns.tally([-1.0], [], BOUNDS, counts) == (0, 0, 0, [])
    assert counts == [1, 0, 0, 0, 0, 0, 0]
    assert columns.spread([-1.0], 5, 10) == [0]


# --- numbers by size ----------------------------------------------------------------------------


@given(
    st.lists(st.floats(0, 1e12)),
    st.lists(st.floats(0, 1e9), unique=True).map(sorted),
    st.sampled_from(FACES),
)
def test_numbers_are_counted_by_size(
    column: list[float], bounds: list[float], face: ModuleType
) -> None:
    counts = [1] * (len(bounds) + 1)
    assert face.by_size(column, bounds, counts) == pytest.approx(sum(column))
    edges = [-1.0, *bounds, float("inf")]
    naive = [sum(low < one <= high for one in column) for low, high in itertools.pairwise(edges)]
    assert [count - 1 for count in counts] == naive


def test_a_number_at_a_bound_is_below_it(columns: ModuleType) -> None:
    counts = [0, 0, 0]
    assert columns.by_size([1.0, 1.0, 2.0, 3.0, 0.0], [1.0, 2.0], counts) == 7.0
    assert counts == [3, 1, 1]
