"""What the fuzzers have found is tried again, and what they begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, seeds

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_is_taken_or_refused(name: str) -> None:
    inputs = [file.read_bytes() for file in sorted((CORPUS / name).iterdir())]
    assert inputs
    for data in (*seeds()[name], *inputs, b""):
        TARGETS[name](data)


def test_each_target_has_a_beginning() -> None:
    assert set(seeds()) == set(TARGETS)
