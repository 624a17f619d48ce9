"""What of a worker its slots use."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dc.requirements import units
from dc.worker.amounts import Amounts, Card

CUDA, ROCR = "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"


def test_plain_tasks_use_a_cpu_each() -> None:
    amounts = Amounts({"cpus": 2})
    assert amounts.take(0, {}) == {}
    assert amounts.fits({})
    amounts.take(1, {})
    assert not amounts.fits({})
    amounts.give_back(0)
    amounts.give_back(0)
    assert amounts.fits({})
    assert amounts.users == {1}
    amounts.validate()


def test_a_slot_that_uses_something_goes_on_with_it() -> None:
    amounts = Amounts({"cpus": 2, "memory": 100})
    amounts.take(0, {"cpus": 2, "memory": 60})
    amounts.take(0, {"cpus": 2, "memory": 60})
    assert not amounts.fits({"cpus": 0, "memory": 60})
    assert amounts.fits({"cpus": 0, "memory": 40})
    amounts.validate()


def test_what_can_never_fit_runs_alone() -> None:
    amounts = Amounts({"cpus": 2})
    assert amounts.fits({"cpus": 9, "licence": 1})
    amounts.take(0, {"cpus": 9, "licence": 1})
    assert not amounts.fits({})
    amounts.give_back(0)
    amounts.validate()
    amounts.take(0, {})
    assert not amounts.fits({"cpus": 1, "licence": 1})


def test_cards_are_given_out_by_their_numbers() -> None:
    amounts = Amounts({"cpus": 8, "gpus": 2}, [Card("4", CUDA), Card("0", ROCR)])
    assert amounts.take(0, {"cpus": 1, "gpus": 1}) == {CUDA: "4", ROCR: ""}
    assert amounts.take(1, {"cpus": 1, "gpus": 0.5}) == {CUDA: "", ROCR: "0"}
    assert not amounts.fits({"cpus": 1, "gpus": 1})
    assert amounts.take(2, {"cpus": 1, "gpus": 0.5}) == {CUDA: "", ROCR: "0"}
    amounts.validate()


def test_a_card_whose_maker_is_not_known_is_named_by_all() -> None:
    amounts = Amounts({"cpus": 8, "gpus": 2})
    assert amounts.take(0, {"cpus": 1, "gpus": 2}) == {CUDA: "0,1", ROCR: "0,1"}


def test_a_slot_gets_the_card_again_that_it_had() -> None:
    amounts = Amounts({"cpus": 8, "gpus": 2})
    amounts.take(0, {"cpus": 1, "gpus": 1})
    assert amounts.take(1, {"cpus": 1, "gpus": 1})[CUDA] == "1"
    amounts.give_back(0)
    amounts.give_back(1)
    assert amounts.take(1, {"cpus": 1, "gpus": 0.5})[CUDA] == "1"


def test_halves_of_two_cards_are_no_whole_one() -> None:
    amounts = Amounts({"cpus": 8, "gpus": 2})
    for slot, part in enumerate((0.6, 0.6)):
        amounts.take(slot, {"cpus": 1, "gpus": part})
    assert not amounts.fits({"cpus": 1, "gpus": 0.5}), "0.4 of each is free"
    assert amounts.fits({"cpus": 1, "gpus": 0.4})


def test_what_the_worker_has_may_change() -> None:
    amounts = Amounts({"cpus": 1})
    amounts.take(0, {})
    amounts.set_total({"cpus": 2, "gpus": 1.5})
    assert amounts.fits({"cpus": 1, "gpus": 1})
    assert not amounts.fits({"cpus": 1, "gpus": 2})
    amounts.take(1, {"cpus": 1, "gpus": 1.5})
    amounts.validate()


AMOUNTS = st.dictionaries(
    st.sampled_from(["cpus", "gpus", "memory", "x"]), st.sampled_from([0, 0.25, 0.5, 1, 1.5, 2, 3])
)


@given(AMOUNTS, st.lists(st.tuples(st.integers(0, 3), AMOUNTS, st.booleans()), max_size=30))
def test_no_more_is_used_than_there_is(
    total: dict[str, float], steps: list[tuple[int, dict[str, float], bool]]
) -> None:
    amounts = Amounts(total)
    used: dict[int, dict[str, float]] = {}
    for slot, need, gives in steps:
        if gives:
            amounts.give_back(slot)
            used.pop(slot, None)
        elif slot not in used and amounts.fits(need):
            amounts.take(slot, need)
            used[slot] = need or {"cpus": 1}
        amounts.validate()
        for name in {name for one in used.values() for name in one}:
            spent = sum(units(name, one.get(name, 0)) for one in used.values())
            alone = sum(1 for one in used.values() if units(name, one.get(name, 0))) <= 1
            assert alone or spent <= units(name, total.get(name, 0)) or len(used) == 1
