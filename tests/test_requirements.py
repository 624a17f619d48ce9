"""Conditions on labels, amounts of resources, and what a job needs in all."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import limits
from dc.errors import OptionsError
from dc.messages_client import Alternative, Options
from dc.requirements import (
    CPUS,
    GPUS,
    MEMORY,
    OPERATORS,
    UNITS,
    Need,
    amount,
    amount_text,
    check_needs,
    condition_text,
    escaped,
    gathered,
    holds,
    joined,
    need_text,
    needs_of,
    order_of,
    parse_condition,
    read_amount,
    read_requirement,
    terms_of,
    units,
)


def met(condition: str, value: str | None) -> bool:
    return holds(parse_condition(condition), value)


# --- conditions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "meets", "fails"),
    [
        ("linux", ["linux"], ["Linux", "", None]),
        ("", [""], ["x", None]),
        ("a,b|c", ["a,b|c"], ["a", "b"]),
        ("=linux|darwin", ["linux", "darwin"], ["windows", "linux|darwin", None]),
        ("=<5", ["<5"], ["4", None]),
        ("==5", ["=5"], ["5"]),
        (r"=a\,b\|c\\", ["a,b|c\\"], ["a"]),
        ("!=lab|attic", ["hall", "", None], ["lab", "attic"]),
        (">=3.11", ["3.11", "3.11.0", "3.12", "4", "v3.20"], ["3.9", "3.10.9", "abc", None]),
        (">3.11", ["3.11.1", "3.12"], ["3.11", "3.11.0", "3.2"]),
        ("<5", ["4", "-7", "4.99"], ["5", "5.0", "6", "x", None]),
        ("<=5", ["5", "5.0", "0"], ["5.1"]),
        (">=3.11,<3.14", ["3.11", "3.13.9"], ["3.10", "3.14"]),
        (">=3, !=3.5|3.6, <4", ["3.4", "3.7"], ["3.5", "3.6", "4"]),
        (">-3", ["-2", "0"], ["-3", "-4"]),
    ],
)
def test_conditions(condition: str, meets: list[str | None], fails: list[str | None]) -> None:
    assert [value for value in meets if not met(condition, value)] == []
    assert [value for value in fails if met(condition, value)] == []


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        (">=x", "compares with one number or version, as >=3.11"),
        ("<", "compares with one number"),
        (">1|2", "compares with one number"),
        (">=3,5", "'5' begins with no operator; write linux, =linux|darwin"),
        ("=a,", "'' begins with no operator"),
    ],
)
def test_what_is_no_condition_says_what_to_write(condition: str, says: str) -> None:
    with pytest.raises(OptionsError) as error:
        parse_condition(condition)
    assert says in str(error.value)
    assert holds(terms_of(condition), condition), "of an older job it is the whole value"


def test_the_order_of_versions() -> None:
    texts = ["-2", "0", "1.9", "1.10rc1", "1.10", "1.10.1", "3.9", "3.11", "10"]
    assert sorted(texts, key=lambda text: order_of(text) or ()) == texts
    assert order_of("3.11") == order_of("3.11.0") == order_of("v3.11.00")
    assert order_of("lab") is order_of("") is None


@given(st.text(max_size=20))
def test_every_text_can_be_asked_for(value: str) -> None:
    stripped = value.strip()
    assert met(f"={escaped(stripped)}", stripped)
    assert not met(f"!={escaped(stripped)}", stripped)


@given(st.text(max_size=30), st.text(max_size=8) | st.none())
def test_any_text_is_a_condition_or_an_options_error(text: str, value: str | None) -> None:
    try:
        holds(parse_condition(text), value)
    except OptionsError:
        assert text.startswith(OPERATORS)


@given(*[st.sampled_from(["linux", "a,b", "=a|b", "!=a", ">=2", "<3"])] * 2)
def test_joined_conditions_hold_where_both_do(first: str, second: str) -> None:
    for value in ("linux", "a,b", "a", "b", "2", "2.5", "4", None):
        assert met(joined(first, second), value) == (met(first, value) and met(second, value))


@pytest.mark.parametrize(
    ("typed", "label", "condition"),
    [
        ("os=linux", "os", "linux"),
        ("os=", "os", ""),
        ("python>=3.11", "python", ">=3.11"),
        ("os!=windows", "os", "!=windows"),
        ("room=lab|attic", "room", "=lab|attic"),
        ("python>=3.11,<4", "python", ">=3.11,<4"),
        ("mark==x", "mark", "==x"),
    ],
)
def test_what_is_typed(typed: str, label: str, condition: str) -> None:
    assert read_requirement(typed) == (label, condition)


@pytest.mark.parametrize("typed", ["", "os", "=linux", "os>=", "os!", "python>=x", "a=b,c"])
def test_what_is_typed_wrongly(typed: str) -> None:
    with pytest.raises(OptionsError):
        read_requirement(typed)


def test_a_condition_is_shown_as_it_is_typed() -> None:
    for typed in ("os=linux", "python>=3.11", "room=lab|attic"):
        assert condition_text(*read_requirement(typed)) == typed


# --- amounts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("4GiB", 4 * 2**30),
        ("4 GiB", 4 * 2**30),
        ("4GB", 4 * 10**9),
        ("1.5k", 1536),
        ("2T", 2 * 2**40),
        ("512mib", 512 * 2**20),
        ("7B", 7),
    ],
)
def test_sizes_of_memory(text: str, size: int) -> None:
    assert read_amount(MEMORY, text) == size


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (MEMORY, "much"),
        (MEMORY, "4 XB"),
        (MEMORY, "-1"),
        (MEMORY, 0.3),
        (MEMORY, 2.0**54),
        (CPUS, "two"),
        (CPUS, -1),
        (CPUS, 0.00001),
        (CPUS, math.nan),
        (CPUS, "inf"),
        (CPUS, True),
        (GPUS, None),
        (GPUS, 2e9),
        ("no name", 1),
        ("", 1),
        ("x" * 300, 1),
    ],
)
def test_what_is_no_amount(name: str, value: object) -> None:
    with pytest.raises(OptionsError):
        read_amount(name, value)


def test_amounts_are_counted_in_whole_units() -> None:
    assert (units(CPUS, 0.5), units(GPUS, 2), units(MEMORY, 1000.4)) == (5000, 20_000, 1000)
    assert (amount(CPUS, 5000), amount(MEMORY, 7)) == (0.5, 7.0)
    for hostile in (math.nan, -1.0, 0.0):
        assert units(CPUS, hostile) == 0
    assert units(MEMORY, math.inf) == limits.AMOUNT_MOST
    assert units(CPUS, math.inf) == limits.COUNT_MOST * UNITS


def test_amounts_in_words() -> None:
    assert amount_text(GPUS, 2 * UNITS) == "2 gpus"
    assert amount_text(CPUS, UNITS) == "1 cpu"
    assert amount_text(CPUS, UNITS // 2) == "0.5 cpus"
    assert amount_text(MEMORY, 4 * 2**30) == "4 GiB of memory"
    assert amount_text(MEMORY, 100) == "100 bytes of memory"
    assert amount_text("licence", UNITS) == "licence 1"


# --- what a job needs ---------------------------------------------------------------------------


def test_a_plain_job_needs_one_cpu() -> None:
    [need] = needs_of(Options())
    assert need == Need((), ((CPUS, UNITS),))
    assert need.resources == {}
    assert need_text(need) == ""


def test_what_is_required_holds_for_all_alternatives() -> None:
    options = Options(
        requires={"os": "linux"},
        resources={"memory": 4096, "gpus": 1},
        alternatives=[
            Alternative({"os": "!=x", "gpu": "a"}, {"gpus": 0.5}),
            Alternative({}, {"cpus": 8, "memory": 8192, "gpus": 2}),
        ],
    )
    first, second = needs_of(options)
    assert first.conditions == (("gpu", "a"), ("os", "!=x"), ("os", "linux"))
    assert first.resources == {"cpus": 1, "gpus": 1, "memory": 4096}
    assert second.conditions == (("os", "linux"),)
    assert second.resources == {"cpus": 8, "gpus": 2, "memory": 8192}
    assert need_text(second) == "os=linux, 8 cpus, 2 gpus, 8 KiB of memory"


def test_no_cpus_are_no_cpus_and_no_cards_are_nothing() -> None:
    [need] = needs_of(Options(resources={"cpus": 0, "gpus": 0}))
    assert need.amounts == ((CPUS, 0),)
    assert need.resources == {"cpus": 0}


def test_shorthands_are_gathered() -> None:
    said = {
        "cpus": 2,
        "memory": "4GiB",
        "gpus": None,
        "resources": {"licence": "1"},
        "alternatives": [{"gpus": 0.5, "requires": {"gpu": "a"}}, Alternative()],
        "name": "x",
    }
    assert gathered(said) == {
        "resources": {"cpus": 2.0, "memory": 4.0 * 2**30, "licence": 1.0},
        "alternatives": [Alternative({"gpu": "a"}, {"gpus": 0.5}), Alternative()],
        "name": "x",
    }
    assert gathered({}) == {}


@pytest.mark.parametrize(
    "said",
    [
        {"cpus": "many"},
        {"resources": 3},
        {"alternatives": "gpus"},
        {"alternatives": 3},
        {"alternatives": ["gpus"]},
        {"alternatives": [{"gpu": 1}]},
        {"alternatives": [{"requires": {"a": 1}}]},
    ],
)
def test_what_cannot_be_gathered(said: dict[str, object]) -> None:
    with pytest.raises(OptionsError):
        gathered(said)


def test_needs_are_checked_in_all_places() -> None:
    check_needs({"os": "linux"}, {"cpus": 1}, [Alternative({"a": ">=2"}, {"b": 1})])
    for bad in (
        Alternative({"a": ">x"}),
        Alternative({"": "x"}),
        Alternative({}, {"a b": 1}),
        Alternative({}, {"a": 1e-9}),
    ):
        with pytest.raises(OptionsError):
            check_needs({}, {}, [bad])
        with pytest.raises(OptionsError):
            check_needs(bad.requires, bad.resources, [])


def test_options_that_were_stored_before_load() -> None:
    old = ["options", "name", 1, 2, 3.0, {"os": "linux"}, ["error"], 1.0, 5, False, 0.0]
    options = msgspec.json.decode(msgspec.json.encode(old), type=Options)
    assert (options.requires, options.resources, options.alternatives) == ({"os": "linux"}, {}, [])
    new = Options(alternatives=[Alternative({}, {"gpus": 0.5})], resources={"cpus": 2.0})
    assert msgspec.json.decode(msgspec.json.encode(new), type=Options) == new
