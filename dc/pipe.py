"""What goes between a worker's agent and its executors, over a pipe on one computer.

Each message is one frame: its length in four bytes (big-endian), then MessagePack. The executor
speaks first, with `Ready`.
"""

from __future__ import annotations

from typing import TypeAlias

from dc.messages import Failure, Message, TypeId


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


class Run(Message, frozen=True):
    """Agent to executor: run these, in this order; `scratch` is the folder for large results.

    `resources` are the amounts that each may use while it runs, empty for one cpu.
    """

    job: int
    type: str
    version: str
    scratch: str
    numbers: list[int]
    attempts: list[int]
    payloads: list[bytes | InFile]
    resources: dict[str, float] = {}  # noqa: RUF012  # a field; each message gets its own
    environment: dict[str, str] = {}  # noqa: RUF012


class Ready(Message, frozen=True):
    """Executor to agent, once, at the start: what it can run; which plugins are broken, and why."""

    types: list[TypeId]
    labels: dict[str, str]
    broken: dict[str, str]
    resources: dict[str, float] = {}  # noqa: RUF012  # a field; each message gets its own


class Ran(Message, frozen=True):
    """Executor to agent: outcomes, in the order of the tasks; `times` in seconds."""

    job: int
    numbers: list[int]
    attempts: list[int]
    times: list[float]
    outcomes: list[bytes | InFile | Failure]


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


FromExecutor: TypeAlias = Ready | Ran | Busy
