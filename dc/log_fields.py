"""What a line of a log may be about."""

from __future__ import annotations

from typing import Final

FIELDS: Final = "job", "task", "attempt", "worker", "peer", "plugin", "blob"
"""In the order in which it is said."""


def about(**fields: int | str) -> dict[str, int | str]:
    """Return what a line is about, for `extra`; the names are those of FIELDS."""
    assert fields.keys() <= {*FIELDS}, f"a line cannot be about {', '.join(fields)}"
    return fields
