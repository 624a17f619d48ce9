"""Events about what operators have asked for and got."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, cast

from msgspec import UNSET

from dc.records import WorkerRow
from dc.server.board import Board
from dc.server.commands import (
    Action,
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
    WakeWorkers,
    WorkerCommand,
)
from dc.server.event_log import OPERATOR, EventLog, counted

KINDS_OF_ACTIONS: Final[dict[Action, str]] = {
    "drain": "worker.drained",
    "pause": "worker.paused",
    "resume": "worker.resumed",
    "stop": "worker.stopped",
    "restart": "worker.restarted",
    "power-off": "worker.off",
    "reboot": "worker.rebooted",
    "reread": "worker.reread",
    "delete": "worker.deleted",
}


def note_command(
    board: Board, command: Command, answer: object, worker: Callable[[str], WorkerRow | None]
) -> None:
    """Note what was done for an operator, unless whoever did it has noted it.

    Args:
        board: where events gather.
        command: what was asked for.
        answer: what was answered, which is no error.
        worker: gives what is remembered of the worker of a key.
    """
    log = board.log
    match command:
        case ChangeSettings(changes):
            for name, value in changes.items():
                said = f"{name} is {board.settings.text(name)}"
                said += " again, as the server was started" if value is None else ""
                log.note("setting.changed", OPERATOR, partial(str, said))
        case OrderWorkers() | WakeWorkers() | SetWorkers():
            for key in cast("list[str]", answer):
                if (row := worker(key)) is not None:
                    _note_worker(log, command, row)
        case SetWeight(submitter, weight):
            text = f"the weight of submitter {submitter} is {weight:g}"
            log.note("submitter.weight", OPERATOR, lambda: text)
        case PauseJob() | ResumeJob() | ChangeJob() | CancelTasks() | RetryTasks():
            kind = _kind_of_job(command)
            text_ = partial(_text_of_job, command, answer)
            log.note(kind, OPERATOR, text_, job=command.job)


TOLD: Final = {
    "stop": "told to stop",
    "restart": "told to restart",
    "power-off": "told to switch its computer off",
    "reboot": "told to boot its computer anew",
    "reread": "told to read its configuration anew",
}
"""What was done to a worker, where the kind of the event does not say it."""


def _note_worker(log: EventLog, command: WorkerCommand, row: WorkerRow) -> None:
    if isinstance(command, OrderWorkers):
        kind = KINDS_OF_ACTIONS[command.action]
        how = ", to leave" if command.leave else " at once" if command.now else ""
        done = TOLD.get(command.action, kind.partition(".")[2])
        text = f"worker {row.shown} was {done}{how}"
    elif isinstance(command, WakeWorkers):
        kind, text = "worker.woken", f"the computer of worker {row.shown} is called to wake"
    elif command.name is not UNSET:
        kind = "worker.renamed"
        text = f"the worker that calls itself {row.name} is {row.shown} from now on"
    else:
        kind, text = "worker.changed", f"worker {row.shown} was given {_given(command, row)}"
    log.note(kind, OPERATOR, lambda: text, worker=row.shown)


def _given(command: SetWorkers, row: WorkerRow) -> str:
    given = []
    if command.slots is not UNSET:
        given.append(counted(row.slots, "slot") if row.slots else "its own number of slots")
    if command.note is not UNSET:
        given.append(f"the note {row.note!r}" if row.note else "no note")
    if command.labels is not UNSET:
        labels = ", ".join(f"{name}={value}" for name, value in sorted(row.labels.items()))
        given.append(f"the labels {labels}" if labels else "no labels beside its own")
    return " and ".join(given) or "nothing new"


def _kind_of_job(
    command: PauseJob | ResumeJob | ChangeJob | CancelTasks | RetryTasks,
) -> str:
    kinds: dict[type, str] = {
        PauseJob: "job.paused",
        ResumeJob: "job.resumed",
        ChangeJob: "job.changed",
        CancelTasks: "task.cancelled",
        RetryTasks: "job.retried",
    }
    return kinds[type(command)]


def _text_of_job(
    command: PauseJob | ResumeJob | ChangeJob | CancelTasks | RetryTasks, answer: object
) -> str:
    number = f"job {command.job}"
    match command:
        case PauseJob(_, now):
            return f"{number} was paused{', and what ran was taken back' if now else ''}"
        case ResumeJob():
            return f"{number} was resumed"
        case ChangeJob(_, changes):
            said = ", ".join(f"{name} is {value}" for name, value in changes.items())
            return f"{number} was changed: {said}"
        case CancelTasks():
            return f"{counted(cast('int', answer), 'task')} of {number} were cancelled"
        case RetryTasks():
            return f"{counted(cast('int', answer), 'failed task')} of {number} run again"
