"""Groups of workers, and which task types each may run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

from dc import limits_access as limits
from dc.errors import NotPossible, OptionsError, UnknownGroup
from dc.records_access import AccessRecord, GroupForgotten, GroupKept, GroupRow

NONE: Final = ("",)
"""Patterns that no task type fits: of a group that is not known; so nothing is open by mistake."""


class GroupBook:
    """Keeps them.

    Args:
        most: groups.
    """

    def __init__(self, most: int = limits.GROUPS) -> None:
        self._most = most
        self._rows: dict[str, GroupRow] = {}

    def recovered(self, rows: Iterable[GroupRow]) -> None:
        """Take what is on disk."""
        self._rows = {row.name: row for row in rows}

    def set(self, row: GroupRow) -> list[AccessRecord]:
        """Make a group, or change it; return what to write down.

        Raises:
            OptionsError: it has no name.
            NotPossible: there are as many as there may be.
        """
        if not row.name.strip():
            raise OptionsError("a group has a name")
        if row.name not in self._rows and len(self._rows) >= self._most:
            raise NotPossible(f"there are {self._most:,} groups already: remove some first")
        self._rows[row.name] = row
        return [GroupKept(row)]

    def forget(self, name: str) -> list[AccessRecord]:
        """Remove a group; return what to write down.

        Raises:
            UnknownGroup: there is none.
        """
        self.check(name)
        del self._rows[name]
        return [GroupForgotten(name)]

    def check(self, name: str) -> None:
        """Check that there is a group.

        Raises:
            UnknownGroup: there is none.
        """
        if name not in self._rows:
            raise UnknownGroup(f"there is no group {name[:80]!r}: make it first")

    def types(self, name: str) -> tuple[str, ...]:
        """Return the patterns of task types that workers of a group may run; none for all."""
        if not name:
            return ()
        row = self._rows.get(name)
        return NONE if row is None else tuple(row.types)

    def all(self) -> Iterator[GroupRow]:
        """Yield all groups by name."""
        for name in sorted(self._rows):
            yield self._rows[name]


def fits(patterns: Iterable[str], type_name: str) -> bool:
    """Whether a task type is among some, which are names or patterns (`render.*`); none is all."""
    patterns = tuple(patterns)
    return not patterns or any(fnmatchcase(type_name, one) for one in patterns)
