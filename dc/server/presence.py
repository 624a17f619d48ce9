"""When workers were here: from their first connection to when their places are given up.

What has come or gone is written down at the next tick, many in one record. While a worker is here,
what ended on it is written down now and then, so that not all of it is lost with the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from dc import limits, limits_shown
from dc.records_shown import PresenceRow, Presences


class Here(Struct):
    """A worker that is here: since when, and what was written down of what ended on it."""

    since: float
    done: int = 0
    failed: int = 0


class PresenceLog:
    """Notes who comes and who goes, by their keys."""

    def __init__(self) -> None:
        self._here: dict[str, Here] = {}
        self._changed: dict[tuple[str, float], PresenceRow] = {}
        self._looked = 0.0
        self._ended: float | None = None

    def started(self, ended: float) -> None:
        """Note that the server starts, and that it was last alive at this Unix time."""
        self._ended = ended

    def came(self, key: str, wall: float) -> bool:
        """Note that a worker is connected; return whether it was not here before."""
        if key in self._here:
            return False
        here = self._here[key] = Here(round(wall, 3))
        self._put(PresenceRow(key, here.since, None, 0, 0))
        return True

    def went(self, key: str, done: int, failed: int, wall: float) -> None:
        """Note that a worker is not here any more, on which so many tasks have ended."""
        here = self._here.pop(key, None)
        if here is not None:
            until = max(here.since, round(wall, 3))
            self._put(PresenceRow(key, here.since, until, done, failed))

    def since(self, key: str) -> float | None:
        """Return since when a worker is here, in Unix time; None if it is not."""
        here = self._here.get(key)
        return None if here is None else here.since

    def take(self, now: float, figures: Callable[[str], tuple[int, int]]) -> Iterator[Presences]:
        """Yield what is to be written down.

        Args:
            now: seconds on a clock that never goes back.
            figures: gives how many tasks were done and failed on a worker that is here.
        """
        if now - self._looked >= limits_shown.PRESENCE_FIGURES_SECONDS:
            self._looked = now
            self._look(figures)
        ended, self._ended = self._ended, None
        if ended is not None:
            yield Presences([], ended)
        rows, self._changed = list(self._changed.values()), {}
        for start in range(0, len(rows), limits.WORKERS_WRITTEN):
            yield Presences(rows[start : start + limits.WORKERS_WRITTEN])

    def _look(self, figures: Callable[[str], tuple[int, int]]) -> None:
        for key, here in self._here.items():
            done, failed = figures(key)
            if (done, failed) != (here.done, here.failed):
                here.done, here.failed = done, failed
                self._put(PresenceRow(key, here.since, None, done, failed))

    def _put(self, row: PresenceRow) -> None:
        self._changed[row.key, row.since] = row
        if len(self._changed) > limits_shown.PRESENCES_WAITING:
            del self._changed[next(iter(self._changed))]
