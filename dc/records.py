"""What the server writes down: the records that go to the store, and those that come back.

The reactor makes the first kind, the store keeps it; a record is one fact, never changed later. A
*batch* holds many tasks in columns (lists of equal length), because nothing here may cost a Python
object per task where a list will do.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct

from dc import limits_store as limits
from dc.messages_client import Counts, Options
from dc.messages_parts import Blob, JobId, Outcome, Payload
from dc.messages_worker import Appliance
from dc.records_access import AccessRecord
from dc.records_shown import ShownRecord

# --- to the store -------------------------------------------------------------------------------


class NewJob(Struct, frozen=True):
    """A job was submitted. `created` is the Unix time in seconds; `key` names the submission.

    `plugin` is the digest of the archive that its tasks' code is in, empty if that is not known.
    """

    job: int
    type: str
    version: str
    options: Options
    payload: str
    result: str
    created: float
    key: str = ""
    plugin: bytes = b""


class NewTasks(Struct, frozen=True):
    """Tasks `first`, `first + 1`, … of a job."""

    job: int
    first: int
    payloads: list[Payload]


class JobNumbers(Struct, frozen=True):
    """The numbers below `job` may have been given out: a server that restarts begins with it."""

    job: int


class JobEnded(Struct, frozen=True):
    """The job has `count` tasks and will get no more, as was said at this Unix time."""

    job: int
    count: int
    at: float


class JobCancelled(Struct, frozen=True):
    """The job was cancelled at this Unix time; tasks without an outcome are cancelled.

    `why` says in a sentence what for, where nobody asked for it.
    """

    job: int
    at: float
    why: str = ""


class JobChanged(Struct, frozen=True):
    """A job has other options from now on, or is paused, or is not any more."""

    job: int
    options: Options
    paused: bool


class Retried(Struct, frozen=True):
    """Failed tasks of a job are to run again: they have no outcome any more.

    `attempts` are their last ones and one more: nobody has that, and answers to the ones before
    come too late.
    """

    job: int
    numbers: list[int]
    attempts: list[int]


class SubmitterChanged(Struct, frozen=True):
    """A submitter has this weight from now on; with 1, what everybody has, it is forgotten."""

    name: str
    weight: float


class Outcomes(Struct, frozen=True):
    """Tasks of one job that were finished by one worker, at one Unix time.

    `sequence` grows by one with each such record over the life of the data folder: it is the
    cursor of those who read results as they come. `times` are run times in seconds.
    """

    sequence: int
    job: int
    worker: str
    at: float
    numbers: list[int]
    attempts: list[int]
    times: list[float]
    outcomes: list[Outcome]


class Attempts(Struct, frozen=True):
    """Attempts, crashes and failures so far of tasks that are not finished, to survive a restart.

    They are with no worker: whatever lease there was has ended.
    """

    job: int
    numbers: list[int]
    attempts: list[int]
    crashes: list[int]
    failures: list[int]


class Leases(Struct, frozen=True):
    """Attempts that are with a worker, named by its key, and have been running for a while."""

    job: int
    worker: str
    numbers: list[int]
    attempts: list[int]


class WorkerRow(Struct, frozen=True):
    """A worker that is remembered: who it was last, and what operators have decided of it.

    Attributes:
        key: of the worker.
        name: that it called itself last.
        run: which of its processes was here last.
        seen: when it went, or came if it is here, in Unix time.
        note: for people.
        labels: beside its own, and over them.
        slots: that it is to use; 0 for its own.
        state: `paused`, `draining` or `deleted`, or empty.
        order: what that process is still to do: `leave`, `restart`, `power-off`, `reboot`, `reread`
            (all of them once it is drained), `stop`, one of the last four with ` now`, or empty.
        called: the name that operators have given it, over its own; or empty.
        appliance: what it said last, if its computer was booted from the image.
    """

    key: str
    name: str
    run: str
    seen: float
    note: str = ""
    labels: dict[str, str] = {}
    slots: int = 0
    state: str = ""
    order: str = ""
    called: str = ""
    appliance: Appliance | None = None

    @property
    def shown(self) -> str:
        """The name by which it is known here."""
        return self.called or self.name


class Workers(Struct, frozen=True):
    """These workers are remembered as they are here; those of the keys `forgotten` no more."""

    rows: list[WorkerRow]
    forgotten: list[str]


class TaskOutput(Struct, frozen=True):
    """What an attempt has written: the beginning, the end, and how many bytes in `total`.

    It takes the place of that of an earlier attempt. `whole` has all of it, where the job keeps
    that.
    """

    job: int
    number: int
    attempt: int
    head: bytes
    tail: bytes
    total: int
    whole: Blob | None = None


def output_size(record: TaskOutput) -> int:
    """Return for how many bytes a task's output counts in its job's."""
    whole = 0 if record.whole is None else record.whole.size
    return len(record.head) + len(record.tail) + limits.TASK_BYTES + whole


class NewPlugin(Struct, frozen=True):
    """A plugin that the server has: its archive, a blob, and what is in it.

    Added again, it is the newest of its name again.

    Attributes:
        digest: the SHA-256 of the archive.
        size: of the archive, in bytes.
        name: of the plugin.
        manifest: of the archive, as JSON.
        types: what is to be known of its task types without loading it, as JSON.
        added: when, in Unix time.
        signer: the public key of who has signed it, or empty.
        signature: what that key says of the digest, or empty.
    """

    digest: bytes
    size: int
    name: str
    manifest: bytes
    types: bytes
    added: float
    signer: bytes = b""
    signature: bytes = b""


class TaskCheckpoint(Struct, frozen=True):
    """What an attempt has saved last; it is kept until the task has its outcome."""

    job: int
    number: int
    attempt: int
    data: Payload


class AttemptEnd(Struct, frozen=True, array_like=True):
    """How an attempt ended whose outcome does not stand: its task was tried again.

    Attributes:
        number: of its task.
        attempt: its own number.
        worker: the name of the one that had it.
        end: the kind of its failure, or `lost` (its worker), or `returned`.
        ended: when the server knew of it, in Unix time.
        began: likewise; None if that is not known.
        seconds: of run time, where the worker told.
        error: what its failure says, cut.
        traceback: the end of it.
    """

    number: int
    attempt: int
    worker: str
    end: str
    ended: float
    began: float | None = None
    seconds: float | None = None
    error: str = ""
    traceback: str = ""


class AttemptEnds(Struct, frozen=True):
    """Attempts of a job's tasks have ended without an outcome that stands.

    It takes the place of what was said of the same attempts before: a worker that was taken for
    lost may have come back.
    """

    job: int
    ends: list[AttemptEnd]


class JobFigures(Struct, frozen=True):
    """Figures of what has finished of a job, up to the Outcomes of this sequence.

    They take the place of those before. `data` is theirs alone to read (dc/server/figures.py): what
    it cannot read is counted again from the outcomes.
    """

    job: int
    sequence: int
    data: bytes


WorkRecord: TypeAlias = (
    NewJob
    | NewTasks
    | JobNumbers
    | JobEnded
    | JobCancelled
    | Outcomes
    | Attempts
    | Leases
    | Workers
    | JobChanged
    | Retried
    | SubmitterChanged
    | TaskOutput
    | TaskCheckpoint
    | NewPlugin
    | AttemptEnds
    | JobFigures
)
"""What jobs, tasks and workers are made of."""

Record: TypeAlias = WorkRecord | ShownRecord | AccessRecord

# --- from the store -----------------------------------------------------------------------------


PluginRow: TypeAlias = NewPlugin
"""A plugin as the store knows it."""


class JobRow(Struct, frozen=True):
    """A job as the store knows it. `counts` has total, done, failed and (if cancelled) cancelled;
    everything else of an unfinished job counts as queued. `why` is as in JobCancelled; `retried`
    counts the outcomes that were set aside by Retried; `plugin` is as in NewJob. `bytes` counts
    payloads, results, inputs and output, inline and in blobs."""

    job: int
    type: str
    version: str
    options: Options
    payload: str
    result: str
    created: float
    ended: bool
    cancelled_at: float | None
    counts: Counts
    key: str = ""
    paused: bool = False
    why: str = ""
    retried: int = 0
    plugin: bytes = b""
    bytes: int = 0
    finished_at: float | None = None


NEVER: Final = 1e15
"""When a job finishes that has not, in Unix time: behind all others."""


def ascii_lower(text: str) -> str:
    """Return a text with its ASCII letters in lower case, as SQLite does it."""
    return text.encode().lower().decode()


TaskEnd: TypeAlias = Literal["failed", "done", "finished", "unfinished"]
"""By what tasks of a job are told apart in the store."""


class JobFilter(Struct, frozen=True):
    """Which jobs are listed, and in which order.

    Attributes:
        states: ends of jobs that are wanted: `done`, `failed`, `cancelled`; None for jobs in
            whatever state.
        live: unfinished jobs that are wanted beside these.
        type: of this task type, if it is not empty.
        submitter: likewise.
        search: a part of their names, in whatever case as far as that is ASCII.
        sort: by what they are sorted; unfinished ones finish last. What is equal goes by number.
        down: the last ones first.
    """

    states: frozenset[str] | None = None
    live: tuple[int, ...] = ()
    type: str = ""
    submitter: str = ""
    search: str = ""
    sort: Literal["job", "created", "finished", "name"] = "job"
    down: bool = True


class Place(Struct, frozen=True, array_like=True):
    """Where a page of jobs ends: what the last one is sorted by, and its number."""

    key: float | str
    job: JobId

    @staticmethod
    def of(row: JobRow, sort: str) -> Place:
        """Return the place of a job; `sort` as in JobFilter."""
        keys: dict[str, float | str] = {
            "job": row.job,
            "created": row.created,
            "finished": NEVER if row.finished_at is None else row.finished_at,
            "name": ascii_lower(row.options.name),
        }
        return Place(keys[sort], row.job)


class TaskRow(Struct, frozen=True):
    """A task as the store knows it; `outcome`, `worker`, `at` and `time` only once it is finished.

    `payload_size` and `outcome_size` are in bytes. A failure is always there whole, any other
    outcome only where it was asked for.
    """

    job: int
    number: int
    payload_size: int
    finished: bool
    failed: bool = False
    attempt: int = 0
    crashes: int = 0
    worker: str = ""
    at: float = 0.0
    time: float = 0.0
    outcome_size: int = 0
    outcome: Outcome | None = None


class Unfinished(Struct, frozen=True):
    """Tasks of a job that have no outcome, ascending: what a server takes up after a restart.

    `workers` has the key of the worker with whom a task is, or the empty string.
    """

    job: int
    numbers: list[int]
    attempts: list[int]
    crashes: list[int]
    failures: list[int]
    workers: list[str]


class Removed(Struct, frozen=True):
    """What a step of removing a job has done.

    `more` says whether there is more to remove; `blobs` are digests that nothing names any more.
    Who submitted the job, and the `bytes` that were counted of it, are told with the last step.
    """

    more: bool
    blobs: list[bytes]
    submitter: str = ""
    bytes: int = 0
