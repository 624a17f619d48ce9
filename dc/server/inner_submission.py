"""A job that is submitted from inside the server, on behalf of who asks over HTTP.

How it works:
- It goes the way of a client's submission, by an inner peer: Submit, Payloads, EndOfJob.
- Under a key that is known, it goes on with the job of that key. What that has already is compared
  with what comes now, and is not taken again: the same twice is one job, and anything else is
  refused.
- One that is given up without a key is cancelled. One with a key stays open, to be gone on with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from dc import limits_store as limits
from dc._columns import weigh
from dc.errors import DcError, JobCancelled, KeyConflict, NotPossible, UnknownTaskType, by_code
from dc.messages import Refused
from dc.messages_client import Accepted, EndOfJob, Options, Payloads, Stored
from dc.messages_client import Submit as SubmitMessage
from dc.messages_parts import Message, Payload
from dc.records import JobRow
from dc.roles import LOCAL, Principal
from dc.server.app import ServerApp
from dc.server.commands import CancelJob
from dc.server.events import Asked
from dc.server.inner_peer import InnerPeer
from dc.server.job_options import job_options
from dc.server.problems import BadRequest
from dc.tasktypes import TaskType
from dc.view_jobs import Submitted

T = TypeVar("T")

REQUEST: Final = 1

CHANGED_LATER: Final = frozenset({"name", "priority", "weight", "not_before", "deadline"})
"""Options that an operator may have changed since."""


class InnerSubmission:
    """One submission. `leave` is to be called in the end.

    Args:
        app: the server.
        principal: who submits.

    Raises:
        ServerStopped: it is stopping.
    """

    def __init__(self, app: ServerApp, principal: Principal = LOCAL) -> None:
        self._app = app
        self._peer = InnerPeer(app, principal)
        self._bound = {} if principal.may() else {"submitter": principal.name}
        self._accepted: Accepted | None = None
        self._key = ""
        self._at = 0  # tasks that have come
        self._stored = Stored(REQUEST, 0, ended=False)
        self._done = False

    # --- beginning ------------------------------------------------------------------------------

    async def begin(self, type_: str, version: str, options: dict[str, Any], key: str) -> TaskType:
        """Begin a job, or go on with the one of the same key.

        Args:
            type_: the name of its type.
            version: of the type; the newest, or the job's, if it is empty.
            options: those that were said, by field name of Options.
            key: of the submission; empty for none.

        Returns:
            The type, which reads payloads.

        Raises:
            BadRequest: the job of this key is another one.
            DcError: it is refused.
        """
        self._key, options = key, {**options, **self._bound}
        message = SubmitMessage(REQUEST, type_, version, options, key, resume=bool(key))
        await self._peer.say([message])
        self._accepted = await self._hear(lambda: self._accepted)
        row = await self._row(self._accepted.job)
        info = self._app.types.get(self._accepted.type, self._accepted.version, row.plugin)
        if key:
            self._compare_options(info, options, row.options)
        await self._hear(lambda: self._stored.count >= self._first or None)
        return info

    @property
    def _first(self) -> int:
        """How many tasks there were at the beginning."""
        return self._accepted.stored if self._accepted is not None else 0

    @property
    def is_new(self) -> bool:
        """Whether there was nothing of it, or not all, at the beginning."""
        return self._accepted is None or not self._accepted.ended

    async def _row(self, job: int) -> JobRow:
        live = self._app.reactor.board.jobs.get(job)
        row = live.row if live is not None else await self._app.store.job(job)
        if row is None:
            raise NotPossible(f"job {job} was removed just now")
        return row

    def _compare_options(self, info: TaskType, said: dict[str, Any], has: Options) -> None:
        try:
            wanted = job_options(info, said)
        except UnknownTaskType:
            return
        for field in Options.__struct_fields__:
            if field not in CHANGED_LATER and getattr(wanted, field) != getattr(has, field):
                self._differs(f"its option {field} is another")

    def _differs(self, how: str) -> None:
        assert self._accepted is not None
        text = f"job {self._accepted.job} was submitted under this key, and {how}: take another key"
        raise BadRequest("key_reused", text)

    # --- tasks ----------------------------------------------------------------------------------

    async def add(self, payloads: Sequence[Payload]) -> None:
        """Add the next tasks, and wait until there is room for more.

        Args:
            payloads: `limits.BATCH_TASKS` at most.

        Raises:
            BadRequest: the job of the same key has other tasks.
            DcError: they are refused.
        """
        assert self._accepted is not None
        known = max(0, min(len(payloads), self._first - self._at))
        if known:
            await self._compare(payloads[:known])
        rest, first = list(payloads[known:]), self._at + known
        self._at += len(payloads)
        if rest:
            if self._accepted.ended:
                self._differs(f"has {self._first} tasks and no more")
            await self._peer.say([Payloads(REQUEST, first, rest)], _size(rest))
            self._take_in()

    async def _compare(self, payloads: Sequence[Payload]) -> None:
        assert self._accepted is not None
        numbers = range(self._at, self._at + len(payloads))
        has = await self._app.store.payloads(self._accepted.job, numbers)
        for number, old, new in zip(numbers, has, payloads, strict=True):
            if old != new:
                self._differs(f"task {number} of it has another payload")

    async def end(self) -> Submitted:
        """End the job; return what it is once all of it is on disk.

        Raises:
            BadRequest: the job of the same key has more tasks.
            DcError: it is refused.
        """
        assert self._accepted is not None
        if self._at < self._first:
            self._differs(f"has {self._first} tasks, not {self._at}")
        if not self._accepted.ended:
            await self._peer.say([EndOfJob(REQUEST)])
        await self._hear(lambda: self._stored.ended or None)
        self._done = True
        return Submitted(self._accepted.job, self._at, self._accepted.warning)

    def leave(self) -> None:
        """End it here; a job without a key that has not come to its end is cancelled."""
        while (message := self._peer.take()) is not None:
            self._accepted = message if isinstance(message, Accepted) else self._accepted
        if self._accepted is not None and not self._done and not self._key:
            self._app.feed(Asked(CancelJob(self._accepted.job), lambda _: None))
        self._peer.leave()

    # --- what the server says -------------------------------------------------------------------

    async def _hear(self, found: Callable[[], T | None]) -> T:
        """Hear until `found` returns something; return that."""
        self._take_in()
        while (result := found()) is None:
            self._take(await self._peer.hear())
        return result

    def _take_in(self) -> None:
        while (message := self._peer.take()) is not None:
            self._take(message)

    def _take(self, message: Message) -> None:
        match message:
            case Accepted():
                self._accepted = message
            case Stored():
                self._stored = message
            case Refused(_, code, text):
                raise self._told(by_code(code, text))

    def _told(self, error: DcError) -> DcError:
        """Return an error as it is told over HTTP."""
        if isinstance(error, JobCancelled):
            return NotPossible(str(error))
        if isinstance(error, KeyConflict):
            what = "key_reused" if self._accepted is None else "in_progress"
            return BadRequest(what, str(error))
        return error


def _size(payloads: list[Payload]) -> int:
    """Return about how many bytes payloads take in memory until they are on disk."""
    return weigh(payloads).bytes + limits.TASK_BYTES * len(payloads)
