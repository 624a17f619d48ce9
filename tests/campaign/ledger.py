"""The outside ledger: what ran, what was recorded, and whether the two agree."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from dc import limits_worker as limits
from dc.messages_parts import Blob

Rows: TypeAlias = Iterable[tuple[int, int, str]]
"""Recorded tasks: number, attempt, the unique id in the result."""

SHOWN: Final = 10
"""Numbers of tasks that a problem names, at most."""
AWAY_SECONDS: Final = limits.RECONNECT_SECONDS_MOST
"""That a worker may still be away after the fault that cut it off, and run what it holds."""
UNEXPLAINED: Final = "unexplained"


class Execution(Struct, frozen=True):
    """One line of the ledger: a task was begun; `worker` and `executor` are pids."""

    job: int
    number: int
    attempt: int
    worker: int
    executor: int
    unique: str
    at: float


class Happened(Struct):
    """A fault as it was done: to which processes (of the server's, none), from when until when."""

    kind: str
    victim: str
    pids: list[int]
    start: float
    end: float


class Verdict(Struct):
    """What a comparison has found: what is wrong, and figures."""

    problems: list[str] = []
    figures: dict[str, object] = {}

    def check(self, numbers: Iterable[int], what: str) -> None:
        """Note these tasks as a problem, if there are any."""
        found = sorted(set(numbers))
        if found:
            shown = ", ".join(map(str, found[:SHOWN])) + (", …" if len(found) > SHOWN else "")
            self.problems.append(f"{len(found)} tasks {what}: {shown}")


def executions(folder: Path) -> list[Execution]:
    """Return the whole ledger, in the order of time."""
    found = []
    for path in folder.glob("*.ledger"):
        for line in path.read_text().splitlines():
            job, number, attempt, worker, executor, unique, at = line.split()
            found.append(
                Execution(int(job), int(number), int(attempt), int(worker), int(executor), unique,
                          float(at))
            )  # fmt: skip
    return sorted(found, key=lambda one: one.at)


def stored(data: Path, job: int, verdict: Verdict) -> list[tuple[int, int, str]]:
    """Return what the database of a stopped server says was recorded; note what is amiss in it."""
    rows = []
    with closing(sqlite3.connect(f"file:{database(data)}?mode=ro", uri=True)) as connection:
        (state,) = connection.execute("PRAGMA integrity_check").fetchone()
        if state != "ok":
            verdict.problems.append(f"the database is damaged: {state}")
        query = "SELECT number, attempt, kind, outcome FROM outcomes WHERE job = ?"
        for number, attempt, kind, outcome in connection.execute(query, [job]):
            rows.append((number, attempt, _unique(data, kind, outcome)))
        query = "SELECT count(*) FROM finished WHERE task >> 32 = ?"
        (finished,) = connection.execute(query, [job]).fetchone()
    if finished != len(rows):
        verdict.problems.append(f"{finished} tasks are marked as finished, {len(rows)} recorded")
    return rows


def database(data: Path) -> Path:
    """Return the database file in a data folder."""
    (path,) = [path for path in data.iterdir() if path.suffix in (".sqlite", ".sqlite3", ".db")]
    return path


def _unique(data: Path, kind: str, outcome: bytes) -> str:
    if kind == "f":
        return "failed: " + bytes(outcome).decode(errors="replace")[:300]
    if kind == "b":
        name = msgspec.json.decode(outcome, type=Blob).name
        outcome = (data / "blobs" / name[:2] / name[2:]).read_bytes()
    unique: str = msgspec.msgpack.decode(outcome)["unique"]
    return unique


def compare(
    verdict: Verdict, job: int, total: int, ran: Sequence[Execution], rows: Rows, where: str
) -> dict[int, tuple[int, str]]:
    """Compare what was recorded with the ledger; return it by number: attempt, unique id.

    Args:
        verdict: takes what is wrong.
        job: the job's number.
        total: tasks that it has.
        ran: the ledger.
        rows: what was recorded.
        where: it says so, for messages.
    """
    rows = list(rows)
    by_unique = {one.unique: one for one in ran}
    counts = Counter(number for number, _, _ in rows)
    verdict.check((n for n, times in counts.items() if times > 1), f"are doubled {where}")
    verdict.check(set(range(total)) - set(counts), f"are missing {where}")
    verdict.check(set(counts) - set(range(total)), f"are not of the job, {where}")
    failed = [(number, text) for number, _, text in rows if text.startswith("failed")]
    verdict.check((number for number, _ in failed), f"failed {where}")
    if failed:
        verdict.problems.append(f"the first of them: {failed[0][1]}")
    wrong = []
    for number, attempt, unique in rows:
        one = by_unique.get(unique)
        told = (one.job, one.number, one.attempt) if one is not None else None
        if told != (job, number, attempt) and not unique.startswith("failed"):
            wrong.append(number)
    verdict.check(wrong, f"have a result {where} that no execution of that attempt made")
    return {number: (attempt, unique) for number, attempt, unique in rows}


def repeated(
    ran: Sequence[Execution],
    faults: Sequence[Happened],
    names: dict[int, str],
) -> Counter[str]:
    """Return how many executions were not the first of their task, by the fault that is the reason.

    Args:
        ran: the ledger.
        faults: what was done.
        names: of workers, by the pids of their processes.
    """
    of_task: dict[int, list[Execution]] = defaultdict(list)
    for one in ran:
        of_task[one.number].append(one)
    return Counter(
        reason(pair, faults, names) for runs in of_task.values() for pair in pairwise(runs)
    )


ORDER: Final = [
    "executor",
    "worker",
    "stop",
    "link",
    "cut",
    "freeze",
    "throttle",
    "delay",
    "server",
]
"""Kinds of faults, those first that explain most certainly why a task was run again."""


def reason(
    runs: tuple[Execution, Execution], faults: Sequence[Happened], names: dict[int, str]
) -> str:
    """Return the kind of fault that explains why a task was run again after an execution.

    Args:
        runs: the execution, and the next one.
        faults: what was done.
        names: of workers, by the pids of their processes.
    """
    since, until = runs[0].at - AWAY_SECONDS, runs[1].at
    pids = {pid for one in runs for pid in (one.executor, one.worker)}
    victims = {"server", *(names.get(one.worker) for one in runs)}
    kinds = {
        fault.kind
        for fault in faults
        if fault.start <= until
        and fault.end >= since
        and (fault.victim in victims or not pids.isdisjoint(fault.pids))
    }
    return next((kind for kind in ORDER if kind in kinds), UNEXPLAINED)
