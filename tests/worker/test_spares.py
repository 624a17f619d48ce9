"""Executors that wait for a slot: fakes, under a clock that jumps."""

from __future__ import annotations

from typing import Any, cast

import trio
from trio.testing import MockClock

from dc import limits_worker as limits
from dc.errors import StartError
from dc.executor import Executor
from dc.testing import FakeExecutor
from dc.worker.spares import Spares


class Fake(FakeExecutor):
    """An executor that can have died without anybody noticing."""

    has_ended = False


class Factory:
    """Starts fakes, each in a second; counts them."""

    def __init__(self) -> None:
        self.made: list[Fake] = []
        self.refuses = 0

    async def start(self) -> Executor:
        await trio.sleep(1.0)
        if self.refuses:
            self.refuses -= 1
            raise StartError("no more processes")
        self.made.append(Fake({}))
        return cast(Executor, self.made[-1])


async def settled(nursery: trio.Nursery, spares: Spares) -> None:
    nursery.start_soon(spares.keep)
    await trio.sleep(limits.SPARE_SECONDS + 10.0)


async def test_a_spare_is_there_at_once_and_another_follows(autojump_clock: MockClock) -> None:
    del autojump_clock
    factory = Factory()
    spares = Spares(factory.start, 1)
    async with trio.open_nursery() as nursery:
        await settled(nursery, spares)
        assert len(factory.made) == 1
        before = trio.current_time()
        taken: Any = await spares.take()
        assert trio.current_time() == before
        assert taken is factory.made[0]
        await trio.sleep(10.0)
        assert len(factory.made) == 2
        nursery.cancel_scope.cancel()
    assert not factory.made[0].killed
    assert factory.made[1].killed


async def test_those_that_work_are_started_before_any_spare(autojump_clock: MockClock) -> None:
    del autojump_clock
    factory = Factory()
    spares = Spares(factory.start, 2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(spares.keep)
        first: Any = await spares.take()
        assert factory.made == [first]
        await trio.sleep(10.0)
        assert len(factory.made) == 3
        nursery.cancel_scope.cancel()
    assert [one.killed for one in factory.made] == [False, True, True]


async def test_a_spare_that_has_died_is_not_handed_out(autojump_clock: MockClock) -> None:
    del autojump_clock
    factory = Factory()
    spares = Spares(factory.start, 1)
    async with trio.open_nursery() as nursery:
        await settled(nursery, spares)
        factory.made[0].has_ended = True
        taken: Any = await spares.take()
        assert taken is not factory.made[0]
        assert factory.made[0].killed
        nursery.cancel_scope.cancel()


async def test_without_spares_each_is_started_when_it_is_wanted(autojump_clock: MockClock) -> None:
    del autojump_clock
    factory = Factory()
    spares = Spares(factory.start, 0)
    async with trio.open_nursery() as nursery:
        await settled(nursery, spares)
        assert factory.made == []
        await spares.take()
        await trio.sleep(10.0)
        assert len(factory.made) == 1
        nursery.cancel_scope.cancel()


async def test_a_system_without_room_is_asked_again_later(autojump_clock: MockClock) -> None:
    del autojump_clock
    factory = Factory()
    factory.refuses = 2
    spares = Spares(factory.start, 1)
    async with trio.open_nursery() as nursery:
        await settled(nursery, spares)
        await trio.sleep(2 * limits.EXECUTOR_PAUSE_SECONDS_MOST + 2.0)
        assert len(factory.made) == 1
        nursery.cancel_scope.cancel()
