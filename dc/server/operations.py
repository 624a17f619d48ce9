"""Does what operators ask: each command finds the part of the reactor that can do it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from dc.errors import DcError, UnknownJob
from dc.server.access_operations import AccessOperations
from dc.server.board import Board
from dc.server.clients import ClientSide
from dc.server.command_events import note_command
from dc.server.commands import (
    CancelJob,
    CancelJobs,
    CancelTasks,
    ChangeJob,
    ChangeSettings,
    Command,
    OrderWorkers,
    PauseJob,
    ResumeJob,
    RetryTasks,
    SetWeight,
    SetWorkers,
    Then,
    WakeWorkers,
)
from dc.server.commands_access import AccessCommand
from dc.server.event_log import OPERATOR
from dc.server.events import Asked
from dc.server.job_control import JobControl
from dc.server.jobs import Job
from dc.server.workers import WorkerSide

OfOneJob: TypeAlias = CancelTasks | PauseJob | ResumeJob | ChangeJob | RetryTasks


class Operations:
    """Takes commands.

    Args:
        board: what all share.
        clients: who has the jobs.
        jobs: what can be done with jobs.
        workers: who has the workers.

    Attributes:
        access: does what is asked about who is let in, and writes the audit log.
    """

    def __init__(
        self, board: Board, clients: ClientSide, jobs: JobControl, workers: WorkerSide
    ) -> None:
        self.access = AccessOperations(board, workers)
        self._board = board
        self._clients = clients
        self._jobs = jobs
        self._orders = workers.orders

    def ask(self, asked: Asked) -> None:
        """Do what is asked; call `then` with the answer, or the DcError, once that is on disk."""
        command, then = asked.command, asked.then
        if isinstance(command, AccessCommand):
            do = partial(self.access.do, command, asked.by, asked.address, then)
            _answering(then, do)
        else:
            note = partial(self._noting, command, asked)
            _answering(then, lambda: self._do(command, note))

    def _noting(self, command: Command, asked: Asked, answer: object) -> None:
        """Note what was done; say so once that is on disk."""
        if not isinstance(answer, DcError):
            note_command(self._board, command, answer, self._orders.row)
            self.access.did(command, answer, asked.by, asked.address)
        self._answer(asked.then, answer)

    def _do(self, command: Command, then: Then) -> None:
        match command:
            case CancelJob(number):
                cancel = partial(self._clients.cancel, then=partial(then, None), who=OPERATOR)
                self._with_job(number, then, cancel)
            case CancelJobs(type_, version, submitter):
                self._jobs.cancel_jobs(type_, version, submitter, then)
            case SetWeight(submitter, weight):
                self._jobs.set_weight(submitter, weight, then)
            case CancelTasks() | PauseJob() | ResumeJob() | ChangeJob() | RetryTasks():
                self._with_job(command.job, then, lambda job: self._with(job, command, then))
            case ChangeSettings(changes):
                for record in self._board.settings.change(changes):
                    self._board.write(record, lambda: None)
                self._answer(then, None)
            case OrderWorkers():
                keys = self._orders.order(command)
                if command.action == "delete":
                    self.access.deleted(keys)
                self._answer(then, keys)
            case WakeWorkers(which):
                self._answer(then, self._orders.wake(which))
            case SetWorkers():
                self._answer(then, self._orders.set(command))

    def _answer(self, then: Then, answer: object) -> None:
        """Give an answer once all that is now to be written is on disk."""
        self._board.after_writes(partial(then, answer))

    def _with(self, job: Job, command: OfOneJob, then: Then) -> None:
        jobs = self._jobs
        match command:
            case CancelTasks(_, ranges):
                jobs.cancel_tasks(job, ranges, then)
            case PauseJob(_, now):
                jobs.pause(job, now=now, then=then)
            case ResumeJob():
                jobs.resume(job, then)
            case ChangeJob(_, changes):
                jobs.change(job, changes, then)
            case RetryTasks(_, ranges):
                jobs.retry(job, ranges, then)

    def _with_job(self, number: int, then: Then, do: Callable[[Job], None]) -> None:
        """Do something with a job, once it is in memory."""

        def found(job: Job | None) -> None:
            if job is None:
                then(UnknownJob(f"there is no job {number}{self._board.kept}"))
            else:
                _answering(then, lambda: do(job))

        self._clients.find(number, found)


def _answering(then: Then, do: Callable[[], None]) -> None:
    try:
        do()
    except DcError as error:
        then(error)
