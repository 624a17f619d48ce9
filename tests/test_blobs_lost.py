"""What must hold of blobs, whenever the server is killed or its computer loses its power.

No torn blob is ever served. No blob is lost that the store names. None stays for ever that nothing
names. The disk is one of dc.testing.disk: it loses what was not synced.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dc import limits_store as limits
from dc.blobs import BlobFolder
from dc.blobs_incoming import Pieces
from dc.errors import DcError
from dc.messages_client import Options
from dc.messages_parts import Blob
from dc.record_blobs import named
from dc.records import (
    JobCancelled,
    NewJob,
    NewTasks,
    Outcomes,
    Record,
    TaskCheckpoint,
    TaskOutput,
)
from dc.server.keep import Keep
from dc.server.retention import Retention
from dc.store_memory import MemoryStore
from dc.testing.disk import BlobDisk, Killed

CONTENTS = [b"%d " % number * (200 * number) for number in range(3)]
BLOBS = [Blob(hashlib.sha256(data).digest(), len(data)) for data in CONTENTS]
WHICH = st.integers(0, len(BLOBS) - 1)
STEPS = st.sampled_from([-1] * 12 + list(range(12)))
"""Until the process is killed; -1 for never."""


class Server:
    """One process of the server: what it has in memory is lost with it."""

    def __init__(self, folder: Path, store: MemoryStore) -> None:
        self.store = store
        self.blobs = BlobFolder(folder)
        self.queue: list[Record] = []
        keep = Keep(days=1 / 86400, jobs=0)
        self.retention = Retention(store, self.blobs, set, keep, time.time)
        self.retention.named = lambda: named(self.queue)

    def look(self, what: str) -> Callable[[], Awaitable[None]]:
        """Return a part of what retention does."""
        found: Callable[[], Awaitable[None]] = getattr(self.retention, what)
        return found


class BlobLife(RuleBasedStateMachine):
    """Blobs are put, named, read and removed; the process dies at any step of it."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        root = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.folder = root / "blobs"
        (root / "shadow").mkdir()
        self.disk = BlobDisk(Random(len(CONTENTS)), root / "shadow")
        self.stack.enter_context(self.disk.watched())
        self.store = MemoryStore()
        self.server = Server(self.folder, self.store)
        self.jobs = self.sequence = 0
        self.open: dict[int, int] = {}  # jobs, and how many tasks each has
        self.asked: dict[int, float] = {}  # blobs that clients know to be there: since when

    def teardown(self) -> None:
        self.disk.left = -1
        self.all_goes_that_nothing_names()
        self.stack.close()

    # --- the process ----------------------------------------------------------------------------

    def run(self, steps: int, do: Callable[[], Awaitable[Any]]) -> Any:
        """Have the server do something, until it is killed or done; what it raises is no matter."""
        self.disk.left = steps
        try:
            return trio.run(do)
        except DcError:
            return None
        except BaseException as error:
            if not _is_killed(error):
                raise
            self.start()
            return None
        finally:
            self.disk.left = -1

    @rule()
    def start(self) -> None:
        """Kill the server, if it was not, and start another one."""
        self.disk.left = -1
        self.server = Server(self.folder, self.store)
        self.open = {job: count for job, count in self.open.items() if self.known(job)}
        for job in self.open:
            row = self.known(job)
            assert row is not None
            self.open[job] = row.counts.total

    def known(self, job: int) -> Any:
        return trio.run(self.store.job, job)

    @rule(seed=st.integers(0, 2**16))
    def lose_power(self, seed: int) -> None:
        self.asked.clear()
        self.disk._random = Random(seed)
        self.disk.lose(self.folder)
        self.start()

    @rule(seconds=st.sampled_from([30.0, 700.0, 90_000.0]))
    def pass_time(self, seconds: float) -> None:
        """Make all older, which is the same."""
        for path in [path for path in self.folder.rglob("*") if path.is_file()]:
            status = path.stat()
            os.utime(path, (status.st_mtime - seconds,) * 2)
        self.asked = {which: since + seconds for which, since in self.asked.items()}
        dropped = self.server.retention._dropped
        self.server.retention._dropped = deque((due - seconds, one) for due, one in dropped)

    # --- blobs come -----------------------------------------------------------------------------

    @rule(
        which=WHICH,
        steps=STEPS,
        cut=st.sampled_from([3, 3, 3, 3, 0, 1, 2]),
        resumable=st.booleans(),
    )
    def put(self, which: int, steps: int, cut: int, resumable: bool) -> None:
        """Put a blob in three pieces, of which the first `cut` come."""
        blob, data = BLOBS[which], CONTENTS[which]

        async def pieces() -> AsyncIterator[bytes]:
            third = len(data) // 3 + 1
            for number in range(cut):
                await trio.lowlevel.checkpoint()
                if piece := data[number * third : (number + 1) * third]:
                    yield piece

        async def put() -> None:
            blobs = self.server.blobs
            if resumable:
                await blobs.receive(blob.digest, blob.size, Pieces(pieces()))
            else:
                await blobs.put(blob.digest, blob.size, pieces())

        self.run(steps, put)

    # --- and are named --------------------------------------------------------------------------

    def claimed(self, which: int, steps: int) -> Blob | None:
        """Do what the server does with each message that names a blob."""
        blob = BLOBS[which]

        async def claim() -> int | None:
            await trio.lowlevel.checkpoint()
            return self.server.blobs.claim(blob.digest)

        return blob if self.run(steps, claim) == blob.size else None

    @rule(which=WHICH, steps=STEPS)
    def ask(self, which: int, steps: int) -> None:
        """Ask whether a blob is there, to name it instead of putting it again."""
        if self.claimed(which, steps) is not None:
            self.asked[which] = 0.0

    @rule(which=WHICH, steps=STEPS, how=st.sampled_from(["payload", "input", "output", "saved"]))
    def name(self, which: int, steps: int, how: str) -> None:
        blob = self.claimed(which, steps)
        if blob is None:
            return
        self.jobs += 1
        options = Options(inputs={"it": blob} if how == "input" else {})
        payload = blob if how == "payload" else b""
        add = self.server.queue.append
        add(NewJob(self.jobs, "demo", "1", options, "bytes", "bytes", 1.0))
        add(NewTasks(self.jobs, 0, [payload]))
        if how == "output":
            add(TaskOutput(self.jobs, 0, 1, b"", b"", 1, blob))
        if how == "saved":
            add(TaskCheckpoint(self.jobs, 0, 1, blob))
        self.open[self.jobs] = 1

    @rule(which=WHICH, steps=STEPS, how=st.sampled_from(["payload", "input", "output", "saved"]))
    def submit(self, which: int, steps: int, how: str) -> None:
        """Do what a client does: put a blob, name it, and have that written down."""
        self.put(which, steps, 3, resumable=True)
        self.name(which, -1, how)
        self.commit()

    @rule(which=WHICH, steps=STEPS, data=st.data())
    def finish(self, which: int, steps: int, data: st.DataObject) -> None:
        """Finish the one task of a job, with a result that is a blob."""
        jobs = [job for job in self.open if self.unfinished(job)]
        if not jobs:
            return
        blob = self.claimed(which, steps)
        job = data.draw(st.sampled_from(jobs))
        if blob is None or job not in self.open:
            return
        self.sequence += 1
        record = Outcomes(self.sequence, job, "w", 2.0, [0], [1], [0.1], [blob])
        self.server.queue.append(record)

    def unfinished(self, job: int) -> bool:
        queued = [r for r in self.server.queue if isinstance(r, Outcomes) and r.job == job]
        row = self.known(job)
        return not queued and (row is None or not row.counts.done)

    @rule()
    def commit(self) -> None:
        records, self.server.queue = self.server.queue, []
        trio.run(self.store.commit, records)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """End a job: it is removed with the next look."""
        if self.open:
            job = data.draw(st.sampled_from(sorted(self.open)))
            self.server.queue.append(JobCancelled(job, 2.0))
            del self.open[job]

    # --- and go ---------------------------------------------------------------------------------

    @rule(
        steps=STEPS,
        what=st.sampled_from(["_remove_jobs", "_remove_dropped", "_sweep", "_remove_jobs"]),
    )
    def look(self, steps: int, what: str) -> None:
        self.run(steps, self.server.look(what))

    @rule()
    def wait_and_look(self) -> None:
        """Let nobody do anything for a day: a full disk, on which nothing is written either."""
        self.pass_time(90_000.0)
        for what in ("_remove_jobs", "_remove_dropped", "_sweep"):
            self.look(-1, what)

    @rule(which=WHICH, how=st.sampled_from(["payload", "input", "output", "saved"]))
    def name_on_a_slow_disk(self, which: int, how: str) -> None:
        """Name a blob in what is written down much later."""
        self.name(which, -1, how)
        self.wait_and_look()
        self.commit()

    @rule(which=WHICH)
    def ask_for_what_is_about_to_go(self, which: int) -> None:
        """Ask for a blob in the last moment before it is removed."""
        self.drop(which)
        self.pass_time(limits.BLOB_YOUNG_SECONDS - 1)
        self.ask(which, -1)
        self.pass_time(2.0)
        self.look(-1, "_remove_dropped")

    @rule(which=WHICH)
    def drop(self, which: int) -> None:
        """Say that something does not name a blob any more."""
        self.server.retention.drop(BLOBS[which].digest)

    # --- what must hold -------------------------------------------------------------------------

    @invariant()
    def no_blob_is_torn(self) -> None:
        for blob, data in zip(BLOBS, CONTENTS, strict=True):
            path = self.server.blobs.path(blob.digest)
            assert path is None or path.read_bytes() == data

    @invariant()
    def no_blob_is_lost_that_is_named(self) -> None:
        used = set(trio.run(self.store.used_blobs, bytes(32), b"\xff" * 32))
        for digest in used | named(self.server.queue):
            assert self.server.blobs.path(digest) is not None, "a blob that is named is lost"

    @invariant()
    def no_blob_goes_that_was_just_asked_for(self) -> None:
        for which, since in self.asked.items():
            if since + limits.BLOB_TOUCH_SECONDS < limits.BLOB_YOUNG_SECONDS:
                assert self.server.blobs.path(BLOBS[which].digest) is not None

    def all_goes_that_nothing_names(self) -> None:
        self.asked.clear()
        self.start()
        for row in trio.run(self.store.jobs, None, 1000):
            trio.run(self.store.commit, [JobCancelled(row.job, 2.0)])
        self.pass_time(10 * limits.BLOB_KEEP_SECONDS)
        for what in ("_remove_jobs", "_sweep"):
            trio.run(self.server.look(what))
        late = time.time() + 10 * limits.BLOB_KEEP_SECONDS
        trio.run(self.server.blobs._remove, self.server.blobs._partials.superfluous(late, 10**12))
        left = [path for path in self.folder.rglob("*") if path.is_file()]
        assert left == [], "files stay for ever"


def _is_killed(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_killed(one) for one in error.exceptions)
    return isinstance(error, Killed) or (
        error.__context__ is not None and _is_killed(error.__context__)
    )


BlobLife.TestCase.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
TestBlobLife = BlobLife.TestCase
