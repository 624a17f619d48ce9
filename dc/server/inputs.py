"""Which workers have the large inputs of jobs, and what is done with that.

What workers tell of their caches is kept for as long as they are here. While a job that has large
inputs has nothing to be handed out, it is kept for the workers that have all of them. So its next
tasks go to these first. When tasks have waited for about as long as another worker would take to
fetch the inputs, they go to anybody, until there are none left; nothing ever waits for longer. What
nobody has is kept for nobody.

Of a job whose payloads take long to come, beside the time that its tasks run, workers get one task
for each slot ahead: its payload comes while the task before runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence

from msgspec import Struct

from dc import limits
from dc.messages_parts import Blob, Payload
from dc.messages_worker import Cached
from dc.server.board import Board
from dc.server.jobs import Job
from dc.server.reason import Reason
from dc.server.roster import Worker


class Wish(Struct, eq=False):
    """What is known of a job with large inputs.

    Attributes:
        job: the job.
        digests: of its large inputs.
        pause: seconds that its tasks may wait for workers that have them.
        kept: whether it is kept for these.
        until: while its tasks wait, when they go to anybody.
    """

    job: Job
    digests: tuple[bytes, ...]
    pause: float
    kept: bool = True
    until: float = math.inf


class InputSide:
    """Keeps jobs for workers that have their inputs. `board` is where jobs and scheduler are."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._wishes: dict[int, Wish] = {}
        self._wanted: dict[bytes, set[int]] = {}  # the jobs, by digest
        self._holders: dict[bytes, set[int]] = {}  # the workers, by digest
        self._has: dict[int, dict[bytes, None]] = {}  # by worker, the newest last
        self._count = 0
        self._ahead: set[int] = set()
        board.on_scheduled = self.scheduled
        board.on_payloads = self.payloads

    # --- workers --------------------------------------------------------------------------------

    def told(self, worker: Worker, message: Cached) -> None:
        """Take what a worker has in its cache now, and what not."""
        changed = self._drop(worker.id, message.dropped)
        has = self._has.setdefault(worker.id, {})
        for digest in message.added:
            if digest not in has:
                has[digest] = None
                self._holders.setdefault(digest, set()).add(worker.id)
                self._count += 1
                changed.add(digest)
        changed |= self._drop(worker.id, list(has)[: -limits.CACHED_TOLD])
        self._look_at(changed)
        self._thin_out()

    def forget(self, worker: int) -> None:
        """Forget what a worker of the scheduler has: it is gone, or tells it anew."""
        changed = self._drop(worker, list(self._has.get(worker, ())))
        self._has.pop(worker, None)
        self._look_at(changed)

    def _drop(self, worker: int, digests: Collection[bytes]) -> set[bytes]:
        has = self._has.get(worker, {})
        gone = {one for one in digests if has.pop(one, self) is None}
        for digest in gone:
            self._holders[digest].discard(worker)
            if not self._holders[digest]:
                del self._holders[digest]
        self._count -= len(gone)
        return gone

    def _thin_out(self) -> None:
        """Forget all of those workers that told longest ago, if all have told too much."""
        while self._count > limits.CACHED_KNOWN and len(self._has) > 1:
            self.forget(next(iter(self._has)))

    # --- jobs -----------------------------------------------------------------------------------

    def scheduled(self, job: Job) -> None:
        """Take note of a job that may get tasks to run."""
        inputs = job.options.inputs.values()
        large = {one.digest: one.size for one in inputs if one.size >= limits.CACHED_LEAST_BYTES}
        if not large:
            return
        seconds = sum(large.values()) / limits.INPUT_BYTES_PER_SECOND
        wish = Wish(job, tuple(large), min(seconds, limits.INPUT_PAUSE_SECONDS_MOST))
        self._wishes[job.number] = wish
        for digest in large:
            self._wanted.setdefault(digest, set()).add(job.number)
        self._keep(wish)

    def gone(self, job: Job) -> None:
        """Take note that a job is not scheduled any more."""
        self._ahead.discard(job.number)
        wish = self._wishes.pop(job.number, None)
        for digest in wish.digests if wish is not None else ():
            self._wanted[digest].discard(job.number)
            if not self._wanted[digest]:
                del self._wanted[digest]

    def keen(self, wish: Wish) -> set[int]:
        """Return the workers that have all large inputs of a job, and can run it."""
        return set(self._each_keen(wish))

    def _each_keen(self, wish: Wish) -> Iterator[int]:
        holders = [self._holders.get(digest, set()) for digest in wish.digests]
        matching, class_ = self._board.matching, wish.job.class_
        few = min(holders, key=len)
        for one in few:
            has_all = all(one in those for those in holders)
            if has_all and matching.knows(one) and matching.can_run(one, class_):
                yield one

    def _look_at(self, digests: Collection[bytes]) -> None:
        """Keep jobs for those workers that have their inputs now."""
        for number in {one for digest in digests for one in self._wanted.get(digest, ())}:
            if self._wishes[number].kept:
                self._keep(self._wishes[number])

    def _keep(self, wish: Wish) -> None:
        keen = self.keen(wish)
        wish.kept = bool(keen) or not self._waits(wish)
        self._board.scheduler.prefer(wish.job.number, keen if keen and wish.kept else None)

    def _waits(self, wish: Wish) -> bool:
        """Whether something of a job is to be handed out."""
        job = wish.job
        return bool(self._board.scheduler.job_counts(job.number)[0]) and not job.holds.any

    def tick(self) -> None:
        """Do what time brings about."""
        now = self._board.now
        for wish in self._wishes.values():
            if not self._waits(wish):
                wish.until = math.inf
                if not wish.kept:
                    wish.kept = True
                    self._keep(wish)
            elif wish.kept:
                wish.until = min(wish.until, now + wish.pause)
                if now >= wish.until or next(self._each_keen(wish), None) is None:
                    wish.kept = False
                    self._board.scheduler.prefer(wish.job.number, None)

    # --- ahead ----------------------------------------------------------------------------------

    def payloads(self, job: Job, payloads: Sequence[Payload]) -> None:
        """Look at payloads that came, or were handed out: whether more go out ahead from now on."""
        first = payloads[0]
        size = first.size if isinstance(first, Blob) else 0
        if not size and job.number not in self._ahead:
            return
        seconds = size / limits.INPUT_BYTES_PER_SECOND
        ahead = bool(size) and job.cost * limits.AHEAD_SHARE <= seconds
        if job.scheduled and ahead != (job.number in self._ahead):
            (self._ahead.add if ahead else self._ahead.discard)(job.number)
            self._board.scheduler.set_ahead(job.number, ahead)

    # --- why ------------------------------------------------------------------------------------

    def is_for(self, job: Job, worker: int) -> bool:
        """Whether a job may go to a worker now, as far as its inputs are concerned."""
        wish = self._wishes.get(job.number)
        if wish is None or not wish.kept:
            return True
        keen = self.keen(wish)
        return not keen or worker in keen

    def why(self, job: Job, name_of: Callable[[int], str]) -> Reason | None:
        """Return why a job waits, if that is for workers which have its inputs.

        Args:
            job: the job.
            name_of: gives the name of a worker.
        """
        wish = self._wishes.get(job.number)
        keen = self.keen(wish) if wish is not None and wish.kept else set()
        if wish is None or not keen:
            return None
        seconds = min(wish.pause, max(0.0, wish.until - self._board.now))
        names = sorted(map(name_of, keen))
        those = names[0] if len(names) == 1 else f"{len(names)} workers"
        has = "has" if len(names) == 1 else "have"
        text = f"goes first to {those}, which {has} its inputs, for {math.ceil(seconds)} s"
        return Reason("inputs", text, {"workers": names[:10], "seconds": seconds})

    # --- looking --------------------------------------------------------------------------------

    def validate(self) -> None:
        """Check what must hold between two events."""
        assert self._count == sum(map(len, self._has.values())), "a wrong count"
        pairs = {(one, digest) for one, has in self._has.items() for digest in has}
        held = {(one, digest) for digest, those in self._holders.items() for one in those}
        assert pairs == held, "holders and what they have differ"
        assert all(self._holders.values()), "a digest that nobody has"
        wanted = {
            (one.job.number, digest) for one in self._wishes.values() for digest in one.digests
        }
        assert wanted == {(n, digest) for digest, all_ in self._wanted.items() for n in all_}
        for number, wish in self._wishes.items():
            assert self._board.jobs.get(number) is wish.job, "a wish of a job that is gone"
            assert wish.job.scheduled, "a wish of a job that is not scheduled"
