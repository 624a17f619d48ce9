"""What a request says of the content it wants or brings: conditions, codings, digests, places.

Entity tags and their two comparisons are those of RFC 9110, 8.8.3, conditions those of section 13,
parts of a PUT those of 14.4 and 14.5; digests are those of RFC 9530.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from dc.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TAGS: Final = re.compile(r'[ \t]*(?:,[ \t]*)*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?=,|$)')
_SPAN: Final = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18})", re.IGNORECASE)
_WEIGHT: Final = re.compile(r";[ \t]*q=(0(?:\.0{0,3})?)[ \t]*$", re.IGNORECASE)
_SHA256: Final = re.compile(r"sha-256=:([A-Za-z0-9+/=]*):(?:;.*)?", re.IGNORECASE)


def status(headers: Mapping[str, str], etag: str) -> int:
    """Return what the conditions of a GET or HEAD come to: 200, 304 or 412.

    Args:
        headers: of the request, by lower-cased name.
        etag: of what is there, without its quotes; a strong one.
    """
    if "if-match" in headers and not _names(headers["if-match"], etag, weak=False):
        return 412
    if "if-none-match" in headers and _names(headers["if-none-match"], etag, weak=True):
        return 304
    return 200


def range_stands(headers: Mapping[str, str], etag: str) -> bool:
    """Whether a Range is to be answered with a part: what the client has parts of is still there.

    If-Range may have a date as well; nothing here has one, so that never stands.
    """
    if "if-range" not in headers:
        return True
    return bool(etag) and headers["if-range"].strip() == f'"{etag}"'


def _names(header: str, etag: str, *, weak: bool) -> bool:
    """Whether a list of entity tags, or `*`, names this one."""
    if header.strip() == "*":
        return True
    return any(match[2] == etag and (weak or not match[1]) for match in _TAGS.finditer(header))


def accepts(headers: Mapping[str, str], coding: str) -> bool:
    """Whether Accept-Encoding names a coding, and not with a weight of 0."""
    for one in headers.get("accept-encoding", "").split(","):
        if one.partition(";")[0].strip().lower() == coding:
            return not _WEIGHT.search(one)
    return False


class Part(NamedTuple):
    """Which bytes of a whole come: the first, the one behind the last, and the size of the whole.

    Of a part without bytes, `start` is the size.
    """

    start: int
    stop: int
    size: int


def sent_part(headers: Mapping[str, str]) -> Part | None:
    """Return which part of a whole a PUT brings, None for all of it.

    `bytes */SIZE` says that nothing is missing any more.

    Raises:
        ProtocolError: 400, a malformed Content-Range, or one that is not of the body's length.
    """
    if "content-range" not in headers:
        return None
    match = _SPAN.fullmatch(headers["content-range"].strip())
    if not match:
        raise ProtocolError("Content-Range is `bytes FIRST-LAST/SIZE` or `bytes */SIZE`")
    size = int(match[3])
    part = Part(int(match[1]), int(match[2]) + 1, size) if match[1] else Part(size, size, size)
    if part.stop > size or (match[1] and part.start >= part.stop):
        raise ProtocolError("Content-Range is out of bounds")
    if part.stop - part.start != int(headers.get("content-length", -1)):
        raise ProtocolError("Content-Range does not fit Content-Length")
    return part


def sent_digest(headers: Mapping[str, str]) -> bytes | None:
    """Return the SHA-256 that Repr-Digest names, None if it names none.

    Raises:
        ProtocolError: 400, it is no SHA-256 in base64.
    """
    for one in headers.get("repr-digest", "").split(","):
        if match := _SHA256.fullmatch(one.strip()):
            try:
                digest = base64.b64decode(match[1], validate=True)
            except binascii.Error:
                digest = b""
            if len(digest) != 32:
                raise ProtocolError("Repr-Digest has no SHA-256 in base64")
            return digest
    return None


def repr_digest(digest: bytes) -> tuple[str, str]:
    """Return the header that names the SHA-256 of what is sent."""
    return "Repr-Digest", f"sha-256=:{base64.b64encode(digest).decode('ascii')}:"
