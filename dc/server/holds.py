"""Why nothing of a job is handed out: all reasons in one place."""

from __future__ import annotations

from msgspec import Struct


class Holds(Struct):
    """The reasons for which nothing of a job is handed out at present.

    Attributes:
        unsure: whether another job may have had its number, before the server restarted.
        paused: whether an operator has paused it.
        after: the jobs that it waits for; empty once what it waits for has come.
        not_before: the Unix time that it waits for, or 0.
        overdue: whether its deadline has passed: what is left of it is about to fail.
        unknown: jobs in its `after` of which it is not known yet whether they are there.
    """

    unsure: bool = False
    paused: bool = False
    after: tuple[int, ...] = ()
    not_before: float = 0.0
    overdue: bool = False
    unknown: frozenset[int] = frozenset()

    @property
    def any(self) -> bool:
        """Whether there is any reason."""
        waits = bool(self.after) or self.not_before > 0
        return waits or self.paused or self.overdue or self.unsure

    @property
    def state(self) -> str:
        """`paused`, `waiting`, or nothing: what the job's state is said to be."""
        if self.paused:
            return "paused"
        return "waiting" if self.after or self.not_before else ""
