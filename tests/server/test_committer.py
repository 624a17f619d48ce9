"""The committer: what it does while nothing can be written."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import trio
import trio.testing

from dc import limits, limits_store
from dc.errors import StoreConflict, StoreFull
from dc.messages_client import Options
from dc.records import NewJob, NewTasks, Record
from dc.server.committer import RETRY_SECONDS, Committer
from dc.store_memory import MemoryStore

pytestmark = pytest.mark.usefixtures("autojump_clock")

JOB = NewJob(1, "demo", "1", Options(), "bytes", "bytes", 1.0)


class Watched:
    """A committer, its store, and what it said, with the time at which it did."""

    def __init__(self) -> None:
        self.said: list[tuple[float, int | str]] = []
        self.store = MemoryStore()
        self.tries: list[Sequence[Record]] = []
        self._begin = trio.current_time()
        self.committer = Committer(self.store, self._note, self._note)

    def add(self, record: Record, size: int = 0) -> None:
        self.committer.add(record)
        self.committer.weigh(size)
        self.committer.begin()

    def _note(self, what: int | str) -> None:
        self.said.append((round(trio.current_time() - self._begin, 3), what))


def tasks(first: int) -> NewTasks:
    return NewTasks(1, first, [b"x"])


async def test_trouble_is_told_at_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    watched = Watched()
    watched.store.fail = StoreFull("the disk is full")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.committer.run)
        watched.add(JOB)
        await trio.sleep(2.5 * RETRY_SECONDS)
        assert watched.said == [(0.0, "the disk is full")]
        assert watched.committer.trouble == "the disk is full"
        watched.add(tasks(0))
        watched.store.fail = StoreFull("the disk is still full")
        await trio.sleep(RETRY_SECONDS)
        watched.store.fail = None
        await watched.committer.wait_idle()
        assert watched.said[1:] == [
            *((3.0, "the disk is still full"), (4.0, ""), (4.0, 1)),
            (4.0, 1),  # what came meanwhile is a commit of its own
        ]
        nursery.cancel_scope.cancel()
    assert [record.message for record in caplog.records] == [
        "nothing is acknowledged until this is mended: the disk is full",
        "nothing is acknowledged until this is mended: the disk is still full",
        "writing works again",
    ]
    assert (await watched.store.totals()).total == 1


async def test_a_contradiction_is_not_tried_again() -> None:
    watched = Watched()
    watched.committer.add(tasks(5))
    with pytest.raises(StoreConflict):
        await watched.committer.run()
    assert watched.said == []


@contextmanager
def full(watched: Watched) -> Iterator[None]:
    watched.store.fail = StoreFull("the disk is full")
    yield
    watched.store.fail = None


async def test_who_waits_for_space_goes_on_when_there_is_some() -> None:
    watched = Watched()
    waited = trio.Event()

    async def wait() -> None:
        await watched.committer.wait_space()
        waited.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.committer.run)
        with full(watched):
            watched.add(JOB, limits.UNCOMMITTED_BYTES)
            assert not watched.committer.stalled
            watched.add(tasks(0), 1)
            assert watched.committer.stalled
            nursery.start_soon(wait)
            await trio.sleep(10)
            assert not waited.is_set()
        await waited.wait()
        await watched.committer.wait_idle()
        assert watched.said[-2:] == [(10.0, ""), (10.0, 2)]
        nursery.cancel_scope.cancel()


async def test_little_is_committed_in_the_step_that_brings_it() -> None:
    watched = Watched()
    async with trio.open_nursery() as nursery:
        watched.add(JOB)  # before it runs
        assert watched.said == []
        nursery.start_soon(watched.committer.run)
        await trio.testing.wait_all_tasks_blocked()
        assert watched.said == [(0.0, 1)]
        await trio.sleep(limits_store.COMMIT_NOW_QUIET_SECONDS)
        watched.add(tasks(0), 100)
        assert [what for _, what in watched.said] == [1, 1]
        assert not watched.committer.stalled
        nursery.cancel_scope.cancel()


async def test_what_comes_soon_after_a_commit_goes_together() -> None:
    watched = Watched()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.committer.run)
        await trio.sleep(1)
        watched.add(JOB)
        watched.add(tasks(0))
        watched.add(tasks(1))
        assert [what for _, what in watched.said] == [1]
        await watched.committer.wait_idle()
        assert [what for _, what in watched.said] == [1, 2]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("count", "size"),
    [(limits_store.COMMIT_NOW_TASKS + 1, 0), (1, limits_store.COMMIT_NOW_BYTES + 1)],
)
async def test_much_is_not_committed_in_the_loop(count: int, size: int) -> None:
    watched = Watched()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.committer.run)
        await trio.sleep(1)
        watched.add(JOB)
        await trio.sleep(1)
        watched.add(NewTasks(1, 0, [b"x"] * count), size)
        assert [what for _, what in watched.said] == [1]
        await watched.committer.wait_idle()
        assert (await watched.store.totals()).total == count
        nursery.cancel_scope.cancel()
