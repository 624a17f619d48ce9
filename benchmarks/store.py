"""Measure ways to write tasks and outcomes durably beside a busy event loop: JSON lines.

    python -m benchmarks.store [--seconds 3] [--folder DIR] [--ways WAY ...]

The loop plays ping-pong over a socket pair and computes for `slice_us` microseconds each turn
(null: there is no such loop). Each commit holds 4 batches of 1,000 tasks of 64 bytes. The ways:

    executemany   one row a task, bound row by row
    spread        one row a task, a statement a batch: the batch is bound as few values, which
                  json_each() and substr() spread
    store-greedy  dc.store_sqlite, one statement a commit, with a loop that never gives way
    store         dc.store_sqlite as it is

`cpu_us` is the processor time of the writing thread for each task; `turns_s` is what the loop got
done; `turns_alone_s` is what it gets done without a writer. Compared with earlier runs is the way
`store`, and of it only what the disk does not decide.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import trio

from benchmarks.figures import show
from dc import limits_store as limits
from dc.messages_client import Options
from dc.messages_parts import Outcome, Payload
from dc.records import JobEnded, NewJob, NewTasks, Outcomes, Record
from dc.store_file import connect, make_durable
from dc.store_sqlite import SqliteStore, open_store

BATCH = 1000
BATCHES = 4
AT_ONCE = 250_000  # tasks without payloads, for those that are to be finished
MOST_A_SECOND = 2_500_000  # tasks; no way finishes more
VALUE = bytes(range(64))
KEY = 1 << 32

ROWS = """
CREATE TABLE tasks (task INTEGER PRIMARY KEY, payload BLOB);
CREATE TABLE results (task INTEGER PRIMARY KEY, sequence INT, attempt INT, time REAL, value BLOB);
"""
SPREAD_TASKS = """
INSERT INTO tasks SELECT ?1 + key, substr(?2, (value >> 20) + 1, value & 1048575)
FROM json_each(?3)
"""
SPREAD_RESULTS = """
INSERT INTO results
SELECT ?1 | value, ?2, CAST(substr(?5, key * 18 + 1, 4) AS INT),
       CAST(substr(?5, key * 18 + 5, 14) AS REAL),
       substr(?3, CAST(substr(?4, key * 16 + 1, 8) AS INT) + 1,
              CAST(substr(?4, key * 16 + 9, 8) AS INT))
FROM json_each(?6)
"""

WAYS = ["executemany", "spread", "store-greedy", "store"]

Commit: TypeAlias = Callable[[Sequence[Record]], Awaitable[None]]


class RowStore:
    """One row a task, written by `insert`."""

    def __init__(self, folder: Path, insert: Callable[[sqlite3.Connection, Record], None]) -> None:
        self._connection = connect(folder / "rows.sqlite3")
        make_durable(self._connection)
        self._connection.executescript(ROWS)
        self._insert = insert

    async def commit(self, records: Sequence[Record]) -> None:
        await trio.to_thread.run_sync(self._commit, records)

    def _commit(self, records: Sequence[Record]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for record in records:
            self._insert(self._connection, record)
        self._connection.execute("COMMIT")

    async def aclose(self) -> None:
        await trio.to_thread.run_sync(self._connection.close)


def row_by_row(connection: sqlite3.Connection, record: Record) -> None:
    if isinstance(record, NewTasks):
        rows: list[tuple[Any, ...]] = [
            (KEY | number, payload) for number, payload in enumerate(record.payloads, record.first)
        ]
        connection.executemany("INSERT INTO tasks VALUES (?, ?)", rows)
    elif isinstance(record, Outcomes):
        columns = (record.numbers, record.attempts, record.times, record.outcomes)
        rows = [(KEY | n, record.sequence, a, t, o) for n, a, t, o in zip(*columns, strict=True)]
        connection.executemany("INSERT INTO results VALUES (?, ?, ?, ?, ?)", rows)


def spread(connection: sqlite3.Connection, record: Record) -> None:
    pieces: Any
    if isinstance(record, NewTasks):
        pieces = record.payloads
        ends = itertools.accumulate(map(len, pieces))
        places = [(end - len(p)) << 20 | len(p) for end, p in zip(ends, pieces, strict=True)]
        values = (KEY | record.first, b"".join(pieces), json.dumps(places))
        connection.execute(SPREAD_TASKS, values)
    elif isinstance(record, Outcomes):
        pieces = record.outcomes
        ends = itertools.accumulate(map(len, pieces))
        flat: list[Any] = [0] * (2 * len(pieces))
        flat[0::2] = [end - len(piece) for end, piece in zip(ends, pieces, strict=True)]
        flat[1::2] = map(len, pieces)
        where = (b"%08d%08d" * len(pieces)) % tuple(flat)
        flat[0::2], flat[1::2] = record.attempts, record.times
        about = (b"%04d%014.9f" * len(pieces)) % tuple(flat)
        numbers = json.dumps(record.numbers)
        given = (KEY, record.sequence, b"".join(pieces), where, about, numbers)
        connection.execute(SPREAD_RESULTS, given)


def batches(what: str, at: int) -> list[Record]:
    """Return the records of one commit."""
    found: list[Record] = []
    for batch in range(at * BATCHES, (at + 1) * BATCHES):
        if what == "submit":
            payloads: list[Payload] = [VALUE] * BATCH
            found.append(NewTasks(1, batch * BATCH, payloads))
        else:
            numbers = list(range(batch * BATCH, (batch + 1) * BATCH))
            ones, times = [1] * BATCH, [0.00012345] * BATCH
            outcomes: list[Outcome] = [VALUE] * BATCH
            record = Outcomes(batch + 1, 1, "worker", 1.5, numbers, ones, times, outcomes)
            found.append(record)
    return found


async def busy_loop(slice_us: int, turns: list[int]) -> None:
    one, other = trio.socket.socketpair()
    with one, other:
        while True:
            await one.send(b"x" * 100)
            await other.recv(1000)
            end = time.perf_counter_ns() + slice_us * 1000
            while time.perf_counter_ns() < end:
                pass
            turns[0] += 1


async def beside(slice_us: int | None, work: Callable[[], Awaitable[None]]) -> float:
    """Run the work beside the loop; return the loop's turns per second."""
    turns = [0]
    begin = time.perf_counter()
    async with trio.open_nursery() as nursery:
        if slice_us is not None:
            nursery.start_soon(busy_loop, slice_us, turns)
        await work()
        nursery.cancel_scope.cancel()
    return round(turns[0] / (time.perf_counter() - begin))


async def nothing() -> None:
    await trio.sleep(1)


async def measure(
    commit: Commit, what: str, slice_us: int | None, seconds: float
) -> dict[str, Any]:
    waits: list[float] = []

    async def write() -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            records = batches(what, len(waits))
            begin = time.perf_counter()
            await commit(records)
            waits.append(time.perf_counter() - begin)

    turns = await beside(slice_us, write)
    waits.sort()
    return {
        "tasks_s": round(len(waits) * BATCH * BATCHES / sum(waits)),
        "commit_p50_ms": round(waits[len(waits) // 2] * 1000, 2),
        "commit_p99_ms": round(waits[int(len(waits) * 0.99)] * 1000, 2),
        "commits": len(waits),
        "turns_s": turns,
    }


async def prepared(store: SqliteStore, what: str, tasks: int) -> None:
    await store.commit([NewJob(1, "demo", "1", Options(), "bytes", "bytes", 1.0)])
    if what == "finish":
        for first in range(0, tasks, AT_ONCE):
            empty: list[Payload] = [b""] * AT_ONCE
            await store.commit([NewTasks(1, first, empty)])
        await store.commit([JobEnded(1, tasks, 1.0)])


class Timed:
    """Adds up the processor time of a blocking function."""

    def __init__(self, work: Callable[[Any], None]) -> None:
        self.seconds = 0.0
        self._work = work

    def __call__(self, records: Any) -> None:
        begin = time.thread_time()
        self._work(records)
        self.seconds += time.thread_time() - begin


async def run(way: str, what: str, slice_us: int | None, seconds: float, folder: Path) -> None:
    store: RowStore | SqliteStore
    if way.startswith("store"):
        store = await open_store(folder)
        await prepared(store, what, math.ceil(seconds * MOST_A_SECOND / AT_ONCE) * AT_ONCE)
    else:
        store = RowStore(folder, row_by_row if way == "executemany" else spread)
    timed = Timed(store._commit)
    store._commit = timed  # type: ignore[method-assign]
    found = await measure(store.commit, what, slice_us, seconds)
    cpu = timed.seconds / (found["commits"] * BATCH * BATCHES) * 1e6
    line = {"way": way, "what": what, "slice_us": slice_us} | found | {"cpu_us": round(cpu, 3)}
    print(json.dumps(line), flush=True)
    if way == "store":
        beside = "alone" if slice_us is None else f"beside slices of {slice_us} µs"
        show(f"{what} {beside}, a task", cpu, "µs")
        show(f"{what} {beside}", found["tasks_s"], "tasks/s", compared=False)
    await store.aclose()


async def read(slice_us: int | None, folder: Path) -> None:
    """Measure reads of what 100 batches left."""
    store = await open_store(folder)
    await store.commit([NewJob(1, "demo", "1", Options(), "bytes", "bytes", 1.0)])
    for at in range(25):
        await store.commit(batches("submit", at))
        await store.commit(batches("finish", at))
    asks: dict[str, Callable[[int], Awaitable[Any]]] = {
        "payloads": lambda at: store.payloads(1, range(at * 1000, at * 1000 + 1000)),
        "outcomes_after": lambda at: store.outcomes_after(1, at, 1),
        "outcomes_from": lambda at: store.outcomes_from(1, at * 1000, 1 << 20, 1000),
    }
    for what, ask in asks.items():
        waits: list[float] = []

        async def work(
            ask: Callable[[int], Awaitable[Any]] = ask, waits: list[float] = waits
        ) -> None:
            for at in range(100):
                begin = time.perf_counter()
                await ask(at)
                waits.append(time.perf_counter() - begin)

        turns = await beside(slice_us, work)
        line: dict[str, Any] = {"read": what, "slice_us": slice_us, "tasks_each": 1000}
        each = round(sorted(waits)[50] * 1000, 2), round(max(waits) * 1000, 2)
        line |= {"p50_ms": each[0], "most_ms": each[1], "turns_s": turns}
        print(json.dumps(line), flush=True)
    await store.aclose()


async def main(seconds: float, folder: str | None, ways: Sequence[str]) -> None:
    print(json.dumps({"sqlite": sqlite3.sqlite_version, "processors": os.cpu_count()}))
    giving_way = limits.GIVE_WAY_SECONDS
    for slice_us in (None, 0, 50, 500):
        if slice_us is not None:
            turns = await beside(slice_us, nothing)
            print(json.dumps({"slice_us": slice_us, "turns_alone_s": turns}), flush=True)
        for way in ways:
            greedy = way == "store-greedy"
            limits.GIVE_WAY_SECONDS = math.inf if greedy else giving_way  # type: ignore[misc]
            for what in ("submit", "finish"):
                with tempfile.TemporaryDirectory(dir=folder) as place:
                    await run(way, what, slice_us, seconds, Path(place))
        with tempfile.TemporaryDirectory(dir=folder) as place:
            await read(slice_us, Path(place))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--folder", help="on the disk to measure; default: the system's own")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    options = parser.parse_args()
    trio.run(main, options.seconds, options.folder, options.ways)
