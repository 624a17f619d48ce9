"""What figures come to, counted the plain way: what the real ones are held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from dc.messages_parts import Failure
from dc.records import Outcomes
from dc.server.failure_groups import group_key
from dc.server.figures import BOUNDS, Figures


def micros(seconds: float) -> int:
    return int((seconds if seconds <= 1e9 else 1e9) * 1e6 + 0.5)


def summed(figures: Figures) -> dict[str, Any]:
    """Return what figures say, as far as no bound was passed."""
    figures.bins.validate()
    return {
        "count": figures.count,
        "micros": figures.micros,
        "times": figures.times,
        "workers": {
            name: (one.done, one.failed, one.micros)
            for name, one in figures.workers.items()
            if one.done or one.failed
        },
        "failures": {key: group.count for key, group in figures.failures.groups.items()},
        "lanes": {
            name: (sum(lane.busy.values()), sum(lane.failed.values()))
            for name, lane in figures.bins.lanes.items()
            if any(lane.busy.values()) or lane.failed
        },
    }


def counted(records: Iterable[Outcomes]) -> dict[str, Any]:
    """Return the same, counted task by task."""
    times = [0] * (len(BOUNDS) + 1)
    count, total = 0, 0
    workers: dict[str, tuple[int, int, int]] = {}
    failures: Counter[str] = Counter()
    for record in records:
        for time, outcome in zip(record.times, record.outcomes, strict=True):
            count += 1
            failed = isinstance(outcome, Failure)
            if isinstance(outcome, Failure):
                failures[group_key(outcome.kind, outcome.error)] += 1
            if record.worker:
                total += micros(time)
                times[sum(time > bound for bound in BOUNDS)] += 1
                done, bad, took = workers.get(record.worker, (0, 0, 0))
                row = done + (not failed), bad + failed, took + micros(time)
                workers[record.worker] = row
    return {
        "count": count,
        "micros": total,
        "times": times,
        "workers": workers,
        "failures": dict(failures),
        "lanes": {n: (took, bad) for n, (_, bad, took) in workers.items() if took or bad},
    }
