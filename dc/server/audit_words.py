"""What operators have asked for and got, as the audit log has it: a kind and a sentence of each."""

from __future__ import annotations

from collections.abc import Iterable

from dc.server.command_events import KINDS_OF_ACTIONS
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
    WakeWorkers,
    Which,
)

NAMED: int = 10
"""Names, of many, in a sentence."""


def said_of(command: Command, answer: object) -> tuple[str, str]:
    """Return the kind and the words of a command that was done.

    Args:
        command: what was asked for.
        answer: what was answered, which is no error.
    """
    match command:
        case CancelJob(job):
            return "job.cancelled", f"job {job}"
        case CancelJobs():
            jobs = answer if isinstance(answer, list) else []
            return "job.cancelled", f"jobs {_some(map(str, jobs))} ({_which_jobs(command)})"
        case CancelTasks(job):
            return "task.cancelled", f"{answer} tasks of job {job}"
        case RetryTasks(job):
            return "job.retried", f"{answer} tasks of job {job}"
        case PauseJob(job, now):
            return "job.paused", f"job {job}{', at once' * now}"
        case ResumeJob(job):
            return "job.resumed", f"job {job}"
        case ChangeJob(job, changes):
            return "job.changed", f"job {job}: {_pairs(changes)}"
        case SetWeight(submitter, weight):
            return "submitter.weight", f"submitter {submitter}: {weight:g}"
        case ChangeSettings(changes):
            return "setting.changed", _pairs(changes)
        case OrderWorkers(which, action):
            return KINDS_OF_ACTIONS[action], _workers(which, answer)
        case WakeWorkers(which):
            return "worker.woken", _workers(which, answer)
        case SetWorkers(which):
            return "worker.changed", _workers(which, answer)


def _which_jobs(command: CancelJobs) -> str:
    said = {"type": command.type, "version": command.version, "submitter": command.submitter}
    return _pairs({name: value for name, value in said.items() if value}) or "all"


def _workers(which: Which, answer: object) -> str:
    count = len(answer) if isinstance(answer, list) else 0
    labels = [f"{name}={value}" for name, value in which.labels.items()]
    said = [*which.names, *labels, *which.states]
    return f"{count} worker{'' if count == 1 else 's'}: {_some(said) or 'all'}"


def _pairs(values: dict[str, str] | dict[str, object] | dict[str, str | None]) -> str:
    return ", ".join(
        f"{name} is {'as it was' if value is None else value}" for name, value in values.items()
    )


def _some(names: Iterable[str]) -> str:
    all_ = list(names)
    more = f" and {len(all_) - NAMED} more" if len(all_) > NAMED else ""
    return ", ".join(all_[:NAMED]) + more
