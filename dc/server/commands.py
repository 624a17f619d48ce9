"""What operators ask of the server: the commands that come over HTTP.

A command goes to the reactor as Asked, and is answered once all that it changes is on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from dc import limits
from dc.messages_parts import Text, WorkerSlots

Then: TypeAlias = Callable[[object], None]
"""Takes the answer to a command: what it says itself, or the DcError for which nothing was done."""

Note: TypeAlias = Annotated[str, Meta(max_length=limits.NOTE_CHARS)]
PowerAction: TypeAlias = Literal["power-off", "reboot", "reread"]
Action: TypeAlias = Literal["drain", "pause", "resume", "stop", "restart", "delete"] | PowerAction
LabelChanges: TypeAlias = Annotated[dict[Text, Text | None], Meta(max_length=limits.LABELS)]
Some: TypeAlias = Annotated[list[Text], Meta(max_length=limits.WORKER_FILTER)]
Names: TypeAlias = Annotated[list[Text], Meta(max_length=limits.WORKER_NAMES)]
Wanted: TypeAlias = Annotated[dict[Text, Text], Meta(max_length=limits.WORKER_FILTER)]


class CancelJob(Struct, frozen=True):
    """Cancel a job; the answer is None. A job that has finished stays as it is."""

    job: int


class Which(Struct, frozen=True):
    """Which workers are meant: those of which all is true that is said here.

    Attributes:
        names: it has one of these names, or one that fits one of these patterns (`lab-*`).
        labels: it has all of these labels.
        states: it is in one of these states, or was put into it while it is not here.
        all: nothing more need be said to mean all of them.
        exact: no name is a pattern, whatever it looks like.
    """

    names: list[str] = []
    labels: dict[str, str] = {}
    states: list[str] = []
    all: bool = False
    exact: bool = False


class OrderWorkers(Struct, frozen=True):
    """Do something with workers; the answer is a list of their keys.

    `leave` has them leave once they are drained; `now` has them restart without draining, and their
    computers go off, boot or read their configuration anew.
    """

    which: Which
    action: Action
    leave: bool = False
    now: bool = False


class WakeWorkers(Struct, frozen=True):
    """Wake computers that are away; the answer is a list of the keys of those that can be."""

    which: Which


class SetWorkers(Struct, frozen=True):
    """Change what is decided of workers; the answer is a list of their keys.

    Attributes:
        which: the workers.
        slots: that they are to use; 0 or None for their own.
        note: for people.
        labels: beside their own, and over them; None takes one back.
        name: by which one worker is known, over its own; None for its own.
    """

    which: Which
    slots: WorkerSlots | UnsetType | None = UNSET
    note: Note | UnsetType = UNSET
    labels: LabelChanges | UnsetType = UNSET
    name: str | UnsetType | None = UNSET


class CancelTasks(Struct, frozen=True):
    """Cancel tasks of a job; the answer is how many. `ranges` are pairs of first and last."""

    job: int
    ranges: list[tuple[int, int]]


class CancelJobs(Struct, frozen=True):
    """Cancel all unfinished jobs of a type (in one version or all), or of a submitter.

    The answer is the list of their numbers.
    """

    type: str = ""
    version: str = ""
    submitter: str = ""


class PauseJob(Struct, frozen=True):
    """Hand nothing of a job out; what runs goes on or, with `now`, is given back. Answer: None."""

    job: int
    now: bool = False


class ResumeJob(Struct, frozen=True):
    """Hand a paused job out again; the answer is None."""

    job: int


class ChangeJob(Struct, frozen=True):
    """Change options of a job, which are in range; the answer is None."""

    job: int
    changes: dict[str, object]


class RetryTasks(Struct, frozen=True):
    """Queue failed tasks of a job again: those of `ranges`, or all that were not cancelled.

    The answer is how many.
    """

    job: int
    ranges: list[tuple[int, int]] | None = None


class SetWeight(Struct, frozen=True):
    """Give a submitter a weight; the answer is None."""

    submitter: str
    weight: float


class ChangeSettings(Struct, frozen=True):
    """Set something of the server, by names; None takes it back. The answer is None."""

    changes: dict[str, str | None]


JobCommand: TypeAlias = (
    CancelTasks | CancelJobs | PauseJob | ResumeJob | ChangeJob | RetryTasks | SetWeight
)
WorkerCommand: TypeAlias = OrderWorkers | WakeWorkers | SetWorkers
Command: TypeAlias = CancelJob | JobCommand | WorkerCommand | ChangeSettings
