"""Does what operators ask: each command finds the part of the reactor that can do it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from dc.errors import DcError, UnknownJob
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
)
from dc.server.event_log import OPERATOR
from dc.server.job_control import JobControl
from dc.server.jobs import Job
from dc.server.orders import Orders

OfOneJob: TypeAlias = CancelTasks | PauseJob | ResumeJob | ChangeJob | RetryTasks


class Operations:
    """Takes commands.

    Args:
        board: what all share.
        clients: who has the jobs.
        jobs: what can be done with jobs.
        orders: who has the workers.
    """

    def __init__(self, board: Board, clients: ClientSide, jobs: JobControl, orders: Orders) -> None:
        self._board = board
        self._clients = clients
        self._jobs = jobs
        self._orders = orders

    def ask(self, command: Command, then: Then) -> None:
        """Do what is asked; call `then` with the answer, or the DcError, once that is on disk."""
        _answering(then, lambda: self._do(command, partial(self._noting, command, then)))

    def _noting(self, command: Command, then: Then, answer: object) -> None:
        """Note what was done, then say so."""
        if not isinstance(answer, DcError):
            note_command(self._board, command, answer, self._orders.row)
        then(answer)

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
                self._answer(then, self._orders.order(command))
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
