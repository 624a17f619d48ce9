"""The context of a task: what it may know of itself, and its way to say something while it runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

from dc.errors import UnknownTask
from dc.inputs import Input
from dc.stops import Stops
from dc.trace_context import of_attempt

_NO_INPUTS: Final[Mapping[str, Input]] = MappingProxyType({})


class Teller(Protocol):
    """Where a context hands on what its task tells of itself."""

    def progress(self, fraction: float, text: str) -> None:
        """Take how far it is."""

    def save(self, data: bytes) -> None:
        """Take a checkpoint."""


class Former(Protocol):
    """Where a context has results of other jobs from. Both raise as `Context.result` does."""

    def value(self, job: int, number: int) -> Any:
        """Return the result of a task."""

    def file(self, job: int, number: int, to: Path) -> Path:
        """Make a file at `to` with the bytes of a result, and return it."""


class Context:
    """What a task may know of itself: give the function a second parameter of this type.

    Attributes:
        job: the number of its job.
        number: its own number within the job, from 0.
        attempt: which try this is.
        resources: the amounts that it may use, by name: `cpus`, `memory` in bytes, `gpus` …
        inputs: what all tasks of the job may read, by the names that it was submitted with.
    """

    __slots__ = (
        *("_before", "_former", "_folder", "_made", "_parent", "_span", "_stops", "_teller"),
        *("attempt", "inputs", "job", "number", "resources"),
    )

    def __init__(
        self,
        job: int,
        number: int,
        attempt: int,
        folder: Path,
        stops: Collection[tuple[int, int, int]] = (),
        teller: Teller | None = None,
        checkpoint: bytes | Path | None = None,
        former: Former | None = None,
    ) -> None:
        self.job = job
        self.number = number
        self.attempt = attempt
        self.resources: Mapping[str, float] = {"cpus": 1.0}
        self.inputs: Mapping[str, Input] = _NO_INPUTS
        self._folder = folder
        self._made = False
        self._stops = stops
        self._teller = teller
        self._before = checkpoint
        self._former = former
        self._parent = self._span = ""

    def trace_in(self, parent: str, span: str = "") -> None:
        """Say in which trace this attempt is; for executors, not for tasks.

        Args:
            parent: the trace context of its parent.
            span: its own, where it does not follow from that.
        """
        self._parent, self._span = parent, span

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell how far the task is, for those who look on. May be called as often as one likes.

        About twice a second the latest is told; a call costs less than a microsecond.

        Args:
            fraction: from 0 to 1.
            message: what the task is at, in a few words.

        Raises:
            ValueError: the fraction is not between 0 and 1.
        """
        if not 0.0 <= fraction <= 1.0:
            raise ValueError(f"progress goes from 0 to 1, and {fraction!r} is not in between")
        if self._teller is not None:
            self._teller.progress(fraction, message)

    def save(self, data: bytes) -> None:
        """Save a checkpoint: should this attempt not come to its end, the next one gets it.

        The latest takes the place of those before. About two a second go to the server; one that
        was saved right before the worker was lost may not have arrived.

        Args:
            data: what `checkpoint` of the next attempt will be.

        Raises:
            TypeError: it is not bytes.
            OSError: a large one, or the large one before, could not be written to its file.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"a checkpoint is bytes, not {type(data).__name__}")
        if self._teller is not None:
            self._teller.save(bytes(data))

    def result(self, job: int, number: int) -> Any:
        """Return the result of a task of another job, which this one comes `after`.

        Bytes come as they are, any other value as plain lists, dictionaries, numbers and texts. All
        of it is in memory; for what is large there is `result_file`.

        Args:
            job: the number of the other job.
            number: of its task; with `each`, that of this one.

        Raises:
            UnknownTask: there is no such task, or it has no result.
            ConnectionLost: the server could not be reached for a minute.
            OSError: a large result could not be written to the computer's cache.
        """
        if self._former is None:
            raise UnknownTask("there is no server here to have results from")
        return self._former.value(job, number)

    def result_file(self, job: int, number: int) -> Path:
        """Return a file with the result of a task of another job, as its bytes are.

        It may be of any size. It is in `scratch`, to be read; tasks of this computer that want the
        same large result share what is fetched once.

        Args:
            job: the number of the other job.
            number: of its task; with `each`, that of this one.

        Raises:
            UnknownTask: there is no such task, or it has no result.
            ConnectionLost: the server could not be reached for a minute.
            OSError: it could not be written to the disk.
        """
        if self._former is None:
            raise UnknownTask("there is no server here to have results from")
        return self._former.file(job, number, self.scratch / f"result-{job}-{number}")

    @property
    def checkpoint(self) -> bytes | None:
        """What an earlier attempt of this task has saved last; None if there is nothing."""
        if isinstance(self._before, Path):
            self._before = self._before.read_bytes()
        return self._before

    @property
    def traceparent(self) -> str:
        """The trace context of this attempt, as in W3C Trace Context, to be passed on by hand.

        It is in the trace of what submitted the job. Empty where the task runs in a test.
        """
        if not self._span:
            self._span = of_attempt(self._parent, self.number, self.attempt)
        return self._span

    @property
    def stopping(self) -> bool:
        """Whether this attempt is to stop: it was cancelled, or its time is over.

        In the main thread TaskStopped or TimeLimit is raised as well; this is for loops that look
        by themselves, and for threads. What does not end soon is killed.
        """
        return (self.job, self.number, self.attempt) in self._stops

    def on_stop(self, function: Callable[[], object]) -> None:
        """Have a function called, in another thread, once this attempt is to stop.

        For foreign code that runs for long and hears of nothing, but can be ended from another
        thread: the function says so to it, quickly. The last one that was given counts. It may be
        called twice; it is not called where the task runs in a test.

        Args:
            function: what to call; what it raises is printed.
        """
        if isinstance(self._stops, Stops):
            self._stops.on_stop((self.job, self.number, self.attempt), function)

    @property
    def scratch(self) -> Path:
        """A folder for this attempt alone, made when first asked for, removed after the task."""
        if not self._made:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._made = True
        return self._folder

    @property
    def used_scratch(self) -> bool:
        """Whether the scratch folder was asked for."""
        return self._made
