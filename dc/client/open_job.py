"""A job that stays open: tasks are added one at a time, and each has a future.

Theory of operation
-------------------
`submit` encodes a payload in the calling thread, queues it, and wakes Trio's thread if that is not
awake already. There `_pump` sends all that is queued as one batch: so tasks that come quickly share
messages by themselves, and a single one leaves in the same step. What cannot leave at once (no
room, no connection, a large payload) is left as `_cut` to a task, `_send_all`, and while that is at
work, it takes what comes. It also goes on with the submission over a new connection when one is
lost.

Tasks are numbered in the order in which they are sent, and a future is found by the number of its
task. `_collect` reads the outcomes as they are recorded and sets the futures.

Of the fields, those under the lock are shared; all others belong to Trio's thread.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Protocol, Self

import trio

from dc import limits
from dc.client.handles import Handle
from dc.client.loops import Call
from dc.client.sources import BLOB_COST, FileSource, Given, Source, Stream, complaint, gather
from dc.client.submitting import Submitter
from dc.client.trio_job import AsyncJob
from dc.client.values import Cut, Large, decoder, encoder, misfit, task_failed
from dc.errors import ConnectionLost, DcError, PayloadError
from dc.messages_client import Finished as Batch
from dc.messages_parts import Blob, Failure

ADDED_COST = 512  # bytes that a queued payload and its future count beside the payload's own


class Trio(Protocol):
    """What an open job needs of its client."""

    @property
    def nursery(self) -> trio.Nursery:
        """Where the background tasks of a client run."""

    @property
    def call(self) -> Call:
        """Calls an async function in the background thread."""


class OpenJob:
    """A job that tasks are added to, each with a future; made by `dc.Client.open`.

    Use it as a context manager: leaving it ends the job and waits for the outcomes of all tasks;
    leaving it by an error cancels the job. Any threads may add tasks. Callbacks of futures run in
    the client's background thread, so they should be quick, and not wait for anything of it.

    Args:
        client: the client whose job it is.
        submitter: of the job, which the server has accepted.
        job: the job.
        large: how large results that are bytes are given, see Job.results.
    """

    def __init__(
        self, client: Trio, submitter: Submitter, job: AsyncJob, large: Large = "handle"
    ) -> None:
        self._client = client
        self._token = trio.lowlevel.current_trio_token()
        self._job = job
        self._encode = encoder(job.task_type)
        self._decode = decoder(job.task_type)
        self._wrap = job.wrap(large, self._handle)
        self._submitter = submitter
        self._reader = job.result_reader(ordered=False)
        self._futures: dict[int, Future[Any]] = {}
        self._total = 0
        self._cut: Cut | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._waiting: deque[tuple[Source | Blob, Future[Any]]] = deque()
        self._waiting_bytes = 0
        self._awake = False
        self._closed = False
        self._error: BaseException | None = None

    def __repr__(self) -> str:
        return repr(self._job)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.cancel()

    @property
    def number(self) -> int:
        """By which the server knows the job."""
        return self._job.number

    @property
    def type(self) -> str:
        """The name of its task type."""
        return self._job.type

    # --- the user's threads ---------------------------------------------------------------------

    def submit(self, payload: Any) -> Future[Any]:
        """Add a task; return the future of its result.

        Returns at once, before the task is on the server's disk; it waits only while more than
        limits.UNSTORED_BYTES of payloads have not left, and until a large file or stream is sent,
        where the payload is one. When the future is done, its outcome is on
        the server's disk. Cancelling a future has an effect only before its task was sent.

        The future raises TaskFailed if the task failed, JobCancelled if the job was cancelled, and
        ConnectionLost if the server could not be reached for too long.

        Raises:
            PayloadError: the payload does not fit the type, or was changed while it was sent.
            RuntimeError: the job or its client was closed.
        """
        data = self._encoded(payload)
        future: Future[Any] = Future()
        with self._lock:
            while self._waiting_bytes > limits.UNSTORED_BYTES and not self._is_over:
                if trio.lowlevel.in_trio_run():  # a callback: nothing would leave while it waits
                    break
                self._room.wait()
            if self._is_over:
                raise self._error or RuntimeError(f"{self!r} is closed")
            self._waiting.append((data, future))
            self._waiting_bytes += _in_memory(data) + ADDED_COST
            wake, self._awake = not self._awake, True
        if wake:
            self._wake()
        return future

    def close(self) -> None:
        """End the job and wait for the outcomes of all its tasks; may be repeated.

        Raises:
            DcError: the tasks could not all be submitted; their futures say the same.
        """
        with self._lock:
            self._closed = self._awake = True
        self._wake()
        self._ended.wait()
        if self._error is not None:
            raise self._error

    def cancel(self) -> None:
        """Cancel the job: what has no outcome is not run, and its future raises JobCancelled."""
        with self._lock:
            self._closed = True
        try:
            self._client.call(self._cancel)
        except RuntimeError:  # the client is closed, and has ended this
            return
        self._ended.wait()

    def _encoded(self, payload: Any) -> Source | Blob:
        try:
            given = self._encode(payload)
            if isinstance(given, Stream):
                given = gather(given)
            if isinstance(given, FileSource) and not trio.lowlevel.in_trio_run():
                given = self._client.call(self._submitter.put, given)  # if it fails, it alone does
            return given
        except PayloadError:
            raise
        except Exception as error:
            if self._job.task_type.payload_codec == "bytes":
                raise PayloadError(complaint(error)) from error
            self._job.task_type.encode_payload(payload)  # says what does not fit
            raise PayloadError(f"{payload!r:.80}: {error}") from error

    def _wake(self) -> None:
        try:
            self._token.run_sync_soon(self._pump)
        except trio.RunFinishedError:
            self._end(ConnectionLost("the client was closed"))

    @property
    def _is_over(self) -> bool:
        return self._closed or self._error is not None

    # --- Trio's thread: sending -----------------------------------------------------------------

    def start(self) -> None:
        """Begin to send and to collect."""
        self._client.nursery.start_soon(self._run)

    async def _run(self) -> None:
        error: BaseException | None = ConnectionLost("the client was closed")
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send_all)
                await self._collect(nursery)
            error = None
        except* (DcError, OSError) as group:  # the latter of a file that is sent
            error = group.exceptions[0]
        finally:
            self._end(error)

    def _pump(self) -> None:
        """Send what is queued: at once as far as that can be done, the rest in the task."""
        if self._cut is not None or self._ended.is_set():
            return
        cut = self._take()
        while cut.payloads and not cut.last and self._submitter.send_now(cut):
            cut = self._take()
        if cut.payloads or cut.last:
            self._cut = cut
            self._submitter.poke()

    def _take(self) -> Cut:
        """Return the next batch of what is queued; the last one if the job is closed."""
        payloads: list[Given] = []
        large: list[int] = []
        size = 0
        with self._lock:
            waiting = self._waiting
            while waiting and len(payloads) < limits.BATCH_TASKS and size < limits.BATCH_BYTES:
                data, future = waiting.popleft()
                self._waiting_bytes -= _in_memory(data) + ADDED_COST
                if not future.set_running_or_notify_cancel():
                    continue
                self._futures[self._total] = future
                self._total += 1
                inline = isinstance(data, bytes) and len(data) <= limits.INLINE_BYTES
                if not inline and not isinstance(data, Blob):
                    large.append(len(payloads))
                payloads.append(data)
                size += _in_memory(data) if inline else BLOB_COST
            self._awake = bool(waiting)
            self._room.notify_all()
            return Cut(payloads, size, large, last=self._closed and not waiting)

    async def _send_all(self) -> None:
        """Send what `_pump` cannot; after the last batch, wait until all is on disk."""
        try:
            while True:
                await self._submitter.wait(lambda: self._cut is not None)
                while self._cut is not None:
                    await self._submitter.send(self._cut)
                    if self._cut.last:
                        return
                    following = self._take()
                    self._cut = following if following.payloads or following.last else None
        except (DcError, OSError):
            await self._submitter.abandon()
            raise

    async def _cancel(self) -> None:
        try:
            await self._job.cancel()
        except DcError as error:
            self._end(error)

    # --- Trio's thread: outcomes ----------------------------------------------------------------

    async def _collect(self, nursery: trio.Nursery) -> None:
        while not self._reader.has_ended:
            for batch in await self._reader.next_batches():
                self._settle(batch, nursery)

    def _settle(self, batch: Batch, nursery: trio.Nursery) -> None:
        """Set the futures of a batch."""
        decode, futures = self._decode, self._futures
        for index, (number, outcome) in enumerate(zip(batch.numbers, batch.outcomes, strict=True)):
            if isinstance(outcome, Blob) and self._wrap is None:
                nursery.start_soon(self._fetch, number, outcome)
                continue
            future = futures.pop(number, None)
            if future is None:
                continue
            if isinstance(outcome, Blob):
                future.set_result(self._handle(number, outcome))
            elif isinstance(outcome, Failure):
                future.set_exception(task_failed(self.number, batch, index, outcome))
            elif decode is None:
                future.set_result(outcome)
            else:
                self._set(future, outcome)

    def _set(self, future: Future[Any], data: bytes) -> None:
        try:
            future.set_result(self._decode(data) if self._decode is not None else data)
        except ValueError as error:  # msgspec's errors are such
            future.set_exception(misfit(self.number, error))

    def _handle(self, number: int, blob: Blob) -> Handle:
        return Handle(self._client, self._job.handle(number, blob))

    async def _fetch(self, number: int, blob: Blob) -> None:
        try:
            data = await self._reader.fetch(number, blob)
        except (DcError, OSError) as error:  # the latter of a full disk
            if (future := self._futures.pop(number, None)) is not None:
                future.set_exception(error)
        else:
            if (future := self._futures.pop(number, None)) is not None:
                self._set(future, data)

    def _end(self, error: BaseException | None) -> None:
        """Let nobody wait any more; without an error, all outcomes have come."""
        with self._lock:
            if self._ended.is_set():
                return
            self._error = error
            self._closed = True
            waiting = [future for _, future in self._waiting]
            self._waiting.clear()
            left, self._futures = self._futures, {}
            self._ended.set()
            self._room.notify_all()
        error = error or DcError(f"{self!r} ended without this task")
        for future in left.values():
            future.set_exception(error)
        for future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)


def _in_memory(data: Source | Blob) -> int:
    return len(data) if isinstance(data, bytes) else BLOB_COST
