"""Failures of a job by their kinds of error: words that differ in numbers only are the same."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct, field

from dc import limits_shown
from dc.messages_parts import Failure

_VARIES = re.compile(
    r"""'[^'\n]*'|"[^"\n]*"|0x[0-9a-fA-F]+|\b(?=[a-f]*[0-9])[0-9a-f]{8,}\b|[0-9]+(?:\.[0-9]+)?"""
)


class Group(Struct, array_like=True):
    """Failures that are alike: see dc.view_jobs.FailureGroup."""

    kind: str
    error: str
    count: int
    first: int
    last: int
    last_at: float
    workers: dict[str, int] = field(default_factory=dict)


class FailureGroups(Struct):
    """Counts failures by what they say.

    Attributes:
        groups: by kind and common words.
        others: how many are in none of them, because there are limits_shown.FAILURE_GROUPS.
    """

    groups: dict[str, Group] = field(default_factory=dict)
    others: int = 0

    def add(self, worker: str, at: float, failed: Iterable[tuple[int, Failure]]) -> None:
        """Count failures, each with the number of its task, that came from a worker at a time."""
        alike: dict[tuple[str, str], list[int]] = {}
        for number, failure in failed:
            alike.setdefault((failure.kind, failure.error), []).append(number)
        for (kind, error), numbers in alike.items():
            self._add(kind, error, numbers, worker, at)

    def _add(self, kind: str, error: str, numbers: list[int], worker: str, at: float) -> None:
        key = group_key(kind, error)
        group = self.groups.get(key)
        if group is None:
            if len(self.groups) >= limits_shown.FAILURE_GROUPS:
                self.others += len(numbers)
                return
            shown = error[: limits_shown.FAILURE_GROUP_CHARS]
            group = self.groups[key] = Group(kind, shown, 0, numbers[0], numbers[0], at)
        group.count += len(numbers)
        group.first, group.last = min(group.first, *numbers), max(group.last, *numbers)
        group.last_at = max(group.last_at, at)
        if worker in group.workers or len(group.workers) < limits_shown.FAILURE_GROUP_WORKERS:
            group.workers[worker] = group.workers.get(worker, 0) + len(numbers)

    def take_out(self, worker: str, failure: Failure) -> None:
        """Take a failure out that was added: its task runs again."""
        key = group_key(failure.kind, failure.error)
        group = self.groups.get(key)
        if group is None:
            self.others = max(0, self.others - 1)
            return
        group.count -= 1
        if group.count <= 0:
            del self.groups[key]
        elif group.workers.get(worker, 0) > 1:
            group.workers[worker] -= 1
        else:
            group.workers.pop(worker, None)


def group_key(kind: str, error: str) -> str:
    """Return what is common to the failures of a group: no numbers, addresses or quoted words."""
    text = _VARIES.sub("…", error[: limits_shown.FAILURE_GROUP_CHARS])
    return f"{kind}\n{' '.join(text.split())}"
