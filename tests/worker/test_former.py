"""Results of other jobs in an executor: what the server may answer, whole and broken off."""

from __future__ import annotations

import pytest

from dc.errors import UnknownTask
from dc.worker.former import _body

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"


def test_the_body_of_an_answer() -> None:
    assert _body(OK, "/x", 5) == b"hello"


def test_what_is_broken_off_is_asked_for_again() -> None:
    for size in range(len(OK)):
        with pytest.raises(ConnectionError):
            _body(OK[:size], "/x", 5)
    with pytest.raises(ConnectionError, match="503"):
        _body(OK.replace(b"200 OK", b"503 Busy"), "/x", 5)


def test_what_is_not_there_or_too_large_is_not() -> None:
    with pytest.raises(UnknownTask, match="hello"):
        _body(OK.replace(b"200 OK", b"404 Not Found"), "/x", 5)
    with pytest.raises(UnknownTask, match="more than 4 bytes"):
        _body(OK, "/x", 4)
