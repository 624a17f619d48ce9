"""What goes into the server's reactor, and what comes out of it.

An event says what has happened; an action says what is to be done. Neither has any power of its
own: the app turns the world into events and performs the actions, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct

from dc.errors import DcError
from dc.messages_parts import Blob, Message, Payload
from dc.records import (
    JobFigures,
    JobRow,
    NewPlugin,
    Outcomes,
    Record,
    TaskRow,
    Unfinished,
    WorkerRow,
)
from dc.roles import LOCAL, Principal
from dc.server.commands import Command, Then
from dc.server.commands_access import AccessCommand

# --- events -------------------------------------------------------------------------------------


class Opened(Struct, frozen=True):
    """A peer has opened a socket; it has said nothing yet. `principal` is who it is."""

    peer: int
    address: str
    principal: Principal = LOCAL


class Received(Struct, frozen=True):
    """A peer sent a batch of messages; `missing` are results in it whose blobs are not here."""

    peer: int
    batch: list[Message]
    missing: frozenset[Blob] = frozenset()


class Broken(Struct, frozen=True):
    """A peer sent what cannot be taken: bytes that are no batch, or payloads that are not here."""

    peer: int
    error: DcError


class Closed(Struct, frozen=True):
    """The socket of a peer is gone, for whatever reason."""

    peer: int


class Committed(Struct, frozen=True):
    """The oldest `count` records that were to be written are on disk."""

    count: int


class PayloadsLoaded(Struct, frozen=True):
    """The answer to LoadPayloads."""

    peer: int
    job: int
    numbers: list[int]
    attempts: list[int]
    payloads: list[Payload]
    alternative: int = 0


class OutcomesLoaded(Struct, frozen=True):
    """The answer to LoadOutcomes."""

    peer: int
    request: int
    records: list[Outcomes]


class JobLoaded(Struct, frozen=True):
    """The answer to LoadJob; `row` is None when there is no such job."""

    job: int
    row: JobRow | None


class KeyLoaded(Struct, frozen=True):
    """The answer to LoadKey; `row` is None when no job was submitted under this key."""

    key: str
    row: JobRow | None


class Troubled(Struct, frozen=True):
    """The store cannot be written to, and why; with an empty text: it can be again."""

    text: str


class HeadLoaded(Struct, frozen=True):
    """The answer to LoadHead: the next unfinished tasks of a job, and where to look for more."""

    tasks: Unfinished
    next: int


class PayloadsPrefetched(Struct, frozen=True):
    """The answer to Prefetch; numbered from `first` without gaps."""

    job: int
    first: int
    payloads: list[Payload]


class PluginsAdded(Struct, frozen=True):
    """These versions of plugins are in service from now on."""

    records: list[NewPlugin]


class WorkersRecovered(Struct, frozen=True):
    """The workers that are remembered, at the start; before all jobs."""

    rows: list[WorkerRow]


class JobRecovered(Struct, frozen=True):
    """An unfinished job was found at the start."""

    row: JobRow


class TasksRecovered(Struct, frozen=True):
    """Tasks of a recovered job that were with workers when the server ended."""

    tasks: Unfinished


class CheckpointsLoaded(Struct, frozen=True):
    """The answer to LoadCheckpoints: `checkpoints` by number, where there is one."""

    peer: int
    job: int
    numbers: list[int]
    attempts: list[int]
    payloads: list[Payload]
    checkpoints: dict[int, Payload]
    alternative: int = 0


class CheckpointsFound(Struct, frozen=True):
    """Tasks, by job and number, that have a checkpoint on disk: found at the start."""

    tasks: list[tuple[int, int]]


class Continued(Struct, frozen=True):
    """The loop has had a turn since Continue."""

    job: int


class Asked(Struct, frozen=True):
    """Somebody asks for something; `then` takes the answer once all of it is on disk.

    Who asks may do so: that was seen to. `by` and `address` are for the audit log.
    """

    command: Command | AccessCommand
    then: Then
    by: Principal = LOCAL
    address: str = ""

    def __repr__(self) -> str:
        # A function has another address each time, and secrets are for nobody's eyes.
        is_secret = isinstance(self.command, AccessCommand)
        return f"Asked({type(self.command).__name__ if is_secret else repr(self.command)})"


class Answered(Struct, frozen=True):
    """The answer to an action that has a `then`, for whoever asked."""

    then: Callable[[Any], None]
    answer: object


class JobRemoved(Struct, frozen=True):
    """A finished job was removed from the store, of which so many bytes were counted."""

    submitter: str
    bytes: int


class Stopping(Struct, frozen=True):
    """The server is about to stop: who is here now is not heard any more."""


class Emptied(Struct, frozen=True):
    """The server is about to stop, and its connections are closed."""


class Tick(Struct, frozen=True):
    """Time has passed. While the disk is `stalled` nobody is read, so nobody's silence counts."""

    stalled: bool = False


Event: TypeAlias = (
    Opened
    | Received
    | Broken
    | Closed
    | Committed
    | PayloadsLoaded
    | OutcomesLoaded
    | JobLoaded
    | KeyLoaded
    | Troubled
    | HeadLoaded
    | PayloadsPrefetched
    | WorkersRecovered
    | PluginsAdded
    | JobRecovered
    | TasksRecovered
    | CheckpointsLoaded
    | CheckpointsFound
    | Continued
    | Asked
    | Answered
    | JobRemoved
    | Stopping
    | Emptied
    | Tick
)

# --- actions ------------------------------------------------------------------------------------


class Send(Struct, frozen=True):
    """Send a message; `size` is about its bytes, where it is not small."""

    peer: int
    message: Message
    size: int = 0


class Close(Struct, frozen=True):
    """Close a peer's socket with this code, after what was sent before."""

    peer: int
    code: int
    reason: str


class Write(Struct, frozen=True):
    """Write a record down. Records are committed in order, and Committed counts them."""

    record: Record


class LoadPayloads(Struct, frozen=True):
    """Read payloads from the store for attempts that were assigned to a worker.

    They were assigned by an `alternative` of what their job needs.
    """

    peer: int
    job: int
    numbers: list[int]
    attempts: list[int]
    alternative: int = 0


class LoadCheckpoints(Struct, frozen=True):
    """Read the checkpoints that attempts begin with which were assigned to a worker."""

    peer: int
    job: int
    numbers: list[int]
    attempts: list[int]
    payloads: list[Payload]
    alternative: int = 0


class DropBlob(Struct, frozen=True):
    """A checkpoint was in this blob, and is not any more: remove it, unless something names it."""

    digest: bytes


class LoadOutcomes(Struct, frozen=True):
    """Read outcomes for a subscription: about `size` bytes of them, from its cursor on."""

    peer: int
    request: int
    job: int
    ordered: bool
    cursor: int
    size: int


class LoadJob(Struct, frozen=True):
    """Look a job up in the store."""

    job: int


class LoadKey(Struct, frozen=True):
    """Look for the job of a submission's key in the store."""

    key: str


class LoadHead(Struct, frozen=True):
    """Read the numbers of a job's next unfinished tasks from `first` on, `limit` at most."""

    job: int
    first: int
    limit: int


class Prefetch(Struct, frozen=True):
    """Read the payloads of the tasks `first`, `first + 1`, … before they are wanted."""

    job: int
    first: int
    count: int


class LoadUnfinished(Struct, frozen=True):
    """Read the next `limit` unfinished tasks of a job from `first` on, for `then`."""

    job: int
    first: int
    limit: int
    then: Callable[[Unfinished], None]


class LoadFailed(Struct, frozen=True):
    """Read the next `limit` failed tasks of a job from `first` on, for `then`."""

    job: int
    first: int
    limit: int
    then: Callable[[list[TaskRow]], None]


class LoadSettled(Struct, frozen=True):
    """Read which of these tasks have a result, and which have failed, for `then`."""

    job: int
    numbers: list[int]
    then: Callable[[tuple[list[int], list[int]]], None]


class LoadFigures(Struct, frozen=True):
    """Read the figures of a job, and how many of its outcomes were set aside, for `then`."""

    job: int
    then: Callable[[tuple[JobFigures | None, int]], None]


class LoadBare(Struct, frozen=True):
    """Read a page of a job's outcomes after a sequence, without results, for `then`."""

    job: int
    after: int
    then: Callable[[list[Outcomes]], None]


class Continue(Struct, frozen=True):
    """There is more to do for this job: give others a turn, then answer with Continued."""

    job: int


Action: TypeAlias = (
    Send
    | Close
    | Write
    | LoadPayloads
    | LoadCheckpoints
    | DropBlob
    | LoadOutcomes
    | LoadJob
    | LoadKey
    | LoadHead
    | Prefetch
    | LoadUnfinished
    | LoadFailed
    | LoadSettled
    | LoadFigures
    | LoadBare
    | Continue
)
