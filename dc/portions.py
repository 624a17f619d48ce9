"""Cutting columns into portions that fit a message."""

from __future__ import annotations

from collections.abc import Iterable

from dc import limits


def portions(sizes: Iterable[int]) -> list[tuple[int, int]]:
    """Cut elements of these sizes (in bytes) so that each portion fits one message.

    A portion has at most `limits.BATCH_TASKS` elements and, unless it has only one, at most
    `limits.BATCH_BYTES` bytes.

    Returns:
        For each portion: the position where it stops, and its bytes. One empty portion for nothing.
    """
    cut = []
    size = count = stop = 0
    for stop, bytes_ in enumerate(sizes):
        if count and (size + bytes_ > limits.BATCH_BYTES or count == limits.BATCH_TASKS):
            cut.append((stop, size))
            size = count = 0
        size += bytes_
        count += 1
    cut.append((stop + 1 if count else 0, size))
    return cut
