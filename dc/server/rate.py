"""How many tasks are finished a second."""

from __future__ import annotations


class Rate:
    """Finished tasks a second over the last seconds, in one number for each second."""

    SECONDS = 10

    def __init__(self) -> None:
        self._second = 0
        self._counts = [0] * (self.SECONDS + 1)

    def add(self, count: int, now: float) -> None:
        """Count finished tasks."""
        self._move_to(int(now))
        self._counts[self._second % len(self._counts)] += count

    def value(self, now: float) -> float:
        """Return the rate over the last ten full seconds."""
        self._move_to(int(now))
        running = self._counts[self._second % len(self._counts)]
        return (sum(self._counts) - running) / self.SECONDS

    def _move_to(self, second: int) -> None:
        for passed in range(max(self._second + 1, second - self.SECONDS), second + 1):
            self._counts[passed % len(self._counts)] = 0
        self._second = max(self._second, second)
