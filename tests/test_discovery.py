"""Questions for servers, and answers: what is whole comes through, and nothing else."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dc import limits_join
from dc.discovery import (
    NONCE_BYTES,
    Facts,
    answer,
    facts_of,
    question,
    read_answer,
    read_question,
    read_txt,
    txt_of,
)

NONCES = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)
PLAIN = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=64)
FACTS = st.builds(
    facts_of,
    PLAIN.filter(bool),
    st.integers(1, 65535),
    st.binary(min_size=32, max_size=32),
    PLAIN,
    st.text(max_size=300),
    tls=st.booleans(),
)
FOUND = Facts("server", 8220, True, bytes(16), "0.1", "desk")


@given(NONCES, FACTS)
def test_what_is_said_comes_through(nonce: bytes, facts: Facts) -> None:
    asked = question(nonce)
    assert read_question(asked) == nonce
    said = answer(nonce, facts)
    assert len(said) <= len(asked) == limits_join.DISCOVERY_BYTES
    assert read_answer(said, nonce) == facts
    assert read_txt(txt_of(facts), facts.port) == facts


@given(NONCES, FACTS, NONCES)
def test_an_answer_to_another_question_is_none(nonce: bytes, facts: Facts, other: bytes) -> None:
    assert (read_answer(answer(nonce, facts), other) == facts) == (nonce == other)


@given(st.binary(max_size=600))
def test_any_bytes_are_harmless(data: bytes) -> None:
    assert read_question(data) is None or len(data) == limits_join.DISCOVERY_BYTES
    found = read_answer(b"dc!1" + bytes(8) + data, bytes(8))
    assert found is None or (found.server and found.name.isprintable())
    assert read_answer(data, bytes(8)) is None or data.startswith(b"dc!1")


@given(st.dictionaries(st.text(max_size=8), st.none() | st.text(max_size=80)), st.integers())
def test_any_record_is_harmless(txt: dict[str, str | None], port: int) -> None:
    assert read_txt(txt, port) is None or txt["dc"] == "1"
    found = read_txt({"dc": "1", "id": "x", **txt}, port)
    assert found is None or 1 <= found.port <= 65535


@given(NONCES, FACTS, st.data())
def test_a_cut_answer_is_none(nonce: bytes, facts: Facts, data: st.DataObject) -> None:
    said = answer(nonce, facts)
    assert read_answer(said[: data.draw(st.integers(0, len(said) - 1))], nonce) is None
    assert read_question(question(nonce)[:-1]) is None


def test_what_nobody_can_use_is_none() -> None:
    good = FOUND
    bad = [
        Facts("", 8220, True, bytes(16)),
        Facts("server", 8220, True, bytes(15)),
        Facts("server", 8220, False, bytes(16)),
        Facts("server", 8220, True, bytes(16), name="\x1b[2J"),
        Facts("server", 0, True, bytes(16)),
        Facts("ser ver", 1, True, bytes(16)),
    ]
    nonce = bytes(8)
    assert read_answer(b"dc!1" + nonce + msgspec.msgpack.encode(good), nonce) == good
    for facts in bad:
        assert read_answer(b"dc!1" + nonce + msgspec.msgpack.encode(facts), nonce) is None
        assert read_txt(txt_of(facts), facts.port) is None


def test_a_record_of_another_kind_is_none() -> None:
    assert read_txt({**txt_of(FOUND), "dc": "2"}, 8220) is None
    assert read_txt({**txt_of(FOUND), "pin": "xyz"}, 8220) is None
