"""What goes into the worker's reactor, and what comes out of it.

An event says what has happened; an action says what is to be done. Neither has any power of its
own: the app turns the world into events and performs the actions, in order.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from dc.messages import Report
from dc.messages_parts import Blob, Message, Plugin
from dc.messages_worker import Progress, Vitals
from dc.pipe import (
    Busy,
    FileResult,
    Halt,
    InFile,
    Loaded,
    Ran,
    Ready,
    Retire,
    Run,
    Saved,
    Wrote,
)
from dc.worker.code import Code
from dc.worker.neighbour_events import InUse, Resume, Suspend

# --- events -------------------------------------------------------------------------------------


class Connected(Struct, frozen=True):
    """The socket to the server is open; nothing was said on it yet.

    `leaves_in` is after how many seconds the worker will leave, 0 if that is not known.
    """

    leaves_in: float = 0.0


class Disconnected(Struct, frozen=True):
    """The socket is gone, for whatever reason."""


class Received(Struct, frozen=True):
    """The server sent a message."""

    message: Message


class Restored(Struct, frozen=True):
    """What is kept for a server: at the start for the last one, then after each SwitchJournal.

    Attributes:
        server: its id; empty if none is known.
        recorded: the sequence up to which it has recorded all reports.
        reports: those after that, each with about its bytes.
        files: large results that it does not have.
        durable: whether what is kept outlives this process.
    """

    server: str
    recorded: int = 0
    reports: list[tuple[Report, int]] = []
    files: list[FileResult] = []
    durable: bool = True


class ExecutorReady(Struct, frozen=True):
    """An executor has loaded its plugins and waits for tasks."""

    executor: int
    ready: Ready


class ExecutorSaid(Struct, frozen=True):
    """An executor reported outcomes, or that a task takes long, or that it is to be replaced."""

    executor: int
    message: Ran | Busy | Retire | Progress | Saved | Loaded


class ExecutorDied(Struct, frozen=True):
    """An executor's process is gone, and all that it had started; or it could not be started.

    `text` says how. Everything that it had said came before. `kind` is the failure of a task that
    it died of: `crashed`, or `memory` where the kernel killed it for that. `whole` is what that
    task has written, as in ExecutorWrote.
    """

    executor: int
    text: str
    kind: str = "crashed"
    whole: Blob | None = None


class Exceeded(Struct, frozen=True):
    """What an executor runs uses more than it may; `kind` and `text` are its failure's.

    `running` is the job and the number of the task that it runs, as far as is known.
    """

    executor: int
    kind: str
    text: str
    running: tuple[int, int] | None = None


class Fetched(Struct, frozen=True):
    """A blob is in a file, which names its digest and stays until it is let go."""

    file: InFile


class FetchFailed(Struct, frozen=True):
    """A blob could not be fetched; what has come of it is gone on with the next time.

    `refused` says that the server answered and will not give it, or that what it gave is wrong, or
    that it cannot be kept here: trying again hardly helps.
    """

    digest: bytes
    text: str
    refused: bool


class CacheChanged(Struct, frozen=True):
    """The digests of large blobs that are in the cache from now on, and of those that are not."""

    added: list[bytes]
    dropped: list[bytes] = []


class BlobPut(Struct, frozen=True):
    """The server has the result of an attempt."""

    job: int
    number: int
    attempt: int


class BlobPutFailed(Struct, frozen=True):
    """The result of an attempt could not be put.

    `refused` says that the server answered and will not have it, or that the file is unreadable:
    trying again hardly helps.
    """

    job: int
    number: int
    attempt: int
    text: str
    refused: bool


class CheckpointPut(Struct, frozen=True):
    """The server has a checkpoint of an attempt, or it could not be put, and `text` says why.

    `refused` is as in BlobPutFailed.
    """

    job: int
    number: int
    attempt: int
    text: str = ""
    refused: bool = False


class PluginReady(Struct, frozen=True):
    """A plugin that came from the server is here, with what it needs."""

    plugin: Plugin
    code: Code


class PluginFailed(Struct, frozen=True):
    """A plugin could not be brought here.

    `refused` says that the server answered and will not give it, or that what came was not it:
    trying again hardly helps. `final` says that it does not at all: it is not trusted, or no
    archive, or what it needs cannot be installed. `detail` has the lines of another program.
    """

    plugin: Plugin
    text: str
    refused: bool = False
    final: bool = False
    detail: str = ""


class ExecutorWrote(Struct, frozen=True):
    """An executor, or what its tasks have started, has written to output or error.

    Where the output of a task ends, and its job keeps it, it is at the server as a `whole`.
    """

    executor: int
    wrote: Wrote
    whole: Blob | None = None


class Flush(Struct, frozen=True):
    """This turn of the loop is over: what it gathered is to be reported."""


class Tick(Struct, frozen=True):
    """Time has passed."""


class Measured(Struct, frozen=True):
    """How the computer is, after Measure."""

    vitals: Vitals


class Woke(Struct, frozen=True):
    """This process, or the whole computer, has slept for so many seconds.

    The reactor's clock has stood still meanwhile.
    """

    seconds: float


class Leave(Struct, frozen=True):
    """The worker is to end, for good, but may finish what it has begun in so many seconds."""

    finish: float = 0.0


Event: TypeAlias = (
    Connected
    | Disconnected
    | Received
    | Restored
    | ExecutorReady
    | ExecutorSaid
    | ExecutorDied
    | Exceeded
    | Fetched
    | FetchFailed
    | CacheChanged
    | BlobPut
    | BlobPutFailed
    | CheckpointPut
    | PluginReady
    | PluginFailed
    | ExecutorWrote
    | Flush
    | Tick
    | Measured
    | Woke
    | Leave
    | InUse
)

# --- actions ------------------------------------------------------------------------------------


class Connect(Struct, frozen=True):
    """Connect to the server, and again whenever the connection is lost."""


class Send(Struct, frozen=True):
    """Send a message; `size` is about its bytes, where it is not small."""

    message: Message
    size: int = 0


class Keep(Struct, frozen=True):
    """Write reports to the journal; then send them, if `send`. Each comes with about its bytes."""

    reports: list[tuple[Report, int]]
    send: bool


class Forget(Struct, frozen=True):
    """The journal needs no report up to this sequence any more."""

    sequence: int


class KeepFile(Struct, frozen=True):
    """Write to the journal that a large result is in a file."""

    result: FileResult


class ForgetFile(Struct, frozen=True):
    """The journal needs the large result of this attempt no more."""

    job: int
    number: int
    attempt: int


class SwitchJournal(Struct, frozen=True):
    """Give up all transfers and go on with the journal of another server; answer with Restored.

    The journal so far stays as it is, for when its server is back.
    """

    server: str


class Drop(Struct, frozen=True):
    """Close the connection, if there is one, and connect again, `at_once` or after a pause.

    `reason` is for the log.
    """

    reason: str
    at_once: bool = False


class StartExecutor(Struct, frozen=True):
    """Start the executor of a slot; answered by ExecutorReady or ExecutorDied."""

    executor: int


class Execute(Struct, frozen=True):
    """Give tasks to an executor."""

    executor: int
    run: Run


class Interrupt(Struct, frozen=True):
    """Have a task of an executor stop by itself."""

    executor: int
    halt: Halt


class Kill(Struct, frozen=True):
    """Kill an executor and all that it has started; answered by ExecutorDied."""

    executor: int


class Fetch(Struct, frozen=True):
    """Have a blob in a file, from the cache or the server; answered by Fetched or FetchFailed."""

    blob: Blob


class LetGo(Struct, frozen=True):
    """Nothing here uses this blob any more: it may leave the cache."""

    digest: bytes


class PutBlob(Struct, frozen=True):
    """Put the result of an attempt; answered by BlobPut or BlobPutFailed."""

    job: int
    number: int
    attempt: int
    file: InFile


class PutCheckpoint(Struct, frozen=True):
    """Put a checkpoint of an attempt; answered by CheckpointPut."""

    job: int
    number: int
    attempt: int
    file: InFile


class FetchPlugin(Struct, frozen=True):
    """Bring a plugin's code here, with all it needs; answered by PluginReady or PluginFailed."""

    plugin: Plugin


class RemoveFile(Struct, frozen=True):
    """Nobody needs this file any more."""

    path: str


class ClearFolder(Struct, frozen=True):
    """Remove all that a dead executor has left in its folder, but for the files `keep`."""

    path: str
    keep: list[str]


class FlushSoon(Struct, frozen=True):
    """There is something to report: answer with Flush at the end of this turn of the loop."""


class Measure(Struct, frozen=True):
    """Look at how the computer is: answer with Measured."""


class Say(Struct, frozen=True):
    """Something for the log."""

    text: str


class Finish(Struct, frozen=True):
    """End, once all was sent; `error` says why the worker cannot go on, if that is the reason.

    `again` has the program start anew; `power` is what its computer is to do, as in `End`, or
    `deleted` if the server has forgotten this worker.
    """

    error: str = ""
    again: bool = False
    power: str = ""


Action: TypeAlias = (
    Connect
    | Send
    | Keep
    | Forget
    | KeepFile
    | ForgetFile
    | SwitchJournal
    | Drop
    | StartExecutor
    | Execute
    | Interrupt
    | Kill
    | Fetch
    | LetGo
    | PutBlob
    | PutCheckpoint
    | FetchPlugin
    | RemoveFile
    | ClearFolder
    | FlushSoon
    | Measure
    | Say
    | Finish
    | Suspend
    | Resume
)
