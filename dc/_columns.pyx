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


Tally = namedtuple("Tally", "total shortest longest others", module="dc._columns")  # noqa: PYI024 - stub


def tally(times: list, outcomes: list, bounds: list, counts: list) -> Tally:
    """Count run times into a histogram; return what they come to, in microseconds.

    Args:
        times: run times in seconds; beyond 1e9 (or not a number) they count as that.
        outcomes: of the same tasks.
        bounds: seconds, ascending: `counts[i]` counts what took up to `bounds[i]`.
        counts: one element more than the bounds; changed in place.

    Returns:
        The sum, the shortest (0 of none), the longest, and the places of outcomes that are not
        bytes.
    """
    sum_: cython.longlong = 0
    longest: cython.longlong = 0
    shortest: cython.longlong = -1
    one: cython.longlong
    seconds: cython.double
    last: cython.Py_ssize_t = len(bounds)
    place: cython.Py_ssize_t = 0
    at: cython.Py_ssize_t = 0
    below: cython.double = -1.0  # what is above this and up to `above` is in `place`
    above: cython.double = bounds[0]
    run: cython.Py_ssize_t = 0  # so many of them are not in `counts` yet
    others: list = []
    for item in times:
        seconds = item
        if not seconds <= 1e9:
            seconds = 1e9
        if seconds < 0:
            seconds = 0.0
        if not below < seconds <= above:
            if run:
                counts[place] += run
                run = 0
            while seconds > above and place < last:
                place += 1
                below = above
                above = bounds[place] if place < last else 2e9
            while seconds <= below:
                place -= 1
                above = below
                below = bounds[place - 1] if place else -1.0
        run += 1
        one = cython.cast(cython.longlong, seconds * 1e6 + 0.5)
        sum_ += one
        if one > longest:
            longest = one
        if one < shortest or shortest < 0:
            shortest = one
    if run:
        counts[place] += run
    for item in outcomes:
        if not isinstance(item, bytes):
            others.append(at)
        at += 1  # noqa: SIM113  a C integer
    return Tally(sum_, max(shortest, 0), longest, others)


def spread(times: list, offset: int, step: int) -> list:
    """Share run times that end at one moment among the steps of time in which they were.

    Args:
        times: run times in seconds; beyond 1e9 (or not a number) they count as that.
        offset: microseconds from the beginning of the last step to that moment, below `step`.
        step: microseconds.

    Returns:
        Microseconds in the last step, in the one before it, and so on.
    """
    here: cython.longlong = offset
    each: cython.longlong = step
    rest: cython.longlong
    part: cython.longlong
    seconds: cython.double
    place: cython.Py_ssize_t
    found: list = [0]
    for item in times:
        seconds = item
        if not seconds <= 1e9:
            seconds = 1e9
        if seconds < 0:
            seconds = 0.0
        rest = cython.cast(cython.longlong, seconds * 1e6 + 0.5)
        part = rest if rest < here else here
        place = 0
        while True:
            if place == len(found):
                found.append(0)
            found[place] += part
            rest -= part
            if rest <= 0:
                break
            place += 1
            part = rest if rest < each else each
    return found


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
