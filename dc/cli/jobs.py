"""The commands that submit a job, or follow one to its end."""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from msgspec import structs

from dc.cli.carry import Folder, write_pieces
from dc.cli.inputs import bytes_of, payloads_of
from dc.cli.needs import needs_said
from dc.cli.progress import Pace, describe, following, moving, telling_trouble
from dc.cli.screen import SHOWN_FAILURES, Screen
from dc.cli.task import last_outputs
from dc.client.handles import Handle
from dc.client.plain_client import Client
from dc.client.plain_job import Job
from dc.client.records import Finished, JobStatus
from dc.client.values import Large
from dc.errors import (
    DcError,
    JobCancelled,
    NoWorkerWarning,
    OptionsError,
    PluginError,
    TaskFailed,
    UnknownTaskType,
)
from dc.tasktypes import TaskType

DONE, NOT_ALL_DONE = 0, 1  # exit statuses


class Interrupted(Exception):
    """Ctrl-C came while a job was followed: it goes on without us."""


class Incomplete(Exception):
    """Tasks failed, so there is no merged answer."""


class Failures:
    """The failed tasks of a job: all are counted, the first are kept."""

    def __init__(self) -> None:
        self.first: list[TaskFailed] = []
        self.count = 0

    def add(self, failure: TaskFailed) -> None:
        """Note a failed task."""
        self.count += 1
        if len(self.first) < SHOWN_FAILURES:
            self.first.append(failure)


def submit(args: Namespace, client: Client, screen: Screen) -> int:
    """Submit a job; print its answer, or its number if nobody waits."""
    if args.after_what and not args.after:
        raise OptionsError("--after-what says what is waited for of jobs: name them by --after J")
    known = _known_type(args, client, screen)
    codec = known.payload_codec if known is not None else _codec(client, args.type, args.version)
    payloads = payloads_of(known, codec, args.inputs, args.file, client)
    with (
        telling_trouble(client, screen),
        moving(client, screen),
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always", NoWorkerWarning)
        job = _submit(args, client, known or args.type, payloads)
    for warning in warned:
        screen.note(f"dc: {warning.message}")
    if args.no_wait:
        if args.json:
            screen.json({"job": job.number})
        else:
            screen.write(f"{job.number}\n")
        return DONE
    screen.note(f"job {job.number} of {job.type} is submitted")
    return _collect(args, client, job, screen, merge=job.task_type.has_merge)


def _submit(args: Namespace, client: Client, kind: str | TaskType, payloads: Iterator[Any]) -> Job:
    return client.submit(
        kind,
        payloads,
        version=args.version,
        name=args.name or None,
        priority=args.priority,
        retries=args.retries,
        timeout=args.timeout,
        retry_on=args.retry_on,
        retry_seconds=args.retry_seconds,
        crashes=args.crashes,
        long=args.long,
        grace=args.grace,
        limits=dict(args.limit) or None,
        environment=dict(args.env) or None,
        weight=args.weight,
        submitter=args.submitter,
        after=args.after or None,
        after_what=args.after_what,
        each=args.each,
        not_before=args.not_before,
        deadline=args.deadline,
        keep_output=args.keep_output,
        key=args.key,
        inputs={name: bytes_of(client, text) for name, text in args.input} or None,
        **needs_said(args.needs),
    )


def results(args: Namespace, client: Client, screen: Screen) -> int:
    """Print the results of a job, or the merged answer."""
    job = client.job(args.job)
    if args.merge and not job.task_type.has_merge:
        raise PluginError(f"{job.type} has no merge here: give its plugin by --plugins DIR")
    if args.merge and args.save:
        raise OptionsError("--merge makes one answer of all results: leave out --save")
    return _collect(args, client, job, screen, merge=args.merge)


def wait(args: Namespace, client: Client, screen: Screen) -> int:
    """Wait until a job has finished, and print how it did."""
    job = client.job(args.job)
    status = _followed(job, screen, job.wait, streams=False)
    if status.failed:
        failures = Failures()
        path = f"/api/jobs/{job.number}/tasks?failed=1&limit={SHOWN_FAILURES}"
        for task in client.get(path)["tasks"]:
            failures.add(_failure(task))
        screen.failures(failures.first, status.failed)
        last_outputs(client, screen, failures.first[:SHOWN_FAILURES])
    _print_status(args, status, screen)
    return _exit_status(status)


def _known_type(args: Namespace, client: Client, screen: Screen) -> TaskType | None:
    try:
        return client.task_type(args.type, args.version)
    except UnknownTaskType as error:
        if args.plugins:
            screen.note(f"dc: in the plugins here: {error}; the inputs go as they are")
        return None


def _codec(client: Client, name: str, version: str) -> str:
    """Return how the server's type takes payloads; any, if it has none: it says so itself."""
    for kind in client.get("/api/types")["types"]:
        if kind["name"] == name and version in ("", kind["version"]):
            return str(kind["payload"])
    return "msgpack"


def _collect(args: Namespace, client: Client, job: Job, screen: Screen, *, merge: bool) -> int:
    """Print a job's results or merged answer, then its failures."""
    failures = Failures()
    answer: list[Any] = []

    def read() -> JobStatus:
        if merge:
            answer.extend(_merged(job, failures))
        elif save := getattr(args, "save", None):
            _save(args, job, screen, failures, Folder(save))
        else:
            _list(args, job, screen, failures)
        return job.wait()

    streams = not merge and getattr(args, "save", None) is None
    try:
        status = _followed(job, screen, read, streams=streams, client=client)
    except JobCancelled:
        status = job.status()
    if merge and args.json:
        screen.json({"job": job.number, "state": status.state, "answer": (answer or [None])[0]})
    elif answer:
        screen.answer(answer[0])
    screen.failures(failures.first, failures.count)
    last_outputs(client, screen, failures.first[:SHOWN_FAILURES])
    if status.state != "done":
        less = ", so there is no answer" if merge and not answer else ""
        screen.note(describe(status, Pace()) + less)
    return _exit_status(status)


def _merged(job: Job, failures: Failures) -> list[Any]:
    """Return the merged answer in a list; an empty one if tasks failed."""

    def succeeded() -> Iterator[Any]:
        for value in job.results(failures="yield", large="value"):
            if isinstance(value, TaskFailed):
                failures.add(value)
            else:
                yield value
        if failures.count:
            raise Incomplete

    try:
        return [job.task_type.merge_results(succeeded())]
    except Incomplete:
        return []
    except DcError:
        raise
    except Exception as error:
        text = f"the merge of {job.type} failed: {type(error).__name__}: {error}"
        raise PluginError(text) from error


def _list(args: Namespace, job: Job, screen: Screen, failures: Failures) -> None:
    large: Large = "value" if args.json else "handle"
    for finished in job.as_completed(ordered=args.ordered, large=large):
        if finished.error is not None:
            failures.add(finished.error)
        if args.json:
            screen.json(_record(finished), indent=False)
        elif isinstance(finished.result, Handle):
            write_pieces(finished.result, screen)
            screen.write(b"\n")
        elif finished.error is None:
            screen.line(finished.result)


def _save(args: Namespace, job: Job, screen: Screen, failures: Failures, folder: Folder) -> None:
    """Write results to files."""
    is_bytes = job.task_type.result_codec == "bytes"
    for finished in job.as_completed(ordered=args.ordered):
        if finished.error is not None:
            failures.add(finished.error)
        else:
            path = folder.save(finished.number, finished.result, is_bytes=is_bytes)
            finished = structs.replace(finished, result={"file": str(path)})
        if args.json:
            screen.json(_record(finished), indent=False)
    screen.note(folder.summary)


def _record(finished: Finished) -> dict[str, Any]:
    record = structs.asdict(finished)
    error = record.pop("error")
    record["failure"] = None
    if error is not None:
        kind, text, traceback = error.kind, str(error.args[0]), error.traceback
        record["failure"] = {"kind": kind, "error": text, "traceback": traceback}
    return record


def _failure(task: dict[str, Any]) -> TaskFailed:
    """Return a failed task of the server's API as the error that it is."""
    failure = task["failure"]
    return TaskFailed(
        failure["error"],
        job=task["job"],
        number=task["number"],
        kind=failure["kind"],
        traceback=failure["traceback"],
        attempt=task["attempt"],
        worker=task["worker"],
    )


def _followed(
    job: Job,
    screen: Screen,
    read: Callable[[], JobStatus],
    *,
    streams: bool,
    client: Client | None = None,
) -> JobStatus:
    try:
        with following(job, screen, streams=streams, client=client):
            return read()
    except KeyboardInterrupt:
        _interrupted(job.number)


def _interrupted(job: int) -> NoReturn:
    text = f"job {job} goes on without you; follow it: python -m dc wait {job}"
    raise Interrupted(f"{text}; cancel it: python -m dc cancel {job}") from None


def _print_status(args: Namespace, status: JobStatus, screen: Screen) -> None:
    if args.json:
        screen.json(structs.asdict(status))
    else:
        screen.write(describe(status, Pace()) + "\n")


def _exit_status(status: JobStatus) -> int:
    return DONE if status.state == "done" else NOT_ALL_DONE
