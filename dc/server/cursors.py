"""Cursors: where a page of a list ends, as text that a client hands back as it is."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TypeVar

import msgspec

from dc.server.problems import BadRequest

T = TypeVar("T")


def damaged() -> BadRequest:
    """Return what is to be raised for a cursor that nobody was given."""
    return BadRequest("cursor", "the cursor is damaged: begin without one")


def cursor_of(list_: str, place: object) -> str:
    """Return the cursor of a place in a list.

    Args:
        list_: names the list and its order: a cursor is of no use in another one.
        place: what is to be known to go on, as msgspec can encode it.
    """
    return urlsafe_b64encode(msgspec.json.encode([list_, place])).rstrip(b"=").decode()


def place_of(list_: str, cursor: str, kind: type[T]) -> T:
    """Return the place that a cursor stands for.

    Args:
        list_: in which it is used.
        cursor: as `cursor_of` gave it.
        kind: the type of the place.

    Raises:
        BadRequest: it is damaged, or of another list or order.
    """
    try:
        data = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        named, place = msgspec.json.decode(data, type=tuple[str, msgspec.Raw])
        if named != list_:
            raise BadRequest("cursor", f"this cursor is of {named[:80]!r}, not of {list_!r}")
        return msgspec.json.decode(place, type=kind)
    except (binascii.Error, ValueError, RecursionError):
        raise damaged() from None
