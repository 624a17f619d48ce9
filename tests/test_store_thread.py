"""The store's threads: order, errors, cancelling, giving way."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import trio

from dc import limits_store as limits
from dc import store_thread
from dc.store_thread import StoreThread


@pytest.fixture
def thread() -> Iterator[StoreThread]:
    """Give the test a thread, and end it."""
    made = StoreThread("test-store")
    yield made
    made.stop()


async def test_work_is_done_in_the_thread_in_order(thread: StoreThread) -> None:
    done: list[int] = []

    def work(number: int) -> str:
        done.append(number)
        return threading.current_thread().name

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(thread.run, work, number)
    assert sorted(done) == list(range(20))
    assert await thread.run(work, 20) == "test-store"
    assert done[-1] == 20


async def test_what_the_work_raises_is_raised_and_the_thread_goes_on(thread: StoreThread) -> None:
    def work() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await thread.run(work)
    assert await thread.run(lambda: 3) == 3


async def open_gate(go: threading.Event) -> None:
    go.set()


async def test_what_has_begun_is_finished_when_cancelled(thread: StoreThread) -> None:
    go = threading.Event()
    told = ""

    def work() -> str:
        go.wait()
        return "finished"

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(open_gate, go)
            scope.cancel()
            told = await thread.run(work)
    assert told == "finished"


async def test_the_loop_gives_way_while_work_takes_long(
    thread: StoreThread, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    go = threading.Event()
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            go.set()

    monkeypatch.setattr("dc.store_thread.time.sleep", sleep)
    await thread.run(go.wait)
    assert len(pauses) >= 3
    assert set(pauses) == {limits.LET_GO_SECONDS}
    assert trio.current_time() >= 3 * limits.GIVE_WAY_SECONDS


def test_stop_finishes_what_is_under_way_though_the_loop_is_gone() -> None:
    thread = StoreThread("test-store")
    go = threading.Event()
    done: list[int] = []

    def work() -> None:
        go.wait()
        done.append(1)

    async def leave() -> None:
        thread._calls.put(store_thread._Call(work, ()))
        await trio.lowlevel.checkpoint()

    trio.run(leave)
    go.set()
    thread.stop()
    assert done == [1]
    assert not thread._thread.is_alive()
