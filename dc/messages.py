"""Everything that goes over the wire, in both directions.

Theory of operation
-------------------
Each binary WebSocket message is one MessagePack array: a *batch* of messages. Each message is an
array itself: its name in lower case, then its fields in the order written here. So a new field
goes to the end and has a default: an older peer ignores it, a newer one fills it in. A message that
is not known is the sender's mistake; what a peer understands is told by the capabilities in its
first message.

The first message of a peer is `Hello`, the first of the server `Welcome`. After that:

    worker  -> server   Held, Heartbeat, Running, Done, Failed, Returned, Goodbye, Leaving,
                        Output, Progress, Checkpoint, Cached, Vitals, Resting
    server  -> worker   Welcome, Assign, Stop, Recorded, Heartbeat, Trouble, Refused, Slots, Rest,
                        End
    client  -> server   Submit, Payloads, EndOfJob, Subscribe, Consumed, Unsubscribe, Watch, Cancel,
                        Heartbeat
    server  -> client   Welcome, Accepted, Stored, Finished, EndOfResults, Status, Heartbeat,
                        Trouble, Refused

Where there is something for each task, a message holds columns: lists of equal length, one element
a task. It costs a third of a list of rows, and both sides work on whole lists.

A worker numbers its reports (Done, Failed, Returned) with `sequence`, without gaps, also over its
restarts; `Recorded` names the last one up to which all are on the server's disk. A worker keeps a
report until then and sends it again after a reconnect.

`Codec.decode` raises ProtocolError for anything that is not a batch of the expected messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from dc import limits, limits_plugins, limits_power
from dc.errors import ProtocolError

PROTOCOL: Final = 1
SUBPROTOCOL: Final = "dc.v1"

Text: TypeAlias = Annotated[str, Meta(max_length=limits.TEXT_CHARS)]
LongText: TypeAlias = Annotated[str, Meta(max_length=4 * limits.ERROR_CHARS)]
JobId: TypeAlias = Annotated[int, Meta(ge=0, le=limits.MAX_JOB)]
Number: TypeAlias = Annotated[int, Meta(ge=0, le=limits.MAX_NUMBER)]
Attempt: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Request: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Sequenced: TypeAlias = Annotated[int, Meta(ge=0, le=2**62)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=1e12)]
Numbers: TypeAlias = Annotated[list[Number], Meta(max_length=limits.BATCH_TASKS)]
Attempts: TypeAlias = Annotated[list[Attempt], Meta(max_length=limits.BATCH_TASKS)]
FailureKind: TypeAlias = Literal["error", "timeout", "memory", "crashed"]
FailureKinds: TypeAlias = Annotated[tuple[FailureKind, ...], Meta(max_length=4)]
Priority: TypeAlias = Annotated[int, Meta(ge=-limits.MAX_PRIORITY, le=limits.MAX_PRIORITY)]
Weight: TypeAlias = Annotated[float, Meta(ge=limits.LEAST_WEIGHT, le=limits.MOST_WEIGHT)]
UnixTime: TypeAlias = Annotated[float, Meta(ge=0, le=1e11)]
WorkerSlots: TypeAlias = Annotated[int, Meta(ge=0, le=limits.WORKER_SLOTS)]
Labels: TypeAlias = Annotated[dict[Text, Text], Meta(max_length=limits.LABELS)]
Amount: TypeAlias = Annotated[float, Meta(ge=0, le=limits.AMOUNT_MOST)]
Resources: TypeAlias = Annotated[dict[Text, Amount], Meta(max_length=limits.RESOURCES)]

LimitName: TypeAlias = Literal["memory", "disk", "open_files", "processes", "nice"]
Limits: TypeAlias = dict[LimitName, Annotated[int, Meta(ge=1, le=2**62)]]
Variable: TypeAlias = Annotated[
    str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)", max_length=limits.TEXT_CHARS)
]
VariableValue: TypeAlias = Annotated[
    str, Meta(pattern=r"^[^\x00]*$", max_length=4 * limits.ERROR_CHARS)
]
Environment: TypeAlias = Annotated[dict[Variable, VariableValue], Meta(max_length=limits.VARIABLES)]
PublicKeys: TypeAlias = Annotated[
    list[Annotated[bytes, Meta(max_length=32)]], Meta(max_length=limits_plugins.TRUSTED_KEYS)
]
Reading: TypeAlias = Annotated[float, Meta(ge=-1, le=1e18)]
Traceparent: TypeAlias = Annotated[
    str, Meta(pattern=r"^$|^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$", max_length=55)
]
Digest: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
Mac: TypeAlias = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$(?!\n)", max_length=17)
]
PowerOrder: TypeAlias = Literal["off", "reboot", "reread"]


class Message(Struct, frozen=True, array_like=True, gc=False, tag_field="message", tag=str.lower):
    """The root of all messages: its name in lower case, then its fields.

    Messages hold no reference to what holds them, so the garbage collector need not look at them.
    """


class Blob(Message, frozen=True):
    """Bytes too large to ride inline: their SHA-256 (32 bytes) and their size in bytes."""

    digest: Digest
    size: Annotated[int, Meta(ge=0, le=2**62)]

    @property
    def name(self) -> str:
        """The digest in hexadecimal, as in `/blobs/SHA256`."""
        return self.digest.hex()


class Plugin(Message, frozen=True):
    """A plugin's code as an archive: fetched from `/plugins/SHA256`, run by executors alone.

    `digest` and `size` are the archive's. `name` is for people. `signer` is the public key of who
    has signed it (Ed25519, 32 bytes), `signature` what that says (64), both empty if nobody has.
    """

    digest: Digest
    size: Annotated[int, Meta(ge=0, le=2**62)]
    name: Text
    signer: Annotated[bytes, Meta(max_length=32)] = b""
    signature: Annotated[bytes, Meta(max_length=64)] = b""


class Failure(Message, frozen=True):
    """How a task failed: `error`, `timeout`, `memory`, `crashed`, `payload`, `cancelled`,
    `deadline` or `quota`.

    `crashed` stands for a lost worker as well, `cancelled` for a task that was cancelled by itself,
    `deadline` for one that was not finished by the deadline of its job.
    """

    kind: Text
    error: LongText
    traceback: LongText = ""


Payload: TypeAlias = bytes | Blob
Outcome: TypeAlias = bytes | Blob | Failure
PayloadColumn: TypeAlias = Annotated[list[Payload], Meta(max_length=limits.BATCH_TASKS)]
InlineResult: TypeAlias = Annotated[bytes, Meta(max_length=limits.INLINE_BYTES)]
ResultColumn: TypeAlias = Annotated[list[InlineResult | Blob], Meta(max_length=limits.BATCH_TASKS)]
Saved: TypeAlias = InlineResult | Blob
Inputs: TypeAlias = Annotated[dict[Text, Blob], Meta(max_length=limits.INPUTS)]
Checkpoints: TypeAlias = Annotated[dict[Number, Saved], Meta(max_length=limits.BATCH_TASKS)]
Fraction: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Size: TypeAlias = Annotated[int, Meta(ge=0, le=2**62)]
Times: TypeAlias = Annotated[list[Seconds], Meta(max_length=limits.BATCH_TASKS)]

# --- both directions ----------------------------------------------------------------------------


class TypeId(Message, frozen=True):
    """A task type that a worker can run."""

    name: Text
    version: Text


class Appliance(Message, frozen=True):
    """Of a computer that was booted from the image: the image's version, the addresses of network
    cards by which it can be woken, and which orders of `End.power` it takes."""

    image: Text
    macs: Annotated[list[Mac], Meta(max_length=limits_power.APPLIANCE_MACS)] = []
    orders: Annotated[list[Text], Meta(max_length=limits_power.APPLIANCE_ORDERS)] = []


class About(Message, frozen=True):
    """What a worker is: its name, its slots, what it can run, and the computer it is on.

    `key` is the worker's own for good: it is kept in the worker's folder, so a worker that comes
    back, after whatever time and from whatever address, shows the same key and takes its place
    again; a second worker of that name does not. `run` tells its processes apart: in a new one
    nothing runs of what the last one was running. `leaves_in` is after how many seconds it will
    leave, 0 if that is not known. `resources` are the amounts that its tasks may use together:
    `cpus`, `memory` in bytes, `gpus`, and others by name; one that does not say its cpus has as
    many as slots. They are no fewer than the slots that an operator gives it, unless they are
    `fixed_cpus`: its user has said how many there are. It `takes_plugins` that the server has, of
    types that it has no code of itself; signed by one of the public keys that it `trusts`, or by
    anybody if there are none; with dependencies that are to be installed only if it `installs`.
    """

    name: Text
    key: Text
    slots: WorkerSlots
    types: Annotated[list[TypeId], Meta(max_length=limits.TYPES)]
    labels: Labels
    broken: Annotated[dict[Text, LongText], Meta(max_length=limits.TYPES)] = {}
    run: Text = ""
    leaves_in: Seconds = 0.0
    resources: Resources = {}
    fixed_cpus: bool = False
    takes_plugins: bool = False
    trusts: PublicKeys = []
    installs: bool = False
    appliance: Appliance | None = None


class Hello(Message, frozen=True):
    """The first message of a worker or a client.

    Of a worker, the capability `orders` says that it understands Slots, Rest and End.
    """

    version: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    role: Literal["worker", "client"]
    software: Text
    capabilities: Annotated[list[Text], Meta(max_length=256)]
    about: About | None = None


class Welcome(Message, frozen=True):
    """The server's answer to Hello.

    `server` names its data folder for good: numbers of jobs mean something only together with it.
    `slots` is how many slots an operator wants a worker to use, 0 for its own.
    """

    version: int
    software: Text
    capabilities: list[Text]
    server: Text = ""
    slots: WorkerSlots = 0


class Heartbeat(Message, frozen=True):
    """A sign of life when there is nothing else to say."""


class Trouble(Message, frozen=True):
    """Why the server acknowledges nothing at present, in one sentence; empty once it does again."""

    text: LongText


class Refused(Message, frozen=True):
    """A named error (the `code` of a class in dc.errors), about a request or the whole connection.

    `request` is -1 when it is about the connection, which the sender then closes.
    """

    request: int
    code: Text
    text: LongText


# --- worker to server ---------------------------------------------------------------------------


class Held(Message, frozen=True):
    """Right after Welcome: attempts the worker holds and goes on with.

    The first message that is none ends the list, and the worker gets tasks: a worker that holds
    nothing, or has said all, sends a Heartbeat.
    """

    job: JobId
    numbers: Numbers
    attempts: Attempts


class Running(Message, frozen=True):
    """These attempts have run for a while; `elapsed` says for how many seconds."""

    job: JobId
    numbers: Numbers
    attempts: Attempts
    elapsed: Times


class Done(Message, frozen=True):
    """Results of one job; `times` are run times in seconds."""

    sequence: Sequenced
    job: JobId
    numbers: Numbers
    attempts: Attempts
    times: Times
    results: ResultColumn


class Failed(Message, frozen=True):
    """One attempt failed after `time` seconds."""

    sequence: Sequenced
    job: JobId
    number: Number
    attempt: Attempt
    time: Seconds
    failure: Failure


class Returned(Message, frozen=True):
    """Attempts handed back that were never started (or stopped on request)."""

    sequence: Sequenced
    job: JobId
    numbers: Numbers
    attempts: Attempts


class Goodbye(Message, frozen=True):
    """The worker leaves for good: what it still holds goes to others, without blame."""


class Leaving(Message, frozen=True):
    """The worker takes no more; it says Goodbye once it has finished what it has begun."""


class Output(Message, frozen=True):
    """What an attempt has written to its standard output and error: `data`, from `start` on.

    Where `start` is beyond what came before, what is between is left out. `total` is how much was
    written by now; `ended` says that this is the end of it. It goes before the attempt's outcome.
    `whole` has all of it, where the job keeps that: it was put to `/blobs` before.
    """

    job: JobId
    number: Number
    attempt: Attempt
    start: Size
    data: InlineResult
    total: Size
    ended: bool = False
    whole: Blob | None = None


class Progress(Message, frozen=True):
    """How far an attempt says that it is, of 1, and what it says of it."""

    job: JobId
    number: Number
    attempt: Attempt
    fraction: Fraction
    text: Text


class Cached(Message, frozen=True):
    """Which large blobs a worker has in its cache from now on, and which no more.

    After each Welcome it tells all.
    """

    added: Annotated[list[Digest], Meta(max_length=limits.CACHED_TOLD)]
    dropped: Annotated[list[Digest], Meta(max_length=limits.CACHED_TOLD)] = []


class Vitals(Message, frozen=True):
    """How a worker's computer is; -1 where it cannot tell.

    A worker says it now and then while it has tasks, and once more when they have ended.

    Attributes:
        processors: of 1, how busy they are, by whatever runs there.
        memory_used, memory_total, disk_free: bytes.
        temperature: degrees Celsius.
        battery: of 1; `mains` is 1 on mains power, else 0.
        dc_memory, dc_processors: of that, what the worker and its tasks use; the second in
            processors.
    """

    processors: Reading = -1.0
    memory_used: Reading = -1.0
    memory_total: Reading = -1.0
    disk_free: Reading = -1.0
    temperature: Reading = -1.0
    battery: Reading = -1.0
    mains: Reading = -1.0
    dc_memory: Reading = -1.0
    dc_processors: Reading = -1.0


class Resting(Message, frozen=True):
    """The worker takes nothing now, for its computer is not for tasks: `reason` says why.

    It keeps what it has begun, which may stand still, until it hands it back. It takes tasks again
    once it says that there is no reason any more. To servers of the capability `resting`.
    """

    reason: Text


class Checkpoint(Message, frozen=True):
    """What an attempt wants the next attempt of its task to have, should it not come to its end."""

    job: JobId
    number: Number
    attempt: Attempt
    data: Saved


# --- server to worker ---------------------------------------------------------------------------


class Assign(Message, frozen=True):
    """Attempts to run. `timeout` is the time limit of each in seconds, 0 for none.

    A Blob among the payloads is to be fetched from `/blobs`.
    `resources` are the amounts that each of these tasks uses while it runs: the worker starts no
    more of them at a time than it has amounts for. Empty stands for one cpu.
    `limits` and `environment` are as in Options.
    `checkpoints` has, by number, what an earlier attempt has saved last; a Blob is to be fetched
    from `/blobs`. `plugin` has the code, for a worker that has none of this type and version.
    `inputs` are common to all tasks of the job, by name, to be fetched from `/blobs`. With
    `keep_output` all that each of them writes is put to `/blobs` before its outcome is told.
    `traceparent` is the parent of what its tasks do, as in W3C Trace Context; `traced` says that it
    is what whoever submitted the job has said.
    """

    job: JobId
    type: Text
    version: Text
    timeout: Seconds
    numbers: Numbers
    attempts: Attempts
    payloads: PayloadColumn
    limits: Limits = {}
    environment: Environment = {}
    resources: Resources = {}
    checkpoints: Checkpoints = {}
    plugin: Plugin | None = None
    inputs: Inputs = {}
    keep_output: bool = False
    traceparent: Traceparent = ""
    traced: bool = False


class Stop(Message, frozen=True):
    """These attempts are no longer the worker's: stop them. Reports of them stay until Recorded."""

    job: JobId
    numbers: Numbers
    attempts: Attempts


class Recorded(Message, frozen=True):
    """All reports up to this sequence are on the server's disk, or of no use: forget them."""

    sequence: Sequenced


class Slots(Message, frozen=True):
    """Use so many slots from now on; what runs in others is finished first."""

    count: WorkerSlots


class Rest(Message, frozen=True):
    """Hand back what has not begun, and finish what has."""


class End(Message, frozen=True):
    """End: at once, or once it is `drained`, that is, has finished what it has begun.

    `again` has the worker's program start anew in its place. `text` is for its log. `power`, which
    only an appliance is told, is what its computer does then: it goes off, boots anew, or has its
    program read its configuration anew.
    """

    drained: bool
    again: bool
    text: LongText = ""
    power: PowerOrder | Literal[""] = ""


# --- client to server ---------------------------------------------------------------------------


class Alternative(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One of several things that a job can do with: conditions on labels, and amounts."""

    requires: Labels = {}
    resources: Resources = {}


class Options(Message, frozen=True):
    """Options of a job.

    Attributes:
        name: for people; may be empty.
        priority: higher runs first, -1,000,000 to 1,000,000.
        retries: further tries of a task that failed by `error`, `timeout` or `memory`, 0 to 100.
        timeout: run time limit of each task in seconds; 0 for none.
        requires: what must hold of a worker's labels: by label the value, or a condition such as
            `>=3.11`; see dc/requirements.py.
        retry_on: the kinds of failure that are tried again, of `error`, `timeout`, `memory` and
            `crashed`; `payload` never is.
        retry_seconds: the pause before the first further try; doubled with each one, and jittered.
        crashes: lost workers and crashed executors after which a task fails, 1 to 100.
        long: whether its tasks run long: then a worker whose connection is lost keeps them for
            limits.LONG_GRACE_SECONDS, instead of limits.GRACE_SECONDS.
        grace: for how many seconds instead; 0 for what `long` says.
        weight: its share among jobs of the same priority and submitter, 0.001 to 1000.
        submitter: who submitted it, as USER@HOST or any other name; may be empty.
        after: the jobs that it comes after, at most limits.AFTER_JOBS.
        after_what: `done`: it waits until all of them have succeeded, and is cancelled if one has
            not; `finished`: until all have finished, whatever came of them; `any`: until one has.
        each: its task n waits for task n of the one job in `after` alone.
        not_before: the Unix time before which nothing of it is handed out; 0 for none.
        deadline: the Unix time at which tasks fail that have not finished by then; 0 for none.
        limits: of each task: bytes of `memory`, bytes of `disk` in its folders, `open_files` of a
            process, `processes` and threads, and `nice`, the niceness that it runs with, 1 to 19.
        environment: variables that are set for each task.
        resources: amounts that each task uses while it runs: `cpus`, `memory` in bytes, `gpus`,
            and others by name. Without cpus it uses one.
        alternatives: several things any one of which will do, in order of liking; what `requires`
            and `resources` say holds for each, the larger amount of the two.
        inputs: blobs that all its tasks may read, by name: a worker fetches each once.
        keep_output: whether all that its tasks write is kept, and not only beginnings and ends.
        traceparent: of what submitted it, as in W3C Trace Context; may be empty.
    """

    name: Text = ""
    priority: Priority = 0
    retries: Annotated[int, Meta(ge=0, le=limits.MAX_RETRIES)] = 0
    timeout: Annotated[float, Meta(ge=0, le=limits.MAX_TIMEOUT_SECONDS)] = 0.0
    requires: Labels = {}
    retry_on: FailureKinds = ("error", "timeout", "memory", "crashed")
    retry_seconds: Annotated[float, Meta(ge=0, le=limits.RETRY_SECONDS_MOST)] = limits.RETRY_SECONDS
    crashes: Annotated[int, Meta(ge=1, le=limits.MAX_CRASHES)] = limits.CRASH_LIMIT
    long: bool = False
    grace: Annotated[float, Meta(ge=0, le=limits.MAX_TIMEOUT_SECONDS)] = 0.0
    weight: Weight = 1.0
    submitter: Text = ""
    after: Annotated[tuple[JobId, ...], Meta(max_length=limits.AFTER_JOBS)] = ()
    after_what: Literal["done", "finished", "any"] = "done"
    each: bool = False
    not_before: UnixTime = 0.0
    deadline: UnixTime = 0.0
    limits: Limits = {}
    environment: Environment = {}
    resources: Resources = {}
    alternatives: Annotated[list[Alternative], Meta(max_length=limits.ALTERNATIVES)] = []
    inputs: Inputs = {}
    keep_output: bool = False
    traceparent: Traceparent = ""


class Submit(Message, frozen=True):
    """Make a job of this task type; an empty version means the server's newest.

    `options` holds only what the submitter said (by field name of Options); the type's own
    defaults fill in the rest.

    `key` names the submission, so that it can be resumed: no two submissions have the same one.
    With `resume` the server looks for a job of that key first, and Payloads and EndOfJob wait for
    Accepted, which alone says with which task to go on; without, it takes the client's word that
    the key is new, and they may follow at once. What comes behind Submit is taken behind its
    answer, however long the server looks.
    """

    request: Request
    type: Text
    version: Text
    options: Annotated[dict[Text, Any], Meta(max_length=64)]
    key: Text = ""
    resume: bool = False


class Payloads(Message, frozen=True):
    """The next tasks of a submission, numbered from `first` without gaps."""

    request: Request
    first: Number
    payloads: PayloadColumn


class EndOfJob(Message, frozen=True):
    """The submission has no more tasks than those sent."""

    request: Request


class Subscribe(Message, frozen=True):
    """Send the job's results: as they come, or in the order of the tasks.

    `after` is the cursor of the last Finished that was consumed, 0 at first.
    """

    request: Request
    job: JobId
    ordered: bool
    after: Sequenced = 0


class Consumed(Message, frozen=True):
    """The client has consumed so many bytes of a subscription: more may be sent."""

    request: Request
    size: Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Unsubscribe(Message, frozen=True):
    """No more results of this subscription, reports of this watch, or tasks of this submission.

    The job of a submission that is given up stays open.
    """

    request: Request


class Watch(Message, frozen=True):
    """Report the job's state now and when it changes."""

    request: Request
    job: JobId


class Cancel(Message, frozen=True):
    """Cancel the job; answered by a Status once that is on disk."""

    request: Request
    job: JobId


# --- server to client ---------------------------------------------------------------------------


class Accepted(Message, frozen=True):
    """The job's number; it is on disk with the first Stored.

    `payload` and `result` say how bytes are typed: `bytes` (untouched) or `msgpack`. Of a resumed
    job, `stored` tasks are there already, and `ended` says whether it has all of them. `warning`
    says, where it is so, why none of the connected workers can run it.
    """

    request: Request
    job: JobId
    type: Text
    version: Text
    payload: Text
    result: Text
    stored: Annotated[int, Meta(ge=0, le=2**32)] = 0
    ended: bool = False
    warning: LongText = ""


class Stored(Message, frozen=True):
    """The submission's first `count` tasks are on disk; `ended` once EndOfJob is, too."""

    request: Request
    count: Annotated[int, Meta(ge=0, le=2**32)]
    ended: bool


class Finished(Message, frozen=True):
    """Recorded outcomes of a subscription, of one worker, recorded at one time.

    `at` is the Unix time in seconds; `times` are run times in seconds. `size` is what the client
    gives back by Consumed.
    """

    request: Request
    cursor: Sequenced
    worker: Text
    at: float
    size: int
    numbers: list[int]
    attempts: list[int]
    times: list[float]
    outcomes: list[Outcome]


class EndOfResults(Message, frozen=True):
    """The job has finished and all its outcomes were sent."""

    request: Request


class Counts(Message, frozen=True):
    """Tasks of a job (or of all jobs) by state. `total` is final once the job is `ended`."""

    total: int = 0
    queued: int = 0
    assigned: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0


class Status(Message, frozen=True):
    """A job's state: `open` (more tasks may come), `waiting` (for a job or a time), `paused`,
    `queued`, `running`, `done`, `failed` or `cancelled`.

    `note` says in one sentence why nothing runs, where that is known. `payload` and `result` are
    as in Accepted.
    """

    request: Request
    job: JobId
    state: Text
    counts: Counts
    type: Text
    version: Text
    payload: Text
    result: Text
    note: LongText = ""


ToWorker: TypeAlias = (
    Welcome | Assign | Stop | Recorded | Heartbeat | Trouble | Refused | Slots | Rest | End
)
FromWorker: TypeAlias = (
    Hello
    | Held
    | Heartbeat
    | Running
    | Done
    | Failed
    | Returned
    | Goodbye
    | Leaving
    | Output
    | Progress
    | Checkpoint
    | Cached
    | Vitals
    | Resting
)
FromClient: TypeAlias = (
    Hello
    | Submit
    | Payloads
    | EndOfJob
    | Subscribe
    | Consumed
    | Unsubscribe
    | Watch
    | Cancel
    | Heartbeat
)
ToClient: TypeAlias = (
    Welcome | Accepted | Stored | Finished | EndOfResults | Status | Heartbeat | Trouble | Refused
)
FromPeer: TypeAlias = FromWorker | FromClient
Report: TypeAlias = Done | Failed | Returned


class Codec:
    """Encodes batches of messages and decodes those of one direction.

    Args:
        kinds: the union of messages that may come in.
    """

    def __init__(self, kinds: Any) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        batch = Annotated[list[kinds], Meta(max_length=limits.BATCH_MESSAGES)]
        self._decoder = msgspec.msgpack.Decoder(batch)

    def encode(self, batch: Sequence[Message | msgspec.Raw]) -> bytes:
        """Return the batch as bytes; messages in it may be encoded already."""
        return self._encoder.encode(batch)

    def decode(self, data: bytes) -> list[Any]:
        """Return the messages of a batch.

        Raises:
            ProtocolError: the bytes are no batch of messages that may come in here.
        """
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
            raise ProtocolError(
                f"not a batch of known messages: {error}", close_code=1007
            ) from None


def check_columns(message: Any) -> None:
    """Check that all columns of a message are equally long.

    Raises:
        ProtocolError: they are not.
    """
    size = len(message.numbers)
    for name in ("attempts", "times", "elapsed", "payloads", "results"):
        column = getattr(message, name, None)
        if column is not None and len(column) != size:
            text = f"{type(message).__name__}: {len(column)} {name} for {size} numbers"
            raise ProtocolError(text, close_code=1007)
