"""What may stand in the head of an HTTP request: the rules that h11 leaves to its user.

h11 parses heads, and takes some that RFC 9112 allows a server to take but that two parsers in a
row may read differently, which is how requests are smuggled past a proxy. So the bytes of a head
pass `head_length` before h11 sees them, and the parsed fields pass `check_fields` afterwards.

Refused here: lines that end in a bare LF, folded headers, a message that has both Content-Length
and Transfer-Encoding, Transfer-Encoding in HTTP/1.0, an unknown version, CONNECT, a host
that is none, a line, method or head above its limit whether it comes whole or byte by byte.
Refused by h11: bare CR and NUL, white space before a colon, Content-Lengths that differ or are no
plain number, every Transfer-Encoding but `chunked`, a missing or second Host.
Left to whoever answers: which methods a path takes.
Taken: blank lines before the request line (RFC 9112, 2.2), the same Content-Length twice, of which
h11 makes one (RFC 9110, 8.6).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, unquote

from dc import limits_http as limits
from dc.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIRST_BYTE = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]")
_REQUEST_LINE = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+ [!-~]+ HTTP/[0-9]\.[0-9]\r\n")
_METHOD_BYTES = 32  # longer than any method there is; beyond it, a line has no known method
_ABSOLUTE = re.compile(r"https?://([^/?#]+)(.*)", re.IGNORECASE)
_HOST = re.compile(r"[-\w.~!$&'()*+,;=%:\[\]]*", re.ASCII)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


def skip_blank_lines(buffer: bytearray) -> None:
    """Remove the blank lines that a client may send before a request line."""
    while buffer.startswith(b"\r\n"):
        del buffer[:2]


def head_length(buffer: bytearray, seen: int = 0) -> int:
    """Return the length in bytes of the head that the buffer begins with, 0 while it is not whole.

    Args:
        buffer: what was received since the last request, without blank lines before it.
        seen: how many of these bytes an earlier call has looked at.

    Raises:
        ProtocolError: 400, 414, 431 or 501; it is the same for every cut of the bytes.
    """
    if not buffer or buffer == b"\r":  # half of a blank line
        return 0
    _check_first_line(buffer, seen)
    start = max(0, seen - 3)
    ends = [buffer.find(b"\n\n", start) + 2, buffer.find(b"\n\r\n", start) + 3]
    length = min((end for end in ends if end > 3), default=0)
    if (length or len(buffer)) > limits.HEAD_BYTES:
        raise ProtocolError(f"a head above {limits.HEAD_BYTES} bytes", status=431)
    if length:
        _check_lines(buffer[:length])
    return length


def _check_first_line(buffer: bytearray, seen: int) -> None:
    if not _FIRST_BYTE.match(buffer):
        raise ProtocolError("this is no HTTP request")
    end = buffer.find(b"\n", 0, limits.REQUEST_LINE_BYTES) + 1
    if end > seen:
        if not _REQUEST_LINE.fullmatch(buffer, 0, end):
            raise ProtocolError("a malformed request line")
    elif not end and len(buffer) >= limits.REQUEST_LINE_BYTES:
        if buffer.find(b" ", 0, _METHOD_BYTES) < 0:
            raise ProtocolError("an unknown method", status=501)
        raise ProtocolError(f"a target above {limits.REQUEST_LINE_BYTES} bytes", status=414)


def _check_lines(head: bytearray) -> None:
    if head.count(b"\n") != head.count(b"\r\n"):
        raise ProtocolError("a line of the head ends in LF without CR")
    if b"\n " in head or b"\n\t" in head:
        raise ProtocolError("a header is folded over two lines")


def join_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by their lower-cased names; values of one name are joined by a comma."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def check_fields(method: str, version: str, headers: dict[str, str]) -> None:
    """Hold a parsed head against the rules that h11 does not know.

    Args:
        method: as sent.
        version: `1.0`, `1.1` or what else the client named.
        headers: by lower-cased name.

    Raises:
        ProtocolError: 400, 417, 501 or 505.
    """
    if version not in ("1.0", "1.1"):
        raise ProtocolError("this server speaks HTTP/1.1", status=505)
    if method == "CONNECT" or len(method) >= _METHOD_BYTES:
        raise ProtocolError("an unknown method", status=501)
    if "transfer-encoding" in headers and ("content-length" in headers or version == "1.0"):
        raise ProtocolError("Transfer-Encoding with Content-Length, or in HTTP/1.0")
    if not _HOST.fullmatch(headers.get("host", "")):
        raise ProtocolError("Host names no host")
    if version == "1.1" and headers.get("expect", "100-continue").lower() != "100-continue":
        raise ProtocolError("only 100-continue can be expected", status=417)


class Target(NamedTuple):
    """A request's target in its parts; `authority` is empty unless the target was a whole URL."""

    authority: str
    path: str
    query: dict[str, str]


def split_target(method: str, target: str) -> Target:
    """Return the parts of a target, percent-decoded; of a query's equal names the last counts.

    Args:
        method: only OPTIONS may ask for `*`.
        target: as sent: a path with a query, a whole URL, or `*`.

    Raises:
        ProtocolError: 400, if it is none of these, or its text is no UTF-8.
    """
    if target == "*" and method == "OPTIONS":
        return Target("", "*", {})
    authority = ""
    if whole := _ABSOLUTE.fullmatch(target):
        authority, rest = whole.groups()
        target = rest if rest.startswith("/") else f"/{rest}"
    raw_path, _, raw_query = target.partition("?")
    if not target.startswith("/") or "#" in target or _BAD_ESCAPE.search(raw_path):
        raise ProtocolError("a malformed target")
    if not _HOST.fullmatch(authority):
        raise ProtocolError("the target names no host")
    try:
        path = unquote(raw_path, errors="strict")
        query = parse_qsl(raw_query, True, errors="strict", max_num_fields=limits.QUERY_FIELDS)
    except ValueError:
        raise ProtocolError("a target that is no UTF-8, or has too many fields") from None
    if _CONTROL.search(path):
        raise ProtocolError("a control character in the path")
    return Target(authority, path, dict(query))


def path_segments(target: str) -> list[str]:
    """Return the path of a target that `split_target` takes, cut at its slashes, then decoded.

    A slash that is written %2F does not cut. A slash at the end is not counted.
    """
    whole = _ABSOLUTE.fullmatch(target)
    raw = (whole.group(2) if whole else target).partition("?")[0]
    return [unquote(part) for part in raw.removeprefix("/").removesuffix("/").split("/")]


def query_pairs(target: str) -> list[tuple[str, str]]:
    """Return the fields of the query of such a target, decoded, in their order."""
    return parse_qsl(target.partition("?")[2], True)


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Return what a Range header asks for, as (start, stop) in bytes.

    Args:
        header: the value of Range.
        size: of the whole content, in bytes.

    Returns:
        None if the header is to be ignored: another unit, several ranges, or malformed. An empty
        span (start equals stop) if it cannot be satisfied.
    """
    match = _RANGE.fullmatch(header)
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return None
    start, stop = int(first), min(size, int(last) + 1) if last else size
    return (start, stop) if start < stop else (0, 0)
