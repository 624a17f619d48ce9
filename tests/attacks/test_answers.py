"""What every answer says of itself, whatever was asked: a browser makes nothing else of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dc.server.security_headers import HSTS_SECONDS, OF_ALL, OF_DOCUMENTS, headers_of
from tests.attacks.victim import attacked

ASKED = {
    "the page": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a file of it": b"GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "the API": b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a head alone": b"HEAD /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an error of it": b"GET /api/jobs/7 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no path": b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nAccept: a/b\r\n\r\n",
    "no method": b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "metrics": b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a blob that is not here": b"GET /blobs/" + b"0" * 64 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another host": b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "another site": b"GET / HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n",
    "a plain socket": b"GET /socket HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a stream": b"GET /api/stream?topics=none HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a rebound upgrade": b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
}


@pytest.mark.parametrize("what", ASKED)
async def test_answers_have_the_headers(what: str, tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        (answer,) = await victim.send(ASKED[what])
        is_page = answer.headers["content-type"].startswith("text/html")
        assert is_page == (what == "the page")
        for name, value in (*OF_ALL, *(OF_DOCUMENTS if is_page else ())):
            assert answer.headers[name.lower()] == value
            assert answer.head.lower().count(f"\r\n{name.lower()}:".encode()) == 1
        assert "cache-control" in answer.headers
        assert "server" in answer.headers
        assert not {"x-powered-by", "via", "access-control-allow-origin"} & set(answer.headers)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        b"<script>alert(1)</script> / HTTP/1.1\r\n\r\n",
        b"GET /<script>alert(1)</script>%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: <script>\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_answered_with_nothing_to_run(
    data: bytes, tmp_path: Path
) -> None:
    async with attacked(tmp_path) as victim:
        (answer,) = await victim.send(data)
        assert answer.status >= 400
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "application/problem+json"
        assert b"<script>" not in answer.body


def test_only_who_has_a_name_to_itself_asks_for_tls_everywhere() -> None:
    """It holds for all ports of the name, and nobody else's may be cut off."""
    name = "Strict-Transport-Security"
    for address in ("http://127.0.0.1:8220", "https://a.example:8220", "http://a.example:443"):
        assert name not in dict(headers_of(address, "text/html"))
    for address in ("https://a.example", "https://a.example:443", "https://[2001:db8::1]:443"):
        assert dict(headers_of(address, "text/html"))[name] == f"max-age={HSTS_SECONDS}"
