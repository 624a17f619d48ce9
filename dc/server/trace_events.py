"""A job as a trace in the Trace Event Format, which Perfetto and Chrome show: JSON, piece by piece.

Each worker is a process, and its threads are rows in which its attempts lie without overlapping.
Which attempt is in which row is settled as they come, in the order of their ends, so that no more
than the ends of the rows is in memory: what began before the row's last one ended goes to another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from dc.view_jobs import JobView, Span

JOB_PROCESS = 1
"""The process that stands for the job itself."""

MICROSECONDS = 1_000_000
ROWS_MOST = 4096
"""Of a worker, rows; what fits in none of them is left out."""

Event = dict[str, Any]


class TraceEvents:
    """Makes the events of a trace.

    Args:
        job: the job.
        limit: attempts, at most.
        now: the Unix time: attempts that run end there.
    """

    def __init__(self, job: JobView, limit: int, now: float) -> None:
        self._job = job
        self._left = limit
        self._now = now
        self._origin = job.created
        self._processes: dict[str, int] = {}
        self._rows: dict[str, list[int]] = {}

    @property
    def full(self) -> bool:
        """Whether as many attempts are in it as may be."""
        return self._left <= 0

    def begin(self) -> Iterator[Event]:
        """Yield the events of the job itself."""
        job = self._job
        text = f"job {job.job}: {job.name or job.type}"
        yield _named("process_name", JOB_PROCESS, 0, text)
        yield self._instant("submitted", job.created)
        if job.started_at is not None:
            yield self._instant("started", job.started_at)
        if job.finished_at is not None:
            yield self._instant(job.state, job.finished_at)

    def attempts(self, spans: Iterable[Span]) -> Iterator[Event]:
        """Yield the events of attempts, whose ends ascend over all calls as far as may be."""
        for span in spans:
            if self.full:
                return
            yield from self._attempt(span)

    def _attempt(self, span: Span) -> Iterator[Event]:
        if span.worker not in self._processes:
            process = self._processes[span.worker] = len(self._processes) + JOB_PROCESS + 1
            self._rows[span.worker] = []
            yield _named("process_name", process, 0, span.worker)
        begin = self._at(span.began)
        end = max(self._at(self._now if span.ended is None else span.ended), begin)
        row, fresh = self._row(span.worker, begin, end)
        process = self._processes[span.worker]
        if row < 0:
            return
        if fresh:
            yield _named("thread_name", process, row, f"row {row}")
        self._left -= 1
        yield {
            "name": f"task {span.number}",
            "cat": span.end,
            "ph": "X",
            "ts": begin,
            "dur": end - begin,
            "pid": process,
            "tid": row,
            "args": {"task": span.number, "attempt": span.attempt, "end": span.end},
        }

    def _row(self, worker: str, begin: int, end: int) -> tuple[int, bool]:
        """Return the row of an attempt, from 1, and whether it is a new one; -1 for none."""
        ends = self._rows[worker]
        free = [at for at, last in enumerate(ends) if last <= begin]
        if free:
            at = max(free, key=ends.__getitem__)  # the one with the smallest gap
            ends[at] = end
            return at + 1, False
        if len(ends) >= ROWS_MOST:
            return -1, False
        ends.append(end)
        return len(ends), True

    def _at(self, unix: float) -> int:
        """Return microseconds since the job was submitted, and 0 for what was before."""
        return max(0, round((unix - self._origin) * MICROSECONDS))

    def _instant(self, name: str, at: float) -> Event:
        where = {"pid": JOB_PROCESS, "tid": 0, "s": "g"}
        return {"name": name, "cat": "job", "ph": "i", "ts": self._at(at), **where}


def encoded(events: Iterable[Event], *, first: bool) -> bytes:
    """Return events as elements of a JSON list; those that are not the first follow others."""
    parts = [msgspec.json.encode(event) for event in events]
    return (b"" if first or not parts else b",\n") + b",\n".join(parts)


def _named(what: str, process: int, thread: int, name: str) -> Event:
    where = {"pid": process, "tid": thread}
    return {"name": what, "ph": "M", "ts": 0, **where, "args": {"name": name}}
