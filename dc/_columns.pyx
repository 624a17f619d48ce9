"""Loops over columns: one step in C for each task, where the caller takes one for each batch.

A column is a list of payloads or outcomes. Nearly all of them are bytes; the others (a Blob, a
Failure) are looked at by the caller's own function, which is called for these only.

The file is written in Cython's pure Python syntax. Compiled, it is the module `dc._columns`; loaded
as plain Python it does the same, more slowly, which is how the tests run it a second time.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import namedtuple

import cython

Weight = namedtuple("Weight", "bytes longest others", module="dc._columns")  # noqa: PYI024 - stub


def weigh(column: list) -> Weight:
    """Return what a column has of bytes: all their lengths, the longest's, and how many are others.

    Raises:
        TypeError: the column is no list.
    """
    total: cython.Py_ssize_t = 0
    longest: cython.Py_ssize_t = 0
    others: cython.Py_ssize_t = 0
    size: cython.Py_ssize_t
    for item in column:
        if isinstance(item, bytes):
            size = len(cython.cast(bytes, item))
            total += size
            if size > longest:
                longest = size
        else:
            others += 1
    return Weight(total, longest, others)


@cython.cfunc
@cython.inline
@cython.exceptval(-1, check=False)
def _size(item: object, each: cython.Py_ssize_t, size_of: object) -> cython.Py_ssize_t:
    """Return what one element counts, which is never negative."""
    if isinstance(item, bytes):
        return len(cython.cast(bytes, item)) + each
    return size_of(item)


def total(column: list, each: int, size_of: object) -> int:
    """Return the sum of what the elements count.

    Args:
        column: the elements.
        each: what bytes count beside their length.
        size_of: returns what an element counts that is not bytes: 0 or more.
    """
    extra: cython.Py_ssize_t = each
    size: cython.Py_ssize_t = 0
    for item in column:
        size += _size(item, extra, size_of)
    return size


def cut(column: list, each: int, size_of: object, most: int, most_bytes: int) -> list:
    """Cut a column into portions of `most` elements, and of `most_bytes` or one element, at most.

    Args:
        column: the elements.
        each: what bytes count beside their length.
        size_of: returns what an element counts that is not bytes: 0 or more.
        most: elements of a portion.
        most_bytes: what the elements of a portion count together.

    Returns:
        For each portion: the position where it stops, and what it counts. One empty portion for an
        empty column.
    """
    extra: cython.Py_ssize_t = each
    count_limit: cython.Py_ssize_t = most
    limit: cython.Py_ssize_t = most_bytes
    portions: list = []
    start: cython.Py_ssize_t = 0
    at: cython.Py_ssize_t = 0
    size: cython.Py_ssize_t = 0
    one: cython.Py_ssize_t
    for item in column:
        one = _size(item, extra, size_of)
        if at > start and (size + one > limit or at - start == count_limit):
            portions.append((at, size))
            start = at
            size = 0
        size += one
        at += 1
    portions.append((at, size))
    return portions


def by_size(column: list, bounds: list, counts: list) -> float:
    """Count numbers into a histogram, and return their sum.

    Neighbours are mostly alike, and then cost two comparisons each.

    Args:
        column: the numbers.
        bounds: the highest number of each class but the last, ascending.
        counts: how many there are of each class, one more than bounds; raised.
    """
    sum_: cython.double = 0.0
    low: cython.double = math.inf
    high: cython.double = -math.inf
    value: cython.double
    at: cython.Py_ssize_t = 0
    run: cython.Py_ssize_t = 0
    last: cython.Py_ssize_t = len(bounds)
    for item in column:
        value = item
        sum_ += value
        if not low < value <= high:
            counts[at] += run
            run = 0
            at = bisect_left(bounds, value)
            low = bounds[at - 1] if at > 0 else -math.inf
            high = bounds[at] if at < last else math.inf
        run += 1
    counts[at] += run
    return sum_
