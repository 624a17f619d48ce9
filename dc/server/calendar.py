"""When something of a job is due: one time for each job, by the clock on the wall."""

from __future__ import annotations

import heapq
import math


class Calendar:
    """Times that are to come.

    A job's time that was changed stays in the heap and is passed over; the heap is made anew before
    it has twice as many times as there are jobs.
    """

    SPARE = 64

    def __init__(self) -> None:
        self._times: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def set(self, job: int, at: float) -> None:
        """Note the Unix time at which a job is due next, in place of the one before; inf: never."""
        if at == self._times.get(job, math.inf):
            return
        if math.isinf(at):
            del self._times[job]
            return
        self._times[job] = at
        heapq.heappush(self._heap, (at, job))
        if len(self._heap) > 2 * len(self._times) + self.SPARE:
            self._heap = [(time, number) for number, time in self._times.items()]
            heapq.heapify(self._heap)

    def due(self, wall: float) -> list[int]:
        """Return the jobs whose time has come, and forget it."""
        found = []
        while self._top() <= wall:
            _, job = heapq.heappop(self._heap)
            del self._times[job]
            found.append(job)
        return found

    def next(self) -> float:
        """Return the next Unix time at which a job is due, or inf."""
        return self._top()

    def _top(self) -> float:
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf
