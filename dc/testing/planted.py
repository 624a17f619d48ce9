"""Defects that are planted into dc for the time of a run, to see that the simulation finds them.

Each takes away one thing that a promise rests on. They are patched in from outside: the product has
no switch for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final
from unittest import mock

from dc.messages_client import Submit
from dc.messages_parts import Blob
from dc.messages_worker import Done
from dc.records import Record
from dc.server.board import Board, Pending
from dc.server.events import Write
from dc.server.job_control import JobControl
from dc.server.jobs import Job
from dc.server.leases import Leases
from dc.server.reports import Reports
from dc.server.room import Room
from dc.server.roster import Worker
from dc.server.submission import Client
from dc.server.submissions import Submissions
from dc.worker.reactor import WorkerReactor


def _write(self: Board, record: Record, then: Callable[[], None]) -> None:
    """Acknowledge before the commit."""
    self.out.append(Write(record))
    self._pending.append(Pending(True, lambda: None))
    then()


def _second_look(
    self: Reports, _worker: Worker, job: Job, message: Done, rejected: list[int]
) -> list[int]:
    """Drop the attempt check: take whatever answer comes of a task that has none."""
    taken = set(range(len(message.numbers))).difference(rejected)
    for at in rejected:
        if self._scheduler.state(job.number, message.numbers[at]) is not None:
            self._scheduler.cancel(job.number, message.numbers[at])
            taken.add(at)
    return sorted(taken)


def _lost(self: Leases, worker: Worker, _heard: float) -> None:
    """Queue the tasks of a worker as soon as its connection is lost, whatever its lease."""
    self.give_up(worker, blame=False)


def _on_welcome(self: WorkerReactor, server: str) -> None:
    """Forget what is not recorded yet when the server is back."""
    self._board.recorded(self._board.reports.sequence)
    _WELCOME(self, server)


_WELCOME: Final = WorkerReactor._on_welcome


def _resume(self: Submissions, missing: frozenset[Blob], client: Client, message: Submit) -> None:
    """Begin a submission that is tried again from the start, as a new job."""
    self._keys.pop(message.key, None)
    self._answer(client, message, partial(self._begin, missing))


def _slots(self: Room, worker: Worker) -> int:
    """Give a worker tasks whatever an operator has decided of it."""
    return self._health.slots(worker.process, worker.about.slots)


def _added(self: JobControl, job: Job, *, new: bool) -> None:
    """Let all tasks of a job in that waits task by task."""
    self.dependencies.added(job, new=new)


DEFECTS: Final[dict[str, tuple[type, str, Callable[..., Any]]]] = {
    "let-in-at-once": (JobControl, "_added", _added),
    "give-to-the-paused": (Room, "_slots", _slots),
    "acknowledge-before-commit": (Board, "write", _write),
    "no-attempt-check": (Reports, "_second_look", _second_look),
    "requeue-on-disconnect": (Leases, "lost", _lost),
    "forget-on-reconnect": (WorkerReactor, "_on_welcome", _on_welcome),
    "double-on-retry": (Submissions, "_resume", _resume),
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have a defect in this block; none if the name is empty."""
    if not name:
        yield
        return
    kind, method, defect = DEFECTS[name]
    with mock.patch.object(kind, method, defect):
        yield
