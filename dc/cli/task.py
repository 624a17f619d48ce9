"""The commands about one task: how it stands, and what it writes."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dc import limits_executor as limits
from dc.cli.screen import Screen, clean
from dc.client.plain_client import Client
from dc.errors import DcError, TaskFailed

FOLLOW_SECONDS: Final = 0.5
"""Between two looks at a task that writes: the server has news of it each second."""

SHOWN_LINES: Final = 10
"""Of a failed task's output that are shown beside the failure."""


def task(args: Namespace, client: Client, screen: Screen) -> int:
    """Show a task."""
    job, number = args.task
    answer = client.get(f"/api/jobs/{job}/tasks/{number}")
    if args.json:
        screen.json(answer)
    else:
        screen.fields(_fields(answer))
    return 0


def _fields(task: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "task", f"{task['job']}/{task['number']}"
    yield "state", task["state"]
    if task["progress"] is not None:
        yield "progress", progress_text(task["progress"])
    yield "attempt", task["attempt"]
    yield "crashes", task["crashes"]
    yield "worker", task["worker"] or "none"
    if task["time"] is not None:
        yield "seconds", task["time"]
    yield "payload", f"{task['payload_size']:,} bytes"
    if task["result_size"] is not None:
        yield "result", f"{task['result_size']:,} bytes"
    if task["output_size"]:
        yield "output", f"{task['output_size']:,} bytes"
    failure = task["failure"]
    if failure is not None:
        yield "failure", f"{failure['kind']}: {failure['error']}"


def progress_text(progress: Mapping[str, Any]) -> str:
    """Return how far a task is, in words."""
    share = f"{100 * progress['fraction']:.0f} %"
    return f"{share}, {progress['text']}" if progress["text"] else share


def output(args: Namespace, client: Client, screen: Screen) -> int:
    """Print what a task has written, and with --follow what it goes on to write."""
    job, number = args.task
    if args.save is not None:
        size = client.job(job).save_output(number, args.save)
        screen.note(f"{size:,} bytes are in {args.save}")
        return 0
    path = f"/api/jobs/{job}/tasks/{number}/output"
    answer = client.get(path)
    if args.json:
        screen.json(answer)
        return 0
    attempt = answer["attempt"]
    screen.write(_printable(answer["text"]))
    while args.follow and answer["live"]:
        time.sleep(FOLLOW_SECONDS)
        answer = client.get(f"{path}?from={answer['next']}")
        if answer["attempt"] != attempt:
            attempt, answer = answer["attempt"], client.get(path)
            screen.note(f"attempt {attempt}:")
        screen.write(_printable(answer["text"]))
    return 0


def _printable(text: str) -> bytes:
    """Return a task's text as it may go to a terminal."""
    return clean(text.replace("\r\n", "\n").replace("\r", "\n")).encode()


def last_outputs(client: Client, screen: Screen, failures: Sequence[TaskFailed]) -> None:
    """Write what failed tasks have written last, where they have written anything."""
    for failure in failures:
        try:
            answer = client.get(f"/api/jobs/{failure.job}/tasks/{failure.number}/output")
        except DcError:  # it is no more than help
            return
        lines = answer["text"][-limits.OUTPUT_SHOWN_BYTES :].rstrip().splitlines()
        if lines:
            text = "\n  ".join(lines[-SHOWN_LINES:])
            screen.note(f"task {failure.number} of job {failure.job} wrote last:\n  {text}")
