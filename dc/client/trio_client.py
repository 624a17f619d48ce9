"""The client for programs that run under Trio."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Literal, Self

import msgspec
import trio

from dc import limits
from dc.client.connector import DEFAULT_URL, Connector, OpenStream
from dc.client.reads import ResultReader, StatusReader
from dc.client.records import Finished, JobStatus, job_status
from dc.client.submitting import Submitter
from dc.client.types import KnownTypes
from dc.client.values import Cut, Cutter, Records, Values, View, check_options, decoder, misfit
from dc.messages import Blob
from dc.messages import Finished as Batch
from dc.tasktypes import TaskType

Failures = Literal["raise", "yield"]


class AsyncClient:
    """A connection to a server, for submitting jobs and collecting their results.

    Use it as `async with dc.AsyncClient() as client`. Its methods may be called by several tasks
    at the same time. Any of them may raise ConnectionLost.

    Args:
        url: the server's address.
        plugins: folders of plugins, beside those of installed packages: they give payloads and
            results their types, and `run` its split and merge.
        open_stream: opens a stream to the server in place of TCP.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        plugins: Iterable[str | Path] = (),
        *,
        open_stream: OpenStream | None = None,
    ) -> None:
        self.url = url
        self.types = KnownTypes(plugins)
        self._open_stream = open_stream
        self._manager: AbstractAsyncContextManager[trio.Nursery] | None = None
        self._nursery: trio.Nursery | None = None
        self._connector: Connector | None = None

    async def __aenter__(self) -> Self:
        if self._manager is not None:
            raise RuntimeError("a client can be entered only once")
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        try:
            self._connector = Connector(self.url, self._nursery, self._open_stream)
            await self._connector.connection()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        """End all background tasks; the body's own error passes by untouched."""
        assert self._manager is not None
        assert self._nursery is not None
        with trio.CancelScope(shield=True):
            if self._connector is not None:
                await self._connector.aclose()
            self._nursery.cancel_scope.cancel()
            await self._manager.__aexit__(None, None, None)

    @property
    def connector(self) -> Connector:
        """The way to the server.

        Raises:
            RuntimeError: the client is not open.
        """
        if self._connector is None:
            raise RuntimeError("this client is not open: use it as `async with dc.AsyncClient()`")
        return self._connector

    async def submit(
        self,
        type: str | TaskType,  # noqa: A002
        payloads: Iterable[Any] | AsyncIterable[Any],
        *,
        version: str = "",
        name: str = "",
        priority: int | None = None,
        retries: int | None = None,
        requires: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> AsyncJob:
        """Submit a job; once this returns, all its tasks are on the server's disk.

        Args:
            type: a task type or its name.
            payloads: one for each task; read lazily, here and now.
            version: of the task type; the server's newest if empty.
            name: of the job, for people.
            priority: higher runs first.
            retries: further tries of a task that raised or ran out of time.
            requires: labels that a worker must have, with equal values.
            timeout: run time limit of each task, in seconds.

        Raises:
            PayloadError: a payload does not fit the type; the job is cancelled.
            OptionsError: an option is out of its range.
            UnknownTaskType: the server has no such type.
            ConnectionLost: the server cannot be reached, or was lost on the way; what was begun
                then may go on without its end, as an open job.
        """
        options = check_options(
            name=name or None, priority=priority, retries=retries, requires=requires,
            timeout=timeout,
        )  # fmt: skip
        submitter = Submitter(self.connector)
        try:
            job, task_type = await self.begin(submitter, type, version, options)
            cutter = Cutter(task_type, monotonic)
            async for cut in _cuts(cutter, payloads):
                await submitter.send(cut)
        except BaseException:
            await submitter.abandon()
            raise
        return job

    async def begin(
        self,
        submitter: Submitter,
        kind: str | TaskType,
        version: str,
        options: dict[str, Any],
    ) -> tuple[AsyncJob, TaskType]:
        """Begin a submission; return the job, and the type of what is to be sent."""
        if isinstance(kind, TaskType):
            name, version = kind.name, version or kind.version
        else:
            name = kind
        accepted = await submitter.begin(name, version, options)
        task_type = self.types.agreed(kind, accepted.version, accepted.payload, accepted.result)
        return AsyncJob(self, accepted.job, task_type), task_type

    async def job(self, number: int) -> AsyncJob:
        """Return a job of the server, submitted by whomever.

        Raises:
            UnknownJob: there is none of this number.
        """
        connection = await self.connector.connection()
        watching = connection.session.watch(number)
        try:
            await connection.wait_until(watching, lambda: watching.fresh)
        finally:
            connection.forget(watching)
        status = watching.status
        assert status is not None
        kind = self.types.agreed(status.type, status.version, status.payload, status.result)
        return AsyncJob(self, number, kind)

    async def map(
        self,
        type: str | TaskType,  # noqa: A002
        payloads: Iterable[Any] | AsyncIterable[Any],
        *,
        ordered: bool = True,
        failures: Failures = "raise",
        **options: Any,
    ) -> AsyncResults:
        """Submit a job and return its results; `options` are those of `submit`."""
        job = await self.submit(type, payloads, **options)
        return job.results(ordered=ordered, failures=failures)

    async def run(self, type: str | TaskType, *inputs: Any, **options: Any) -> Any:  # noqa: A002
        """Split inputs into payloads, submit them, and return the merged results.

        Split and merge run in a thread. `options` are those of `submit`.

        Raises:
            UnknownTaskType: there is no plugin for this type here.
            TaskFailed: a task failed.
        """
        task_type = self.types.get(type, options.get("version", ""))
        payloads = task_type.split_inputs(*inputs)
        job = await self.submit(task_type, _in_thread(payloads), **options)
        results = plain_results(job.open_results(ordered=True), job.values("raise"), _from_thread)
        return await trio.to_thread.run_sync(task_type.merge_results, results)

    async def get(self, path: str) -> Any:
        """Return the JSON at a path of the server, such as `/api/status`."""
        return await self.connector.get_json(path)


class AsyncJob:
    """A job of the server.

    Attributes:
        number: by which the server knows it.
        task_type: its task type; an untyped one if there is no plugin for it here.
    """

    def __init__(self, client: AsyncClient, number: int, task_type: TaskType) -> None:
        self.number = number
        self.task_type = task_type
        self._client = client

    def __repr__(self) -> str:
        return f"<job {self.number} of {self.type}>"

    @property
    def type(self) -> str:
        """The name of its task type."""
        return self.task_type.name

    def results(self, *, ordered: bool = True, failures: Failures = "raise") -> AsyncResults:
        """Return an async iterator of the results, from the first on.

        Args:
            ordered: in the order of the payloads, or as they come.
            failures: whether a failed task raises TaskFailed, or is yielded as that error.
        """
        return AsyncResults(self.open_results(ordered=ordered), self.values(failures))

    def as_completed(self) -> AsyncResults:
        """Return an async iterator of finished tasks as they come, each a Finished."""
        return AsyncResults(self.open_results(ordered=False), self.records())

    async def wait(self) -> JobStatus:
        """Wait until the job has finished, and return its final state."""
        async with self.watch() as states:
            async for status in states:
                if status.finished:
                    return status
        raise AssertionError("a watch ends with the final state")

    def watch(self) -> AsyncStates:
        """Return an async iterator of the job's states: now, at each change, and the final one."""
        return AsyncStates(self.open_states())

    async def status(self) -> JobStatus:
        """Return the job's present state."""
        reader = self.open_states()
        try:
            return await reader.next_status_or_lost()
        finally:
            reader.close()

    async def cancel(self) -> JobStatus:
        """Cancel the job: tasks without an outcome are not run, running ones are stopped.

        Returns:
            The state once that is on disk. A job that had finished stays as it was.
        """
        connection = await self._client.connector.connection()
        cancelling = connection.session.cancel(self.number)
        await connection.wait_until(cancelling, lambda: cancelling.fresh)
        assert cancelling.status is not None
        return job_status(cancelling.status)

    # --- for the plain client -------------------------------------------------------------------

    def open_results(self, *, ordered: bool) -> ResultReader:
        """Return a reader of the job's outcomes."""
        return ResultReader(self._client.connector, self.number, ordered=ordered)

    def open_states(self) -> StatusReader:
        """Return a reader of the job's states."""
        return StatusReader(self._client.connector, self.number)

    def values(self, failures: Failures) -> Values:
        """Return the view of results alone."""
        return Values(self.number, decoder(self.task_type), failures)

    def records(self) -> Records:
        """Return the view of finished tasks."""
        return Records(self.number, decoder(self.task_type))


class AsyncResults(AsyncIterator[Any]):
    """Results as they arrive. May be left early; `async with` or `aclose` says when.

    Args:
        reader: of the outcomes.
        view: what to give of each.
    """

    def __init__(self, reader: ResultReader, view: View) -> None:
        self._reader = reader
        self._view = view
        self._batches: Iterator[Batch] = iter(())
        self._ready: Iterator[Any] = iter(())
        self._mixed: tuple[Batch, Iterator[int]] | None = None
        self._token = trio.lowlevel.current_trio_token()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ask for no more results."""
        self._reader.close()

    def __del__(self) -> None:
        close_soon(self._token, self._reader.close)

    async def __anext__(self) -> Any:
        try:
            for value in self._ready:
                return value
            return await self._next()
        except msgspec.DecodeError as error:
            raise misfit(self._reader.job, error) from error

    async def _next(self) -> Any:
        while True:
            if self._mixed is not None:
                batch, indices = self._mixed
                for index in indices:
                    return await self._fetched(batch, index)
                self._mixed = None
            for batch in self._batches:
                ready = self._view.each(batch)
                if ready is None:
                    self._mixed = batch, iter(range(len(batch.numbers)))
                    break
                self._ready = ready
                for value in ready:
                    return value
            else:
                batches = await self._reader.next_batches()
                if not batches:
                    raise StopAsyncIteration
                self._batches = iter(batches)

    async def _fetched(self, batch: Batch, index: int) -> Any:
        outcome = batch.outcomes[index]
        if isinstance(outcome, Blob):
            outcome = await self._reader.fetch(batch.numbers[index], outcome.size)
        return self._view.one(batch, index, outcome)


class AsyncStates(AsyncIterator[JobStatus]):
    """A job's states as they change. May be left early; `async with` or `aclose` says when."""

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
        close_soon(self._token, self._reader.close)

    async def __anext__(self) -> JobStatus:
        status = await self._reader.next_status()
        if status is None:
            raise StopAsyncIteration
        return status


def plain_results(reader: ResultReader, view: View, call: Callable[..., Any]) -> Iterator[Any]:
    """Yield results in a thread that is not Trio's.

    Args:
        reader: of the outcomes.
        view: what to yield of each.
        call: calls an async function in Trio's thread: one call a piece, not a task.
    """
    try:
        while batches := call(reader.next_batches):
            for batch in batches:
                ready = view.each(batch)
                if ready is not None:
                    yield from ready
                    continue
                for index, outcome in enumerate(batch.outcomes):
                    if isinstance(outcome, Blob):
                        outcome = call(reader.fetch, batch.numbers[index], outcome.size)
                    yield view.one(batch, index, outcome)
    except msgspec.DecodeError as error:
        raise misfit(reader.job, error) from error


def close_soon(token: trio.lowlevel.TrioToken, close: Callable[[], None]) -> None:
    """Close a reader from any thread, even from the garbage collector's midst."""
    try:
        token.run_sync_soon(close)
    except trio.RunFinishedError:
        pass  # the server has seen the connection end


async def _cuts(
    cutter: Cutter, payloads: Iterable[Any] | AsyncIterable[Any]
) -> AsyncIterator[Cut]:
    """Yield batches of payloads."""
