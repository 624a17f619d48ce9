"""How far the results of a job were read."""

from __future__ import annotations

from msgspec import structs

from dc.messages_client import Finished


class Cursor:
    """How far a job's results were handed over, over all connections.

    In order, the cursor is the next task's number. As they come, it is the server's; the server
    cuts a large record into several batches that share one cursor, so this counts as passed only
    once a batch with another one has come. Until then the numbers that were handed over under it
    are remembered, and dropped if they come again.
    """

    def __init__(self, *, ordered: bool) -> None:
        self.ordered = ordered
        self.after = 0
        self._last = 0
        self._numbers: list[list[int]] = []  # handed over under the cursor `_last`

    def advance(self, batch: Finished) -> Finished:
        """Note a batch as handed over; return what of it is new."""
        if self.ordered:
            self.after = batch.numbers[-1] + 1
            return batch
        if batch.cursor != self._last:
            self.after, self._last, self._numbers = self._last, batch.cursor, []
        elif self._numbers:
            batch = _without(batch, {number for known in self._numbers for number in known})
        self._numbers.append(batch.numbers)
        return batch


def _without(batch: Finished, known: set[int]) -> Finished:
    if known.isdisjoint(batch.numbers):
        return batch
    rows = zip(batch.numbers, batch.attempts, batch.times, batch.outcomes, strict=True)
    columns = list(zip(*(row for row in rows if row[0] not in known), strict=True)) or [()] * 4
    numbers, attempts, times, outcomes = map(list, columns)
    return structs.replace(
        batch, numbers=numbers, attempts=attempts, times=times, outcomes=outcomes
    )
