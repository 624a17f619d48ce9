"""What workers and the server say to each other; dc.messages has the theory."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from dc import limits, limits_plugins, limits_power
from dc.messages_parts import (
    Attempt,
    Attempts,
    Blob,
    Checkpoints,
    Digest,
    Environment,
    Failure,
    Fraction,
    InlineResult,
    Inputs,
    JobId,
    Labels,
    Limits,
    LongText,
    Message,
    Number,
    Numbers,
    PayloadColumn,
    Plugin,
    Resources,
    ResultColumn,
    Saved,
    Seconds,
    Sequenced,
    Size,
    Text,
    Times,
    Traceparent,
    WorkerSlots,
)

PublicKeys: TypeAlias = Annotated[
    list[Annotated[bytes, Meta(max_length=32)]], Meta(max_length=limits_plugins.TRUSTED_KEYS)
]
Reading: TypeAlias = Annotated[float, Meta(ge=-1, le=1e18)]
Mac: TypeAlias = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$(?!\n)", max_length=17)
]
PowerOrder: TypeAlias = Literal["off", "reboot", "reread"]


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


# --- worker to server ----------------------------------------------------------------------------


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


# --- server to worker ----------------------------------------------------------------------------


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
