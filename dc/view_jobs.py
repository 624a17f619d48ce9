"""What the API shows of jobs and their tasks. Times are Unix times in seconds, sizes are bytes."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class CountsView(Struct, frozen=True):
    """Tasks by state."""

    total: int = 0
    queued: int = 0
    assigned: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0


class ReasonView(Struct, frozen=True):
    """Why something is as it is, for programs: a kind, and the figures in its sentence."""

    kind: str
    figures: dict[str, Any]


class BlobView(Struct, frozen=True):
    """Bytes at `/blobs/SHA256`."""

    sha256: str
    size: int


class AlternativeView(Struct, frozen=True):
    """One of several things that will do for a job."""

    requires: dict[str, str]
    resources: dict[str, float]


class Left(Struct, frozen=True):
    """How long it takes until the tasks that are left have finished, as far as can be told.

    Attributes:
        tasks: how many are left.
        work: of the workers together, in seconds of run time; None if nothing is known of it.
        low, likely, high: seconds from now; nine times of ten it ends between the first and the
            last. None if it cannot be told: nothing has finished yet, or nobody can run it.
        basis: a sentence on what that rests on, or why it cannot be told.
        without: what of all that is left it does not count, as it stands in that sentence.
    """

    tasks: int
    work: float | None
    low: float | None
    likely: float | None
    high: float | None
    basis: str
    without: str = ""


class JobView(Struct, frozen=True, kw_only=True):
    """A job.

    Attributes:
        note: what keeps it from going on, if anything.
        why: why what is queued does not run, if it does not.
        needs: the same as `requires`, `resources` and `alternatives`, as people read it.
        bytes: of payloads, results, inputs and output.
        finished_at: of a job that has finished.
        started_at: only of one job that was asked for.
        rate: how many of its tasks finish in a second, while it is unfinished; None if not known.
        left: only of one job that was asked for, while it is unfinished.
    """

    job: int
    name: str
    type: str
    version: str
    payload: str
    result: str
    state: str
    note: str
    why: str
    reason: ReasonView | None
    counts: CountsView
    priority: int
    retries: int
    timeout: float
    requires: dict[str, str]
    resources: dict[str, float]
    alternatives: list[AlternativeView]
    needs: list[str]
    limits: dict[str, int]
    environment: dict[str, str]
    submitter: str
    weight: float
    after: list[int]
    after_what: str
    each: bool
    not_before: float | None
    deadline: float | None
    created: float
    started_at: float | None = None
    finished_at: float | None = None
    bytes: int
    inputs: dict[str, BlobView]
    keep_output: bool
    plugin: str = ""
    rate: float | None = None
    left: Left | None = None


class JobsPage(Struct, frozen=True):
    """Some jobs; `next` is the cursor of those that follow, None at the end."""

    jobs: list[JobView]
    next: str | None = None


class FailureView(Struct, frozen=True):
    """How a task or an attempt failed."""

    kind: str
    error: str
    traceback: str = ""


class ProgressView(Struct, frozen=True):
    """How far an attempt says that it is, of 1."""

    fraction: float
    text: str
    at: float


class AttemptView(Struct, frozen=True, kw_only=True):
    """One try at a task.

    Attributes:
        attempt: its number.
        end: `running`, `assigned`, `done`, or why it ended otherwise: `error`, `timeout`,
            `memory`, `crashed`, `payload`, `quota`, `lost` (its worker), `returned`, `cancelled`,
            `deadline`.
        began, ended: when, as far as that is known.
        seconds: of run time.
        failure: what it says, where it failed.
    """

    attempt: int
    worker: str
    end: str
    began: float | None = None
    ended: float | None = None
    seconds: float | None = None
    failure: FailureView | None = None


class TaskView(Struct, frozen=True, kw_only=True):
    """A task.

    Attributes:
        began: when the attempt that runs began.
        attempts: the last ones, in order; only of one task that was asked for.
        output_size: likewise.
    """

    job: int
    number: int
    state: str
    attempt: int
    crashes: int
    worker: str
    began: float | None = None
    finished_at: float | None
    time: float | None
    payload_size: int
    result_size: int | None
    failure: FailureView | None
    why: str
    reason: ReasonView | None
    progress: ProgressView | None
    attempts: list[AttemptView] | None = None
    output_size: int | None = None


class TasksPage(Struct, frozen=True):
    """Some tasks of a job, by number; `next` is the cursor of those that follow."""

    tasks: list[TaskView]
    next: str | None = None


class OutputView(Struct, frozen=True):
    """What a task has written from byte `start` on; ask from `next` on while it is `live`."""

    job: int
    number: int
    attempt: int
    start: int
    text: str
    total: int
    next: int
    live: bool


class Histogram(Struct, frozen=True):
    """How many tasks took how long: `counts[i]` up to `bounds[i]` seconds, beyond the one before.

    `counts` has one element more than `bounds`, for what took longer.
    """

    bounds: list[float]
    counts: list[int]


class FailureGroup(Struct, frozen=True):
    """Failed tasks whose errors are alike: the same kind, and words that differ in numbers only.

    `error` is that of the first of them. `first` and `last` are numbers of tasks; `workers` says
    how many failed where, the ones with the most.
    """

    kind: str
    error: str
    count: int
    first: int
    last: int
    last_at: float
    workers: dict[str, int]


class JobWorker(Struct, frozen=True):
    """What a worker has done of a job; `seconds` of run time."""

    worker: str
    done: int
    failed: int
    seconds: float


class FiguresView(Struct, frozen=True):
    """Figures of what has finished of a job: run times, failures, workers.

    `other_failures` counts those of further groups, `other_workers` those who did least.
    """

    job: int
    seconds: float
    run_times: Histogram
    failures: list[FailureGroup]
    other_failures: int
    workers: list[JobWorker]
    other_workers: int


class Lane(Struct, frozen=True):
    """What one worker did of a job over time.

    Attributes:
        worker: its name.
        busy: for each step of the timeline, how many of its tasks ran, in the mean.
        failed: for each step, how many failed.
    """

    worker: str
    busy: list[float]
    failed: list[int]


class Span(Struct, frozen=True):
    """One attempt in a timeline; `slot` is a row of its worker's lane, from 0."""

    number: int
    attempt: int
    worker: str
    slot: int
    began: float
    ended: float | None
    end: str


class TimelineView(Struct, frozen=True):
    """A job's tasks over workers and time, from `since` to `until` in steps of `step` seconds.

    `spans` has single attempts where there are few enough in that time, and is None elsewhere.
    """

    job: int
    since: float
    until: float
    step: float
    lanes: list[Lane]
    spans: list[Span] | None


class Submitted(Struct, frozen=True):
    """A job that was submitted over HTTP: all of it is on disk."""

    job: int
    tasks: int
    warning: str = ""


class TasksChanged(Struct, frozen=True):
    """How many tasks of a job were changed, and the job as it is now."""

    tasks: int
    job: JobView


class JobsChanged(Struct, frozen=True):
    """The numbers of the jobs that were changed."""

    jobs: list[int]
