"""Jobs as they are listed, and tasks in a state, in the store's twin in memory."""

from __future__ import annotations

from collections.abc import Iterable

from dc.records import JobFilter, JobRow, Place, TaskEnd, TaskRow, ascii_lower
from dc.store_memory_job import MemoryJob, stored_task


def page_of(
    jobs: Iterable[MemoryJob], wanted: JobFilter, after: Place | None, limit: int
) -> tuple[list[JobRow], Place | None]:
    """Return the jobs of a page, and where to go on; see dc.store.Store."""
    rows = (job.row() for job in jobs if not job.removed)
    places = [(_order(Place.of(row, wanted.sort)), row) for row in rows if _fits(row, wanted)]
    places.sort(key=lambda pair: pair[0], reverse=wanted.down)
    if after is not None:
        begin = _order(after)
        places = [p for p in places if (p[0] < begin if wanted.down else p[0] > begin)]
    found = [row for _, row in places[:limit]]
    more = len(found) == limit and found
    return found, Place.of(found[-1], wanted.sort) if more else None


def tasks_in(
    job: MemoryJob, state: TaskEnd, first: int, limit: int
) -> tuple[list[TaskRow], int | None]:
    """Return tasks of a job in a state, and where to go on; see dc.store.Store."""
    total = len(job.payloads)
    if first < 0 or limit < 1:
        return [], None
    numbers = [n for n in range(first, total) if _is_in(job, n, state)]
    following = numbers[limit - 1] + 1 if len(numbers) >= limit else total
    rows = [stored_task(job, number, False) for number in numbers[:limit]]
    return rows, following if following < total else None


def _is_in(job: MemoryJob, number: int, state: TaskEnd) -> bool:
    if state == "failed":
        return number in job.failed
    finished = number in job.finished
    if state == "done":
        return finished and number not in job.failed
    return finished == (state == "finished")


def _order(place: Place) -> tuple[float | bytes, int]:
    key = place.key.encode() if isinstance(place.key, str) else place.key
    return key, place.job


def _fits(row: JobRow, wanted: JobFilter) -> bool:
    return (
        wanted.type in ("", row.type)
        and wanted.submitter in ("", row.options.submitter)
        and ascii_lower(wanted.search) in ascii_lower(row.options.name)
        and (wanted.states is None or _end(row) in wanted.states or row.job in wanted.live)
    )


def _end(row: JobRow) -> str:
    if row.finished_at is None:
        return ""
    if row.cancelled_at is not None:
        return "cancelled"
    return "failed" if row.counts.failed else "done"
