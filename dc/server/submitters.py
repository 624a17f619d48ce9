"""Who submits jobs: names, their weights, and their places in the scheduler."""

from __future__ import annotations

from dc import limits
from dc._core import Scheduler
from dc.errors import NotPossible

USUAL = 1.0
"""The weight of everybody of whom no other is known."""


class Submitters:
    """Gives each submitter that has unfinished jobs a number in the scheduler.

    A submitter without a name is number 0. A number is given to another one once the last job of
    its owner has gone.

    Args:
        scheduler: which shares by weight.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._ids: dict[str, int] = {}
        self._jobs: dict[str, int] = {}
        self._free: list[int] = []
        self._next = 1
        self.weights: dict[str, float] = {}

    def enter(self, name: str) -> int:
        """Return the number of a submitter for one more job of theirs."""
        if name not in self._ids:
            self._ids[name] = self._take_number() if name else 0
            self._scheduler.set_submitter_weight(self._ids[name], self.weight(name))
        self._jobs[name] = self._jobs.get(name, 0) + 1
        return self._ids[name]

    def _take_number(self) -> int:
        if self._free:
            return self._free.pop()
        self._next += 1
        return self._next - 1

    def leave(self, name: str) -> None:
        """Note that a job of a submitter has gone."""
        self._jobs[name] -= 1
        if not self._jobs[name]:
            del self._jobs[name]
            number = self._ids.pop(name)
            if number:
                self._free.append(number)

    def weight(self, name: str) -> float:
        """Return the weight of a submitter."""
        return self.weights.get(name, USUAL)

    def set_weight(self, name: str, weight: float) -> None:
        """Set the weight of a submitter, who need not have a job.

        Raises:
            NotPossible: too many have weights of their own.
        """
        known = name in self.weights or weight == USUAL
        if not known and len(self.weights) >= limits.SUBMITTERS:
            text = f"{limits.SUBMITTERS} submitters have weights: set some back to 1 first"
            raise NotPossible(text)
        self.weights[name] = weight
        if weight == USUAL:
            del self.weights[name]
        if name in self._ids:
            self._scheduler.set_submitter_weight(self._ids[name], weight)

    def jobs(self) -> dict[str, int]:
        """Return how many unfinished jobs each submitter has, of those that have any."""
        return dict(self._jobs)

    def validate(self) -> None:
        """Check what must always hold; AssertionError says what does not."""
        numbers = [*self._ids.values(), *self._free]
        assert len(numbers) == len(set(numbers)), "two submitters have one number"
        assert self._ids.keys() == self._jobs.keys(), "a submitter has a number and no job"
