"""Reads that survive a lost connection: results from their cursor on, and states.

Each method is to be called from Trio's thread, by one task at a time. While the server cannot be
reached they try again, as long as `Patience` lasts, and then raise ConnectionLost.
"""

from __future__ import annotations

import trio

from dc.client.connection import Connection
from dc.client.connector import Connector
from dc.client.cursor import Cursor
from dc.client.patience import Patience
from dc.client.records import JobStatus, job_status
from dc.client.session import Subscription, Watching
from dc.errors import ConnectionLost
from dc.messages_client import Finished
from dc.messages_parts import Blob


def result_path(job: int, number: int) -> str:
    """Return where the bytes of a task's result are at the server."""
    return f"/jobs/{job}/tasks/{number}/result"


class ResultReader:
    """Reads the outcomes of a job, batch by batch.

    Args:
        connector: to the server.
        job: the job's number.
        ordered: in the order of the tasks, or as they come.
    """

    def __init__(self, connector: Connector, job: int, *, ordered: bool) -> None:
        self.job = job
        self._connector = connector
        self._cursor = Cursor(ordered=ordered)
        self._open: tuple[Connection, Subscription] | None = None
        self._ended = False

    async def next_batches(self) -> list[Finished]:
        """Return the next outcomes, at least one; an empty list after the last.

        Raises:
            ConnectionLost: the server could not be reached for too long.
            JobCancelled: there will be no more because the job was cancelled.
            DcError: the server refused the read.
        """
        if self._ended or self._open is not None:  # else it waits for the server's first word
            await trio.lowlevel.checkpoint()
        patience = Patience()
        while not self._ended:
            try:
                batches = await self._next_batches(patience)
            except ConnectionLost as error:
                self.close()
                await patience.pause(error)
            else:
                if batches:
                    return batches
        return []

    async def fetch(self, number: int, blob: Blob) -> bytes:
        """Return a large result, all of it."""
        path, name = result_path(self.job, number), f"result of task {self.job}/{number}"
        return await self._connector.transfers.read(path, blob, name)

    @property
    def has_ended(self) -> bool:
        """Whether all outcomes have been returned; may be asked from any thread."""
        return self._ended

    @property
    def is_open(self) -> bool:
        """Whether the server may still send."""
        return self._open is not None

    def close(self) -> None:
        """Ask for no more; may be repeated. A later read goes on where the last one stopped."""
        if self._open is not None:
            connection, subscription = self._open
            self._open = None
            connection.forget(subscription)

    async def _next_batches(self, patience: Patience) -> list[Finished]:
        if self._open is None:
            connection = await self._connector.connection()
            patience.reached()
            cursor = self._cursor
            subscription = connection.session.subscribe(
                self.job, ordered=cursor.ordered, after=cursor.after
            )
            self._open = connection, subscription
        connection, subscription = self._open
        connection.session.consume(subscription)
        await connection.wait_until(
            subscription, lambda: bool(subscription.batches) or subscription.ended
        )
        batches = [self._cursor.advance(batch) for batch in subscription.pop()]
        if subscription.ended and not subscription.batches:
            self._ended = True
            self.close()
        return [batch for batch in batches if batch.numbers]


class StatusReader:
    """Reads the states of a job as they change.

    Args:
        connector: to the server.
        job: the job's number.
    """

    def __init__(self, connector: Connector, job: int) -> None:
        self._connector = connector
        self._job = job
        self._open: tuple[Connection, Watching] | None = None
        self._ended = False

    async def next_status(self) -> JobStatus | None:
        """Return the next state: the present one at first; None after the final one.

        Raises:
            ConnectionLost: the server could not be reached for too long.
            DcError: the server refused the read.
        """
        patience = Patience()
        while not self._ended:
            try:
                return await self.status_now()
            except ConnectionLost as error:
                self.close()
                await patience.pause(error)
        return None

    async def final_status(self) -> JobStatus:
        """Return the final state, once it is reached; raises as `next_status`."""
        last = None
        while (status := await self.next_status()) is not None:
            last = status
        assert last is not None, "a watch ends with the final state"
        return last

    async def status_now(self) -> JobStatus:
        """Return the next state; raise ConnectionLost at once if the server is not there."""
        if self._open is None:
            connection = await self._connector.connection()
            self._open = connection, connection.session.watch(self._job)
        connection, watching = self._open
        await connection.wait_until(watching, lambda: watching.fresh)
        watching.fresh = False
        assert watching.status is not None
        self._ended = watching.final
        if self._ended:
            self.close()
        return job_status(watching.status, connection.session.trouble)

    @property
    def is_open(self) -> bool:
        """Whether the server may still send."""
        return self._open is not None

    def close(self) -> None:
        """Ask for no more; may be repeated."""
        if self._open is not None:
            connection, watching = self._open
            self._open = None
            connection.forget(watching)
