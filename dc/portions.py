"""Columns of bytes: how much there is of them, and cutting them to fit messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from dc import _columns, limits
from dc.messages_parts import Blob

Item = TypeVar("Item")


def portions(
    column: list[Item], each: int, size_of: Callable[[Item], int]
) -> list[tuple[int, int]]:
    """Cut a column so that each portion fits one message.

    A portion has at most `limits.BATCH_TASKS` elements and, unless it has only one, at most
    `limits.BATCH_BYTES` bytes.

    Args:
        column: payloads or outcomes.
        each: bytes that an element takes beside its own, if it is bytes.
        size_of: returns the bytes that any other element takes.

    Returns:
        For each portion: the position where it stops, and its bytes. One empty portion for nothing.
    """
    return _columns.cut(column, each, size_of, limits.BATCH_TASKS, limits.BATCH_BYTES)


def stored_size(column: list[Any]) -> int:
    """Return for how many bytes payloads or outcomes count: those inline, and those of blobs."""
    weight = _columns.weigh(column)
    if not weight.others:
        return weight.bytes
    return weight.bytes + sum(item.size for item in column if isinstance(item, Blob))
