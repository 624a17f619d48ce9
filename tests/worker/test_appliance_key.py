"""The key of a computer that keeps nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc.worker import worker_key
from dc.worker.appliance_key import computer_id, keys_of, usable

UUID = "4c4c4544-0051-3510-8052-b4c04f4e4e32"
MACS = ["52:54:00:12:34:57", "52:54:00:12:34:56"]


def test_a_uuid_goes_before_an_address() -> None:
    assert computer_id(f"{UUID.upper()}\n", MACS) == f"uuid {UUID}"
    assert computer_id("", [one.upper() for one in MACS]) == "mac 52:54:00:12:34:56"


@pytest.mark.parametrize(
    "uuid",
    [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "fefefefe-fefe-fefe-fefe-fefefefefefe",
        "03000200-0400-0500-0006-000700080009",
        "Not Settable",
        f"{UUID}x",
    ],
)
def test_what_many_computers_have_is_none(uuid: str) -> None:
    assert computer_id(uuid, MACS) == "mac 52:54:00:12:34:56"
    assert computer_id(uuid, ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "x"]) == ""


def test_it_is_the_same_each_time_and_no_other_one() -> None:
    one = keys_of(b"s" * 10, "uuid a")
    assert one == keys_of(b"s" * 10, "uuid a")
    others = [keys_of(b"t" * 10, "uuid a"), keys_of(b"s" * 10, "uuid b")]
    assert len({one.private, *(two.private for two in others)}) == 3
    assert len({one.name, *(two.name for two in others)}) == 3
    # Another one would make every computer that was ever let in a stranger.
    assert worker_key.WorkerKey(one.private).public[:8] == "8f42f7c9"


@given(st.text(max_size=50), st.lists(st.text(max_size=20), max_size=5))
def test_whatever_the_firmware_says(uuid: str, macs: list[str]) -> None:
    found = computer_id(uuid, macs)
    assert found == "" or found.startswith(("uuid ", "mac "))
    assert all(len(one) == 17 for one in usable(macs))
