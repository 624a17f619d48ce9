"""What attempts wait for, and what they use of the cache: which blob, who for, and what may go.

Theory of operation
-------------------
A blob that any attempt here needs is *used*, as often as there are such needs: by the payload of an
attempt, by its checkpoint, and by a job for each of its inputs, as long as attempts of it are held.
It is used from the moment in which it is asked for, through the queue and the executor, until what
needed it is over; then it is let go, and may leave the cache. A used blob is *here*, or it is
*wanted*: then it is fetched once, however many wait for it.

Attempts that lack something *wait*: those of one message that lack inputs alone in one piece, those
with blobs of their own one by one. What was fetched last completes them.

A file that has gone from the cache behind our back is wanted again. One that goes each time fails
those who wait, as one that cannot be fetched does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from dc import limits_worker as limits
from dc.messages_parts import Blob
from dc.pipe import InFile
from dc.worker.tasks import Chunk, Job
from dc.worker.transfers import Transfers


class Waiting(Struct, eq=False):
    """Attempts that lack something.

    With a `payload` or a `checkpoint` that is to come it is one attempt. `lacks` has the digests of
    what is not here.
    """

    chunk: Chunk
    payload: Blob | None = None
    checkpoint: Blob | None = None
    lacks: set[bytes] = set()

    def own(self) -> list[Blob]:
        """Return the blobs that are this one attempt's."""
        return [one for one in (self.payload, self.checkpoint) if one is not None]


class Want(Struct, eq=False):
    """A blob that is not here, and who waits for it; `failures` counts the tries that count."""

    blob: Blob
    failures: int = 0
    waiters: list[Waiting] = []

    @property
    def key(self) -> bytes:
        """Its digest."""
        return self.blob.digest

    def is_ahead(self) -> bool:
        """Whether it is only the payload of an attempt, or several."""
        blob = self.blob
        return all(one.payload is not None and one.payload == blob for one in self.waiters)


class Fetching:
    """The waiting attempts, and the blobs in use.

    Args:
        let_go: takes the digest of each blob that nobody here uses any more.
    """

    def __init__(self, let_go: Callable[[bytes], None]) -> None:
        self._let_go = let_go
        self._uses: dict[bytes, int] = {}
        self._here: dict[bytes, InFile] = {}
        self._missed: dict[bytes, int] = {}  # how often it has gone behind our back
        self._waiting: dict[int, Waiting] = {}  # by identity
        self.wants: Transfers[bytes, Want] = Transfers(limits.TRANSFERS_AT_ONCE)

    def __len__(self) -> int:
        return sum(len(one.chunk.numbers) for one in self._waiting.values())

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting.values())

    # --- use ------------------------------------------------------------------------------------

    def use(self, digest: bytes) -> None:
        """Note one more use of a blob."""
        self._uses[digest] = self._uses.get(digest, 0) + 1

    def release(self, digest: bytes) -> None:
        """Note that a use of a blob is over."""
        left = self._uses[digest] - 1
        if left:
            self._uses[digest] = left
            return
        del self._uses[digest]
        missed = self._missed.pop(digest, 0)  # then the cache may still have it as used
        if (want := self.wants.get(digest)) is not None:
            self.wants.drop(want)
        if self._here.pop(digest, None) is not None or missed:
            self._let_go(digest)

    def file(self, digest: bytes) -> InFile | None:
        """Return the file of a blob that is used, if it is here."""
        return self._here.get(digest)

    # --- waiting --------------------------------------------------------------------------------

    def wait(self, waiting: Waiting, blobs: Iterable[Blob]) -> bool:
        """Have attempts wait for what they lack of blobs that are used; return whether they do."""
        lacking = [one for one in blobs if one.digest not in self._here]
        waiting.lacks = {one.digest for one in lacking}
        for blob in {one.digest: one for one in lacking}.values():
            want = self.wants.get(blob.digest)
            if want is None:
                want = Want(blob)
                self.wants.add(want)
            want.waiters.append(waiting)
        if waiting.lacks:
            self._waiting[id(waiting)] = waiting
        return bool(waiting.lacks)

    def drop(self, waiting: Waiting) -> None:
        """Let attempts wait no more, which will not run; their own blobs are released."""
        self.withdraw(waiting)
        for blob in waiting.own():
            self.release(blob.digest)

    def withdraw(self, waiting: Waiting) -> None:
        """Let attempts wait no more; what they use stays used."""
        self._waiting.pop(id(waiting), None)
        for digest in waiting.lacks:
            want = self.wants.get(digest)
            if want is not None and waiting in want.waiters:
                want.waiters.remove(waiting)
                if not want.waiters:
                    self.wants.drop(want)
        waiting.lacks = set()

    def bury(self, job: Job) -> None:
        """Let attempts of a job wait no more that are not held any more."""
        for waiting in [one for one in self if one.chunk.job is job]:
            alive = waiting.chunk.live()
            if not alive.numbers:
                self.drop(waiting)
            waiting.chunk = alive

    def arrived(self, file: InFile) -> list[Waiting]:
        """Take a blob that has been fetched; return the attempts that lack nothing any more."""
        want = self.wants.end(file.digest)
        if file.digest not in self._uses:
            self._let_go(file.digest)
            return []
        self._here[file.digest] = file
        waiters = want.waiters if want is not None else []
        for waiting in waiters:
            waiting.lacks.discard(file.digest)
        complete = [one for one in waiters if not one.lacks]
        for waiting in complete:
            del self._waiting[id(waiting)]
        return complete

    def gone(self, digest: bytes) -> int:
        """Take note that a file is not there as it was; return how often that was so by now."""
        if self._here.pop(digest, None) is not None:
            self._missed[digest] = self._missed.get(digest, 0) + 1
        return self._missed.get(digest, 0)

    def let_go_all(self) -> None:
        """Let go of all that is here: it was another server's."""
        for digest in self._here.keys() | self._missed.keys():
            self._let_go(digest)

    # --- looking --------------------------------------------------------------------------------

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Yield (job, number, attempt) of all that waits."""
        for one in self:
            for number, attempt in zip(one.chunk.numbers, one.chunk.attempts, strict=True):
                yield one.chunk.job.number, number, attempt

    def validate(self, uses: dict[bytes, int]) -> None:
        """Check that what is used is what is needed: so often by queue, executors and jobs."""
        expected = dict(uses)
        for waiting in self:
            assert waiting.lacks, "it waits for nothing"
            assert waiting.chunk.live() is waiting.chunk, "a dead attempt waits"
            for blob in waiting.own():
                expected[blob.digest] = expected.get(blob.digest, 0) + 1
            for digest in waiting.lacks:
                want = self.wants.get(digest)
                assert want is not None, "it waits for what nobody wants"
                assert waiting in want.waiters, "nobody would tell it"
        assert self._uses == expected, "uses are not accounted for"
        assert self._here.keys() <= self._uses.keys(), "here, and of no use"
        for want in self.wants:
            assert want.key not in self._here, "wanted, and here"
            assert want.waiters, "wanted by nobody"
            assert all(id(one) in self._waiting for one in want.waiters)
        self.wants.validate()
