"""Executors that are started ahead, so that no task waits for the start of one."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from dc import limits_worker as limits
from dc.errors import StartError
from dc.executor import Executor

log: Final = logging.getLogger("dc.worker")


class Spares:
    """Executors of one worker that wait for a slot.

    One that is taken has loaded its plugins already, or is about to; its Ready waits in its pipe.

    Args:
        start: starts an executor, or raises StartError.
        count: how many are to wait.
    """

    def __init__(self, start: Callable[[], Awaitable[Executor]], count: int) -> None:
        self._start = start
        self._count = count
        self._waiting: deque[Executor] = deque()
        self._taken = trio.Event()

    async def take(self) -> Executor:
        """Return an executor: one that waits, or else a new one.

        Raises:
            StartError: none waits, and the operating system can start no process.
        """
        while self._waiting:
            executor = self._waiting.popleft()
            self._taken.set()
            if not executor.has_ended:
                return executor
            await executor.aclose()
        return await self._start()

    async def keep(self) -> None:
        """Start as many as are to wait, and another for each that is taken; until cancelled."""
        try:
            await trio.sleep(limits.SPARE_SECONDS)
            while True:
                self._taken = trio.Event()
                while len(self._waiting) < self._count:
                    await self._add()
                await self._taken.wait()
        finally:
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as nursery:
                    for executor in self._waiting:
                        nursery.start_soon(executor.aclose)

    async def _add(self) -> None:
        try:
            self._waiting.append(await self._start())
        except StartError as error:
            log.warning("no spare: %s", error)
            await trio.sleep(limits.EXECUTOR_PAUSE_SECONDS_MOST)
