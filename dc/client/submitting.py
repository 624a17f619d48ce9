"""A job on its way to the server, over as many connections as it takes."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import trio

from dc import limits_client as limits
from dc.client.backlog import Backlog
from dc.client.connection import Connection
from dc.client.connector import Connector
from dc.client.options import check_text
from dc.client.patience import Patience
from dc.client.session import Submission
from dc.client.sources import Source
from dc.client.values import Cut
from dc.errors import ConnectionLost, DcError, NoWorkerWarning, PayloadError
from dc.messages_client import Accepted
from dc.messages_parts import Blob, Payload
from dc.tasktypes import TaskType


class Submitter:
    """One submission. Each method but `recall` is to be called from Trio's thread.

    Where a connection breaks, the submission goes on over the next one. Every method raises
    ConnectionLost if the server cannot be reached for limits.FOLLOW_SECONDS, and what it refused.

    Args:
        connector: to the server.
        kind: the task type or its name.
        version: of the type; for a name, the server's newest if empty.
        options: those that were said.
        key: by which a later submission may go on with this one; if empty, one is made up, and
            nobody will.

    Attributes:
        accepted: the server's last answer.
        first: how many tasks the server had at the beginning, all on its disk.
        complete: whether the server had all tasks at the beginning.
        asks_first: whether `begin` is needed, unless `recall` has an answer: where it is not, the
            first `send` asks for the job, too.
    """

    def __init__(
        self,
        connector: Connector,
        kind: str | TaskType,
        version: str,
        options: dict[str, Any],
        key: str = "",
    ) -> None:
        self._kind = kind
        self._name = check_text("type", kind if isinstance(kind, str) else kind.name)
        if isinstance(kind, TaskType):
            version = version or kind.version
        self._version = check_text("version", version)
        self._options = options
        self._key_is_given = bool(check_text("key", key))
        self._key = key or secrets.token_hex(16)
        self.asks_first = self._key_is_given or isinstance(kind, str)
        self._connector = connector
        self._backlog = Backlog(adopts=self._key_is_given)
        self._resumes = self._key_is_given
        self._live: tuple[Connection, Submission] | None = None
        self._codec = ""
        self._abandoned = False
        self.accepted: Accepted | None = None
        self.first = 0
        self.complete = False

    async def begin(self) -> Accepted | None:
        """Ask for the job.

        Returns:
            What the server says of its type; None where there was no need to wait for that,
            because the kind is a task type at hand.
        """
        if self._key_is_given:
            await self._until(self._is_taken_up)
            self.first, self.complete = self._backlog.take_up(), self._backlog.whole
            return self.accepted
        await self._reach(Patience())
        if isinstance(self._kind, TaskType):
            return None
        said = self.recall()
        if said is None:
            await self._until(lambda: self.accepted is not None)
        return said or self.accepted

    def recall(self) -> Accepted | None:
        """Return what the server said earlier of a type that was given by its name.

        Where there is something, `begin` is not needed. May be called from any thread.
        """
        if self._key_is_given or isinstance(self._kind, TaskType):
            return None
        return self._connector.said(self._name, self._version)

    def encode_as(self, codec: str) -> None:
        """Say how the payloads to come are encoded: `bytes` or `msgpack`."""
        self._codec = codec

    async def send(self, cut: Cut) -> None:
        """Send a batch once there is room for it; after the last one, wait until all is on disk."""
        if cut.payloads:
            await self._until(lambda: self._backlog.has_room(cut.size))
            payloads = await self._put_large(cut) if cut.large else _as_sent(cut)
            connection, submission = await self._reach(Patience())
            connection.session.send_payloads(submission, payloads, cut.size)
            if not cut.last:
                connection.flush()
        if cut.last:
            connection, submission = await self._reach(Patience())
            connection.session.end_submission(submission)
            await self._until(lambda: self._backlog.whole)
            self._forget()

    def send_now(self, cut: Cut) -> bool:
        """Send a batch in this very step, if it can be sent at once; return whether it was."""
        if self._live is None or cut.large or not self._backlog.has_room(cut.size):
            return False
        connection, submission = self._live
        if connection.is_lost or submission.error is not None or submission.accepted is None:
            return False
        connection.session.send_payloads(submission, _as_sent(cut), cut.size)
        connection.flush()
        return True

    async def wait(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready` returns true, which it is asked after each `poke`.

        Meanwhile the submission goes on over the next connection if one is lost.
        """
        await self._until(ready)

    def poke(self) -> None:
        """Have `wait` look again."""
        if self._live is not None:
            connection, submission = self._live
            connection.wake(submission)

    async def accept(self) -> Accepted:
        """Wait for the server's answer, and return it."""
        await self._until(lambda: self.accepted is not None)
        assert self.accepted is not None
        return self.accepted

    def warn(self, stacklevel: int = 4) -> None:
        """Warn whoever submits if none of the connected workers can run the job.

        Args:
            stacklevel: as of warnings.warn.
        """
        if self.accepted is not None and self.accepted.warning:
            text = f"job {self.accepted.job} waits: {self.accepted.warning}"
            warnings.warn(text, NoWorkerWarning, stacklevel=stacklevel)

    async def abandon(self) -> None:
        """Give up; cancel what was begun, as far as that takes no more than a moment.

        Under a key that was given, it is left as it is instead: to go on with.
        """
        self._abandoned = True
        if self._resumes and not self._key_is_given:
            with trio.move_on_after(limits.CLOSE_SECONDS, shield=True):
                await self._cancel()
        self._forget()

    # --- over connections -----------------------------------------------------------------------

    async def _reach(self, patience: Patience) -> tuple[Connection, Submission]:
        """Return the connection and the submission on it; begin again on a new one if it is lost.

        Raises:
            ConnectionLost: `patience` was.
            DcError: the submission was given up, by another thread.
        """
        if self._abandoned:
            raise DcError("the submission was given up")
        while self._live is None or self._live[0].is_lost:
            try:
                connection = await self._connector.connection()
            except ConnectionLost as error:
                await patience.pause(error)
                continue
            self._live = connection, self._submit(connection, self._backlog)
        return self._live

    def _submit(self, connection: Connection, backlog: Backlog) -> Submission:
        resume, self._resumes = self._resumes, True
        return connection.session.submit(
            backlog, self._name, self._version, self._options, self._key, resume=resume
        )

    async def _until(self, ready: Callable[[], bool]) -> None:
        """Wait until the submission has come to where `ready` returns true."""
        patience = Patience()
        while True:
            connection, submission = await self._reach(patience)
            try:
                if submission.resumes and submission.accepted is None:
                    await connection.wait_until(submission, partial(_answered, submission))
                    patience.reached()
                await connection.wait_until(submission, partial(self._heed, submission, ready))
                return
            except ConnectionLost as error:
                if not connection.is_lost:
                    raise
                await patience.pause(error)

    def _heed(self, submission: Submission, ready: Callable[[], bool]) -> bool:
        if submission.error is not None:
            raise submission.error
        if submission.accepted is not None and submission.accepted is not self.accepted:
            self.accepted = submission.accepted
            self._check(self.accepted)
        return ready()

    def _check(self, accepted: Accepted) -> None:
        """Check that the payloads were encoded as the server takes them.

        Raises:
            PayloadError: the type is another one there than here.
        """
        if self._codec and accepted.payload != self._codec:
            text = f"{accepted.type} {accepted.version} has payloads of {accepted.payload}"
            raise PayloadError(f"{text} at the server, of {self._codec} here: use one plugin")

    def _is_taken_up(self) -> bool:
        backlog = self._backlog
        on_disk = backlog.stored == backlog.total and backlog.whole == backlog.ended
        return self.accepted is not None and on_disk

    def _forget(self) -> None:
        if self._live is not None:
            connection, submission = self._live
            connection.forget(submission)

    async def _cancel(self) -> None:
        try:
            connection, submission = self._live or (None, None)
            if connection is None or submission is None or connection.is_lost:
                connection = await self._connector.connection()
                submission = self._submit(connection, Backlog(adopts=True))
            await connection.wait_until(submission, lambda: submission.accepted is not None)
            assert submission.accepted is not None
            cancelling = connection.session.cancel(submission.accepted.job)
            await connection.wait_until(cancelling, lambda: cancelling.fresh)
        except (DcError, RuntimeError):
            pass  # the error that led here says more

    # --- large payloads -------------------------------------------------------------------------

    async def put(self, source: Source) -> Blob:
        """Have the server have a large payload; see Transfers.put."""
        return await self._connector.transfers.put(source)

    async def _put_large(self, cut: Cut) -> list[Payload]:
        """Put what does not ride inline, several at a time; return the payloads as they are sent.

        Raises:
            PayloadError: a file is not what it was.
        """
        payloads: list[Any] = list(cut.payloads)

        async def put(index: int) -> None:
            payloads[index] = await self.put(payloads[index])

        try:
            async with trio.open_nursery() as nursery:
                for index in cut.large:
                    nursery.start_soon(put, index)
        except* Exception as group:
            first = _first(group)
        else:
            return payloads
        raise first


def _answered(submission: Submission) -> bool:
    return submission.accepted is not None


def _as_sent(cut: Cut) -> list[Payload]:
    """Return the payloads of a batch of which none is large."""
    return cast(list[Payload], cut.payloads)


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)
    return error
