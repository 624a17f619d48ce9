"""A job, for programs that run under Trio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dc.client.connector import Connector
from dc.client.handles import AsyncHandle
from dc.client.loops import AsyncResults, AsyncStates
from dc.client.reads import ResultReader, StatusReader, result_path
from dc.client.records import JobStatus, job_status
from dc.client.values import Failures, Large, Records, Values, Wrap, decoder
from dc.messages_parts import Blob
from dc.tasktypes import TaskType


class AsyncJob:
    """A job of the server.

    Args:
        connector: to the server.
        number: by which the server knows the job.
        task_type: its task type; an untyped one if there is no plugin for it here.
    """

    def __init__(self, connector: Connector, number: int, task_type: TaskType) -> None:
        self.number = number
        self.task_type = task_type
        self._connector = connector

    def __repr__(self) -> str:
        return f"<job {self.number} of {self.type}>"

    @property
    def type(self) -> str:
        """The name of its task type."""
        return self.task_type.name

    def results(
        self, *, ordered: bool = True, failures: Failures = "raise", large: Large = "handle"
    ) -> AsyncResults:
        """Return an async iterator of the results, from the first on.

        It raises JobCancelled at its end if the job was cancelled.

        Args:
            ordered: in the order of the payloads, or as they come.
            failures: whether a failed task raises TaskFailed, or is yielded as that error.
            large: how large results that are bytes are given: as AsyncHandles, to read or save when
                they are wanted, or (`value`) as bytes. Large results of other types are read into
                memory, one at a time.
        """
        view = self.values(failures, self.wrap(large, self.handle))
        return AsyncResults(self.result_reader(ordered=ordered), view)

    def as_completed(self, *, ordered: bool = False, large: Large = "handle") -> AsyncResults:
        """Return an async iterator of finished tasks, each a Finished: as they come, or in order.

        Failed ones are among them. `large` is that of `results`.
        """
        view = self.records(self.wrap(large, self.handle))
        return AsyncResults(self.result_reader(ordered=ordered), view)

    async def result(self, number: int) -> AsyncHandle:
        """Return a handle of the bytes of one task's result, whatever their size and their type.

        Raises:
            UnknownTask: the job has no such task, or it has no result.
        """
        path = result_path(self.number, number)
        return self.handle(number, await self._connector.transfers.look(path))

    async def wait(self) -> JobStatus:
        """Wait until the job has finished, and return its final state."""
        reader = self.status_reader()
        try:
            return await reader.final_status()
        finally:
            reader.close()

    def watch(self) -> AsyncStates:
        """Return an async iterator of the job's states: now, at each change, and the final one."""
        return AsyncStates(self.status_reader())

    async def status(self) -> JobStatus:
        """Return the job's present state."""
        reader = self.status_reader()
        try:
            return await reader.status_now()
        finally:
            reader.close()

    async def output(self, number: int) -> str:
        """Return what a task has written to its standard output and error, as far as it is kept.

        Of much, the beginning and the end are kept, and the text says how much is left out. It is
        of the newest attempt that has written anything; of a task that runs, what it has written
        up to a second ago.

        Args:
            number: of the task within the job.

        Raises:
            UnknownTask: the job has no such task.
        """
        path = f"/api/jobs/{self.number}/tasks/{number}/output"
        return str((await self._connector.get_json(path))["text"])

    async def save_output(self, number: int, to: Path) -> int:
        """Write what a task has written to a file, as bytes; return their number.

        It is all of it, if the job keeps that (`keep_output`) and the task has finished; else it is
        what `output` returns.

        Args:
            number: of the task within the job.
            to: the file.

        Raises:
            UnknownTask: the job has no such task.
        """
        return await self._connector.download(f"/jobs/{self.number}/tasks/{number}/output", to)

    async def cancel(self) -> JobStatus:
        """Cancel the job: tasks without an outcome are not run, running ones are stopped.

        Returns:
            The state once that is on disk. A job that had finished stays as it was.
        """
        connection = await self._connector.connection()
        cancelling = connection.session.cancel(self.number)
        await connection.wait_until(cancelling, lambda: cancelling.fresh)
        assert cancelling.status is not None
        return job_status(cancelling.status, connection.session.trouble)

    async def cancel_task(self, *numbers: int) -> int:
        """Cancel tasks: those without an outcome fail, by `cancelled`; running ones are stopped.

        Returns:
            How many of them had no outcome, once that is on disk.
        """
        tasks = [[number, number] for number in numbers]
        path = f"/api/jobs/{self.number}/tasks/cancel"
        answer = await self._connector.send_json("POST", path, {"tasks": tasks})
        return int(answer["tasks"])

    async def retry(self, *numbers: int) -> int:
        """Queue failed tasks again: these, or all that were not cancelled.

        They keep their numbers, and their attempts count on. A job that had finished goes on.

        Returns:
            How many there were, once that is on disk.

        Raises:
            NotPossible: the job was cancelled, or its deadline is over.
        """
        body = {"tasks": [[number, number] for number in numbers]} if numbers else None
        answer = await self._connector.send_json("POST", f"/api/jobs/{self.number}/retry", body)
        return int(answer["tasks"])

    async def pause(self, *, now: bool = False) -> None:
        """Have nothing of the job handed out; what runs goes on, or (`now`) is given back.

        Raises:
            NotPossible: the job has finished.
        """
        await self._connector.send_json("POST", f"/api/jobs/{self.number}/pause", {"now": now})

    async def resume(self) -> None:
        """Have the job handed out again.

        Raises:
            NotPossible: the job has finished.
        """
        await self._connector.send_json("POST", f"/api/jobs/{self.number}/resume")

    async def change(self, **changes: Any) -> None:
        """Change `name`, `priority`, `weight`, `not_before` or `deadline` of the job.

        Raises:
            NotPossible: the job has finished, and more than its name is to be changed.
        """
        await self._connector.send_json("PATCH", f"/api/jobs/{self.number}", changes)

    # --- what the iterators, here and in the plain client, are made of --------------------------

    def result_reader(self, *, ordered: bool) -> ResultReader:
        """Return a reader of the job's outcomes."""
        return ResultReader(self._connector, self.number, ordered=ordered)

    def status_reader(self) -> StatusReader:
        """Return a reader of the job's states."""
        return StatusReader(self._connector, self.number)

    def handle(self, number: int, blob: Blob) -> AsyncHandle:
        """Return a handle of the bytes of a task's result."""
        path, name = result_path(self.number, number), f"result of task {self.number}/{number}"
        return AsyncHandle(self._connector.transfers, path, blob, name)

    def wrap(self, large: Large, handle: Wrap) -> Wrap | None:
        """Return what is made of large results: handles, or nothing if they are to be fetched.

        Raises:
            ValueError: `large` is no such word.
        """
        if large not in ("handle", "value"):
            raise ValueError(f'large is "handle" or "value", not {large!r}')
        return handle if large == "handle" and self.task_type.result_codec == "bytes" else None

    def values(self, failures: Failures, wrap: Wrap | None) -> Values:
        """Return the view of results alone."""
        return Values(self.number, decoder(self.task_type), failures, wrap)

    def records(self, wrap: Wrap | None) -> Records:
        """Return the view of finished tasks."""
        return Records(self.number, decoder(self.task_type), wrap)
