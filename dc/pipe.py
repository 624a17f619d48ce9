"""What goes between a worker's agent and its executors, over a pipe on one computer.

Each message is one frame: its length in four bytes (big-endian), then MessagePack. The executor
speaks first, with `Ready`.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from dc.messages_parts import Environment, Failure, Limits, Message
from dc.messages_worker import Progress, TypeId


class InFile(Message, frozen=True):
    """Bytes that are in a file on this computer; `digest` is set on results."""

    path: str
    size: int
    digest: bytes = b""


class FileResult(Message, frozen=True):
    """A result that is in a file and not at the server yet; the task ran for `time` seconds."""

    job: int
    number: int
    attempt: int
    time: float
    file: InFile


WAIT: Final = "--wait"
"""The only word on the command line of an executor that waits for `Begin`."""


class Begin(Message, frozen=True):
    """Agent to executor, first of all, if it was started without: the words of its command line,
    and its environment, each NAME=VALUE. Bytes, as the operating system has them."""

    arguments: list[bytes]
    environment: list[bytes]


class Run(Message, frozen=True):
    """Agent to executor: run these, in this order; `scratch` is the folder for large results.

    `resources` are the amounts that each may use while it runs, empty for one cpu.
    `limits` is what the job says of each task, by name, see dc.messages_parts.Limits.
    `environment` is set for it, beside what the executor was started with.
    `checkpoints` has, by number, what an earlier attempt of a task has saved last. `plugin` is the
    folder of the code, where it came from the server; `site` that of what was installed for it.
    `inputs` are files that all tasks of the job may read, by name. `keep_output` is for the agent:
    all that the tasks write is kept. `traceparent` and `traced`: as in dc.messages_worker.Assign.
    """

    job: int
    type: str
    version: str
    scratch: str
    numbers: list[int]
    attempts: list[int]
    payloads: list[bytes | InFile]
    limits: Limits = {}  # noqa: RUF012  # a field; each message gets its own
    environment: Environment = {}  # noqa: RUF012
    resources: dict[str, float] = {}  # noqa: RUF012
    checkpoints: dict[int, bytes | InFile] = {}  # noqa: RUF012
    plugin: str = ""
    site: str = ""
    inputs: dict[str, InFile] = {}  # noqa: RUF012
    keep_output: bool = False
    traceparent: str = ""
    traced: bool = False


class Halt(Message, frozen=True):
    """Agent to executor: have this attempt stop by itself, if it still runs.

    An exception is raised in it, and what it has started gets SIGTERM. If it fails of that, it
    fails as `kind` and `text` say.
    """

    job: int
    number: int
    attempt: int
    kind: str
    text: str


class Ready(Message, frozen=True):
    """Executor to agent, once, at the start: what it can run; which plugins are broken, and why."""

    types: list[TypeId]
    labels: dict[str, str]
    broken: dict[str, str]
    resources: dict[str, float] = {}  # noqa: RUF012  # a field; each message gets its own


class Ran(Message, frozen=True):
    """Executor to agent: outcomes, in the order of the tasks; `times` in seconds.

    `wrote` says that a mark was put behind the output of one of them, see dc/output_marks.py.
    """

    job: int
    numbers: list[int]
    attempts: list[int]
    times: list[float]
    outcomes: list[bytes | InFile | Failure]
    wrote: bool = False


class Busy(Message, frozen=True):
    """Executor to agent: this task has been running for `elapsed` seconds.

    `unstarted` are the tasks behind it, given back: the executor will not run them.
    """

    job: int
    number: int
    attempt: int
    elapsed: float
    unstarted: list[int]
    unstarted_attempts: list[int]


class Retire(Message, frozen=True):
    """Executor to agent, its last: it runs nothing more and is to be replaced; `reason` says why.

    What it was given and has not reported, it did not begin. `left` says that a task has left
    something behind.
    """

    reason: str
    left: bool = False


class Loaded(Message, frozen=True):
    """Executor to agent: it has imported the plugin in this folder, for tasks of this job.

    `error` says why it could not; then each of them fails of that. What a task does begins after
    this, and so does its time limit.
    """

    job: int
    plugin: str
    error: str = ""


class Saved(Message, frozen=True):
    """Executor to agent: a checkpoint of the task that runs; a file is the agent's from then on."""

    job: int
    number: int
    attempt: int
    data: bytes | InFile


class Wrote(Message, frozen=True):
    """Output of an executor, as its agent reads it from the pipe of its own.

    `owner` is the job, number and attempt to which this belongs, and all since the last owner: it
    has ended. (0, 0, 0) stands for none of them, None says that it is not known yet.
    """

    data: bytes
    owner: tuple[int, int, int] | None = None


NOBODY: Final = (0, 0, 0)

MISSING: Final = "missing"
"""The kind of a failure that goes no further than from an executor to its agent: a file that the
task was to have is not there, or not whole, so the task was not begun."""

ToExecutor: TypeAlias = Run | Halt
FromExecutor: TypeAlias = Ready | Ran | Busy | Retire | Progress | Saved | Loaded
