"""Figures of jobs, and ends of attempts, as rows of the database and back: no IO."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from dc import limits_shown
from dc.records import AttemptEnd, AttemptEnds, JobFigures

Row: TypeAlias = tuple[int | float | str | bytes | None, ...]

_encode = msgspec.json.Encoder().encode
_ends = msgspec.json.Decoder(list[AttemptEnd])


def ends_row(record: AttemptEnds) -> Row:
    """Return ends of attempts as a row of the view `incoming`."""
    numbers = _encode(record.ends).decode()
    most, kept = limits_shown.JOB_ATTEMPT_ENDS, limits_shown.ATTEMPT_ENDS
    return (50, record.job, None, most, None, kept, numbers, None, None, None, None)


def figures_row(record: JobFigures) -> Row:
    """Return figures of a job as a row of the view `incoming`."""
    key = record.sequence
    return (51, record.job, key, None, None, None, None, None, None, None, record.data)


def ends(text: str) -> list[AttemptEnd]:
    """Return the ends of attempts in a row of the query `attempt_ends`."""
    return _ends.decode(text)


def figures(job: int, row: tuple[int, bytes] | None) -> JobFigures | None:
    """Return the figures in a row of the query `figures`."""
    return None if row is None else JobFigures(job, *row)
