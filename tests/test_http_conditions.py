"""What a request says of the content it wants or brings."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import http_conditions
from dc.errors import ProtocolError
from dc.http_conditions import Part

DIGEST = hashlib.sha256(b"abc").digest()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"if-none-match": '"a"'}, 304),
        ({"if-none-match": 'W/"a"'}, 304),
        ({"if-none-match": '"b", W/"a"'}, 304),
        ({"if-none-match": ' , "b" ,"a" '}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"b"'}, 200),
        ({"if-none-match": '"a,b"'}, 200),
        ({"if-none-match": "a"}, 200),
        ({"if-match": '"a"'}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": '"b"'}, 412),
        ({"if-match": 'W/"a"'}, 412),
        ({"if-match": '"b"', "if-none-match": '"a"'}, 412),
        ({"if-match": '"a"', "if-none-match": '"a"'}, 304),
    ],
)
def test_conditions(headers: dict[str, str], status: int) -> None:
    assert http_conditions.status(headers, "a") == status


@pytest.mark.parametrize(
    ("header", "stands"),
    [
        (None, True),
        ('"a"', True),
        ('"b"', False),
        ('W/"a"', False),
        ("Sat, 29 Oct 1994 19:43:31 GMT", False),
    ],
)
def test_a_range_stands_for_the_same_bytes_only(header: str | None, stands: bool) -> None:
    headers = {} if header is None else {"if-range": header}
    assert http_conditions.range_stands(headers, "a") is stands
    assert http_conditions.range_stands(headers, "") is (header is None)


@pytest.mark.parametrize(
    ("header", "accepts"),
    [
        ("", False),
        ("gzip", False),
        ("gzip, zstd", True),
        ("ZSTD;q=0.5, gzip", True),
        ("zstd;q=0", False),
        ("zstd; q=0.000", False),
        ("zstd;q=0.001", True),
        ("*", False),
        ("zstdx", False),
    ],
)
def test_codings(header: str, accepts: bool) -> None:
    assert http_conditions.accepts({"accept-encoding": header}, "zstd") is accepts


@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 50))
def test_a_part_is_what_was_written(start: int, length: int, behind: int) -> None:
    stop, size = start + length, start + length + behind
    text = f"bytes {start}-{stop - 1}/{size}"
    headers = {"content-range": text, "content-length": str(length)}
    assert http_conditions.sent_part(headers) == Part(start, stop, size)


def test_no_part_and_an_empty_one() -> None:
    assert http_conditions.sent_part({"content-length": "3"}) is None
    headers = {"content-range": "bytes */7", "content-length": "0"}
    assert http_conditions.sent_part(headers) == Part(7, 7, 7)


@pytest.mark.parametrize(
    ("content_range", "length"),
    [
        ("bytes 0-3/4", "3"),
        ("bytes 0-3/4", None),
        ("bytes 2-1/4", "0"),
        ("bytes 0-4/4", "5"),
        ("bytes 0-3/*", "4"),
        ("bytes */4", "1"),
        ("bytes -3/4", "4"),
        ("lines 0-3/4", "4"),
        ("bytes 0-3/4, 5-6/7", "4"),
        ("bytes 99999999999999999999-1/4", "4"),
        ("", "4"),
    ],
)
def test_malformed_parts(content_range: str, length: str | None) -> None:
    headers = {"content-range": content_range}
    if length is not None:
        headers["content-length"] = length
    with pytest.raises(ProtocolError) as caught:
        http_conditions.sent_part(headers)
    assert caught.value.status == 400


def test_digests_go_there_and_back() -> None:
    name, value = http_conditions.repr_digest(DIGEST)
    assert name == "Repr-Digest"
    assert http_conditions.sent_digest({"repr-digest": value}) == DIGEST
    assert http_conditions.sent_digest({"repr-digest": f"md5=:AAAA:, {value}"}) == DIGEST
    assert http_conditions.sent_digest({"repr-digest": "md5=:AAAA:"}) is None
    assert http_conditions.sent_digest({}) is None
    for text in ("", base64.b64encode(b"short").decode(), "A"):
        with pytest.raises(ProtocolError):
            http_conditions.sent_digest({"repr-digest": f"sha-256=:{text}:"})
