"""The reading half of the SQLite store. All of it blocks; a Reader is for one thread at a time."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter, lt
from pathlib import Path
from typing import Any, TypeVar

from dc import limits, limits_store, store_check, store_figures, store_listed, store_rows
from dc.errors import UnknownTask
from dc.messages_client import Counts
from dc.messages_parts import Payload
from dc.records import (
    AttemptEnd,
    JobFigures,
    JobFilter,
    JobRow,
    Outcomes,
    Place,
    PluginRow,
    TaskEnd,
    TaskOutput,
    TaskRow,
    Unfinished,
    WorkerRow,
)
from dc.store_access import AccessReader
from dc.store_file import queries, told_plainly
from dc.store_pieces import Batch, StoredOutcomes
from dc.store_rows import NO_TRIES, columns, integers, task_row, to_json
from dc.store_shown import ShownReader

T = TypeVar("T")

END = limits.MAX_NUMBER + 1


class Reader:
    """Answers the questions of dc.store.Store over one connection, which it does not close."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        connection.execute("PRAGMA query_only = 1")
        self._connection = connection
        self._path = path
        self._queries = queries()
        self.shown = ShownReader(connection, self._queries)
        self.admitted = AccessReader(connection, self._queries)

    def ask(self, question: Callable[[Reader], T]) -> T:
        """Return the question's answer.

        Raises:
            StoreError: the database cannot be read.
        """
        with told_plainly(self._path):
            return question(self)

    def _one(self, name: str, **values: object) -> Any:
        return self._connection.execute(self._queries[name], values).fetchone()

    # --- jobs -----------------------------------------------------------------------------------

    def identity(self) -> str:
        """See Store."""
        (identity,) = self._one("identity")
        return str(identity)

    def next_ids(self) -> tuple[int, int]:
        """See Store."""
        job, sequence = self._one("next_ids")
        return job, sequence

    def jobs(self, query: str, **values: int | str) -> list[JobRow]:
        """Return the jobs that a query finds."""
        found = self._connection.execute(self._queries[query], values).fetchall()
        return [store_rows.job_row(row) for row in found]

    def listed(
        self, wanted: JobFilter, after: Place | None, limit: int
    ) -> tuple[list[JobRow], Place | None]:
        """See Store."""
        return store_listed.listed(self._connection, self._queries, wanted, after, limit)

    def submitters(self) -> dict[str, float]:
        """See Store."""
        return dict(self._connection.execute(self._queries["submitters"]).fetchall())

    def usage(self) -> dict[str, int]:
        """See Store."""
        return dict(self._connection.execute(self._queries["usage"]).fetchall())

    def plugins(self) -> list[PluginRow]:
        """See Store."""
        found = self._connection.execute(self._queries["plugins"]).fetchall()
        return [store_rows.plugin_row(row) for row in found]

    def _total(self, job: int) -> int:
        found = self.jobs("job", job=job) if 0 <= job <= limits.MAX_JOB else []
        return found[0].counts.total if found else 0

    def totals(self) -> Counts:
        """See Store."""
        total, done, failed, cancelled = self._one("totals")
        queued = total - done - failed - cancelled
        return Counts(total=total, queued=queued, done=done, failed=failed, cancelled=cancelled)

    def removable(self, before: float, keep: int, limit: int) -> list[int]:
        """See Store."""
        return integers(self._one("removable", before=before, keep=keep, limit=limit)[0])

    def used_blobs(self, first: bytes, last: bytes) -> list[bytes]:
        """See Store."""
        (names,) = self._one("used_blobs", first=first.hex(), last=last.hex())
        return [bytes.fromhex(name) for name in store_rows.texts(names)]

    def check(self) -> list[str]:
        """See Store."""
        return store_check.check(self._connection)

    # --- payloads -------------------------------------------------------------------------------

    def payloads(self, job: int, numbers: Sequence[int]) -> list[Payload]:
        """See Store."""
        if numbers and numbers[-1] - numbers[0] == len(numbers) - 1 and _ascend(numbers):
            run = range(numbers[0], numbers[-1] + 1)
            row: list[Payload] = []
            for part, batch in self._parts(job, run):
                row += batch.payloads(part)
            if len(row) == len(numbers):
                return row
        found = dict(self._payloads(job, sorted(set(numbers))))
        try:
            return [found[number] for number in numbers]
        except KeyError as error:
            raise UnknownTask(f"job {job} has no task {error.args[0]}") from None

    def _payloads(self, job: int, numbers: list[int]) -> Iterator[tuple[int, Payload]]:
        for part, batch in self._parts(job, numbers):
            yield from zip(part, batch.payloads(part), strict=True)

    def _payload_sizes(self, job: int, numbers: list[int]) -> Iterator[tuple[int, int]]:
        for part, batch in self._parts(job, numbers, "batches_bare"):
            yield from zip(part, batch.sizes(part), strict=True)

    def _parts(
        self, job: int, numbers: Sequence[int], query: str = "batches"
    ) -> Iterator[tuple[Sequence[int], Batch]]:
        """Find the batches of ascending numbers; yield with each its part of these."""
        numbers = numbers[bisect_left(numbers, 0) : bisect_left(numbers, END)]
        if not numbers or not 0 <= job <= limits.MAX_JOB:
            return
        if isinstance(numbers, range):
            run = {"first": numbers[0], "last": numbers[-1]}
            keys, sizes = self._one("batches_between", job=job, **run)
        else:
            keys, sizes = self._one("batches_of", job=job, numbers=to_json(numbers))
        for group in _groups(integers(keys), integers(sizes)):
            for batch in store_rows.batches(self._one(query, keys=to_json(group))):
                yield _among(batch, numbers), batch

    # --- outcomes -------------------------------------------------------------------------------

    def outcomes_after(
        self, job: int, after: int, limit_bytes: int, *, bare: bool = False
    ) -> list[Outcomes]:
        """See Store; `bare` leaves the results out."""
        values = {"job": job, "bytes": max(limit_bytes, 1), "most": limits_store.READ_RECORDS}
        (retried,) = self._one("retried", job=job)
        while True:
            sequences, _ = self._one("records_after", after=after, **values)
            records = self._records(job, sequences, "bare_records" if bare else "records")
            if not retried:
                return [record.whole() for record in records]
            standing = [part for record in records if (part := self._standing(job, record))]
            if standing or not records:
                return standing
            after = records[-1].sequence

    def _standing(self, job: int, record: StoredOutcomes) -> Outcomes | None:
        """Return a record without the outcomes that were set aside; None if that is all."""
        asked = to_json(record.numbers)
        lists = [integers(text) for text in self._one("finished_among", job=job, numbers=asked)]
        now = dict(zip(*lists, strict=True))
        places = [
            place
            for place, number in enumerate(record.numbers)
            if now.get(number) == record.sequence
        ]
        return record.part(places) if places else None

    def _records(self, job: int, sequences: str, query: str = "records") -> list[StoredOutcomes]:
        return store_rows.stored_outcomes(job, self._one(query, sequences=sequences))

    def outcomes_from(
        self, job: int, first: int, limit_bytes: int, limit_tasks: int
    ) -> list[Outcomes]:
        """See Store."""
        values = {"job": job, "first": first, "end": END, "limit": max(limit_tasks, 1)}
        lists = [integers(text) for text in self._one("finished_from", **values)]
        numbers, sequences = lists
        # Within the unbroken run, a number is as far from `first` as it is in the list.
        run = bisect_right(range(len(numbers)), first, key=lambda at: numbers[at] - at)
        del sequences[run:]
        taken = self._first_records(list(dict.fromkeys(sequences)), limit_bytes)
        records = {record.sequence: record for record in self._records(job, to_json(taken))}
        found = []
        for sequence, group in groupby(sequences):
            if sequence not in records:
                break
            end = first + sum(1 for _ in group)
            found.append(records[sequence].of(range(first, end)))
            first = end
        return found

    def _first_records(self, sequences: list[int], limit_bytes: int) -> list[int]:
        sizes = dict(zip(*self._sizes(sequences), strict=True))
        taken: list[int] = []
        for sequence in sequences:
            if taken and limit_bytes <= 0:
                break
            taken.append(sequence)
            limit_bytes -= sizes[sequence]
        return taken

    def _sizes(self, sequences: Iterable[int]) -> list[list[int]]:
        row = self._one("record_bytes", sequences=to_json(list(sequences)))
        return [integers(text) for text in row]

    # --- what tasks tell of themselves ----------------------------------------------------------

    def output(self, job: int, number: int) -> TaskOutput | None:
        """See Store."""
        if not (0 <= job <= limits.MAX_JOB and 0 <= number <= limits.MAX_NUMBER):
            return None
        return store_rows.task_output(job, number, self._one("output", job=job, number=number))

    def attempt_ends(self, job: int, first: int, limit: int) -> list[AttemptEnd]:
        """See Store."""
        if not (0 <= job <= limits.MAX_JOB and 0 <= first <= limits.MAX_NUMBER):
            return []
        found = self._one("attempt_ends", job=job, first=first, limit=limit)
        return store_figures.ends(found[0])

    def figures(self, job: int) -> JobFigures | None:
        """See Store."""
        found = self._one("figures", job=job) if 0 <= job <= limits.MAX_JOB else None
        return store_figures.figures(job, found)

    def checkpoints(self, job: int, numbers: Sequence[int]) -> dict[int, Payload]:
        """See Store."""
        asked = to_json(list(numbers))
        return store_rows.checkpoints(self._one("checkpoints_among", job=job, numbers=asked))

    def checkpointed(self) -> list[tuple[int, int]]:
        """See Store."""
        return [(job, number) for job, number in columns(self._one("checkpointed")[0])]

    # --- tasks ----------------------------------------------------------------------------------

    def unfinished(self, job: int, first: int, limit: int) -> Unfinished:
        """See Store."""
        total = self._total(job)
        numbers: list[int] = []
        while first < total and len(numbers) < limit:
            end = min(first + limits_store.READ_TASKS, total)
            numbers.extend(self._unfinished(job, first, end))
            first = end
        del numbers[limit:]
        known: dict[int, tuple[int, int, int]] = {}
        workers: dict[int, str] = {}
        if numbers:
            ends = {"job": job, "first": numbers[0], "last": numbers[-1]}
            known = _attempts(self._one("attempts_between", **ends))
            leases = store_rows.leases(self._one("leases_between", **ends)[0])
            workers = {number: worker for _, number, _, worker in leases}
        return _with_past(job, numbers, known, workers)

    def workers(self) -> list[WorkerRow]:
        """See Store."""
        return store_rows.workers(self._one("workers")[0])

    def leased(self) -> list[Unfinished]:
        """See Store."""
        leases = store_rows.leases(self._one("leases")[0])
        found = []
        for job, rows in groupby(leases, key=itemgetter(0)):
            workers = {number: worker for _, number, _, worker in rows}
            asked = to_json(list(workers))
            known = _attempts(self._one("attempts_among", job=job, numbers=asked))
            found.append(_with_past(job, list(workers), known, workers))
        return found

    def settled(self, job: int, numbers: Sequence[int]) -> tuple[list[int], list[int]]:
        """See Store."""
        asked = to_json(list(numbers))
        failed = set(integers(self._one("failures_among", job=job, numbers=asked)[0]))
        finished = integers(self._one("finished_among", job=job, numbers=asked)[0])
        return sorted(set(finished) - failed), sorted(failed)

    def _unfinished(self, job: int, first: int, end: int) -> Iterable[int]:
        (count,) = self._one("finished_count", job=job, first=first, end=end)
        if count == 0:
            return range(first, end)
        if count == end - first:
            return ()
        row = self._one("finished_from", job=job, first=first, end=end, limit=-1)
        finished = set(integers(row[0]))
        return [number for number in range(first, end) if number not in finished]

    def tasks(
        self, job: int, first: int, limit: int, failed: bool, outcome: bool = False
    ) -> list[TaskRow]:
        """See Store; `outcome` asks for the outcomes as well."""
        total = self._total(job)
        if not (0 <= first < total and limit > 0):
            return []
        numbers = list(range(first, min(first + limit, total)))
        if failed:
            numbers = integers(self._one("failures_from", job=job, first=first, limit=limit)[0])
        return self._tasks(job, numbers, outcome)

    def tasks_in(
        self, job: int, state: TaskEnd, first: int, limit: int
    ) -> tuple[list[TaskRow], int | None]:
        """See Store."""
        total = self._total(job)
        if not (0 <= first < total and limit > 0):
            return [], None
        numbers, following = store_listed.numbers_in(
            self._connection, self._queries, job, state, first, total, limit
        )
        return self._tasks(job, numbers), following

    def _tasks(self, job: int, numbers: list[int], outcome: bool = False) -> list[TaskRow]:
        asked = to_json(numbers)
        tries = _attempts(self._one("attempts_among", job=job, numbers=asked))
        finished = self._finished(job, asked)
        return [
            task_row(job, number, size, finished.get(number), tries.get(number, NO_TRIES), outcome)
            for number, size in self._payload_sizes(job, numbers)
        ]

    def _finished(self, job: int, asked: str) -> dict[int, Outcomes]:
        """Return a record of one task for each that is finished."""
        lists = [integers(text) for text in self._one("finished_among", job=job, numbers=asked)]
        by_sequence: dict[int, list[int]] = {}
        for number, sequence in zip(*lists, strict=True):
            by_sequence.setdefault(sequence, []).append(number)
        found = {}
        for group in _groups(*self._sizes(by_sequence)):
            for record in self._records(job, to_json(group)):
                for number in by_sequence[record.sequence]:
                    found[number] = record.of([number])
        return found


def _groups(keys: list[int], sizes: list[int]) -> Iterator[list[int]]:
    """Cut a list of keys so that each part stays below limits_store.READ_BYTES, where it can."""
    group: list[int] = []
    room = limits_store.READ_BYTES
    for key, size in zip(keys, sizes, strict=True):
        if group and size > room:
            yield group
            group, room = [], limits_store.READ_BYTES
        group.append(key)
        room -= size
    if group:
        yield group


def _ascend(numbers: Sequence[int]) -> bool:
    """Whether numbers that are as many as from the first to the last are all of these."""
    return isinstance(numbers, range) or all(map(lt, numbers, islice(numbers, 1, None)))


def _among(batch: Batch, numbers: Sequence[int]) -> Sequence[int]:
    begin = bisect_left(numbers, batch.first)
    return numbers[begin : bisect_left(numbers, batch.first + batch.count)]


def _attempts(row: tuple[str]) -> dict[int, tuple[int, int, int]]:
    return {n: (attempts, crashes, failures) for n, attempts, crashes, failures in columns(row[0])}


def _with_past(
    job: int,
    numbers: list[int],
    tries: dict[int, tuple[int, int, int]],
    workers: dict[int, str],
) -> Unfinished:
    """Return tasks with what is known of some of them."""
    size = len(numbers)
    if not tries and not workers:
        return Unfinished(job, numbers, [0] * size, [0] * size, [0] * size, [""] * size)
    rows = [tries.get(number, NO_TRIES) for number in numbers]
    return Unfinished(
        job=job,
        numbers=numbers,
        attempts=[attempts for attempts, _, _ in rows],
        crashes=[crashes for _, crashes, _ in rows],
        failures=[failures for _, _, failures in rows],
        workers=[workers.get(number, "") for number in numbers],
    )
