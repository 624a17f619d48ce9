"""Payloads in memory: those of the next tasks of each job, within one bound for all jobs.

Theory of operation
-------------------
Payloads stay in lists (a *chunk*) of consecutive tasks, and tasks find theirs by number. Tasks of a
job are first assigned in the order of their numbers, so a chunk is spent when the *frontier* (the
number after the last one assigned) has passed it; the few that are assigned again are read from the
store.

What is held of a job has no gap: below `kept` every payload is, or was, in memory when its turn
came. What arrives while the window has room is kept. The first chunk that finds it full is let go
once it is on disk, and so are all that arrive behind it: room is for the tasks that come first.
Those are read back a piece at a time while the frontier comes nearer (`dc/server/heads.py` asks for
them), into the room of jobs that had nothing assigned for the longest time. A job that others have
taken room from takes none until tasks are assigned again: else, while no worker is free, two jobs
would for ever read back what each has just had the other let go of.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from msgspec import Struct

from dc import limits
from dc._columns import weigh
from dc.messages_parts import Payload

UNKNOWN_BYTES = 1024
"""What a payload is reckoned to cost before any of its job was seen."""


class Chunk(Struct):
    """Payloads of consecutive tasks; `size` is what they cost in bytes.

    Unless it `stays`, it is let go as soon as it is on disk. `own` says that nobody else has its
    list, so that it may grow.
    """

    first: int
    payloads: list[Payload]
    size: int
    stays: bool
    own: bool = False

    @property
    def end(self) -> int:
        """The number after its last task's."""
        return self.first + len(self.payloads)


class Window:
    """How many bytes of payloads are in memory, over all jobs.

    Args:
        limit: how many there may be, but for those that are not on disk yet.
    """

    def __init__(self, limit: int = limits.PAYLOAD_WINDOW_BYTES) -> None:
        self.limit = limit
        self.used = 0
        self.turn = 0  # counts how often tasks were assigned
        self._users: dict[AtHand, None] = {}  # the one used last is the last

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more can be kept."""
        return self.used + size <= self.limit

    def using(self, one: AtHand) -> None:
        """Note that payloads of a job are being assigned."""
        self._users.pop(one, None)
        self._users[one] = None

    def leave(self, one: AtHand) -> None:
        """Forget a job that has nothing in memory."""
        self._users.pop(one, None)

    def make_room(self, size: int, one: AtHand) -> bool:
        """See whether so many bytes fit; if not, have the other jobs let go of theirs."""
        if one.robbed == self.turn:
            return self.has_room(size)
        for other in list(self._users):
            if self.has_room(size):
                break
            if other is not one:
                other.give_up(self.used + size - self.limit)
                other.robbed = self.turn
        return self.has_room(size)


class AtHand:
    """The payloads of one job that are in memory.

    Args:
        window: the bound that all jobs share.

    Attributes:
        kept: payloads of tasks below are in memory, or were when they were first assigned.
        frontier: no task from here on has been assigned.
        stored: so many tasks are on disk.
        fetching: the number of the first task of the piece that is being read, or -1.
        size: what is in memory, in bytes.
        each: what a payload costs, by those that came last, in bytes; 0 before any came.
        robbed: the turn of the window in which others have last taken its room, or -1.
    """

    def __init__(self, window: Window, stored: int) -> None:
        self.kept = 0
        self.frontier = 0
        self.stored = stored
        self.fetching = -1
        self.size = 0
        self.each = 0.0
        self.robbed = -1
        self._window = window
        self._firsts: list[int] = []
        self._chunks: list[Chunk] = []

    # --- in -------------------------------------------------------------------------------------

    def add(self, first: int, payloads: list[Payload]) -> None:
        """Take the payloads of the next tasks, which are on their way to disk."""
        size = self._weigh(payloads)
        stays = max(self.kept, self.frontier) >= first and self._window.has_room(size)
        if stays:
            self.kept = first + len(payloads)
        self._insert(Chunk(first, payloads, size, stays))

    def fetch(self, end: int, most: int) -> range:
        """Return the tasks whose payloads should be read next: an empty range if none.

        They are noted as being read, until `fetched` or `unfetched`.

        Args:
            end: tasks from here on are not wanted yet.
            most: how many tasks at one time.
        """
        first = max(self.kept, self.frontier)
        end = min(end, self.stored, self._absent_until(first))
        if self.fetching >= 0 or first >= end or first > self.frontier + 2 * most:
            return range(0)
        each = self.each or UNKNOWN_BYTES
        count = min(end - first, most, max(1, int(limits.PREFETCH_BYTES / each)))
        if not self._window.make_room(int(count * each), self):
            return range(0)
        if count < end - first:  # clients fill their batches: read whole ones
            count -= (first + count) % limits.BATCH_TASKS if count > limits.BATCH_TASKS else 0
        self.fetching = first
        return range(first, first + count)

    def fetched(self, first: int, payloads: list[Payload]) -> None:
        """Take the payloads that were read; not, if they were let go of in the meantime."""
        if self.fetching != first:
            return
        self.fetching = -1
        end = first + len(payloads)
        self.kept = max(self.kept, end)  # what came meanwhile may be kept behind it
        if payloads and end > self.frontier:
            self._insert(Chunk(first, payloads, self._weigh(payloads), stays=True, own=True))

    def _absent_until(self, first: int) -> int:
        """Return the first number from `first` on whose payload is in memory."""
        at = bisect_right(self._firsts, first)
        if at > 0 and first < self._chunks[at - 1].end:
            return first
        return self._firsts[at] if at < len(self._firsts) else limits.MAX_NUMBER + 1

    def _weigh(self, payloads: list[Payload]) -> int:
        weight = weigh(payloads)
        size = weight.bytes + weight.others * limits.BLOB_PAYLOAD_BYTES
        size += limits.PAYLOAD_OBJECT_BYTES * len(payloads)
        if payloads:
            self.each = size / len(payloads)
        return size

    def _insert(self, chunk: Chunk) -> None:
        if not self._chunks:
            self._window.using(self)
        self.size += chunk.size
        self._window.used += chunk.size
        at = bisect_left(self._firsts, chunk.first)
        if at == len(self._chunks) and self._joined(chunk):
            return
        self._firsts.insert(at, chunk.first)
        self._chunks.insert(at, chunk)

    def _joined(self, chunk: Chunk) -> bool:
        """Add a chunk to the last one, if they are small: there may be one for each task."""
        last = self._chunks[-1] if self._chunks else None
        if last is None or last.end != chunk.first or last.stays != chunk.stays:
            return False
        if len(last.payloads) + len(chunk.payloads) > limits.BATCH_TASKS:
            return False
        if not last.own:
            last.payloads = last.payloads.copy()
            last.own = True
        last.payloads += chunk.payloads
        last.size += chunk.size
        return True

    # --- out ------------------------------------------------------------------------------------

    def take(self, numbers: list[int]) -> tuple[list[Payload], list[int]]:
        """Return the payloads at hand for ascending numbers, and the positions of the others.

        Where a position is not at hand, its payload is the empty string of bytes.
        """
        self._window.turn += 1
        payloads: list[Payload] = []
        missing: list[int] = []
        start = 0
        while start < len(numbers):
            at = bisect_right(self._firsts, numbers[start]) - 1
            chunk = self._chunks[at] if at >= 0 else None
            if chunk is None or numbers[start] >= chunk.end:
                missing.append(start)
                payloads.append(b"")
                start += 1
                continue
            stop = bisect_left(numbers, chunk.end, start)
            payloads += _pick(chunk, numbers[start:stop])
            start = stop
        if self._chunks:
            self._window.using(self)
        return payloads, missing

    def peek(self, number: int) -> Payload | None:
        """Return one task's payload if it is at hand."""
        at = bisect_right(self._firsts, number) - 1
        if at < 0 or number >= self._chunks[at].end:
            return None
        return self._chunks[at].payloads[number - self._chunks[at].first]

    def passed(self, number: int) -> None:
        """Note that the tasks below this number have been assigned, or need not be."""
        if number > self.frontier:
            self.frontier = number
            self._clean()

    def stored_up_to(self, count: int) -> None:
        """Note that the first `count` tasks are on disk."""
        at = bisect_right(self._firsts, self.stored)
        self.stored = count
        at = max(0, at - 1)
        while at < len(self._chunks) and self._chunks[at].end <= count:
            if self._chunks[at].stays:
                at += 1
            else:
                self._let_go(at)
        self._clean()

    def give_up(self, size: int) -> None:
        """Let go of at least so many bytes, if there are, the last tasks' first."""
        until = self.size - size
        for at in range(len(self._chunks) - 1, -1, -1):
            if self.size <= until:
                break
            chunk = self._chunks[at]
            self.kept = min(self.kept, chunk.first)
            self.fetching = -1
            if chunk.end <= self.stored:
                self._let_go(at)
            else:
                chunk.stays = False

    def forget(self) -> None:
        """Let go of all."""
        self.fetching = -1
        while self._chunks:
            self._let_go(len(self._chunks) - 1)

    def _clean(self) -> None:
        """Let go of what is spent."""
        end = min(self.frontier, self.stored)
        while self._chunks and self._chunks[0].end <= end:
            self._let_go(0)

    def _let_go(self, at: int) -> None:
        self.size -= self._chunks[at].size
        self._window.used -= self._chunks[at].size
        del self._chunks[at], self._firsts[at]
        if not self._chunks:
            self._window.leave(self)

    def validate(self) -> None:
        """Check what must always hold; AssertionError says what does not."""
        assert self.size == sum(chunk.size for chunk in self._chunks), "sizes do not add up"
        end = 0
        for first, chunk in zip(self._firsts, self._chunks, strict=True):
            assert first == chunk.first >= end, "chunks overlap or are out of order"
            end = chunk.end
            assert end > min(self.frontier, self.stored), "a spent chunk is still here"
            assert chunk.stays or end > self.stored, "a chunk on disk should have gone"
            assert not chunk.stays or end <= self.kept, "what is kept has a gap"


def _pick(chunk: Chunk, numbers: list[int]) -> list[Payload]:
    low = numbers[0] - chunk.first
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return chunk.payloads[low : low + len(numbers)]
    return [chunk.payloads[number - chunk.first] for number in numbers]
