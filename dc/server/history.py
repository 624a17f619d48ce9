"""The server over time: what is noted of each step, and how much of it a chart is given.

Theory of operation
-------------------
Time is cut into steps of limits_shown.HISTORY_SECONDS by the Unix clock. When one is over, it is
noted how many tasks had their outcomes in it, and how everything stood at its end. It is written
down at once, or, where nothing has changed since the one before, together with those that follow
it. The store puts each step into longer ones as well, of which it keeps more: so there is nothing
to roll up later, and nothing that a restart could come between. A step in which the server did
not run is in no row, and shown as a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Final

from msgspec.structs import replace

from dc import limits_shown
from dc.records_shown import HistoryStep
from dc.view_server import HistoryView

STEP: Final = limits_shown.HISTORY_SECONDS

SERIES: Final = ("done", "failed", "queued", "running", "workers", "away", "slots", "busy", "bytes")
"""What a step says, beside its time."""


class HistoryLog:
    """Notes steps.

    Attributes:
        waiting: steps that are over, and not on their way to the disk.
    """

    def __init__(self) -> None:
        self.waiting: list[HistoryStep] = []
        self._at: int | None = None
        self._counted = (0, 0)
        self._last: HistoryStep | None = None

    def is_over(self, wall: float) -> bool:
        """Whether the step that began last is over at this Unix time; the first one begins."""
        at = step_at(wall)
        if self._at is None:
            self._at = at
        return at != self._at

    def end(self, now: HistoryStep) -> None:
        """Note the end of the step that began last.

        Args:
            now: how everything stands: `done` and `failed` since the start of the server; `at` is
                when the next step begins.
        """
        if self._at is None:
            return
        done, failed = now.done - self._counted[0], now.failed - self._counted[1]
        self._counted = now.done, now.failed
        self.waiting.append(replace(now, at=self._at, done=done, failed=failed))
        self._at = now.at
        del self.waiting[: -limits_shown.HISTORY_KEPT[STEP]]

    def take(self, *, all_: bool = False) -> list[HistoryStep]:
        """Return what is to be written down now: nothing, while nothing has changed for long.

        Args:
            all_: write down all of it: the server stops.
        """
        most = limits_shown.HISTORY_IDLE_SECONDS // STEP
        if not all_ and len(self.waiting) < most and not any(map(self._is_new, self.waiting)):
            return []
        steps, self.waiting = self.waiting, []
        if steps:
            self._last = steps[-1]
        return steps

    def _is_new(self, step: HistoryStep) -> bool:
        if step.done or step.failed or self._last is None:
            return True
        return replace(self._last, at=step.at, done=0, failed=0) != step


def step_at(wall: float) -> int:
    """Return when the step began that a Unix time is in."""
    return int(wall // STEP) * STEP


# --- charts -------------------------------------------------------------------------------------


def choose(since: float, until: float, points: int, now: float) -> tuple[int, int]:
    """Return in which of the steps of the store a chart is best read, and the step to show.

    Args:
        since, until: Unix times between which it is, the first below the second.
        points: how many steps it may have.
        now: the Unix time.

    Returns:
        The seconds of both; the second is a multiple of the first.
    """
    wanted = max((until - since) / points, 1.0)
    covering = [
        step for step, kept in limits_shown.HISTORY_KEPT.items() if now - since <= step * kept
    ]
    finest = min(covering, default=max(limits_shown.HISTORY_KEPT))
    fitting = [step for step in limits_shown.HISTORY_KEPT if finest <= step <= wanted]
    base = max(fitting, default=finest)
    return base, base * max(1, ceil(wanted / base))


def chart(
    steps: Iterable[HistoryStep], since: float, until: float, step: int, points: int
) -> HistoryView:
    """Return the history between two Unix times in steps of so many seconds.

    Args:
        steps: what is known of it, in steps that are no longer, ascending.
        since: the first step has this time in it.
        until: the last one begins before this time.
        step: seconds of a step that is shown.
        points: how many are shown at most, the newest.
    """
    first = int(since // step) * step
    count = max(0, ceil((until - first) / step))
    first, count = first + max(0, count - points) * step, min(count, points)
    found: list[HistoryStep | None] = [None] * count
    for one in steps:
        place = (one.at - first) // step
        if 0 <= place < count:
            found[place] = _joined(found[place], one)
    series = {name: _column(found, name) for name in SERIES}
    return HistoryView(float(step), [float(first + at * step) for at in range(count)], series)


def _joined(old: HistoryStep | None, new: HistoryStep) -> HistoryStep:
    if old is None:
        return new
    return replace(new, done=old.done + new.done, failed=old.failed + new.failed)


def _column(found: Sequence[HistoryStep | None], name: str) -> list[float | None]:
    return [None if one is None else getattr(one, name) for one in found]
