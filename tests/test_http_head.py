"""The rules for heads, without any connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import limits_http as limits
from dc.errors import ProtocolError
from dc.http_head import byte_range, head_length, join_headers, skip_blank_lines, split_target

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def outcome(data: bytes, step: int) -> tuple[str, int]:
    """Feed the bytes in pieces of `step`; return the head's length or the refusal's status."""
    buffer, seen = bytearray(), 0
    try:
        for start in range(0, len(data), step):
            buffer += data[start : start + step]
            skip_blank_lines(buffer)
            if length := head_length(buffer, seen):
                return "head", length
            seen = len(buffer)
    except ProtocolError as error:
        return "refused", error.status
    return "incomplete", 0


def padded(size: int) -> bytes:
    """Return a head of exactly this size."""
    start = HEAD[:-2] + b"X: "
    return start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"


CASES = [
    (HEAD, ("head", len(HEAD))),
    (b"\r\n\r\n" + HEAD, ("head", len(HEAD))),
    (HEAD + b"body", ("head", len(HEAD))),
    (b"", ("incomplete", 0)),
    (b"\r", ("incomplete", 0)),
    (HEAD[:-1], ("incomplete", 0)),
    (b"\n" + HEAD, ("refused", 400)),
    (b"GET / HTTP/1.1\nHost: x\n\n", ("refused", 400)),
    (b"GET / HTTP/1.1\r\nHost: x\n\r\n", ("refused", 400)),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\n", ("refused", 400)),
    (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", ("refused", 400)),
    (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\n\r\n", ("refused", 400)),
    (b"GET /\r\n", ("refused", 400)),
    (b"\x16\x03\x01\x02\x00\x01", ("refused", 400)),
    (padded(limits.HEAD_BYTES), ("head", limits.HEAD_BYTES)),
    (padded(limits.HEAD_BYTES + 1), ("refused", 431)),
    (b"GET /" + b"a" * limits.REQUEST_LINE_BYTES + HEAD[5:], ("refused", 414)),
    (b"A" * limits.REQUEST_LINE_BYTES + HEAD, ("refused", 501)),
]


@pytest.mark.parametrize(("data", "expected"), CASES)
@pytest.mark.parametrize("trailing", [b"", HEAD, b"\n\n"])
def test_a_head_is_the_same_for_every_cut(
    data: bytes, expected: tuple[str, int], trailing: bytes
) -> None:
    if expected[0] == "incomplete":
        trailing = b""
    assert outcome(data + trailing, len(data) + 9) == expected
    assert outcome(data + trailing, 1) == expected


@given(
    st.lists(st.sampled_from([b"GET / HTTP/1.1\r\n", b"\r\n", b"\n", b"A: b", b" ", b"\r"])),
    st.integers(1, 7),
)
def test_any_lines_give_the_same_for_every_cut(parts: list[bytes], step: int) -> None:
    data = b"".join(parts)
    assert outcome(data, step) == outcome(data, len(data) or 1)


def test_values_of_one_name_are_joined() -> None:
    pairs = [(b"A", b"1"), (b"b", b"\xff"), (b"a", b"2")]
    assert join_headers(pairs) == {"a": "1, 2", "b": "\xff"}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", ("", "/", {})),
        ("/a%20b/%C3%A4?x=1&y=&x=2", ("", "/a b/ä", {"x": "2", "y": ""})),
        ("/a?q=100%", ("", "/a", {"q": "100%"})),
        ("http://h:1/p?q=1", ("h:1", "/p", {"q": "1"})),
        ("HTTP://h", ("h", "/", {})),
        ("http://h?q=1", ("h", "/", {"q": "1"})),
        ("//h/p", ("", "//h/p", {})),
    ],
)
def test_a_target_is_split(target: str, expected: tuple[str, str, dict[str, str]]) -> None:
    assert split_target("GET", target) == expected


@pytest.mark.parametrize(
    "target",
    [
        "*",
        "x",
        "?q",
        "/%zz",
        "/%ff",
        "/%00",
        "/%0d%0a",
        "/#f",
        "ftp://h/",
        "http://u@h/",
        "/?a=%ff",
    ],
)
def test_a_malformed_target_is_refused(target: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        split_target("GET", target)
    assert caught.value.status == 400


def test_a_query_of_too_many_fields_is_refused() -> None:
    split_target("GET", "/?" + "&".join(["a=1"] * limits.QUERY_FIELDS))
    with pytest.raises(ProtocolError):
        split_target("GET", "/?" + "&".join(["a=1"] * (limits.QUERY_FIELDS + 1)))


def test_only_options_asks_for_the_whole_server() -> None:
    assert split_target("OPTIONS", "*").path == "*"


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        ("bytes=0-3", 10, (0, 4)),
        ("bytes=4-", 10, (4, 10)),
        ("bytes=-3", 10, (7, 10)),
        ("bytes=-99", 10, (0, 10)),
        ("bytes=9-99", 10, (9, 10)),
        ("bytes=10-", 10, (0, 0)),
        ("bytes=-0", 10, (10, 10)),
        ("bytes=0-", 0, (0, 0)),
        ("bytes=3-2", 10, None),
        ("bytes=-", 10, None),
        ("bytes=0-1,3-4", 10, None),
        ("lines=0-1", 10, None),
        ("bytes=" + "9" * 5000 + "-", 10, None),
    ],
)
def test_a_range(header: str, size: int, expected: tuple[int, int] | None) -> None:
    assert byte_range(header, size) == expected


@given(st.text(max_size=20), st.integers(0, 50))
def test_any_range_is_within_the_content(text: str, size: int) -> None:
    span = byte_range(f"bytes={text}", size)
    assert span is None or 0 <= span[0] <= span[1] <= size
