"""The client for programs that run under Trio."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self, Unpack, cast

import trio

from dc import limits_client as limits
from dc.client.connector import DEFAULT_URL, Connector, OpenStream
from dc.client.handles import AsyncHandle
from dc.client.loops import AsyncResults, plain_results
from dc.client.options import JobOptions, check_inputs, check_options
from dc.client.sources import BlobRef, Source, Stream, gather_async, source_of
from dc.client.submitter import submitter_here
from dc.client.submitting import Submitter
from dc.client.trio_job import AsyncJob
from dc.client.types import KnownTypes
from dc.client.values import (
    Cut,
    Cutter,
    Failures,
    Large,
    is_full,
    join,
    skip,
    too_few,
)
from dc.client.way_in import way_in
from dc.errors import NotPermitted
from dc.messages_client import Accepted, Status
from dc.messages_parts import Blob
from dc.tasktypes import TaskType


class AsyncClient:
    """A connection to a server, for submitting jobs and collecting their results.

    Use it as `async with dc.AsyncClient() as client`. Its methods may be called by several tasks
    at the same time. Any of them may raise ConnectionLost; what reads results or waits tries for a
    minute to reach the server again before it does.

    Args:
        url: the server's address.
        plugins: folders of plugins, beside those of installed packages: they give payloads and
            results their types, and `run` its split and merge.
        submitter: whose jobs are submitted; USER@HOST if nothing is said.
        open_stream: opens a stream to the server in place of TCP.
        token: that lets in; without it $DC_TOKEN, or what `python -m dc sign-in` has kept.
        pin: of the server's key, as hexadecimal digits; without it $DC_PIN, or what was kept.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        plugins: Iterable[str | Path] = (),
        *,
        submitter: str | None = None,
        open_stream: OpenStream | None = None,
        token: str | None = None,
        pin: str | None = None,
    ) -> None:
        self.url = url
        self._credentials = token, pin
        self.submitter = submitter_here() if submitter is None else submitter
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
            server, headers = way_in(self.url, *self._credentials)
            self._connector = Connector(server, self._nursery, self._open_stream, headers)
            with suppress(NotPermitted):  # who may only look has no socket, and needs none for that
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
        """End all background tasks; the body's own error is not theirs and passes untouched."""
        nursery, self._nursery = self._nursery, None
        if self._manager is None or nursery is None:  # never opened, or closed already
            return
        if self._connector is not None:
            with trio.CancelScope(shield=True):
                await self._connector.aclose()
        scope = nursery.cancel_scope
        scope.shield = True  # what cancelled the body does not interrupt the goodbyes
        scope.cancel()
        await self._manager.__aexit__(None, None, None)

    @property
    def nursery(self) -> trio.Nursery:
        """Where background tasks run.

        Raises:
            RuntimeError: the client is not open.
        """
        if self._nursery is None:
            raise RuntimeError("this client is not open: use it as `async with dc.AsyncClient()`")
        return self._nursery

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
        key: str = "",
        **options: Unpack[JobOptions],
    ) -> AsyncJob:
        """Submit a job; once this returns, all its tasks are on the server's disk.

        Args:
            type: a task type or its name.
            payloads: one for each task; read lazily, in the calling task.
            version: of the task type; the server's newest if empty.
            key: names the submission, for good: submitting the same payloads under it again goes
                on where it was left, or returns the job if all is there. An error leaves the job
                open, to go on with; without a key, it is cancelled.
            options: of the job, as in JobOptions.

        Raises:
            PayloadError: a payload does not fit the type.
            OptionsError: an option is out of its range.
            UnknownTaskType: the server has no such type.
            KeyConflict: another submission has this key, of another type or of other payloads, or
                is under way.
            JobCancelled: somebody cancelled the job meanwhile.
            ConnectionLost: the server could not be reached for a minute; what it has of the job
                stays there.
        """
        said = await self._said(options)
        feed = _feed_async if isinstance(payloads, AsyncIterable) else _feed
        return await self._submit(type, payloads, version, said, key, feed)

    async def put(self, source: Any, *, name: str = "") -> BlobRef:
        """Have the server have some bytes, to be used in any number of tasks.

        As a payload, or in `inputs`, the reference stands for the bytes. They are on the server's
        disk on return; bytes that it has already are not sent again, and what is cut off goes on
        where it stopped. Bytes that no job uses are removed after a while.

        Args:
            source: bytes, a Path, an open binary file, or an iterator of bytes, also an async one;
                others are read in a thread.
            name: of the transfer, for people; of a file, its own if empty.

        Raises:
            TypeError: it is none of these.
            PayloadError: the file was changed while it was sent, or the iterator failed.
            OSError: the file cannot be read.
        """
        given = source_of(source)
        if isinstance(given, Stream):
            given = await gather_async(given)
        return await self.put_source(given, name)

    async def blob(self, ref: BlobRef | str) -> AsyncHandle:
        """Return a handle of bytes that the server has.

        Args:
            ref: what `put` has returned, or a SHA-256 in hexadecimal digits.

        Raises:
            UnknownBlob: the server does not have them.
        """
        digest = ref if isinstance(ref, str) else ref.digest
        path = f"/blobs/{BlobRef(digest, 0).blob.name}"
        found = await self.connector.transfers.look(path)
        return AsyncHandle(self.connector.transfers, path, found, f"blob {found.name[:12]}")

    async def put_source(self, source: Source | Blob, name: str = "") -> BlobRef:
        """Have the server have the bytes of a source; a Blob is one that it has."""
        transfers = self.connector.transfers
        blob = source if isinstance(source, Blob) else await transfers.put(source, name)
        return BlobRef(blob.name, blob.size)

    async def _said(self, options: JobOptions) -> dict[str, Any]:
        """Return the options that were said, once their inputs are put."""
        said, inputs = check_options(options, self.submitter), options.get("inputs")
        if inputs is not None:
            refs = {
                name: await self.put(one, name=name) for name, one in check_inputs(inputs).items()
            }
            said["inputs"] = {name: ref.blob for name, ref in refs.items()}
        return said

    async def job(self, number: int) -> AsyncJob:
        """Return a job of the server, submitted by whomever.

        Raises:
            UnknownJob: there is none of this number.
        """
        status = await self.look_up(number)
        return AsyncJob(self.connector, number, await self._agreed(status.type, status))

    async def map(
        self,
        type: str | TaskType,  # noqa: A002
        payloads: Iterable[Any] | AsyncIterable[Any],
        *,
        ordered: bool = True,
        failures: Failures = "raise",
        large: Large = "handle",
        **options: Any,
    ) -> AsyncResults:
        """Submit a job and return its results; `options` are those of `submit`."""
        job = await self.submit(type, payloads, **options)
        return job.results(ordered=ordered, failures=failures, large=large)

    async def run(self, type: str | TaskType, *inputs: Any, **options: Any) -> Any:  # noqa: A002
        """Split inputs into payloads, submit them, and return the merged results.

        Split and merge run in a thread. `options` are those of `submit`.

        Raises:
            UnknownTaskType: there is no plugin for this type here.
            TaskFailed: a task failed.
        """
        await trio.to_thread.run_sync(self.types.load)
        version, key = options.pop("version", ""), options.pop("key", "")
        task_type = self.types.get(type, version)
        payloads = task_type.split_inputs(*inputs)
        said = await self._said(cast(JobOptions, options))
        job = await self._submit(task_type, payloads, version, said, key, _feed_from_thread)
        reader, token = job.result_reader(ordered=True), trio.lowlevel.current_trio_token()
        results = plain_results(reader, job.values("raise", None), trio.from_thread.run, token)
        return await trio.to_thread.run_sync(task_type.merge_results, results)

    @property
    def trouble(self) -> str:
        """Why the server acknowledges nothing at present, in a sentence; empty if it does."""
        return self.connector.trouble

    async def get(self, path: str) -> Any:
        """Return the JSON at a path of the server, such as `/api/status`."""
        return await self.connector.get_json(path)

    async def request(self, method: str, path: str, value: Any = None) -> Any:
        """Ask for a change: send a value, if it is one, as JSON to a path such as `/api/workers/W`.

        Args:
            method: `POST`, `PATCH` or `DELETE`.
            path: of the server's API, see docs/protocol.md.
            value: anything that has a form in JSON.

        Returns:
            The JSON of the answer, once the change is on the server's disk.
        """
        return await self.connector.send_json(method, path, value)

    async def backup(self, to: Path) -> int:
        """Write a backup of the server's data folder to a file; return its size in bytes."""
        return await self.connector.download("/api/backup", to)

    async def download(self, path: str, to: Path) -> int:
        """Write what is at a path of the server to a file for this user alone; return its size."""
        return await self.connector.download(path, to, private=True)

    async def look_up(self, number: int) -> Status:
        """Return a job's state as the server sent it.

        Raises:
            UnknownJob: there is no job of this number.
        """
        connection = await self.connector.connection()
        watching = connection.session.watch(number)
        try:
            await connection.wait_until(watching, lambda: watching.fresh)
        finally:
            connection.forget(watching)
        assert watching.status is not None
        return watching.status

    async def _submit(
        self,
        kind: str | TaskType,
        payloads: Any,
        version: str,
        options: dict[str, Any],
        key: str,
        feed: Callable[[Submitter, Cutter, Any], Any],
    ) -> AsyncJob:
        submitter = Submitter(self.connector, kind, version, options, key)
        try:
            said = await submitter.begin()
            if not submitter.complete:
                task_type = kind if said is None else await self._agreed(kind, said)
                assert isinstance(task_type, TaskType)
                submitter.encode_as(task_type.payload_codec)
                await feed(submitter, Cutter(task_type, monotonic, submitter.first), payloads)
        except BaseException:
            await submitter.abandon()
            raise
        accepted = submitter.accepted
        assert accepted is not None, "what is stored was accepted"
        submitter.warn()
        return AsyncJob(self.connector, accepted.job, await self._agreed(kind, accepted))

    async def _agreed(self, kind: str | TaskType, said: Accepted | Status) -> TaskType:
        if isinstance(kind, str) and not self.types.loaded:
            await trio.to_thread.run_sync(self.types.load)
        return self.types.agreed(kind, said)


async def _feed(submitter: Submitter, cutter: Cutter, payloads: Iterable[Any]) -> None:
    iterator = iter(payloads)
    skip(iterator, submitter.first)
    while await _send(submitter, await _settled(cutter.cut(iterator))):
        await trio.lowlevel.checkpoint()


async def _feed_from_thread(submitter: Submitter, cutter: Cutter, payloads: Iterator[Any]) -> None:
    await trio.to_thread.run_sync(skip, payloads, submitter.first)
    while True:
        cut = await _settled(await trio.to_thread.run_sync(cutter.cut, payloads))
        if not await _send(submitter, cut):
            return


async def _feed_async(submitter: Submitter, cutter: Cutter, payloads: AsyncIterable[Any]) -> None:
    waiting: list[Cut] = []
    since, found = trio.current_time(), 0
    async for payload in payloads:
        found += 1
        if found <= submitter.first:
            continue
        waiting.append(await _settled(cutter.cut((payload,))))
        if (
            waiting[-1].large
            or is_full(waiting)
            or trio.current_time() >= since + limits.PAYLOAD_SECONDS
        ):
            await submitter.send(join(waiting, last=False))
            waiting, since = [], trio.current_time()
    if found < submitter.first:
        raise too_few(found, submitter.first)
    await submitter.send(join(waiting, last=True))


async def _settled(cut: Cut) -> Cut:
    """Return a batch whose stream, if it has one, is read."""
    if cut.stream is not None:
        cut.settle(await gather_async(cut.stream))
    return cut


async def _send(submitter: Submitter, cut: Cut) -> bool:
    """Send a batch; return whether there may be more."""
    await submitter.send(cut)
    return not cut.last
