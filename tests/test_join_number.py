"""The number that a worker and the server show: the same of the same, six digits."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from dc.join_number import NONCE_BYTES, commitment, number

HEX = st.binary(min_size=32, max_size=32).map(bytes.hex)
NONCE = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)


@given(HEX, HEX, NONCE, NONCE)
def test_it_has_six_digits_and_is_the_same_again(
    server: str, key: str, mine: bytes, other: bytes
) -> None:
    found = number(server, key, mine, other)
    assert len(found) == 6
    assert found.isdigit()
    assert found == number(server, key, mine, other)


def test_all_that_goes_in_changes_it() -> None:
    whole = ("ab" * 32, "cd" * 32, bytes(16), bytes(range(16)))
    found = {number(*whole)}
    found.add(number("ac" * 32, *whole[1:]))
    found.add(number(whole[0], "ce" * 32, *whole[2:]))
    found.add(number(*whole[:2], bytes(range(16)), whole[3]))
    found.add(number(*whole[:3], bytes(16)))
    assert len(found) == 5


def test_two_keys_seldom_have_one_number() -> None:
    numbers = {number("00" * 32, f"{n:064x}", bytes(16), bytes(16)) for n in range(1000)}
    assert len(numbers) > 990
    assert any(one.startswith("0") for one in numbers)


def test_the_commitment_is_the_digest_of_the_nonce() -> None:
    assert commitment(bytes(16)) == hashlib.sha256(bytes(16)).hexdigest()
