"""Jobs as they are listed, and tasks of a job in a state: pages that the store looks up."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from dc import limits, limits_store
from dc.records import JobFilter, JobRow, Place, TaskEnd, ascii_lower
from dc.store_rows import integers, job_row, to_json

END = limits.MAX_NUMBER + 1


def listed(
    connection: sqlite3.Connection,
    queries: Mapping[str, str],
    wanted: JobFilter,
    after: Place | None,
    limit: int,
) -> tuple[list[JobRow], Place | None]:
    """Return jobs, and where to go on; see dc.store.Store."""
    newest = wanted.sort == "job" and wanted.down
    query = "listed_by_job" if newest else "listed_down" if wanted.down else "listed_up"
    values = {
        **_conditions(wanted),
        "sort": wanted.sort,
        "below": limits.MAX_JOB + 1 if after is None else after.job,
        "key": None if after is None else after.key,
        "after": None if after is None else after.job,
        "limit": limit,
    }
    numbers = integers(connection.execute(queries[query], values).fetchone()[0])
    found = connection.execute(queries["jobs_among"], {"numbers": to_json(numbers)}).fetchall()
    by_number = {row.job: row for row in map(job_row, found)}
    rows = [by_number[job] for job in numbers if job in by_number]
    more = len(numbers) == limit and rows
    return rows, Place.of(rows[-1], wanted.sort) if more else None


def _conditions(wanted: JobFilter) -> dict[str, str]:
    states = wanted.states
    return {
        "type": wanted.type,
        "submitter": wanted.submitter,
        "search": ascii_lower(wanted.search),
        "states": "" if states is None else f",{','.join(sorted(states))},",
        "live": to_json(list(wanted.live)),
    }


def numbers_in(
    connection: sqlite3.Connection,
    queries: Mapping[str, str],
    job: int,
    state: TaskEnd,
    first: int,
    total: int,
    limit: int,
) -> tuple[list[int], int | None]:
    """Return the numbers of tasks in a state, and where to go on.

    Args:
        connection: to the database.
        queries: by name.
        job: whose tasks.
        state: as in dc.store.Store.
        first: the first number that is looked at.
        total: how many tasks the job has.
        limit: so many numbers at most.
    """
    found: list[int] = []
    looked = first
    stop = total if state == "failed" else min(total, first + limits_store.LOOKED_TASKS)
    while looked < stop and len(found) < limit:
        end = stop if state == "failed" else min(looked + limits_store.READ_TASKS, stop)
        left = limit - len(found)
        values = {"job": job, "first": looked, "end": end, "limit": left}
        part = _part(connection, queries, state, values)[:left]
        found += part
        looked = part[-1] + 1 if len(part) == left else end
    return found, looked if looked < total else None


def _part(
    connection: sqlite3.Connection,
    queries: Mapping[str, str],
    state: TaskEnd,
    values: Mapping[str, int],
) -> list[int]:
    def numbers(query: str, **changed: int) -> list[int]:
        row = connection.execute(queries[query], {**values, **changed}).fetchone()
        return integers(row[0])

    if state == "failed":
        return numbers("failures_from")
    if state == "done":
        return numbers("done_from")
    if state == "finished":
        return numbers("finished_from")
    span = range(values["first"], values["end"])
    (count,) = connection.execute(queries["finished_count"], values).fetchone()
    if count in (0, len(span)):
        return list(span[: values["limit"]]) if count == 0 else []
    finished = set(numbers("finished_from", limit=-1))
    return [number for number in span if number not in finished]
