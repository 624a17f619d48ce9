"""What the user's loops run over: results and states, under Trio and in plain threads.

Each crosses from the connection once a piece, never once a task. A loop that is left early ends its
subscription as soon as the iterator goes away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any, Self

import msgspec
import trio

from dc.client.reads import ResultReader, StatusReader
from dc.client.records import JobStatus
from dc.client.values import View, misfit
from dc.messages_client import Finished
from dc.messages_parts import Blob


class AsyncResults(AsyncIterator[Any]):
    """Results as they arrive. May be left early; `async with` or `aclose` says when.

    Args:
        reader: of the outcomes.
        view: what to give of each.
    """

    def __init__(self, reader: ResultReader, view: View) -> None:
        self._reader = reader
        self._view = view
        self._batches: Iterator[Finished] = iter(())
        self._ready: Iterator[Any] = iter(())
        self._mixed: tuple[Finished, Iterator[int]] | None = None
        self._token = trio.lowlevel.current_trio_token()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ask for no more results."""
        self._reader.close()

    def __del__(self) -> None:
        if self._reader.is_open:
            close_soon(self._token, self._reader)

    async def __anext__(self) -> Any:
        try:
            for value in self._ready:
                return value
            return await self._next()
        except msgspec.DecodeError as error:
            raise misfit(self._reader.job, error) from error

    async def _next(self) -> Any:
        """Return the first result of the next batch, or the next one that has to be fetched."""
        while True:
            if self._mixed is not None:
                batch, indices = self._mixed
                for index in indices:
                    return await self._fetched(batch, index)
                self._mixed = None
            self._next_batch(await self._batch())
            for value in self._ready:
                return value

    async def _batch(self) -> Finished:
        for batch in self._batches:
            return batch
        batches = await self._reader.next_batches()
        if not batches:
            raise StopAsyncIteration
        self._batches = iter(batches[1:])
        return batches[0]

    def _next_batch(self, batch: Finished) -> None:
        ready = self._view.each(batch)
        if ready is None:
            self._mixed = batch, iter(range(len(batch.numbers)))
        else:
            self._ready = ready

    async def _fetched(self, batch: Finished, index: int) -> Any:
        outcome = batch.outcomes[index]
        if isinstance(outcome, Blob):
            outcome = await self._reader.fetch(batch.numbers[index], outcome)
        return self._view.one(batch, index, outcome)


class AsyncStates(AsyncIterator[JobStatus]):
    """A job's states as they change. May be left early; `async with` or `aclose` says when.

    Args:
        reader: of the states.
    """

    def __init__(self, reader: StatusReader) -> None:
        self._reader = reader
        self._token = trio.lowlevel.current_trio_token()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ask for no more states."""
        self._reader.close()

    def __del__(self) -> None:
        if self._reader.is_open:
            close_soon(self._token, self._reader)

    async def __anext__(self) -> JobStatus:
        status = await self._reader.next_status()
        if status is None:
            raise StopAsyncIteration
        return status


Call = Callable[..., Any]
"""Calls an async function with arguments in Trio's thread, and returns what it returns."""


def plain_results(
    reader: ResultReader, view: View, call: Call, token: trio.lowlevel.TrioToken
) -> Iterator[Any]:
    """Yield results in a thread that is not Trio's.

    Args:
        reader: of the outcomes.
        view: what to yield of each.
        call: calls into Trio's thread.
        token: of Trio's thread.
    """
    try:
        while not reader.has_ended:
            for batch in call(reader.next_batches):
                ready = view.each(batch)
                yield from _fetched(reader, view, call, batch) if ready is None else ready
    except msgspec.DecodeError as error:
        raise misfit(reader.job, error) from error
    finally:
        close_soon(token, reader)


def plain_states(
    reader: StatusReader, call: Call, token: trio.lowlevel.TrioToken
) -> Iterator[JobStatus]:
    """Yield states in a thread that is not Trio's; arguments as of `plain_results`."""
    try:
        while (status := call(reader.next_status)) is not None:
            yield status
    finally:
        close_soon(token, reader)


def _fetched(reader: ResultReader, view: View, call: Call, batch: Finished) -> Iterator[Any]:
    for index, outcome in enumerate(batch.outcomes):
        if isinstance(outcome, Blob):
            yield view.one(batch, index, call(reader.fetch, batch.numbers[index], outcome))
        else:
            yield view.one(batch, index, outcome)


def close_soon(token: trio.lowlevel.TrioToken, reader: ResultReader | StatusReader) -> None:
    """Close a reader from any thread, even from the midst of the garbage collector."""
    if reader.is_open:
        with suppress(trio.RunFinishedError):  # the subscription has ended with its connection
            token.run_sync_soon(reader.close)
