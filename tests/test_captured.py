"""What is kept of a task's output, and the marks in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import limits_executor as limits
from dc.captured import Captured
from dc.output_marks import MARK_BYTES, Splitter, encode_mark
from dc.pipe import Wrote

TOKEN = bytes(range(200, 216))
HEAD, TAIL = limits.OUTPUT_HEAD_BYTES, limits.OUTPUT_TAIL_BYTES


def joined(pieces: list[Wrote]) -> list[tuple[bytes, tuple[int, int, int] | None]]:
    """Return what belongs to whom, with what is not known yet put together."""
    found: list[tuple[bytes, tuple[int, int, int] | None]] = []
    data = b""
    for piece in pieces:
        data += piece.data
        if piece.owner is not None:
            found.append((data, piece.owner))
            data = b""
    return [*found, (data, None)]


@given(
    parts=st.lists(st.binary(max_size=30) | st.just(TOKEN[:7]), max_size=5),
    size=st.integers(1, 50),
)
def test_output_is_cut_at_its_marks(parts: list[bytes], size: int) -> None:
    stream = b"".join(part + encode_mark(TOKEN, 1, at, 2**40) for at, part in enumerate(parts))
    stream += b"rest" + TOKEN[:3]
    splitter = Splitter(TOKEN)
    pieces: list[Wrote] = []
    for start in range(0, len(stream), size):
        pieces += splitter.feed(stream[start : start + size])
    pieces += splitter.end()
    expected = [(part, (1, at, 2**40)) for at, part in enumerate(parts)]
    assert joined(pieces) == [*expected, (b"rest" + TOKEN[:3], None)]


def test_a_splitter_holds_back_no_more_than_a_mark() -> None:
    splitter = Splitter(TOKEN)
    for _ in range(100):
        splitter.feed(TOKEN[:15] * 10)
        assert len(splitter._rest) <= MARK_BYTES


@given(sizes=st.lists(st.integers(0, 30_000), max_size=12))
def test_the_beginning_and_the_end_are_kept(sizes: list[int]) -> None:
    whole = b"".join(bytes([at % 256]) * size for at, size in enumerate(sizes))
    captured = Captured()
    for at, size in enumerate(sizes):
        captured.add(captured.total, bytes([at % 256]) * size)
    assert captured.total == len(whole)
    assert bytes(captured.head) == whole[:HEAD]
    assert bytes(captured.tail) == whole[HEAD:][-TAIL:]
    for start in (0, 1, HEAD, len(whole) // 2, len(whole)):
        for begin, data in captured.pieces(start):
            assert begin >= start
            assert whole[begin : begin + len(data)] == data


@given(data=st.data(), total=st.integers(0, 90_000))
def test_pieces_make_the_same_elsewhere(data: st.DataObject, total: int) -> None:
    here, there = Captured(), Captured()
    here.add(0, bytes(at % 251 for at in range(total)))
    for begin, piece in here.pieces():
        cut = data.draw(st.integers(0, len(piece)))
        there.add(begin, piece[:cut])
        there.add(begin + cut, piece[cut:])
    for begin, piece in here.pieces():  # once more, as after a reconnect
        there.add(begin, piece)
    there.total = here.total
    assert (there.head, there.tail, there.text()) == (here.head, here.tail, here.text())


def test_text_says_what_is_left_out() -> None:
    captured = Captured()
    captured.add(0, b"a" * HEAD)
    captured.add(HEAD, b"b" * (TAIL + 5))
    assert f"({5:,} bytes are left out here)" in captured.text()
    captured = Captured(b"abc", b"", 10)
    assert captured.text() == "abc\n… (7 bytes are left out here) …\n"
    assert Captured(b"\xff\xc3\xbc", b"", 3).text() == "\ufffdü"


@pytest.mark.parametrize(
    ("size", "last"), [(5, "hree\n"), (8, "three\n"), (100, "one\ntwo\nthree\n")]
)
def test_the_last_part_begins_with_a_line(size: int, last: str) -> None:
    assert Captured(b"one\ntwo\nthree\n", b"", 14).last(size) == last
    assert Captured(b"", b"two\nthree\n", 99).last(100) == "three\n"
