"""Finished jobs are kept for a while, then removed in small steps; so are blobs that nobody names.

A job that somebody follows, or that is in memory for another reason, is left for later, even when
its removal has begun: whoever has found it can read it to its end.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import trio
from msgspec import Struct

from dc import limits
from dc.blobs import BlobFolder
from dc.errors import StoreError
from dc.store import Store

log = logging.getLogger("dc.server")


class Keep(Struct, frozen=True):
    """For how many days finished jobs are kept, and how many of them; 0 means no limit."""

    days: float = limits.KEEP_DAYS
    jobs: int = limits.KEEP_JOBS

    @property
    def text(self) -> str:
        """What to tell who asks for a job that is gone."""
        if not (self.days or self.jobs):
            return ""
        days = f" for {self.days:g} days" if self.days else ""
        most = f"{',' if days else ''} at most the newest {self.jobs:,}" if self.jobs else ""
        return f" (finished jobs are kept{days}{most})"


class Retention:
    """Removes what has been kept for long enough.

    Args:
        store: of the jobs.
        blobs: their large payloads and results.
        followed: gives the jobs that must stay for now.
        keep: what is kept.
        wall: gives the Unix time in seconds.

    Attributes:
        jobs: how many jobs were removed since the start.
        blobs: how many blobs were.
        blob_bytes: their bytes.
        removing: the job that is being removed, or 0: whoever asks for it now comes too late.
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
        self._keep = keep
        self._wall = wall
        self._holds = 0
        self._dropped: deque[tuple[float, bytes]] = deque()
        self._trouble = ""
        self.removing = 0

    def drop(self, digest: bytes) -> None:
        """Remove a blob after a while, unless something names it then."""
        if len(self._dropped) < limits.CHECKPOINT_BLOBS:
            self._dropped.append((self._wall() + limits.CHECKPOINT_KEEP_SECONDS, digest))

    async def run(self) -> None:
        """Look for what is to be removed, for as long as it is not cancelled."""
        swept = trio.current_time()
        while True:
            await trio.sleep(limits.RETENTION_SECONDS)
            try:
                await self._remove_jobs()
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
            "keep_days": self._keep.days,
            "keep_jobs": self._keep.jobs,
            "removed_jobs": self.jobs,
            "removed_blobs": self.blobs,
            "removed_blob_bytes": self.blob_bytes,
        }

    async def _remove_jobs(self) -> None:
        keep, followed = self._keep, self._followed()
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
            removed = await self._store.remove(job, limits.REMOVE_ROWS)
            await self._remove_blobs(removed.blobs)
            if not removed.more:
                break
            await trio.sleep(limits.REMOVE_PAUSE_SECONDS)
            if job in self._followed():
                return
        self.jobs += 1
        log.info("job %d is removed%s", job, self._keep.text)

    async def _remove_dropped(self) -> None:
        now = self._wall()
        while self._dropped and self._dropped[0][0] <= now:
            digest = self._dropped.popleft()[1]
            if not await self._store.used_blobs(digest, digest):
                await self._remove_blobs([digest], limits.CHECKPOINT_KEEP_SECONDS)

    async def _sweep(self) -> None:
        """Remove the blobs that no job names, of which nobody was told."""
        for part in range(256):
            there = await self._folder.part(part)
            first, last = (bytes([part]) + bytes([rest]) * 31 for rest in (0, 255))
            used = set(await self._store.used_blobs(first, last))
            await self._remove_blobs([digest for digest in there if digest not in used])

    async def _remove_blobs(
        self, digests: list[bytes], age: float = limits.BLOB_KEEP_SECONDS
    ) -> None:
        before = self._wall() - age
        for digest in digests:
            if not self._holds:
                size = await self._folder.remove_old(digest, before)
                self.blobs += size is not None
                self.blob_bytes += size or 0
