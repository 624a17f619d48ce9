"""What clients and the server say to each other; dc.messages has the theory."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from dc import limits
from dc.messages_parts import (
    Environment,
    FailureKinds,
    Inputs,
    JobId,
    Labels,
    Limits,
    LongText,
    Message,
    Number,
    Outcome,
    PayloadColumn,
    Priority,
    Request,
    Resources,
    Sequenced,
    Text,
    Traceparent,
    UnixTime,
    Weight,
)

# --- client to server ----------------------------------------------------------------------------


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


# --- server to client ----------------------------------------------------------------------------


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
