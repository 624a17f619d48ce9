"""A job on its way to the server."""

from __future__ import annotations

import hashlib
from typing import Any

import trio

from dc import limits
from dc.client.connection import Connection
from dc.client.connector import Connector
from dc.client.session import Submission
from dc.client.values import Cut, check_text
from dc.errors import DcError
from dc.messages import Accepted, Blob, Payload
from dc.tasktypes import TaskType

HASH_IN_THREAD_BYTES = 256 * limits.KIB  # above, hashing would stop the loop for a millisecond


class Submitter:
    """One submission, over one connection. Each method is to be called from Trio's thread.

    Every method raises ConnectionLost if the connection breaks, and what the server refused.

    Args:
        connector: to the server.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._connection: Connection | None = None
        self._submission: Submission | None = None

    async def begin(self, kind: str | TaskType, version: str, options: dict[str, Any]) -> Accepted:
        """Ask for the job, and return the server's answer."""
        name = check_text("type", kind if isinstance(kind, str) else kind.name)
        if isinstance(kind, TaskType):
            version = version or kind.version
        version = check_text("version", version)
        self._connection = connection = await self._connector.connection()
        self._submission = submission = connection.session.submit(name, version, options)
        await connection.wait_until(submission, lambda: submission.accepted is not None)
        assert submission.accepted is not None
        return submission.accepted

    async def send(self, cut: Cut) -> None:
        """Send a batch once there is room for it; after the last one, wait until all is on disk."""
        connection, submission = self._connection, self._submission
        assert connection is not None
        assert submission is not None
        if cut.payloads:
            await connection.wait_until(submission, lambda: submission.has_room(cut.size))
            payloads = await self._put_large(cut)
            if submission.error is not None:
                raise submission.error
            connection.session.send_payloads(submission, payloads, cut.size)
            connection.flush()
        if cut.last:
            connection.session.end_submission(submission)
            await connection.wait_until(submission, lambda: submission.ended)
            connection.forget(submission)

    async def abandon(self) -> None:
        """Cancel what was begun, as far as that takes no more than a moment."""
        if self._connection is None or self._submission is None:
            return
        self._connection.forget(self._submission)
        accepted = self._submission.accepted
        if accepted is not None:
            with trio.move_on_after(limits.CLOSE_SECONDS, shield=True):
                await self._cancel(accepted.job)

    async def _cancel(self, job: int) -> None:
        try:
            connection = await self._connector.connection()
            cancelling = connection.session.cancel(job)
            await connection.wait_until(cancelling, lambda: cancelling.fresh)
        except (DcError, RuntimeError):
            pass  # the error that led here says more

    async def _put_large(self, cut: Cut) -> list[Payload]:
        payloads: list[Payload] = list(cut.payloads)
        for index in cut.large:
            payloads[index] = await self._put(cut.payloads[index])
        return payloads

    async def _put(self, data: bytes) -> Blob:
        if len(data) > HASH_IN_THREAD_BYTES:
            digest = await trio.to_thread.run_sync(_sha256, data)
        else:
            digest = _sha256(data)
        blob = Blob(digest, len(data))
        await self._connector.put(f"/blobs/{blob.name}", data)
        return blob


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
