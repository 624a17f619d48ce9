"""Finished jobs are kept for a while, then removed in small steps; so are blobs that nobody names.

A job that somebody follows, or that is in memory for another reason, is left for later, even when
its removal has begun: whoever has found it can read it to its end.

A blob is removed when nothing in the store names it, nothing that is on its way there does, and
nobody has put it or asked for it of late. Whoever is about to name one has claimed it, which makes
it young (dc/blobs.py): so what is asked first, what is on its way to the store or what is in it,
makes no difference to what comes later. Blobs whose last use went are removed within minutes,
others once they are found by a look through the whole folder.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager

import trio

from dc import limits_store as limits
from dc.blobs import BlobFolder
from dc.errors import StoreError
from dc.log_fields import about
from dc.server.keep import Keep
from dc.store import Store

log = logging.getLogger("dc.server")


class Retention:
    """Removes what has been kept for long enough.

    Args:
        store: of the jobs.
        blobs: their large payloads and results.
        followed: gives the jobs that must stay for now.
        keep: what is kept, for now.
        wall: gives the Unix time in seconds.

    Attributes:
        keep: what is kept.
        jobs: how many jobs were removed since the start.
        blobs: how many blobs were.
        blob_bytes: their bytes.
        removing: the job that is being removed, or 0: whoever asks for it now comes too late.
        named: gives the blobs that records on their way to the store name.
        written: waits until what is on its way to the store now is there.
        freed: is told who had submitted a job that was removed, and how many bytes it had.
        forget_plugin: is told the digest of a plugin that no job will run any more.
    """

    def __init__(
        self,
        store: Store,
        blobs: BlobFolder,
        followed: Callable[[], Collection[int]],
        keep: Keep,
        wall: Callable[[], float],
    ) -> None:
        self.jobs = self.blobs = self.blob_bytes = 0
        self._store = store
        self._folder = blobs
        self._followed = followed
        self.keep = keep
        self._wall = wall
        self._holds = 0
        self._dropped: deque[tuple[float, bytes]] = deque()
        self._trouble = self._stuck = ""
        self.removing = 0
        self.named: Callable[[], set[bytes]] = set
        self.written: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
        self.freed: Callable[[str, int], object] = _nobody
        self.forget_plugin: Callable[[bytes], object] = _nobody

    def drop(self, digest: bytes) -> None:
        """Remove a blob after a while, unless something names it then."""
        if len(self._dropped) < limits.DROPPED_BLOBS:
            self._dropped.append((self._wall() + limits.BLOB_YOUNG_SECONDS, digest))

    async def run(self) -> None:
        """Look for what is to be removed, for as long as it is not cancelled."""
        swept = trio.current_time()
        while True:
            await trio.sleep(limits.RETENTION_SECONDS)
            try:
                await self._remove_jobs()
                await self._remove_plugins()
                await self._remove_dropped()
                # Not at the start: a worker may be on its way back with results in blobs.
                if trio.current_time() - swept >= limits.BLOB_SWEEP_SECONDS:
                    swept = trio.current_time()
                    await self._sweep()
                self._trouble = ""
            except StoreError as error:
                if str(error) != self._trouble:
                    log.error("what has been kept for long enough cannot be removed: %s", error)
                self._trouble = str(error)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Remove no blob meanwhile."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1

    def view(self) -> dict[str, float]:
        """Return what is kept and what was removed since the start."""
        return {
            "keep_days": self.keep.days,
            "keep_jobs": self.keep.jobs,
            "removed_jobs": self.jobs,
            "removed_blobs": self.blobs,
            "removed_blob_bytes": self.blob_bytes,
        }

    async def _remove_jobs(self) -> None:
        keep, followed = self.keep, self._followed()
        before = self._wall() - keep.days * 86400 if keep.days else 0.0
        limit = limits.RETENTION_JOBS + len(followed)
        for job in await self._store.removable(before, keep.jobs, limit):
            if job not in self._followed():
                await self._remove_job(job)

    async def _remove_job(self, job: int) -> None:
        self.removing = job
        try:
            await self._remove_steps(job)
        finally:
            self.removing = 0

    async def _remove_steps(self, job: int) -> None:
        while True:
            coming = self.named()
            removed = await self._store.remove(job, limits.REMOVE_ROWS)
            await self._remove_or_drop([d for d in removed.blobs if d not in coming])
            if not removed.more:
                break
            await trio.sleep(limits.REMOVE_PAUSE_SECONDS)
            if job in self._followed():
                return
        self.freed(removed.submitter, removed.bytes)
        self.jobs += 1
        log.info("job %d is removed%s", job, self.keep.text, extra=about(job=job))

    async def _remove_plugins(self) -> None:
        """Forget the plugins that no job runs and no new one will."""
        with trio.move_on_after(limits.RETENTION_SECONDS):
            await self.written()  # a job that was submitted just before another plugin came
            before = self._wall() - limits.PLUGIN_KEEP_SECONDS
            for digest in await self._store.drop_plugins(before):
                self.forget_plugin(digest)
                self.drop(digest)

    async def _remove_dropped(self) -> None:
        now = self._wall()
        while self._dropped and self._dropped[0][0] <= now:
            digest = self._dropped.popleft()[1]
            coming = self.named()
            if digest not in coming and not await self._store.used_blobs(digest, digest):
                await self._remove_blobs([digest], limits.BLOB_YOUNG_SECONDS)

    async def _remove_or_drop(self, digests: list[bytes]) -> None:
        """Remove blobs now or, those that are young, after a while."""
        for digest in await self._remove_blobs(digests, limits.BLOB_YOUNG_SECONDS):
            self.drop(digest)

    async def _sweep(self) -> None:
        """Remove the blobs that no job names, of which nobody was told."""
        for part in range(256):
            coming = self.named()
            there = await self._folder.part(part)
            first, last = (bytes([part]) + bytes([rest]) * 31 for rest in (0, 255))
            used = coming.union(await self._store.used_blobs(first, last))
            unused = [digest for digest in there if digest not in used]
            await self._remove_blobs(unused, limits.BLOB_KEEP_SECONDS)

    async def _remove_blobs(self, digests: list[bytes], age: float) -> list[bytes]:
        """Remove blobs that are of this age, in seconds; return those that stay.

        One that the disk does not let go is told of, and keeps no other here.
        """
        before, staying = self._wall() - age, []
        for digest in digests:
            size = None if self._holds else await self._remove_blob(digest, before)
            self.blobs += size is not None
            self.blob_bytes += size or 0
            if size is None:
                staying.append(digest)
        return staying

    async def _remove_blob(self, digest: bytes, before: float) -> int | None:
        try:
            return await self._folder.remove_old(digest, before)
        except StoreError as error:
            if str(error) != self._stuck:
                log.error("blob cannot be removed: %s", error, extra=about(blob=digest.hex()))
            self._stuck = str(error)
            return None


def _nobody(*_: object) -> None:
    """Stand in for a part that is not there."""
