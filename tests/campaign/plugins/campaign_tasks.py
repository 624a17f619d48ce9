"""The task types of the campaign. Each execution writes one line to a ledger before it works.

The ledger is a folder with a file for each executor process; a line is one write to the end of it,
so what a process has written is there whatever becomes of the process. The folder also holds
`pace`: how long a short task takes now, in seconds, as eight bytes, rewritten while tasks run.
"""

from __future__ import annotations

import functools
import itertools
import os
import secrets
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

import dc


class Work(msgspec.Struct):
    """A payload.

    Attributes:
        number: of the task that it was made for; -1 for any.
        seconds: how long to take; 0 for what `pace` says.
        size: of the result's ballast in bytes.
        ballast: the number in four bytes, again and again.
    """

    number: int = -1
    seconds: float = 0.0
    size: int = 0
    ballast: bytes = b""


class Receipt(msgspec.Struct):
    """A result: which execution it is of, by the ledger's unique id."""

    number: int
    attempt: int
    worker: int
    executor: int
    unique: str
    ballast: bytes = b""


def _folder() -> Path:
    return Path(os.environ["DC_CAMPAIGN_LEDGER"])


@functools.cache
def _ledger() -> tuple[int, str, Iterator[int]]:
    """Open this process's ledger; return its descriptor, a name for the process, and a count."""
    name = f"{os.getpid()}-{secrets.token_hex(4)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.open(_folder() / f"{name}.ledger", flags, 0o644), name, itertools.count()


@functools.cache
def _pace_file() -> int:
    return os.open(_folder() / "pace", os.O_RDONLY)


def _pace() -> float:
    """Return how long a short task takes now, in seconds."""
    (seconds,) = struct.unpack("d", os.pread(_pace_file(), 8, 0))
    return float(seconds)


def _executed(context: dc.Context) -> Receipt:
    """Write an execution down; return its receipt."""
    descriptor, name, count = _ledger()
    worker, executor, unique = os.getppid(), os.getpid(), f"{name}-{next(count)}"
    fields = (context.job, context.number, context.attempt, worker, executor, unique, time.time())
    os.write(descriptor, (" ".join(map(str, fields)) + "\n").encode())
    return Receipt(context.number, context.attempt, worker, executor, unique)


def _worked(work: Work, context: dc.Context) -> Receipt:
    receipt = _executed(context)
    if work.number not in (-1, context.number):
        raise ValueError(f"task {context.number} has the payload of task {work.number}")
    if work.ballast and work.ballast != context.number.to_bytes(4, "big") * (
        len(work.ballast) // 4
    ):
        raise ValueError(f"the ballast of task {context.number} is damaged")
    time.sleep(work.seconds or _pace())
    receipt.ballast = bytes(work.size)
    return receipt


@dc.task_type
def tick(work: Work, context: dc.Context) -> Receipt:
    """A short task."""
    return _worked(work, context)


@dc.task_type
def hold(work: Work, context: dc.Context) -> Receipt:
    """A task that takes long, of a job that does not say so."""
    return _worked(work, context)


@dc.task_type
def hold_long(work: Work, context: dc.Context) -> Receipt:
    """A task that takes long, of a job that says so."""
    return _worked(work, context)


hold_long.options["long"] = True
