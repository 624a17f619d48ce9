"""A job, for plain programs: the one for Trio, called in the client's background thread."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import trio

from dc.client.handles import Handle
from dc.client.loops import Call, plain_results, plain_states
from dc.client.records import Finished, JobStatus
from dc.client.trio_job import AsyncJob
from dc.client.values import Failures, Large
from dc.messages_parts import Blob
from dc.tasktypes import TaskType


class Caller(Protocol):
    """What a job needs of its client."""

    @property
    def call(self) -> Call:
        """Calls an async function in the background thread."""

    @property
    def token(self) -> trio.lowlevel.TrioToken:
        """Of that thread."""


class Job:
    """A job of the server.

    Args:
        client: that it is read through.
        job: the same for Trio.
    """

    def __init__(self, client: Caller, job: AsyncJob) -> None:
        self._client = client
        self._job = job

    def __repr__(self) -> str:
        return repr(self._job)

    @property
    def number(self) -> int:
        """By which the server knows the job."""
        return self._job.number

    @property
    def type(self) -> str:
        """The name of its task type."""
        return self._job.type

    @property
    def task_type(self) -> TaskType:
        """Its task type; an untyped one if there is no plugin for it here."""
        return self._job.task_type

    def results(
        self, *, ordered: bool = True, failures: Failures = "raise", large: Large = "handle"
    ) -> Iterator[Any]:
        """Return an iterator of the results, from the first on.

        It raises JobCancelled at its end if the job was cancelled.

        Args:
            ordered: in the order of the payloads, or as they come.
            failures: whether a failed task raises TaskFailed, or is yielded as that error.
            large: how large results that are bytes are given: as Handles, to read or save when they
                are wanted, or (`value`) as bytes. Large results of other types are read into
                memory, one at a time.
        """
        view = self._job.values(failures, self._job.wrap(large, self._handle))
        reader = self._job.result_reader(ordered=ordered)
        return plain_results(reader, view, self._client.call, self._client.token)

    def as_completed(self, *, ordered: bool = False, large: Large = "handle") -> Iterator[Finished]:
        """Return an iterator of finished tasks, failed ones as well: as they come, or in order.

        `large` is that of `results`.
        """
        view = self._job.records(self._job.wrap(large, self._handle))
        reader = self._job.result_reader(ordered=ordered)
        return plain_results(reader, view, self._client.call, self._client.token)

    def result(self, number: int) -> Handle:
        """Return a handle of the bytes of one task's result, whatever their size and their type.

        Raises:
            UnknownTask: the job has no such task, or it has no result.
        """
        return Handle(self._client, self._client.call(self._job.result, number))

    def _handle(self, number: int, blob: Blob) -> Handle:
        return Handle(self._client, self._job.handle(number, blob))

    def wait(self) -> JobStatus:
        """Wait until the job has finished, and return its final state."""
        status: JobStatus = self._client.call(self._job.wait)
        return status

    def watch(self) -> Iterator[JobStatus]:
        """Return an iterator of the job's states: now, at each change, and the final one."""
        return plain_states(self._job.status_reader(), self._client.call, self._client.token)

    def status(self) -> JobStatus:
        """Return the job's present state."""
        status: JobStatus = self._client.call(self._job.status)
        return status

    def output(self, number: int) -> str:
        """Return what a task has written to its standard output and error, as far as it is kept.

        See AsyncJob.output.

        Raises:
            UnknownTask: the job has no such task.
        """
        text: str = self._client.call(self._job.output, number)
        return text

    def save_output(self, number: int, to: Path) -> int:
        """Write what a task has written to a file, as bytes; return their number.

        See AsyncJob.save_output.

        Raises:
            UnknownTask: the job has no such task.
        """
        size: int = self._client.call(self._job.save_output, number, to)
        return size

    def cancel(self) -> JobStatus:
        """Cancel the job: tasks without an outcome are not run, running ones are stopped.

        Returns:
            The state once that is on disk. A job that had finished stays as it was.
        """
        status: JobStatus = self._client.call(self._job.cancel)
        return status

    def cancel_task(self, *numbers: int) -> int:
        """Cancel tasks: those without an outcome fail, by `cancelled`; see AsyncJob.cancel_task."""
        count: int = self._client.call(self._job.cancel_task, *numbers)
        return count

    def retry(self, *numbers: int) -> int:
        """Queue failed tasks again, all but cancelled ones if none is named; see AsyncJob.retry."""
        count: int = self._client.call(self._job.retry, *numbers)
        return count

    def pause(self, *, now: bool = False) -> None:
        """Have nothing of the job handed out; what runs goes on, or (`now`) is given back."""
        self._client.call(partial(self._job.pause, now=now))

    def resume(self) -> None:
        """Have the job handed out again."""
        self._client.call(self._job.resume)

    def change(self, **changes: Any) -> None:
        """Change `name`, `priority`, `weight`, `not_before` or `deadline` of the job."""
        self._client.call(partial(self._job.change, **changes))
