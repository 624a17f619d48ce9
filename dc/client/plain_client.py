"""The client for plain programs: the Trio client in a background thread.

The user's thread crosses into Trio's once a batch, by `trio.from_thread`; payloads are read and
encoded, and results decoded, in the user's thread. Any number of threads may use one client.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any, Self, Unpack

import trio

from dc.client.connector import DEFAULT_URL, OpenStream
from dc.client.handles import Handle
from dc.client.loops import Call
from dc.client.open_job import OpenJob
from dc.client.options import JobOptions, check_inputs, check_options
from dc.client.plain_job import Job
from dc.client.sources import BlobRef, Stream, gather, source_of
from dc.client.submitting import Submitter
from dc.client.transfers import Transfer
from dc.client.trio_client import AsyncClient
from dc.client.trio_job import AsyncJob
from dc.client.values import Cutter, Failures, Large, skip
from dc.tasktypes import TaskType

CLOSED = "this client is not open: use it as `with dc.Client() as client`, and inside that block"


class Client:
    """A connection to a server, for submitting jobs and collecting their results.

    Use it as `with dc.Client() as client`. Any of its methods may raise ConnectionLost; what reads
    results or waits tries for a minute to reach the server again before it does.

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
        self._client = AsyncClient(
            url, plugins, submitter=submitter, open_stream=open_stream, token=token, pin=pin
        )
        self._scope = trio.CancelScope()
        self._thread: threading.Thread | None = None
        self._token: trio.lowlevel.TrioToken | None = None

    def __enter__(self) -> Self:
        if self._thread is not None:
            raise RuntimeError("a client can be entered only once")
        started: SimpleQueue[trio.lowlevel.TrioToken | BaseException | None] = SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, args=(started,), name="dc client", daemon=True
        )
        self._thread.start()
        token = None
        try:
            while (said := started.get()) is not None:  # None: it is connected
                if isinstance(said, BaseException):
                    raise said
                token = said
        except BaseException:
            if token is not None:
                self._end(token)
            raise
        self._token = token
        return self

    def __exit__(self, *error: object) -> None:
        token, self._token = self._token, None
        if token is not None:
            self._end(token)

    def _end(self, token: trio.lowlevel.TrioToken) -> None:
        assert self._thread is not None
        with suppress(trio.RunFinishedError):  # it ended by itself
            token.run_sync_soon(self._scope.cancel)
        self._thread.join()

    def _run(self, started: SimpleQueue[Any]) -> None:
        try:
            trio.run(self._live, started)
        except BaseException as error:
            started.put(error)  # whoever starts the thread raises it

    async def _live(self, started: SimpleQueue[Any]) -> None:
        started.put(trio.lowlevel.current_trio_token())
        with self._scope:
            async with self._client:
                started.put(None)
                await trio.sleep_forever()

    @property
    def url(self) -> str:
        """The server's address."""
        return self._client.url

    @property
    def token(self) -> trio.lowlevel.TrioToken:
        """Of the background thread.

        Raises:
            RuntimeError: the client is not open.
        """
        if self._token is None:
            raise RuntimeError(CLOSED)
        return self._token

    def call(self, function: Call, *args: Any) -> Any:
        """Call an async function in the background thread, and return what it returns.

        Raises:
            RuntimeError: the client is not open.
        """
        try:
            return trio.from_thread.run(function, *args, trio_token=self.token)
        except (trio.RunFinishedError, trio.Cancelled):
            raise RuntimeError(CLOSED) from None

    def submit(
        self,
        type: str | TaskType,  # noqa: A002
        payloads: Iterable[Any],
        *,
        version: str = "",
        key: str = "",
        **options: Unpack[JobOptions],
    ) -> Job:
        """Submit a job; once this returns, all its tasks are on the server's disk.

        Args:
            type: a task type or its name.
            payloads: one for each task; read lazily, in the calling thread.
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
        said = self._said(options)
        return self._submit(type, payloads, version, said, key)

    def open(
        self,
        type: str | TaskType,  # noqa: A002
        *,
        version: str = "",
        large: Large = "handle",
        **options: Unpack[JobOptions],
    ) -> OpenJob:
        """Begin a job that tasks are added to one at a time, each with a future of its result.

        For results in a loop, `submit` is several times as fast.

        Args:
            type: a task type or its name.
            version: of the task type; the server's newest if empty.
            large: how large results that are bytes are given; see Job.results.
            options: of the job, as in JobOptions.

        Raises:
            OptionsError: an option is out of its range.
            UnknownTaskType: the server has no such type.
            ConnectionLost: the server could not be reached for a minute.
        """
        said = self._said(options)
        job, submitter = self.call(self._open, type, version, said, large)
        submitter.warn(3)
        return job  # type: ignore[no-any-return]

    async def _open(
        self, kind: str | TaskType, version: str, options: dict[str, Any], large: Large
    ) -> tuple[OpenJob, Submitter]:
        connector = self._client.connector
        submitter = Submitter(connector, kind, version, options)
        await submitter.begin()
        accepted = await submitter.accept()
        task_type = self._client.types.agreed(kind, accepted)
        submitter.encode_as(task_type.payload_codec)
        job = OpenJob(self, submitter, AsyncJob(connector, accepted.job, task_type), large)
        job.start()
        return job, submitter

    @property
    def nursery(self) -> trio.Nursery:
        """Where background tasks of the client run, in its thread."""
        return self._client.nursery

    def put(self, source: Any, *, name: str = "") -> BlobRef:
        """Have the server have some bytes, to be used in any number of tasks.

        As a payload, or in `inputs`, the reference stands for the bytes. They are on the server's
        disk on return; bytes that it has already are not sent again, and what is cut off goes on
        where it stopped. Bytes that no job uses are removed after a while.

        Args:
            source: bytes, a Path, an open binary file, or an iterator of bytes.
            name: of the transfer, for people; of a file, its own if empty.

        Raises:
            TypeError: it is none of these.
            PayloadError: the file was changed while it was sent, or the iterator failed.
            OSError: the file cannot be read.
        """
        given = source_of(source)
        if isinstance(given, Stream):
            given = gather(given)
        ref: BlobRef = self.call(self._client.put_source, given, name)
        return ref

    def blob(self, ref: BlobRef | str) -> Handle:
        """Return a handle of bytes that the server has.

        Args:
            ref: what `put` has returned, or a SHA-256 in hexadecimal digits.

        Raises:
            UnknownBlob: the server does not have them.
        """
        return Handle(self, self.call(self._client.blob, ref))

    @property
    def transfers(self) -> list[Transfer]:
        """The large bytes that are on their way to the server and back, the oldest first."""
        return self._client.connector.transfers.going

    def _said(self, options: JobOptions) -> dict[str, Any]:
        """Return the options that were said, once their inputs are put."""
        said, inputs = check_options(options, self._client.submitter), options.get("inputs")
        if inputs is not None:
            said["inputs"] = {
                name: self.put(one, name=name).blob for name, one in check_inputs(inputs).items()
            }
        return said

    def _submit(
        self,
        kind: str | TaskType,
        payloads: Iterable[Any],
        version: str,
        options: dict[str, Any],
        key: str,
    ) -> Job:
        self.token  # noqa: B018  # raises if the client is not open
        submitter = Submitter(self._client.connector, kind, version, options, key)
        try:
            said = submitter.recall()
            if said is None and submitter.asks_first:
                said = self.call(submitter.begin)
            if not submitter.complete:
                task_type = kind if said is None else self._client.types.agreed(kind, said)
                assert isinstance(task_type, TaskType)
                self._feed(submitter, task_type, payloads)
        except BaseException:
            if self._token is not None:
                self.call(submitter.abandon)
            raise
        accepted = submitter.accepted
        assert accepted is not None, "what is stored was accepted"
        task_type = self._client.types.agreed(kind, accepted)
        submitter.warn()
        return Job(self, AsyncJob(self._client.connector, accepted.job, task_type))

    def _feed(self, submitter: Submitter, task_type: TaskType, payloads: Iterable[Any]) -> None:
        submitter.encode_as(task_type.payload_codec)
        cutter, iterator = Cutter(task_type, monotonic, submitter.first), iter(payloads)
        skip(iterator, submitter.first)
        last = False
        while not last:
            cut = cutter.cut(iterator)
            if cut.stream is not None:
                cut.settle(gather(cut.stream))
            self.call(submitter.send, cut)
            last = cut.last

    def job(self, number: int) -> Job:
        """Return a job of the server, submitted by whomever.

        Raises:
            UnknownJob: there is none of this number.
        """
        status = self.call(self._client.look_up, number)
        task_type = self._client.types.agreed(status.type, status)
        return Job(self, AsyncJob(self._client.connector, number, task_type))

    def map(
        self,
        type: str | TaskType,  # noqa: A002
        payloads: Iterable[Any],
        *,
        ordered: bool = True,
        failures: Failures = "raise",
        large: Large = "handle",
        **options: Any,
    ) -> Iterator[Any]:
        """Submit a job and return an iterator of its results; `options` are those of `submit`."""
        job = self.submit(type, payloads, **options)
        return job.results(ordered=ordered, failures=failures, large=large)

    def run(self, type: str | TaskType, *inputs: Any, **options: Any) -> Any:  # noqa: A002
        """Split inputs into payloads, submit them, and return the merged results.

        Results stream into the merge as they come, in order, large ones as values. `options` are
        those of `submit`.

        Raises:
            UnknownTaskType: there is no plugin for this type here.
            TaskFailed: a task failed.
        """
        task_type = self.task_type(type, options.get("version", ""))
        job = self.submit(task_type, task_type.split_inputs(*inputs), **options)
        return task_type.merge_results(job.results(large="value"))

    def task_type(self, type: str | TaskType, version: str = "") -> TaskType:  # noqa: A002
        """Return a task type that has its plugin here; without a version, the newest.

        Raises:
            UnknownTaskType: there is none.
        """
        return self._client.types.get(type, version)

    @property
    def trouble(self) -> str:
        """Why the server acknowledges nothing at present, in a sentence; empty if it does."""
        return self._client.trouble

    def get(self, path: str) -> Any:
        """Return the JSON at a path of the server, such as `/api/status`."""
        return self.call(self._client.get, path)

    def request(self, method: str, path: str, value: Any = None) -> Any:
        """Ask for a change: send a value, if it is one, as JSON to a path such as `/api/workers/W`.

        Args:
            method: `POST`, `PUT`, `PATCH` or `DELETE`.
            path: of the server's API, see docs/protocol.md.
            value: anything that has a form in JSON.

        Returns:
            The JSON of the answer, once the change is on the server's disk.
        """
        return self.call(self._client.request, method, path, value)

    def backup(self, to: Path) -> int:
        """Write a backup of the server's data folder to a file; return its size in bytes."""
        size: int = self.call(self._client.backup, to)
        return size

    def download(self, path: str, to: Path) -> int:
        """Write what is at a path of the server to a file for this user alone; return its size."""
        size: int = self.call(self._client.download, path, to)
        return size
