"""What operators ask of the server: the commands that come over HTTP.

A command goes to the reactor as Asked, and is answered once all that it changes is on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

Then: TypeAlias = Callable[[object], None]
"""Takes the answer to a command: what it says itself, or the DcError for which nothing was done."""


class CancelJob(Struct, frozen=True):
    """Cancel a job; the answer is None. A job that has finished stays as it is."""

    job: int


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


JobCommand: TypeAlias = (
    CancelTasks | CancelJobs | PauseJob | ResumeJob | ChangeJob | RetryTasks | SetWeight
)
Command: TypeAlias = CancelJob | JobCommand
