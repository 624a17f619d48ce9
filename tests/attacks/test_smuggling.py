"""Requests that two servers in a row would read differently: none of them is taken twice.

Each case is a whole request with a second one hidden in it. If that were answered, a proxy which
reads the bytes otherwise would let it through unseen.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.victim import STATUS, attacked, upgrade

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(
    *headers: str, body: bytes = b"", target: str = "/api/jobs", version: str = "1.1"
) -> bytes:
    lines = "".join(f"{line}\r\n" for line in headers)
    return f"POST {target} HTTP/{version}\r\nHost: localhost\r\n{lines}\r\n".encode() + body


CHUNKED = "Transfer-Encoding: chunked"

REFUSED: list[tuple[str, bytes, int]] = [
    ("both framings", post("Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"), 400),
    ("both framings, the other order", post(CHUNKED, "Content-Length: 5", body=b"0\r\n\r\n"), 400),
    ("lengths that differ", post("Content-Length: 0", "Content-Length: 46"), 400),
    ("a list of lengths", post("Content-Length: 0, 46"), 400),
    ("a length with a sign", post("Content-Length: +0"), 400),
    ("a length in hex", post("Content-Length: 0x0"), 400),
    ("a length of spaces", post("Content-Length: 1 0"), 400),
    ("an empty length", post("Content-Length:"), 400),
    ("a length of Arabic digits", post("Content-Length: X").replace(b"X", b"\xd9\xa0"), 400),
    ("a length of 5,000 digits", post("Content-Length: " + "1" * 5000), 400),
    ("a length beyond 64 bits", post("Content-Length: " + "9" * 25), 400),
    ("folded header", post("Transfer-Encoding:", " chunked", body=b"0\r\n\r\n"), 400),
    ("folded by a tab", post("A: b", "\tTransfer-Encoding: chunked"), 400),
    ("space before the colon", post("Transfer-Encoding : chunked", body=b"0\r\n\r\n"), 400),
    ("space before the name", post(" Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    ("bare LF behind a line", post("A: b\nContent-Length: 46"), 400),
    ("bare LF behind all lines", post("A: b").replace(b"\r\n", b"\n"), 400),
    ("bare CR in a value", post("A: b\rContent-Length: 46"), 400),
    ("NUL in a value", post("A: b\0"), 400),
    ("NUL in a name", post("A\0: b"), 400),
    ("vertical tab before chunked", post("Transfer-Encoding: \x0bchunked"), 400),
    ("chunked behind another coding", post("Transfer-Encoding: identity, chunked"), 501),
    ("chunked before another coding", post("Transfer-Encoding: chunked, identity"), 501),
    ("chunked twice", post(CHUNKED, CHUNKED), 501),
    ("chunked in quotes", post('Transfer-Encoding: "chunked"'), 501),
    ("chunks in HTTP/1.0", post(CHUNKED, version="1.0", body=b"0\r\n\r\n"), 400),
    ("no version", b"POST /api/jobs\r\n\r\n", 400),
    ("two spaces", b"POST  /api/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a tab between", b"POST\t/api/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a space behind", b"POST /api/jobs HTTP/1.1 \r\nHost: localhost\r\n\r\n", 400),
    ("lower-case version", b"POST /api/jobs http/1.1\r\nHost: localhost\r\n\r\n", 400),
]

LINES = ("Content-Type: application/x-ndjson", CHUNKED)
IN_CHUNKS: list[tuple[str, bytes]] = [
    ("size beyond 64 bits", b"10000000000000000\r\n"),
    ("size of 300 digits", b"0" * 300 + b"5\r\nhello\r\n0\r\n\r\n"),
    ("negative size", b"-5\r\nhello\r\n0\r\n\r\n"),
    ("size with a sign", b"+5\r\nhello\r\n0\r\n\r\n"),
    ("size with 0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
    ("size with an underscore", b"1_0\r\nhellohellohello!\r\n0\r\n\r\n"),
    ("no size", b"\r\nhello\r\n0\r\n\r\n"),
    ("space before the size", b" 5\r\nhello\r\n0\r\n\r\n"),
    ("chunk longer than said", b"5\r\nhello!\r\n0\r\n\r\n"),
    ("bare LF behind the size", b"5\nhello\r\n0\r\n\r\n"),
    ("bare LF behind the chunk", b"5\r\nhello\n0\r\n\r\n"),
    ("bare CR behind the size", b"5\rhello\r\n0\r\n\r\n"),
    ("bare LF in an extension", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ("extension without an end", b"5;" + b"a" * 100_000),
    ("last chunk by bare LF", b"0\n\n"),
    ("trailer by bare LF", b"0\r\nA: b\n\r\n"),
    ("trailers without an end", b"0\r\n" + b"A: b\r\n" * 100_000),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[0])
async def test_a_head_that_can_be_read_in_two_ways(
    case: tuple[str, bytes, int], tmp_path: Path
) -> None:
    async with attacked(tmp_path) as victim:
        answers = await victim.send(case[1] + HIDDEN)
        assert [answer.status for answer in answers] == [case[2]]
        assert answers[0].headers["connection"] == "close"
        assert await victim.is_well()


@pytest.mark.parametrize("case", IN_CHUNKS, ids=lambda case: case[0])
async def test_a_body_in_chunks_that_can_be_read_in_two_ways(
    case: tuple[str, bytes], tmp_path: Path
) -> None:
    async with attacked(tmp_path) as victim:
        answers = await victim.send(post(*LINES) + case[1] + HIDDEN)
        assert [answer.status for answer in answers] == [
            431 if "without an end" in case[0] else 400
        ]
        assert answers[0].headers["connection"] == "close"
        assert await victim.is_well()


@pytest.mark.parametrize(
    "data",
    [
        post("Content-Length: 5", body=b"hello"),
        post(CHUNKED, body=b"5;a=b\r\nhello\r\n0\r\n\r\n"),
        post(CHUNKED, body=b"5\r\nhello\r\n0\r\nA: b\r\n\r\n"),
        post(CHUNKED, body=b"5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n"),  # dropped all the same
        post("Content-Length: 0"),
    ],
)
async def test_what_has_one_reading_ends_where_it_says(data: bytes, tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        answers = await victim.send(data + STATUS)
        assert [answer.status for answer in answers] == [415, 200]


async def test_an_upgrade_with_a_body_hides_nothing(tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        answers = await victim.send(upgrade("Content-Length: 46") + HIDDEN)
        assert [answer.status for answer in answers] == [400]
        assert await victim.is_well()


@pytest.mark.parametrize("name", ["h2c", "TLS/1.0", "websocket, h2c", "HTTP/2.0"])
async def test_an_upgrade_to_something_else_is_no_upgrade(name: str, tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        head = (
            "GET /api/status HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
            f"Upgrade: {name}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
        )
        answers = await victim.send(head.encode())
        assert [answer.status for answer in answers] == [200]
        assert "upgrade" not in answers[0].headers
