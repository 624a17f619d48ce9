"""Who asks through a proxy: its word is taken, and nobody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc.server.forwarded import origin

HERE = "127.0.0.1:5000"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, HERE),
        ({"x-forwarded-for": "192.0.2.1"}, "192.0.2.1"),
        ({"x-forwarded-for": "6.6.6.6, 192.0.2.1"}, "192.0.2.1"),
        ({"x-forwarded-for": "2001:db8::1"}, "2001:db8::1"),
        ({"x-forwarded-for": "nonsense"}, HERE),
        ({"x-forwarded-for": "192.0.2.1, "}, HERE),
        ({"forwarded": "for=192.0.2.1;proto=https"}, "192.0.2.1"),
        ({"forwarded": 'for=6.6.6.6, proto=https;for="[2001:db8::1]:80"'}, "2001:db8::1"),
        ({"forwarded": "for=_hidden"}, HERE),
        ({"forwarded": "for=6.6.6.6", "x-forwarded-for": "192.0.2.1"}, "192.0.2.1"),
    ],
)
def test_what_a_proxy_says(headers: dict[str, str], found: str) -> None:
    assert origin(HERE, headers) == found
    assert origin("[::1]:5000", headers) == ("[::1]:5000" if found == HERE else found)
    assert origin("192.0.2.66:5000", headers) == "192.0.2.66:5000"


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_the_headers_are(one: str, other: str) -> None:
    found = origin(HERE, {"x-forwarded-for": one, "forwarded": other})
    assert len(found) < 50
    assert found.isprintable()
