"""Reads from the store what the reactor asks for."""

from __future__ import annotations

import logging

import trio

from dc import limits, limits_shown, limits_store
from dc._columns import weigh
from dc.errors import StoreError
from dc.messages_parts import Payload
from dc.records import JobFigures
from dc.server.events import (
    Action,
    Answered,
    CheckpointsLoaded,
    Continue,
    Continued,
    Event,
    HeadLoaded,
    JobLoaded,
    KeyLoaded,
    LoadBare,
    LoadCheckpoints,
    LoadFailed,
    LoadFigures,
    LoadHead,
    LoadJob,
    LoadKey,
    LoadOutcomes,
    LoadPayloads,
    LoadSettled,
    LoadUnfinished,
    OutcomesLoaded,
    PayloadsLoaded,
    PayloadsPrefetched,
    Prefetch,
)
from dc.server.retention import Retention
from dc.store import Store

log = logging.getLogger("dc.server")

RETRY_SECONDS = 1.0
"""Between two tries to read what the store could not give."""


class Loads:
    """What takes time to be answered.

    Args:
        store: where jobs, tasks and results are.
        retention: what removes jobs; one that is just being removed is not found.
    """

    def __init__(self, store: Store, retention: Retention) -> None:
        self._store = store
        self._retention = retention

    async def answer_at_last(self, action: Action) -> Event:
        """Do what `answer` does; a store that cannot be read is asked again."""
        before = ""
        while True:
            try:
                return await self.answer(action)
            except StoreError as error:
                if str(error) != before:
                    log.error("the store cannot be read, and is asked again: %s", error)
                before = str(error)
                await trio.sleep(RETRY_SECONDS)

    async def answer(self, action: Action) -> Event:
        """Read what an action asks for; return the event that brings it.

        Raises:
            StoreError: the store cannot be read.
        """
        match action:
            case LoadPayloads(peer, job, numbers, attempts, alternative):
                payloads = await self._store.payloads(job, numbers)
                return PayloadsLoaded(peer, job, numbers, attempts, payloads, alternative)
            case LoadCheckpoints(peer, job, numbers, attempts, payloads, alternative):
                found = await self._store.checkpoints(job, numbers)
                columns = numbers, attempts, payloads
                return CheckpointsLoaded(peer, job, *columns, found, alternative)
            case LoadOutcomes():
                return await self._load_outcomes(action)
            case LoadHead(job, first, limit):
                return await self._load_head(job, first, limit)
            case Prefetch(job, first, count):
                return await self._prefetch(job, first, count)
            case LoadJob(job):
                row = await self._store.job(job)
                return JobLoaded(job, row if job != self._retention.removing else None)
            case LoadUnfinished(job, first, limit, then):
                return Answered(then, await self._store.unfinished(job, first, limit))
            case LoadFailed(job, first, limit, then):
                return Answered(then, await self._store.tasks(job, first, limit, failed=True))
            case LoadSettled(job, numbers, then):
                return Answered(then, await self._store.settled(job, numbers))
            case LoadFigures(job, then):
                return Answered(then, await self._load_figures(job))
            case LoadBare(job, after, then):
                size = limits_shown.FIGURES_READ_BYTES
                return Answered(then, await self._store.bare_outcomes(job, after, size))
            case LoadKey(key):
                return KeyLoaded(key, await self._store.job_of_key(key))
            case Continue(job):
                await trio.lowlevel.checkpoint()
                return Continued(job)
        raise AssertionError(action)

    async def _load_outcomes(self, action: LoadOutcomes) -> OutcomesLoaded:
        if action.ordered:
            records = await self._store.outcomes_from(
                action.job, action.cursor, action.size, limits_store.COMMIT_TASKS
            )
        else:
            records = await self._store.outcomes_after(action.job, action.cursor, action.size)
        return OutcomesLoaded(action.peer, action.request, records)

    async def _load_figures(self, job: int) -> tuple[JobFigures | None, int]:
        written, row = await self._store.figures(job), await self._store.job(job)
        return written, row.retried if row is not None else 0

    async def _load_head(self, job: int, first: int, limit: int) -> HeadLoaded:
        tasks = await self._store.unfinished(job, first, limit)
        whole = len(tasks.numbers) < limit
        return HeadLoaded(tasks, limits.MAX_NUMBER + 1 if whole else tasks.numbers[-1] + 1)

    async def _prefetch(self, job: int, first: int, count: int) -> PayloadsPrefetched:
        """Read payloads, a batch's worth at a time, until there are enough bytes of them."""
        payloads: list[Payload] = []
        size, end = 0, first + count
        while first + len(payloads) < end and size < limits.PREFETCH_BYTES:
            start = first + len(payloads)
            stop = min(start + limits.BATCH_TASKS - start % limits.BATCH_TASKS, end)
            part = await self._store.payloads(job, range(start, stop))
            payloads += part
            size += weigh(part).bytes
        return PayloadsPrefetched(job, first, payloads)
