"""How far a job is: a live bar on a terminal, else a plain line every few seconds."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final, Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from dc.cli.screen import Screen, clean
from dc.client.plain_client import Client
from dc.client.plain_job import Job
from dc.client.records import JobStatus
from dc.errors import DcError

TROUBLE_SECONDS: Final = 0.5  # between two looks at whether the server is in trouble
LINE_SECONDS: Final = 5.0  # between two plain lines: seldom enough for a log
PACE_SECONDS: Final = 10.0  # over which the rate is taken: long enough to be steady


class Pace:
    """The rate at which tasks finish, over the last while."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def note(self, now: float, ended: int) -> None:
        """Note how many tasks have ended by now (in seconds of any clock)."""
        self._points.append((now, ended))
        while len(self._points) > 2 and self._points[1][0] <= now - PACE_SECONDS:
            self._points.popleft()

    @property
    def rate(self) -> float:
        """Tasks a second; 0 while it is not known."""
        if len(self._points) < 2:
            return 0.0
        (start, before), (end, after) = self._points[0], self._points[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def left(self, status: JobStatus) -> float | None:
        """Seconds until the job is done at this rate; None while that is not known."""
        todo = status.total - status.ended
        return todo / self.rate if self.rate > 0 and status.state != "open" else None


def describe(status: JobStatus, pace: Pace) -> str:
    """Return a job's state as one line."""
    parts = [f"job {status.job}: {status.ended} of {status.total} tasks"]
    if status.failed:
        parts.append(f"{status.failed} failed")
    if status.finished:
        why = f": {status.note}" if status.note else ""
        parts.append(status.state + why)
    else:
        parts.append(f"{pace.rate:,.3g}/s")
        left = pace.left(status)
        if left is not None:
            parts.append(f"{duration(left)} left")
        if status.note:
            parts.append(status.note)
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a time as `1:23:45`, `2:03` or `7 s`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Display(Protocol):
    """What shows a job's states as they come."""

    def show(self, status: JobStatus) -> None:
        """Show a state."""

    def close(self) -> None:
        """Show no more."""


class Lines:
    """Shows states as lines, the first after a while, and then every few seconds."""

    def __init__(self, screen: Screen, clock: Callable[[], float] = monotonic) -> None:
        self._screen = screen
        self._clock = clock
        self._pace = Pace()
        self._next = clock() + LINE_SECONDS

    def show(self, status: JobStatus) -> None:
        """Write a line if it is time for one."""
        now = self._clock()
        self._pace.note(now, status.ended)
        if now >= self._next and not status.finished:
            self._next = now + LINE_SECONDS
            self._screen.note(describe(status, self._pace))

    def close(self) -> None:
        """There is nothing to end."""


class Bar:
    """Shows states as a live progress bar on standard error."""

    def __init__(self, screen: Screen, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._pace = Pace()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rest]}", markup=False),
            console=screen.error_console,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("job", total=None, rest="")
        self._progress.start()

    def show(self, status: JobStatus) -> None:
        """Move the bar."""
        self._pace.note(self._clock(), status.ended)
        rest = describe(status, self._pace).split(" tasks", 1)[1].lstrip(", ")
        self._progress.update(
            self._task,
            description=f"job {status.job}",
            total=status.total,
            completed=status.ended,
            rest=clean(rest),
        )

    def close(self) -> None:
        """Leave the bar as it is and go on below it."""
        self._progress.stop()


@contextmanager
def telling_trouble(client: Client, screen: Screen) -> Iterator[None]:
    """Tell, while the block runs, when the server is in trouble and when it is out of it."""
    over = threading.Event()

    def watch() -> None:
        told = ""
        while not over.wait(TROUBLE_SECONDS):
            trouble = client.trouble
            if trouble != told:
                screen.note(trouble or "the server is out of trouble")
            told = trouble

    thread = threading.Thread(target=watch, name="dc trouble", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


@contextmanager
def following(job: Job, screen: Screen, *, streams: bool) -> Iterator[None]:
    """Show how far a job is while the block runs.

    Args:
        job: the job.
        screen: where to show it.
        streams: whether the block writes results as they come.
    """
    live = screen.error_console.is_terminal and not (streams and screen.streams_to_terminal)
    display: Display = Bar(screen) if live else Lines(screen)
    over = threading.Event()
    thread = threading.Thread(
        target=_follow, args=(job, display, over), name="dc progress", daemon=True
    )
    thread.start()
    try:
        yield
        thread.join(1.0)  # the last state is on its way
    finally:
        over.set()
        display.close()


def _follow(job: Job, display: Display, over: threading.Event) -> None:
    try:
        for status in job.watch():
            if over.is_set():
                return
            display.show(status)
    except (DcError, RuntimeError):
        return  # the block that is followed meets the same error, and tells it
