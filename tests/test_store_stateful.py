"""Both stores through the same random life: they always say the same, across reopening too."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, get_args

import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dc.errors import StoreConflict
from dc.messages_client import Options
from dc.messages_parts import Blob, Failure, Outcome, Payload
from dc.records import (
    AttemptEnd,
    AttemptEnds,
    Attempts,
    JobCancelled,
    JobChanged,
    JobEnded,
    JobFigures,
    JobFilter,
    Leases,
    NewJob,
    NewPlugin,
    NewTasks,
    Outcomes,
    Place,
    Record,
    Retried,
    SubmitterChanged,
    TaskCheckpoint,
    TaskEnd,
    TaskOutput,
    WorkerRow,
    Workers,
)
from dc.store import Store
from dc.store_memory import MemoryStore
from dc.store_sqlite import SqliteStore, open_store

JOBS = st.integers(1, 3)
NUMBERS = st.integers(0, 40)
LIMITS = st.integers(1, 20)
SECONDS = st.floats(0, 1e12, allow_nan=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
KEYS = st.sampled_from(["", "a", "b"])
DIGESTS = st.binary(min_size=1, max_size=1).map(lambda one: one * 32)
BLOBS = st.builds(Blob, st.binary(min_size=32, max_size=32) | DIGESTS, st.integers(0, 2**50))
PAYLOADS: st.SearchStrategy[Payload] = st.binary(max_size=12) | BLOBS
OUTCOMES: st.SearchStrategy[Outcome] = PAYLOADS | st.builds(Failure, TEXT, TEXT, TEXT)


class Twins(RuleBasedStateMachine):
    """A SQLite store, its twin, and records that mostly, but not always, fit."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.memory = MemoryStore()
        self.totals: dict[int, int] = {}
        self.sequence = 0
        self.store: SqliteStore

    async def _open(self) -> SqliteStore:
        return await open_store(Path(self.folder.name), wal_bytes=20_000, wal_bytes_most=60_000)

    @initialize()
    def start(self) -> None:
        self.store = trio.run(self._open)

    def teardown(self) -> None:
        assert trio.run(self.store.check) == []
        trio.run(self.store.aclose)
        self.folder.cleanup()

    @rule()
    def reopen(self) -> None:
        trio.run(self.store.aclose)
        self.store = trio.run(self._open)

    def commit(self, *records: Record) -> None:
        told = []
        for store in (self.store, self.memory):
            try:
                trio.run(store.commit, records)
                told.append("")
            except StoreConflict as error:
                text = str(error)
                told.append(text if "outcome already" in text else "refused")
        assert told[0] == told[1]
        if not told[0]:
            for record in records:
                if isinstance(record, NewTasks):
                    at = self.totals.get(record.job, 0)
                    self.totals[record.job] = at + len(record.payloads)

    @rule(
        job=JOBS,
        name=TEXT,
        created=SECONDS,
        requires=st.dictionaries(TEXT, TEXT, max_size=2),
        key=KEYS,
        submitter=KEYS,
        inputs=st.dictionaries(TEXT, BLOBS, max_size=2),
        plugin=DIGESTS | st.just(b""),
    )
    def submit(
        self,
        job: int,
        name: str,
        created: float,
        requires: dict[str, str],
        key: str,
        submitter: str,
        inputs: dict[str, Blob],
        plugin: bytes,
    ) -> None:
        options = Options(name=name, requires=requires, submitter=submitter, inputs=inputs)
        self.commit(NewJob(job, name, name, options, "bytes", "msgpack", created, key, plugin))

    @rule(
        digest=DIGESTS,
        size=st.integers(0, 2**62),
        name=KEYS,
        text=TEXT,
        added=st.integers(0, 9),
        signer=st.binary(max_size=3),
    )
    def add_plugin(
        self, digest: bytes, size: int, name: str, text: str, added: int, signer: bytes
    ) -> None:
        texts = (text.encode(), text.encode())
        self.commit(NewPlugin(digest, size, name, *texts, float(added), signer, signer))

    @rule(before=st.integers(0, 10))
    def drop_plugins(self, before: int) -> None:
        self.same(lambda store: store.drop_plugins, float(before))

    @rule(job=JOBS, payloads=st.lists(PAYLOADS, max_size=12), shift=st.sampled_from([0, 0, 0, 1]))
    def add_tasks(self, job: int, payloads: list[Payload], shift: int) -> None:
        self.commit(NewTasks(job, self.totals.get(job, 0) + shift, payloads))

    @rule(job=JOBS, shift=st.sampled_from([0, 0, 0, 1]), at=SECONDS)
    def end(self, job: int, shift: int, at: float) -> None:
        self.commit(JobEnded(job, self.totals.get(job, 0) + shift, at))

    @rule(job=JOBS, at=SECONDS)
    def cancel(self, job: int, at: float) -> None:
        self.commit(JobCancelled(job, at, "why not" if at > 1 else ""))

    @rule(job=JOBS, name=TEXT, priority=st.integers(-5, 5), paused=st.booleans())
    def change(self, job: int, name: str, priority: int, paused: bool) -> None:
        self.commit(JobChanged(job, Options(name=name, priority=priority), paused))

    @rule(
        job=JOBS, numbers=st.sets(NUMBERS, max_size=4), valid=st.sampled_from([True, True, False])
    )
    def retry(self, job: int, numbers: set[int], valid: bool) -> None:
        if valid:
            rows = trio.run(self.memory.tasks, job, 0, 50, True)
            numbers = {row.number for row in rows[: 1 + len(numbers)]}
        self.commit(Retried(job, sorted(numbers), [7] * len(numbers)))

    @rule(name=TEXT, weight=st.sampled_from([0.5, 1.0, 2.0]))
    def weigh(self, name: str, weight: float) -> None:
        self.commit(SubmitterChanged(name, weight))

    @rule(job=JOBS, numbers=st.lists(NUMBERS, max_size=5))
    def read_settled(self, job: int, numbers: list[int]) -> None:
        self.same(lambda store: store.settled, job, numbers)

    @rule(data=st.data(), job=JOBS, unique=st.sampled_from([True, True, True, False]))
    def finish(self, data: st.DataObject, job: int, unique: bool) -> None:
        below = st.integers(0, max(self.totals.get(job, 0) - 1, 0))
        numbers = data.draw(st.lists(below, unique=unique, max_size=8))
        count = len(numbers)
        self.sequence += 1
        record = Outcomes(
            sequence=self.sequence,
            job=job,
            worker=data.draw(TEXT),
            at=data.draw(SECONDS),
            numbers=numbers,
            attempts=data.draw(st.lists(NUMBERS, min_size=count, max_size=count)),
            times=data.draw(st.lists(SECONDS, min_size=count, max_size=count)),
            outcomes=data.draw(st.lists(OUTCOMES, min_size=count, max_size=count)),
        )
        self.commit(Attempts(job, numbers, [2] * count, [1] * count, [0] * count), record)

    @rule(job=JOBS, pairs=st.dictionaries(NUMBERS, NUMBERS, max_size=4))
    def attempt(self, job: int, pairs: dict[int, int]) -> None:
        values = list(pairs.values())
        self.commit(Attempts(job, list(pairs), values, list(pairs), values))

    @rule(job=JOBS, worker=KEYS, pairs=st.dictionaries(NUMBERS, NUMBERS, max_size=4))
    def lease(self, job: int, worker: str, pairs: dict[int, int]) -> None:
        self.commit(Leases(job, worker, list(pairs), list(pairs.values())))

    @rule(
        key=KEYS, name=TEXT, seen=SECONDS, state=TEXT, labels=st.dictionaries(TEXT, TEXT), gone=KEYS
    )
    def remember(
        self, key: str, name: str, seen: float, state: str, labels: dict[str, str], gone: str
    ) -> None:
        row = WorkerRow(key, name, name, seen, labels=labels, state=state)
        self.commit(Workers([row], [gone]))

    @rule(
        job=JOBS,
        number=NUMBERS,
        head=st.binary(max_size=5),
        tail=st.binary(max_size=5),
        whole=st.none() | BLOBS,
    )
    def write(self, job: int, number: int, head: bytes, tail: bytes, whole: Blob | None) -> None:
        self.commit(TaskOutput(job, number, number, head, tail, len(head + tail), whole))
        self.same(lambda store: store.output, job, number)

    @rule(job=JOBS, number=NUMBERS, attempts=st.lists(NUMBERS, max_size=4), at=SECONDS, text=TEXT)
    def end_attempts(
        self, job: int, number: int, attempts: list[int], at: float, text: str
    ) -> None:
        ends = [AttemptEnd(number, n, text, "error", at, at / 3, None, text) for n in attempts]
        self.commit(AttemptEnds(job, ends))
        self.same(lambda store: store.attempt_ends, job, number, 3)

    @rule(job=JOBS, sequence=st.integers(0, 9), data=st.binary(max_size=9))
    def figure(self, job: int, sequence: int, data: bytes) -> None:
        self.commit(JobFigures(job, sequence, data))

    @rule(job=JOBS, number=NUMBERS, attempt=NUMBERS, data=PAYLOADS)
    def save(self, job: int, number: int, attempt: int, data: Payload) -> None:
        self.commit(TaskCheckpoint(job, number, attempt, data))
        self.same(lambda store: store.checkpoints, job, [number, 0, 1, 77])

    @rule(before=SECONDS, keep=st.integers(0, 2), limit=st.integers(1, 9), all_=st.booleans())
    def remove(self, before: float, keep: int, limit: int, all_: bool) -> None:
        self.same(lambda store: store.removable, before, keep, 5)
        for job in trio.run(self.memory.removable, before, keep, 5):
            if all_:
                assert self.remove_whole(self.store, job, limit) == self.remove_whole(
                    self.memory, job, limit
                )
                self.totals.pop(job, None)

    def remove_whole(self, store: Store, job: int, limit: int) -> tuple[list[bytes], str, int]:
        blobs: list[bytes] = []
        while (removed := trio.run(store.remove, job, limit)).more:
            blobs += removed.blobs
        return sorted(blobs + removed.blobs), removed.submitter, removed.bytes

    @rule(before=SECONDS)
    def hide(self, before: float) -> None:
        """Begin to remove a job, and leave it at that."""
        for job in trio.run(self.memory.removable, before, 0, 5):
            if trio.run(self.memory.job, job) is not None:
                assert trio.run(self.store.remove, job, 1) == trio.run(self.memory.remove, job, 1)

    def same(self, ask: Callable[[Store], Callable[..., Awaitable[Any]]], *arguments: Any) -> None:
        assert trio.run(ask(self.store), *arguments) == trio.run(ask(self.memory), *arguments)

    @rule(job=JOBS, after=st.integers(0, 10), size=st.integers(0, 2000), tasks=st.integers(0, 20))
    def read_outcomes(self, job: int, after: int, size: int, tasks: int) -> None:
        self.same(lambda store: store.outcomes_after, job, after, size)
        self.same(lambda store: store.bare_outcomes, job, after, size)
        self.same(lambda store: store.figures, job)

    @rule(job=JOBS, first=NUMBERS, tasks=st.integers(1, 20))
    def read_in_order(self, job: int, first: int, tasks: int) -> None:
        self.same(lambda store: store.outcomes_from, job, first, 1 << 30, tasks)

    @rule(job=JOBS, first=NUMBERS, limit=st.integers(0, 20), flag=st.booleans())
    def read_tasks(self, job: int, first: int, limit: int, flag: bool) -> None:
        self.same(lambda store: store.unfinished, job, first, limit)
        self.same(lambda store: store.tasks, job, first, limit, flag)
        self.same(lambda store: store.task, job, first, flag)

    @rule(job=JOBS, state=st.sampled_from(get_args(TaskEnd)), first=NUMBERS, limit=LIMITS)
    def read_tasks_in_a_state(self, job: int, state: TaskEnd, first: int, limit: int) -> None:
        self.same(lambda store: store.tasks_in, job, state, first, limit)

    @rule(
        limit=LIMITS,
        wanted=st.builds(
            JobFilter,
            states=st.none() | st.frozensets(st.sampled_from(["done", "failed", "cancelled"])),
            live=st.lists(JOBS, max_size=2).map(tuple),
            type=st.sampled_from(["", "demo", "other"]),
            submitter=st.sampled_from(["", "a"]),
            search=st.sampled_from(["", "", "a", "É"]) | TEXT,
            sort=st.sampled_from(["job", "created", "finished", "name"]),
            down=st.booleans(),
        ),
    )
    def read_lists(self, wanted: JobFilter, limit: int) -> None:
        after: Place | None = None
        seen: list[int] = []
        while True:
            self.same(lambda store: store.listed, wanted, after, limit)
            rows, after = trio.run(self.memory.listed, wanted, after, limit)
            seen += [row.job for row in rows]
            if after is None:
                break
        assert len(seen) == len(set(seen))
        if wanted == JobFilter():
            assert seen == [row.job for row in trio.run(self.memory.jobs, None, 100)]

    @rule(data=st.data(), job=JOBS)
    def read_payloads(self, data: st.DataObject, job: int) -> None:
        if self.totals.get(job, 0):
            numbers = data.draw(st.lists(st.integers(0, self.totals[job] - 1), max_size=8))
            self.same(lambda store: store.payloads, job, numbers)

    @invariant()
    def they_say_the_same(self) -> None:
        if hasattr(self, "store"):
            self.same(lambda store: store.totals)
            self.same(lambda store: store.next_ids)
            self.same(lambda store: store.open_jobs)
            self.same(lambda store: store.jobs, None, 10)
            self.same(lambda store: store.leased)
            self.same(lambda store: store.submitters)
            self.same(lambda store: store.plugins)
            self.same(lambda store: store.usage)
            self.same(lambda store: store.workers)
            self.same(lambda store: store.checkpointed)
            self.same(lambda store: store.used_blobs, bytes(32), bytes([255] * 32))
            self.same(lambda store: store.job_of_key, "a")


Twins.TestCase.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)
TestTwins = Twins.TestCase
