"""What fuzzing has found wrong, each once."""

from __future__ import annotations

import pytest

from dc import discovery, invites
from dc.errors import StartError

START = bytes(1 + invites.SECRET_BYTES)


@pytest.mark.parametrize(
    "address",
    [
        b"\x80\x00\x50",  # a name without letters
        b"\x83a/b\x00\x50",
        b"\x82\x00a\x00\x50",
        b"\x44\x01\x02\x03\x04\x00\x50",  # an IPv6 address of four bytes
        b"\x10" + bytes(16) + b"\x00\x50",  # an IPv4 address of sixteen
        b"\xc4\x01\x02\x03\x04\x00\x50",  # of a kind that there is not
    ],
)
def test_an_address_of_a_code_that_is_none(address: bytes) -> None:
    with pytest.raises(StartError, match="not whole"):
        invites.read(invites.sealed(START + address))
    good = b"\x04\x01\x02\x03\x04\x00\x50"
    with pytest.raises(StartError, match="not whole"):
        invites.read(invites.sealed(START + good + address))
    assert invites.read(invites.sealed(START + good)).addresses == [("1.2.3.4", 80)]


@pytest.mark.parametrize(
    "facts",
    [
        b"\x93\xa2\xff\xfe\x05\xc2",  # text that is none
        b"\x93\xa2a\n\x05\xc2",  # a name with the end of a line behind it
        b"\x95\xa1a\x05\xc2\xc4\x00\xa2a\n",
    ],
)
def test_an_answer_of_a_network_that_is_none(facts: bytes) -> None:
    nonce = bytes(8)
    assert discovery.read_answer(b"dc!1" + nonce + facts, nonce) is None
    assert discovery.read_answer(b"dc!1" + nonce + b"\x93\xa1a\x05\xc2", nonce) is not None
    assert discovery.read_txt({"dc": "1", "id": "a\n", "tls": "0"}, 5) is None
