"""Every error of dc. Each class says whose fault it is; each message says what to do.

An error that crosses the wire does so by its `code`: the receiving side raises the class that
`by_code` names, with the sender's text.
"""

from __future__ import annotations

from typing import ClassVar


class DcError(Exception):
    """The root of all errors that dc raises on purpose."""

    code: ClassVar[str] = "error"


class ProtocolError(DcError):
    """The peer broke the rules of the wire. The connection it came on is to be closed.

    Args:
        text: what was wrong, for the peer's author.
        close_code: the WebSocket close code to answer with (RFC 6455, section 7.4.1).
        status: the HTTP status to answer with, while the connection still speaks HTTP.
    """

    code = "protocol"

    def __init__(self, text: str, *, close_code: int = 1002, status: int = 400) -> None:
        super().__init__(text)
        self.close_code = close_code
        self.status = status


class VersionError(DcError):
    """The two sides speak no common version of the protocol: update the older one."""

    code = "version"


class UnknownJob(DcError):
    """The client named a job that the server does not have."""

    code = "unknown_job"


class UnknownTask(DcError):
    """A peer named a task that its job does not have."""

    code = "unknown_task"


class UnknownBlob(DcError):
    """A peer asked for, or named as a result, a blob that the server does not have."""

    code = "unknown_blob"


class UnknownTaskType(DcError):
    """No plugin of the server registers this task type: install it or pass --plugins."""

    code = "unknown_type"


class PayloadError(DcError):
    """A payload does not have the shape that its task type declares: the submitter's fault."""

    code = "payload"


class UnknownWorker(DcError):
    """No worker that the server knows of is meant by this name or filter."""

    code = "unknown_worker"


class WorkerDeleted(DcError):
    """An operator has deleted this worker: it is taken in again only with a new key."""

    code = "worker_deleted"


class NotPossible(DcError):
    """What was asked for cannot be done as things are: the message says why."""

    code = "not_possible"


class OptionsError(DcError):
    """An option of a job is out of its range: the submitter's fault."""

    code = "options"


class DuplicateName(DcError):
    """Another worker has this name: choose another one."""

    code = "duplicate_name"


class JobCancelled(DcError):
    """The job was cancelled before this task was done."""

    code = "cancelled"


class NotHeld(DcError):
    """A worker answered for a task that it was never given, or that is with another worker now."""

    code = "not_held"


class StaleAttempt(DcError):
    """A worker answered for an attempt after which there was a newer one."""

    code = "stale_attempt"


class AlreadyDone(DcError):
    """A worker answered for a task that has its outcome already."""

    code = "already_done"


class KeyConflict(DcError):
    """Two submissions have one key and are not the same, or are made at the same time.

    Choose a new key, or wait for the other one.
    """

    code = "key_conflict"


class NotPermitted(DcError):
    """The peer asked for something that its role may not do."""

    code = "not_permitted"


class NotSignedIn(DcError):
    """This server lets in only who shows a token: sign in, or give one that is valid."""

    code = "not_signed_in"


class InviteRefused(DcError):
    """A join code or a sign-in link does not let anybody in, for whatever reason: get a new one."""

    code = "invite"


class UnknownToken(DcError):
    """There is no token of this id."""

    code = "unknown_token"


class UnknownInvite(DcError):
    """There is no invite of this id."""

    code = "unknown_invite"


class UnknownKey(DcError):
    """No worker with this key has joined, or waits to be let in."""

    code = "unknown_key"


class UnknownGroup(DcError):
    """There is no group of workers of this name."""

    code = "unknown_group"


class TaskFailed(DcError):
    """A task raised, crashed, or ran out of time on every try it had.

    Args:
        text: the error as the worker reported it, in one line.
        job: the job's number.
        number: the task's number within the job.
        kind: `error`, `timeout`, `memory`, `crashed`, `payload`, `cancelled`, `deadline` or
            `quota`.
        traceback: the traceback from the executor, or an empty string.
        attempt: the attempt that failed last.
        worker: the name of the worker it failed on.
    """

    code = "task_failed"

    def __init__(
        self,
        text: str,
        *,
        job: int = 0,
        number: int = 0,
        kind: str = "error",
        traceback: str = "",
        attempt: int = 0,
        worker: str = "",
    ) -> None:
        super().__init__(text)
        self.job = job
        self.number = number
        self.kind = kind
        self.traceback = traceback
        self.attempt = attempt
        self.worker = worker

    def __str__(self) -> str:
        head = f"task {self.number} of job {self.job} failed ({self.kind}): {self.args[0]}"
        return f"{head}\n\n{self.traceback}" if self.traceback else head


class PluginError(DcError):
    """A plugin could not be loaded or broke the rules of a hook: its author's fault."""

    code = "plugin"


class SignatureError(PluginError):
    """A key or a signature is damaged, missing or of something else: nothing runs by it."""

    code = "signature"


class ConnectionLost(DcError):
    """The connection broke: the network's or the other side's fault. Try again."""

    code = "connection_lost"


class ServerStopped(ConnectionLost):
    """The server said that it is stopping. What it acknowledged is on disk; connect again later."""

    code = "server_stopped"


class HttpError(DcError):
    """The server answered an HTTP request with a status other than success.

    Args:
        text: what the server said.
        status: the HTTP status.
    """

    code = "http"

    def __init__(self, text: str, *, status: int = 0) -> None:
        super().__init__(text)
        self.status = status

    def __str__(self) -> str:
        return f"{self.status} {self.args[0]}" if self.status else str(self.args[0])


class StoreError(DcError):
    """The data folder cannot be used: the message says why."""

    code = "store"


class StoreFull(StoreError):
    """The disk of the data folder is full: free some space, and everything goes on."""

    code = "store_full"


class StoreDamaged(StoreError):
    """The database is cut off, scribbled on, or no database: restore it from a backup."""

    code = "store_damaged"


class StoreNewer(StoreError):
    """The database was written by a newer dc: update dc."""

    code = "store_newer"


class StoreLogMissing(StoreError):
    """The database was in use when its server ended, and its write-ahead log is gone.

    Put the file back; or start with what is left, which may lack what was acknowledged last.
    """

    code = "store_log_missing"


class StoreConflict(StoreError):
    """A record contradicts what is stored: a mistake in dc. Trying it again does not help."""

    code = "store_conflict"


class QuotaExceeded(DcError):
    """There would be more bytes than the operator allows: of a task, a job, a submitter or in all.

    The message says of which, how much is used, and what to do.
    """

    code = "quota"


class BlobMismatch(DcError):
    """The bytes sent are not those that the digest names: the sender's fault. Send them again."""

    code = "blob_mismatch"


class WrongOffset(DcError):
    """An upload cannot go on there: the server has another number of bytes of it.

    Args:
        text: what is wrong.
        offset: how many it has; None if nothing can be gone on with.
    """

    code = "wrong_offset"

    def __init__(self, text: str, *, offset: int | None = None) -> None:
        super().__init__(text)
        self.offset = offset


class UnknownTopic(DcError):
    """A stream was asked for with topics that there are not: the message says which there are."""

    code = "unknown_topic"


class TooManyWatchers(DcError):
    """As many event streams are open as there may be: close some, or try again later."""

    code = "too_many_watchers"


class TooManyTries(DcError):
    """There was too much of this from one place: wait as long as the message says, and try again.

    Args:
        text: what to do.
        seconds: how long to wait.
    """

    code = "too_many"

    def __init__(self, text: str, *, seconds: int = 1) -> None:
        super().__init__(text)
        self.seconds = seconds


class InternalError(DcError):
    """A mistake in dc itself. The server stopped at once; its log says where. Start it again."""

    code = "internal"


class StartError(DcError):
    """A program cannot start with what it was given; the message says what to change."""

    code = "start"


class WrongServer(StartError):
    """What answers is not the server that was meant: its key or its certificate is another one.

    Somebody may be in between, or the server was set up anew: the message says what to do.
    """

    code = "wrong_server"


class NoWorkerWarning(UserWarning):
    """None of the connected workers can run a job that was submitted: it waits for one that can."""


class TaskStopped(BaseException):
    """Raised in a task that is to stop: its job was cancelled, or it was given to somebody else.

    It is no Exception, so that `except Exception` in a task lets it through. A task that catches it
    has half a second to end.
    """


class TimeLimit(TaskStopped):
    """Raised in a task that has run for longer than its time limit: it has two seconds to end."""


def by_code(code: str, text: str) -> DcError:
    """Return the error that a peer named by its code.

    Args:
        code: the `code` of one of the classes here; anything else gives a plain DcError.
        text: the peer's message.
    """
    for kind in _all_kinds(DcError):
        if kind.code == code:
            return kind(text)
    return DcError(f"{code}: {text}")


def _all_kinds(root: type[DcError]) -> list[type[DcError]]:
    found = [root]
    for kind in root.__subclasses__():
        found.extend(_all_kinds(kind))
    return found
