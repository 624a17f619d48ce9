"""How far a job is: a live bar on a terminal, else a plain line every few seconds."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from time import monotonic
from typing import Final, Protocol

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from dc.cli.screen import Screen, clean
from dc.cli.transfers import LINE_SECONDS, TransferLines, TransferRows
from dc.client.plain_client import Client
from dc.client.plain_job import Job
from dc.client.records import JobStatus
from dc.client.transfers import Transfer
from dc.errors import DcError

TROUBLE_SECONDS: Final = 0.5  # between two looks at whether the server is in trouble
TRANSFER_SECONDS: Final = 0.2  # between two looks at how far transfers are
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
    """What shows a job's states as they come, and how far transfers are."""

    def show(self, status: JobStatus) -> None:
        """Show a state."""

    def move(self, transfers: Sequence[Transfer]) -> None:
        """Show the transfers that are under way."""

    def close(self) -> None:
        """Show no more."""


class Lines:
    """Shows states as lines, the first after a while, and then every few seconds."""

    def __init__(self, screen: Screen, clock: Callable[[], float] = monotonic) -> None:
        self._screen = screen
        self._clock = clock
        self._pace = Pace()
        self._next = clock() + LINE_SECONDS
        self._transfers = TransferLines(screen, clock)

    def show(self, status: JobStatus) -> None:
        """Write a line if it is time for one."""
        now = self._clock()
        self._pace.note(now, status.ended)
        if now >= self._next and not status.finished:
            self._next = now + LINE_SECONDS
            self._screen.note(describe(status, self._pace))

    def move(self, transfers: Sequence[Transfer]) -> None:
        """Write a line of each transfer if it is time for one."""
        self._transfers.show(transfers)

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
            TextColumn("{task.fields[count]}", markup=False),
            TextColumn("{task.fields[rest]}", markup=False),
            console=screen.error_console,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task: TaskID | None = None
        self._transfers = TransferRows(self._progress, clock)

    def show(self, status: JobStatus) -> None:
        """Move the bar."""
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task("job", total=None, rest="", count="")
        self._pace.note(self._clock(), status.ended)
        rest = describe(status, self._pace).split(" tasks", 1)[1].lstrip(", ")
        self._progress.update(
            self._task,
            description=f"job {status.job}",
            total=status.total,
            completed=status.ended,
            count=f"{status.ended}/{status.total}",
            rest=clean(rest),
        )

    def move(self, transfers: Sequence[Transfer]) -> None:
        """Show a row for each transfer."""
        if transfers:
            self._progress.start()
        self._transfers.show(transfers)

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
def moving(client: Client, screen: Screen) -> Iterator[None]:
    """Show how far the transfers of a client are while the block runs."""
    live = screen.error_console.is_terminal
    display: Display = Bar(screen) if live else Lines(screen)
    with _watching(client, display):
        try:
            yield
        finally:
            display.close()


@contextmanager
def _watching(client: Client, display: Display) -> Iterator[None]:
    over = threading.Event()

    def watch() -> None:
        while not over.wait(TRANSFER_SECONDS):
            display.move(client.transfers)

    thread = threading.Thread(target=watch, name="dc transfers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def following(
    job: Job, screen: Screen, *, streams: bool, client: Client | None = None
) -> Iterator[None]:
    """Show how far a job is while the block runs.

    Args:
        job: the job.
        screen: where to show it.
        streams: whether the block writes results as they come.
        client: whose transfers are shown as well.
    """
    live = screen.error_console.is_terminal and not (streams and screen.streams_to_terminal)
    display: Display = Bar(screen) if live else Lines(screen)
    transfers = _watching(client, display) if client is not None else nullcontext()
    with transfers, _following(job, display):
        yield


@contextmanager
def _following(job: Job, display: Display) -> Iterator[None]:
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
