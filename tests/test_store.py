"""What every store keeps: the same tests over the file and over its twin in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from dc import limits_shown, limits_store
from dc.errors import StoreConflict, UnknownTask
from dc.messages_client import Counts, Options
from dc.messages_parts import Blob, Failure, Outcome, Payload
from dc.messages_worker import Appliance
from dc.records import (
    AttemptEnd,
    AttemptEnds,
    Attempts,
    JobCancelled,
    JobEnded,
    JobFigures,
    Leases,
    NewJob,
    NewPlugin,
    NewTasks,
    Outcomes,
    Record,
    TaskCheckpoint,
    TaskOutput,
    Unfinished,
    WorkerRow,
    Workers,
)
from dc.store import Store
from dc.store_memory import MemoryStore
from dc.store_pace import Pace
from dc.store_sqlite import open_store

Open: TypeAlias = Callable[[], AbstractAsyncContextManager[Store]]

BLOB = Blob(bytes(range(32)), 1 << 40)
ALL = (bytes(32), b"\xff" * 32)
FAILURE = Failure("error", "it said: “no”\n\x00", "Traceback …")


@pytest.fixture(params=["sqlite", "memory"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Give the test a way to open the same store, again and again."""
    memory = MemoryStore()

    @asynccontextmanager
    async def opened() -> AsyncIterator[Store]:
        store: Store = await open_store(tmp_path) if request.param == "sqlite" else memory
        try:
            yield store
        finally:
            await store.aclose()

    return opened


def new_job(job: int = 1, **changes: Any) -> NewJob:
    options = Options(name="a \x00 b", priority=-3, requires={"os": "linux"})
    fields: dict[str, Any] = {"type": "demo", "version": "1.2", "options": options}
    fields |= {"payload": "bytes", "result": "msgpack", "created": 1763800000.1234567}
    return NewJob(job=job, **(fields | changes))


async def test_workers_are_remembered(opened: Open) -> None:
    old, new = WorkerRow("b", "old", "1", 5.0), WorkerRow("a", "new", "1", 7.0, slots=3)
    decided = WorkerRow("c\x00", "n “x”", "2", 6.0, "a note\n", {"room": "3"}, 2, "paused", "stop")
    async with opened() as store:
        assert await store.workers() == []
        await store.commit([Workers([new, old], ["nobody"]), Workers([decided], [])])
        assert await store.workers() == [old, decided, new]
    async with opened() as store:
        booted = Appliance("1.0", ["52:54:00:12:34:56"], ["off"])
        again = WorkerRow("b", "newest", "2", 9.0, appliance=booted)
        await store.commit([Workers([again], ["a", "b"])])
        assert await store.workers() == [decided, again]
        with pytest.raises(StoreConflict):
            await store.commit([Workers([], ["b"]), JobCancelled(99, 1.0)])
        assert await store.workers() == [decided, again]


def some_tasks(job: int, count: int, first: int = 0) -> NewTasks:
    return NewTasks(job, first, [b"payload %d" % n for n in range(first, first + count)])


def some_outcomes(sequence: int, job: int, numbers: list[int], **changes: Any) -> Outcomes:
    outcomes: list[Outcome] = [b"result %d" % number for number in numbers]
    fields: dict[str, Any] = {"worker": f"w{sequence}", "at": 1763800001.1 + sequence}
    fields |= {"attempts": [1] * len(numbers), "times": [0.1 * n for n in numbers]}
    fields |= {"outcomes": outcomes}
    return Outcomes(sequence=sequence, job=job, numbers=numbers, **(fields | changes))


async def test_a_commit_without_waiting_is_a_commit(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "allows", lambda *_: True)  # however slow this disk is just now
    async with opened() as store:
        assert store.commit_now([new_job(), some_tasks(1, 2)])
        assert store.commit_now([some_outcomes(1, 1, [1])])
        with pytest.raises(StoreConflict):
            store.commit_now([JobEnded(1, 2, 1.0), some_outcomes(2, 1, [1])])
    async with opened() as store:
        (row,) = await store.open_jobs()
        assert (row.counts.total, row.counts.done, row.ended) == (2, 1, False)
        await store.commit([some_outcomes(3, 1, [0])])
        assert store.commit_now([JobEnded(1, 2, 1.0)])
        assert await store.open_jobs() == []


async def test_an_empty_store_has_nothing(opened: Open) -> None:
    async with opened() as store:
        assert await store.next_ids() == (1, 1)
        assert await store.open_jobs() == []
        assert await store.jobs(None, 10) == []
        assert await store.job(1) is None
        assert await store.tasks(1, 0, 10) == []
        assert await store.task(1, 0) is None
        assert await store.totals() == Counts()
        assert await store.outcomes_after(1, 0, 1000) == []
        assert await store.outcomes_from(1, 0, 1000, 10) == []
        assert await store.unfinished(1, 0, 10) == Unfinished(1, [], [], [], [], [])
        await store.commit([])
        await store.commit(
            [NewTasks(7, 0, []), some_outcomes(1, 7, []), Attempts(7, [], [], [], [])]
        )
        assert await store.next_ids() == (1, 1)


async def test_a_job_comes_back_as_it_went_in(opened: Open) -> None:
    submitted = new_job(3)
    async with opened() as store:
        await store.commit([submitted])
    async with opened() as store:
        row = await store.job(3)
        assert row is not None
        for field in ("job", "type", "version", "options", "payload", "result", "created"):
            assert getattr(row, field) == getattr(submitted, field)
        assert (row.ended, row.cancelled_at, row.counts) == (False, None, Counts())
        assert await store.next_ids() == (4, 1)


async def test_counts_follow_the_records(opened: Open) -> None:
    async with opened() as store:
        outcomes: list[Outcome] = [b"", FAILURE]
        await store.commit([new_job(), some_tasks(1, 5), some_outcomes(1, 1, [4, 2])])
        await store.commit([some_outcomes(2, 1, [0, 1], outcomes=outcomes)])
        expected = Counts(total=5, queued=1, done=3, failed=1)
        assert await store.totals() == expected
        row = await store.job(1)
        assert row is not None
        assert row.counts == expected
        await store.commit([JobCancelled(1, 12.5)])
        await store.commit([JobCancelled(1, 13.5), new_job(2), some_tasks(2, 1)])
        row = await store.job(1)
        assert row is not None
        assert row.cancelled_at == 12.5
        assert row.counts == Counts(total=5, done=3, failed=1, cancelled=1)
        assert await store.totals() == Counts(total=6, queued=1, done=3, failed=1, cancelled=1)


async def test_open_jobs_are_those_that_need_the_server(opened: Open) -> None:
    async with opened() as store:
        for job in range(1, 6):
            await store.commit([new_job(job), some_tasks(job, 2)])
        await store.commit([JobEnded(1, 2, 5.0), JobEnded(2, 2, 5.0), some_outcomes(1, 2, [0, 1])])
        await store.commit([some_outcomes(2, 3, [0, 1]), JobCancelled(4, 1.0), JobEnded(4, 2, 5.0)])
        assert [row.job for row in await store.open_jobs()] == [1, 3, 5]
        assert [row.ended for row in await store.open_jobs()] == [True, False, False]


async def test_jobs_come_the_newest_first(opened: Open) -> None:
    async with opened() as store:
        await store.commit([new_job(job) for job in range(1, 6)])
        assert [row.job for row in await store.jobs(None, 2)] == [5, 4]
        assert [row.job for row in await store.jobs(4, 2)] == [3, 2]
        assert await store.jobs(1, 2) == []


async def test_payloads_come_in_the_order_asked_for(opened: Open) -> None:
    pieces: list[Payload] = [b"", BLOB, bytes(range(256)), b"\xff\x00" * 20000, b"last"]
    async with opened() as store:
        await store.commit([new_job(), NewTasks(1, 0, pieces), some_tasks(1, 3, first=5)])
        await store.commit([some_tasks(1, 2, first=8)])
    async with opened() as store:
        assert await store.payloads(1, range(5)) == pieces
        assert await store.payloads(1, []) == []
        assert await store.payloads(1, [9, 1, 7, 1]) == [b"payload 9", BLOB, b"payload 7", BLOB]


@pytest.mark.parametrize("number", [10, 1 << 32, 1 << 70, -1])
async def test_an_unknown_task_is_named(opened: Open, number: int) -> None:
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 10), new_job(2), some_tasks(2, 3)])
        with pytest.raises(UnknownTask, match=f"job 1 has no task {number}$"):
            await store.payloads(1, [0, number])
        with pytest.raises(UnknownTask):
            await store.payloads(3, [0])
        assert await store.task(1, number) is None


async def test_outcomes_come_back_as_they_went_in(opened: Open) -> None:
    kinds: list[Outcome] = [b"\x00\xff", FAILURE, BLOB, b""]
    records = [
        some_outcomes(1, 1, [7, 0, 3, 9], outcomes=kinds, times=[0.1, 1e-9, 3.0, 1e12]),
        some_outcomes(2, 1, [1, 2], attempts=[5, 1], worker="w “x” \x00"),
        some_outcomes(4, 1, [4]),
    ]
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 10), new_job(2), some_tasks(2, 1)])
        await store.commit([records[0], some_outcomes(3, 2, [0])])
        await store.commit(records[1:])
    async with opened() as store:
        assert await store.outcomes_after(1, 0, 1 << 20) == records
        assert await store.outcomes_after(1, 1, 1 << 20) == records[1:]
        assert await store.outcomes_after(1, 0, 0) == records[:1]
        assert await store.outcomes_after(1, 4, 1 << 20) == []
        assert await store.next_ids() == (3, 5)


async def test_reading_outcomes_stops_at_the_limit(opened: Open) -> None:
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 100)])
        for n in range(100):
            await store.commit([some_outcomes(n + 1, 1, [n], outcomes=[bytes(1000)])])
        each = 1000 + limits_store.TASK_BYTES
        assert len(await store.outcomes_after(1, 0, 10 * each)) == 10
        assert len(await store.outcomes_after(1, 0, 10 * each + 1)) == 11
        assert len(await store.outcomes_from(1, 0, 10 * each, 1000)) == 10
        assert len(await store.outcomes_from(1, 0, 1 << 30, 20)) == 20
        assert len(await store.outcomes_from(1, 95, 1 << 30, 20)) == 5


async def test_ordered_outcomes_end_at_the_first_gap(opened: Open) -> None:
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 12)])
        await store.commit([some_outcomes(1, 1, [3, 0, 1, 9]), some_outcomes(2, 1, [2, 4])])
        await store.commit([some_outcomes(3, 1, [6, 7])])

        async def runs(first: int) -> list[tuple[int, list[int]]]:
            found = await store.outcomes_from(1, first, 1 << 20, 100)
            for record in found:
                assert record.outcomes == [b"result %d" % number for number in record.numbers]
                assert record.worker == f"w{record.sequence}"
            return [(record.sequence, record.numbers) for record in found]

        assert await runs(0) == [(1, [0, 1]), (2, [2]), (1, [3]), (2, [4])]
        assert await runs(4) == [(2, [4])]
        assert await runs(5) == []
        assert await runs(6) == [(3, [6, 7])]
        assert await runs(100) == []


async def test_unfinished_tasks_come_with_their_attempts(opened: Open) -> None:
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 10), some_outcomes(1, 1, [0, 2, 3, 9])])
        await store.commit([Attempts(1, [4, 3, 8], [2, 9, 1], [0, 9, 1], [2, 0, 0])])
        await store.commit([Attempts(1, [4], [3], [1], [2])])
    async with opened() as store:
        numbers, nobody = [1, 4, 5, 6, 7, 8], [""] * 6
        tries = ([0, 3, 0, 0, 0, 1], [0, 1, 0, 0, 0, 1], [0, 2, 0, 0, 0, 0])
        expected = Unfinished(1, numbers, *tries, nobody)
        assert await store.unfinished(1, 0, 100) == expected
        assert await store.unfinished(1, 4, 2) == Unfinished(
            1, [4, 5], [3, 0], [1, 0], [2, 0], ["", ""]
        )
        assert await store.unfinished(1, 9, 2) == Unfinished(1, [], [], [], [], [])


async def test_unfinished_tasks_across_many_looks(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_store, "READ_TASKS", 16)
    done = [*range(16), *range(40, 64), 99]
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 100), some_outcomes(1, 1, done)])
        left = [number for number in range(100) if number not in done]
        assert (await store.unfinished(1, 0, 1000)).numbers == left
        assert (await store.unfinished(1, 20, 30)).numbers == [n for n in left if n >= 20][:30]


async def test_leased_tasks_name_their_worker(opened: Open) -> None:
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 10), new_job(2), some_tasks(2, 3)])
        await store.commit([Attempts(1, [2], [3], [1], [2])])
        await store.commit([Leases(1, "one", [2, 5], [4, 1]), Leases(2, "two", [0], [1])])
        await store.commit([Leases(1, "two", [7, 1], [1, 2]), Leases(1, "one", [], [])])
    async with opened() as store:
        workers = ["two", "one", "one", "two"]
        assert await store.leased() == [
            Unfinished(1, [1, 2, 5, 7], [2, 4, 1, 1], [0, 1, 0, 0], [0, 2, 0, 0], workers),
            Unfinished(2, [0], [1], [0], [0], ["two"]),
        ]
        found = await store.unfinished(1, 0, 6)
        assert found.workers == ["", "two", "one", "", "", "one"]
        assert found.attempts == [0, 2, 4, 0, 0, 1]
        assert found.crashes == [0, 0, 1, 0, 0, 0]
        assert found.failures == [0, 0, 2, 0, 0, 0]


async def test_a_lease_ends_in_five_ways(opened: Open) -> None:
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 10), new_job(2), some_tasks(2, 3)])
        await store.commit([Leases(1, "one", [0, 1, 2, 3], [1] * 4), Leases(2, "one", [0], [1])])
        await store.commit([some_outcomes(1, 1, [8, 0])])
        await store.commit([Attempts(1, [1], [1], [1], [0])])
        await store.commit([Leases(1, "two", [2], [2])])
        await store.commit([JobCancelled(2, 3.0)])
        left = [Unfinished(1, [2, 3], [2, 1], [0, 0], [0, 0], ["two", "one"])]
        assert await store.leased() == left
        # A lease that comes after the task's outcome, or after its job was cancelled, is none.
        await store.commit([Leases(1, "one", [0], [1]), Leases(2, "one", [1], [1])])
        assert await store.leased() == left
        assert (await store.unfinished(1, 0, 3)).attempts == [1, 2, 1]


async def test_the_newest_job_of_a_key(opened: Open) -> None:
    async with opened() as store:
        await store.commit([new_job(1, key="a"), new_job(2), new_job(3, key="a"), new_job(4)])
        await store.commit([new_job(5, key="b “x”")])
        row = await store.job_of_key("a")
        assert row is not None
        assert (row.job, row.key) == (3, "a")
        row = await store.job_of_key("b “x”")
        assert row is not None
        assert row == await store.job(5)
        assert await store.job_of_key("c") is None
        assert await store.job_of_key("") is None


async def test_the_identity_lasts(opened: Open) -> None:
    async with opened() as store:
        identity = await store.identity()
        assert len(bytes.fromhex(identity)) == 16
    async with opened() as store:
        assert await store.identity() == identity


async def test_single_tasks_of_many_records(opened: Open) -> None:
    """As failures are, one here and one there: what is beside them in the records is not read."""
    kinds: list[Outcome] = [FAILURE, b"", BLOB, b"with \0 and \xff", Failure("error", "two", "ü")]
    async with opened() as store:
        await store.commit([new_job(), NewTasks(1, 0, [b"x"] * 60)])
        for at in range(20):
            outcomes: list[Outcome] = [b"before" * at, kinds[at % 5], b"\0behind"]
            numbers = [3 * at, 3 * at + 1, 3 * at + 2]
            record = some_outcomes(at + 1, 1, numbers, outcomes=outcomes, attempts=[1, at + 1, 1])
            await store.commit([record])
        every = await store.tasks(1, 0, 100)
        failed = [row for row in every if row.failed]
        assert [row.number for row in failed] == [1, 13, 16, 28, 31, 43, 46, 58]
        assert [row.attempt for row in failed] == [1, 5, 6, 10, 11, 15, 16, 20]
        assert [row.outcome for row in failed] == [FAILURE, kinds[4]] * 4
        assert await store.tasks_in(1, "failed", 0, 100) == (failed, None)
        assert await store.tasks(1, 14, 3, failed=True) == failed[2:5]
        for row in every[1::3]:
            alone = await store.task(1, row.number, outcome=True)
            assert alone is not None
            assert alone.outcome == kinds[row.number // 3 % 5]


async def test_tasks_tell_what_is_known_of_them(opened: Open) -> None:
    pieces: list[Payload] = [b"four", BLOB, b"", b"a", b"b"]
    outcomes: list[Outcome] = [b"result", FAILURE, BLOB]
    async with opened() as store:
        await store.commit(
            [new_job(), NewTasks(1, 0, pieces), Attempts(1, [1, 4], [2, 1], [1, 0], [0, 0])]
        )
        record = some_outcomes(1, 1, [0, 1, 3], outcomes=outcomes, attempts=[1, 3, 1])
        await store.commit([record])
        rows = await store.tasks(1, 0, 100)
        assert [row.payload_size for row in rows] == [4, 1 << 40, 0, 1, 1]
        assert [row.finished for row in rows] == [True, True, False, True, False]
        assert [row.attempt for row in rows] == [1, 3, 0, 1, 1]
        assert [row.crashes for row in rows] == [0, 1, 0, 0, 0]
        assert [row.outcome for row in rows] == [None, FAILURE, None, None, None]
        assert [row.outcome_size for row in rows] == [6, 0, 0, 1 << 40, 0]
        assert (rows[1].worker, rows[1].at, rows[1].time) == ("w1", record.at, record.times[1])
        assert await store.tasks(1, 1, 2) == rows[1:3]
        assert await store.tasks(1, 0, 100, failed=True) == [rows[1]]
        assert await store.tasks(1, 2, 100, failed=True) == []
        assert await store.task(1, 1) == rows[1]
        found = await store.task(1, 0, outcome=True)
        assert found is not None
        assert found.outcome == b"result"
        assert await store.task(1, 5) is None


WRONG: dict[str, tuple[list[Record], str]] = {
    "second outcome": ([some_outcomes(2, 1, [3, 1])], "task 1 of job 1 has its outcome already"),
    "twice at once": (
        [some_outcomes(2, 1, [2]), some_outcomes(3, 1, [3, 2])],
        "task 2 of job 1 has its outcome already",
    ),
    "twice in one": ([some_outcomes(2, 1, [2, 2])], "task 2 of job 1 has its outcome already"),
    "no such task": ([some_outcomes(2, 1, [3, 4])], "no such task"),
    "no such job": ([some_outcomes(2, 9, [0])], "no such task"),
    "old sequence": ([some_outcomes(1, 1, [2])], "sequence"),
    "a gap": ([some_tasks(1, 1, first=5)], "do not follow"),
    "an overlap": ([some_tasks(1, 1, first=3)], "do not follow"),
    "tasks of no job": ([some_tasks(9, 1)], "do not follow"),
    "tasks after the end": ([JobEnded(1, 4, 5.0), some_tasks(1, 1, first=4)], "do not follow"),
    "a wrong end": ([JobEnded(1, 5, 5.0)], "so many"),
    "a job twice": ([new_job(1)], "job"),
    "cancel of no job": ([JobCancelled(9, 1.0)], "no such job"),
    "a lease of no task": ([Leases(1, "w", [4], [1])], "no such task"),
    "attempts of no task": ([Attempts(1, [4], [1], [1], [0])], "no such task"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_contradiction_leaves_nothing_of_its_commit(opened: Open, case: str) -> None:
    records, text = WRONG[case]
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 4), some_outcomes(1, 1, [0, 1])])
        before = [await store.jobs(None, 10), await store.tasks(1, 0, 10), await store.next_ids()]
        good: list[Record] = [
            *(new_job(5), some_tasks(5, 2), some_outcomes(7, 5, [0]), JobCancelled(5, 1.0)),
            *(Leases(1, "w", [2], [1]), JobEnded(5, 2, 5.0)),
            *(Attempts(5, [1], [1], [1], [0]), Attempts(1, [3], [1], [1], [1])),
        ]
        with pytest.raises(StoreConflict, match=text):
            await store.commit([*good, *records])
        after = [await store.jobs(None, 10), await store.tasks(1, 0, 10), await store.next_ids()]
        assert after == before
        await store.commit(good)
        assert await store.next_ids() == (6, 8)


async def test_a_commit_of_very_many_records(opened: Open) -> None:
    count = limits_store.COMMIT_ROWS + 7
    async with opened() as store:
        await store.commit([new_job(), *(some_tasks(1, 1, first=n) for n in range(count))])
        await store.commit([some_outcomes(n + 1, 1, [n]) for n in range(count)])
        bad = [some_outcomes(n + 1, 2, [n]) for n in range(count, count + count)]
        with pytest.raises(StoreConflict):
            await store.commit([new_job(2), some_tasks(2, count), *bad])
        assert await store.totals() == Counts(total=count, done=count)
        assert len(await store.outcomes_after(1, 0, 1 << 30)) == count


# --- what tasks tell of themselves --------------------------------------------------------------


async def test_outputs_are_kept_with_their_tasks(opened: Open) -> None:
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 2), TaskOutput(1, 1, 1, b"a", b"bc", 9)])
        assert await store.output(1, 0) is None
        assert await store.output(2, 0) is None
    async with opened() as store:
        assert await store.output(1, 1) == TaskOutput(1, 1, 1, b"a", b"bc", 9)
        newer = TaskOutput(1, 1, 2, b"", b"", 0)
        await store.commit([newer, some_outcomes(1, 1, [0, 1]), JobEnded(1, 2, 1.0)])
        assert await store.output(1, 1) == newer
        while (await store.remove(1, 100)).more:
            assert await store.output(1, 1) is None
        assert await store.check() == []


async def test_output_of_no_task_is_passed_over(opened: Open) -> None:
    async with opened() as store:
        late = TaskOutput(7, 0, 1, b"x", b"", 1), TaskCheckpoint(7, 0, 1, b"x")
        await store.commit([*late, new_job(), some_tasks(1, 1), TaskOutput(1, 1, 1, b"x", b"", 1)])
        assert await store.output(7, 0) is None
        assert await store.output(1, 1) is None
        assert await store.checkpointed() == []


async def test_a_whole_output_is_a_blob(opened: Open) -> None:
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 2), TaskOutput(1, 1, 1, b"a", b"", 1, BLOB)])
    async with opened() as store:
        assert await store.output(1, 1) == TaskOutput(1, 1, 1, b"a", b"", 1, BLOB)
        await store.commit([TaskOutput(1, 1, 2, b"", b"", 0), JobCancelled(1, 1.0)])
        assert await store.output(1, 1) == TaskOutput(1, 1, 2, b"", b"", 0)
        assert await store.used_blobs(*ALL) == [BLOB.digest]
        late = TaskOutput(1, 2, 1, b"", b"", 1, Blob(b"l" * 32, 7))
        await store.commit([late, TaskOutput(9, 2, 1, b"", b"", 1, Blob(b"l" * 32, 7))])
        assert await store.used_blobs(*ALL) == [BLOB.digest]
        assert await store.check() == []


async def test_bytes_are_counted_of_each_job(opened: Open) -> None:
    blob = Blob(b"b" * 32, 1000)
    by = Options(submitter="anna", inputs={"table": Blob(b"i" * 32, 10_000)})
    record = some_outcomes(1, 1, [0, 1, 2], outcomes=[b"", blob, FAILURE])
    async with opened() as store:
        await store.commit([new_job(1, options=by), NewTasks(1, 0, [b"abc", blob, blob])])
        await store.commit([record, TaskOutput(1, 0, 1, b"x", b"yz", 3, Blob(b"o" * 32, 500))])
        await store.commit([new_job(2, options=by), some_tasks(2, 1), new_job(3)])
        with pytest.raises(StoreConflict):
            await store.commit([NewTasks(2, 1, [b"12345"]), some_tasks(2, 1)])
    async with opened() as store:
        row = await store.job(1)
        assert row is not None
        assert row.bytes == 10_000 + 2003 + 1000 + 3 + limits_store.TASK_BYTES + 500
        second = 10_000 + len(b"payload 0")
        assert await store.usage() == {"": 0, "anna": row.bytes + second}
        await store.commit([JobEnded(1, 3, 1.0)])
        steps = []
        while (removed := await store.remove(1, 100)).more:
            assert (removed.submitter, removed.bytes) == ("", 0)
            steps.append(await store.usage())
        assert steps[0] == {"": 0, "anna": row.bytes + second}
        assert (removed.submitter, removed.bytes) == ("anna", row.bytes)
        assert await store.usage() == {"": 0, "anna": second}


async def test_a_checkpoint_is_kept_until_the_task_has_its_outcome(opened: Open) -> None:
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 4), TaskCheckpoint(1, 1, 1, b"old")])
        await store.commit([TaskCheckpoint(1, 1, 2, b"new"), TaskCheckpoint(1, 3, 1, BLOB)])
    async with opened() as store:
        assert await store.checkpointed() == [(1, 1), (1, 3)]
        assert await store.checkpoints(1, [0, 1, 3]) == {1: b"new", 3: BLOB}
        assert await store.used_blobs(bytes(32), b"\xff" * 32) == [BLOB.digest]
        await store.commit([some_outcomes(1, 1, [1])])
        await store.commit([TaskCheckpoint(1, 1, 3, b"too late")])
        assert await store.checkpointed() == [(1, 3)]
        await store.commit([JobCancelled(1, 5.0), TaskCheckpoint(1, 0, 1, b"too late")])
        assert await store.checkpointed() == []
        assert await store.used_blobs(bytes(32), b"\xff" * 32) == []
        assert await store.check() == []


async def test_a_commit_that_is_refused_leaves_notes_as_they_were(opened: Open) -> None:
    async with opened() as store:
        before = TaskOutput(1, 0, 1, b"x", b"", 1)
        await store.commit([new_job(), some_tasks(1, 1), before, TaskCheckpoint(1, 0, 1, b"x")])
        refused: list[Record] = [TaskOutput(1, 0, 2, b"y", b"", 1), TaskCheckpoint(1, 0, 2, b"y")]
        with pytest.raises(StoreConflict):
            await store.commit([*refused, some_outcomes(1, 1, [0]), some_tasks(1, 1, 5)])
        assert await store.output(1, 0) == before
        assert await store.checkpoints(1, [0]) == {0: b"x"}


async def test_a_blob_that_a_checkpoint_names_stays(opened: Open) -> None:
    async with opened() as store:
        await store.commit([new_job(1), NewTasks(1, 0, [BLOB]), some_outcomes(1, 1, [0])])
        await store.commit([JobEnded(1, 1, 1.0), new_job(2), some_tasks(2, 1)])
        await store.commit([TaskCheckpoint(2, 0, 1, BLOB)])
        found = []
        while (removed := await store.remove(1, 100)).more:
            found += removed.blobs
        assert found + removed.blobs == []


def a_plugin(number: int, added: float, name: str = "demo") -> NewPlugin:
    manifest, types = '{"name": "demo “x”"}'.encode(), b'[["demo", "1"]]'
    return NewPlugin(bytes([number]) * 32, 7 << 40, name, manifest, types, added)


async def test_plugins_come_back_as_they_went_in(opened: Open) -> None:
    first, other = a_plugin(1, 5.0), a_plugin(9, 4.0, "another")
    signed = NewPlugin(bytes([2]) * 32, 3, "demo", b"{}", b"[]", 6.0, b"k" * 32, b"s" * 64)
    async with opened() as store:
        assert await store.plugins() == []
        await store.commit([signed, first, other])
    async with opened() as store:
        assert await store.plugins() == [other, signed, first]
        assert await store.used_blobs(*ALL) == [bytes([n]) * 32 for n in (1, 2, 9)]
        again = a_plugin(1, 7.0)
        await store.commit([again])
        assert await store.plugins() == [other, again, signed]
        with pytest.raises(StoreConflict):
            await store.commit([a_plugin(3, 8.0), JobCancelled(99, 1.0)])
        assert await store.plugins() == [other, again, signed]


async def test_a_plugin_goes_when_no_job_runs_it_and_another_took_its_place(opened: Open) -> None:
    used, old, late, newest = (a_plugin(n, float(n)) for n in (1, 2, 3, 4))
    async with opened() as store:
        await store.commit([used, old, late, newest, new_job(1, plugin=used.digest)])
        row = await store.job(1)
        assert row is not None
        assert row.plugin == used.digest
        assert await store.drop_plugins(before=3.0) == []
        assert await store.drop_plugins(before=4.0) == [old.digest]
        assert await store.drop_plugins(before=9.0) == [late.digest]
        assert await store.plugins() == [newest, used]
        assert await store.used_blobs(*ALL) == [used.digest, newest.digest]
        await store.commit([JobEnded(1, 0, 1.0)])
        while (removed := await store.remove(1, 100)).more:
            pass
        assert removed.blobs == []  # the plugin is known still
        assert await store.drop_plugins(before=9.0) == [used.digest]
        assert await store.used_blobs(*ALL) == [newest.digest]
        assert await store.drop_plugins(before=9.0) == []


async def test_a_job_names_its_inputs_and_its_plugin(opened: Open) -> None:
    inputs = {"table": BLOB, "again": BLOB, "other “x”": Blob(b"o" * 32, 5)}
    submitted = new_job(1, options=Options(inputs=inputs, keep_output=True), plugin=b"p" * 32)
    async with opened() as store:
        await store.commit([submitted])
    async with opened() as store:
        row = await store.job(1)
        assert row is not None
        assert (row.options, row.plugin) == (submitted.options, b"p" * 32)
        assert await store.used_blobs(*ALL) == [BLOB.digest, b"o" * 32, b"p" * 32]
        await store.commit([JobEnded(1, 0, 1.0)])
        found = []
        while (removed := await store.remove(1, 100)).more:
            found += removed.blobs
        assert sorted(found + removed.blobs) == [BLOB.digest, b"o" * 32, b"p" * 32]


def an_end(number: int, attempt: int, text: str = "") -> AttemptEnd:
    return AttemptEnd(number, attempt, "w “x”", "error", 1764379475.1234567, 1.5, 0.1, text, text)


async def ends(store: Store, job: int, number: int) -> list[AttemptEnd]:
    """Return those of one task."""
    found = await store.attempt_ends(job, number, limits_shown.ATTEMPT_ENDS)
    assert found == (await store.attempt_ends(job, number, 99))[: limits_shown.ATTEMPT_ENDS]
    assert found[:1] == await store.attempt_ends(job, number, 1)
    return [end for end in found if end.number == number]


async def test_ends_of_attempts_are_kept_the_newest_of_each_task(opened: Open) -> None:
    most = limits_shown.ATTEMPT_ENDS
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 3), AttemptEnds(1, [an_end(1, 1, 'é "\x00')])])
        assert await ends(store, 1, 1) == [an_end(1, 1, 'é "\x00')]
        again = AttemptEnds(1, [an_end(1, 1, "again"), an_end(0, 7)])
        await store.commit([again, AttemptEnds(2, [an_end(0, 1)])])
        assert await ends(store, 1, 1) == [an_end(1, 1, "again")]
        assert await ends(store, 2, 0) == await ends(store, 1, 1 << 40) == []
        await store.commit([AttemptEnds(1, [an_end(1, n)]) for n in range(2, 30)])
    async with opened() as store:
        assert [end.attempt for end in await ends(store, 1, 1)] == [*range(30 - most, 30)]
        assert await ends(store, 1, 0) == [an_end(0, 7)]
        assert await store.check() == []


async def test_a_job_has_so_many_ends_of_attempts(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_shown, "JOB_ATTEMPT_ENDS", 3)
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 9)])
        for number in range(2):
            await store.commit([AttemptEnds(1, [an_end(number, 1), an_end(number, 2)])])
        await store.commit([AttemptEnds(1, [an_end(5, 1)])])
        assert len(await ends(store, 1, 1)) == 2
        assert await ends(store, 1, 5) == []


async def test_figures_of_a_job_are_those_written_last(opened: Open) -> None:
    async with opened() as store:
        assert await store.figures(1) is None
        late = JobFigures(2, 9, b"")
        await store.commit(
            [new_job(), JobFigures(1, 4, b"\x00old"), JobFigures(1, 5, b"new"), late]
        )
    async with opened() as store:
        assert await store.figures(1) == JobFigures(1, 5, b"new")
        assert await store.figures(2) is None


async def test_bare_outcomes_have_no_results(opened: Open) -> None:
    failed: list[Outcome] = [b"some", FAILURE]
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 10)])
        results = some_outcomes(1, 1, [3, 1], outcomes=[b"12", b"3"])
        await store.commit([results, some_outcomes(2, 1, [0, 2], outcomes=failed)])
        found = await store.bare_outcomes(1, 0, 1 << 20)
        assert [one.outcomes for one in found] == [[b"", b""], failed]
        assert [one.numbers for one in found] == [[3, 1], [0, 2]]
        assert found[0].times == results.times
        assert await store.bare_outcomes(1, 2, 1) == []
        assert [one.sequence for one in await store.bare_outcomes(1, 0, 1)] == [1]


async def test_what_is_shown_of_a_job_goes_with_it(opened: Open) -> None:
    async with opened() as store:
        await store.commit([new_job(), some_tasks(1, 1), JobCancelled(1, 2.0)])
        await store.commit([AttemptEnds(1, [an_end(0, 1)]), JobFigures(1, 1, b"x")])
        while (await store.remove(1, 5)).more:
            assert await store.figures(1) is None
            assert await ends(store, 1, 0) == []
        assert await store.check() == []
