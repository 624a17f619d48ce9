"""What is counted of tasks and jobs as it happens, from the start of the server on.

Nothing here is kept over a restart: who reads the metrics knows that a counter may begin anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from dc import limits_shown
from dc.messages_parts import Failure, Outcome
from dc.server.histogram import Histogram

KINDS: Final = frozenset(
    {"error", "timeout", "memory", "crashed", "payload", "cancelled", "deadline", "quota"}
)
"""Kinds of failure that are told apart; what else a worker may say is OTHER."""

DONE: Final = "done"
OTHER: Final = "other"

RUN_BOUNDS: Final = (
    *(0.0001, 0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 15.0),
    *(60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0),
)
"""Seconds: from tasks that do nothing to those that run for a day."""


class Counters:
    """Counts.

    Attributes:
        begun: jobs that came in.
        submitted: tasks that came in.
        outcomes: of tasks, `done` or the kind of their failure.
        again: attempts that failed and are tried again, by kind.
        jobs: those that have come to their end, by state.
        result_bytes: of results that are kept in the store, and not as blobs.
        times: run times in seconds of attempts that brought an outcome, by task type.
    """

    def __init__(self) -> None:
        self.begun = 0
        self.submitted = 0
        self.outcomes: Counter[str] = Counter()
        self.again: Counter[str] = Counter()
        self.jobs: Counter[str] = Counter()
        self.result_bytes = 0
        self.times: dict[str, Histogram] = {}

    def record(self, outcomes: Sequence[Outcome], failed: int, size: int) -> None:
        """Count outcomes, of which so many are failures, and their bytes."""
        self.result_bytes += size
        self.outcomes[DONE] += len(outcomes) - failed
        if failed:
            self.outcomes.update(
                known_kind(one.kind) for one in outcomes if isinstance(one, Failure)
            )

    def ran(self, task_type: str, times: list[float]) -> None:
        """Count the run times of tasks of one type."""
        found = self.times.get(task_type)
        if found is None:
            name = task_type if len(self.times) < limits_shown.TIMED_TYPES else OTHER
            found = self.times[name] = self.times.get(name) or Histogram(RUN_BOUNDS)
        found.add(times)

    def try_again(self, kind: str) -> None:
        """Count an attempt that failed and is tried again."""
        self.again[known_kind(kind)] += 1


def known_kind(kind: str) -> str:
    """Return the kind of a failure as one of a bounded set."""
    return kind if kind in KINDS else OTHER
